# Sourced, after common.sh, by the recipes whose one long pre-training several processes of this machine may share.
#
# Set from outside, besides what common.sh reads: PROCESSES (default: 1). An update has four batches whatever their number:
# PRETRAINING has --update-freq $((4 / PROCESSES)).
SHARED+=("${BASH_SOURCE[0]}")

PROCESSES=${PROCESSES:-1}
case $PROCESSES in
    1 | 2 | 4) ;;
    *) die "PROCESSES=$PROCESSES: choose 1, 2 or 4, which share the four batches of an update" ;;
esac

# shared_training STAGE WORDS...: fairseq-train WORDS by PROCESSES; FOLDER is its folder afterwards.
shared_training() {
    local LAUNCH=${LAUNCH:-} name=$1
    shift
    [ "$PROCESSES" -eq 1 ] || LAUNCH="torchrun --standalone --nproc_per_node $PROCESSES"
    stage "$name" train "$@"
}

# first_job WORDS...: a job that others wait for; several processes have the machine to themselves.
first_job() { job "$@"; [ "$PROCESSES" -eq 1 ] || finish_jobs; }
