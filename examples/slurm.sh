#!/usr/bin/env bash
#SBATCH --job-name=mass
#SBATCH --ntasks-per-node=1
#SBATCH --signal=B:USR1@180
#SBATCH --open-mode=append
# A recipe as a Slurm job, from the top of the repository:
#
#   sbatch --nodes 2 --gpus-per-node 4 --cpus-per-task 32 --time 24:00:00 \
#       examples/slurm.sh unsupervised_wmt_enfr [words of its run.sh]
#
# Text is prepared on the first node; each training runs on all GPUs of all nodes. WORK has to be on a disk that
# all nodes see. Three minutes before the job's time is over it stops and queues itself again, and goes on from
# the last checkpoints: what such a job has not finished it has not lost.
set -Eeuo pipefail

cd "${SLURM_SUBMIT_DIR:?this is a Slurm job: sbatch examples/slurm.sh EXAMPLE}"
EXAMPLE=${1:?usage: sbatch examples/slurm.sh EXAMPLE [words of its run.sh]}
shift
[ -e "examples/$EXAMPLE/run.sh" ] ||
    { echo "error: no examples/$EXAMPLE/run.sh in $PWD; submit the job at the top of the repository" >&2; exit 1; }

HEAD=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
PORT=$((20000 + SLURM_JOB_ID % 20000))
export PROCESSES=$((SLURM_JOB_NUM_NODES * SLURM_GPUS_ON_NODE)) JOBS=1
export LAUNCH="srun --nodes $SLURM_JOB_NUM_NODES --ntasks $SLURM_JOB_NUM_NODES --ntasks-per-node 1 torchrun \
    --nnodes $SLURM_JOB_NUM_NODES --nproc_per_node $SLURM_GPUS_ON_NODE \
    --rdzv_id $SLURM_JOB_ID --rdzv_backend c10d --rdzv_endpoint $HEAD:$PORT"
export SRUN_CPUS_PER_TASK=${SLURM_CPUS_PER_TASK:-1} # srun doesn't take it from the job

setsid bash "examples/$EXAMPLE/run.sh" "$@" & # a process group: bash alone would wait for the program of its stage
RECIPE=$!
stop() { kill -TERM -- "-$RECIPE"; wait "$RECIPE" || true; }
trap 'stop; scontrol requeue "$SLURM_JOB_ID"; exit' USR1
trap 'stop; exit 143' TERM INT
wait "$RECIPE"
