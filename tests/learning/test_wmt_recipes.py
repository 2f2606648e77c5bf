"""All recipes on WMT's news, each on its tiny local mirror, down to the score: by themselves, by torchrun, by Slurm."""

import os
import signal
import stat
import subprocess

from tests.end_to_end.test_wmt_recipes import ROOT, check_result, environment, run_recipe
from tests.wmt_mirror import make_mirror

# Slurm's commands, as far as examples/slurm.sh uses them: one node, this machine.
SRUN = 'while [ "$1" != torchrun ]; do shift; done; exec "$@"'
SCONTROL = 'if [ "$1" = show ]; then echo localhost; else echo "$@" >>"$WORK/scontrol"; fi'


def devices(folder, stage):
    """How many processes the trainings of a stage had."""
    logs = [file.read_text() for file in folder.glob(f"work/{stage}-*/log.txt")]
    return {line.split("training on ")[1].split()[0] for log in logs for line in log.splitlines()
            if "training on " in line}  # fmt: skip


def test_french_in_parts(tmp_path):
    """Text, back-translation, and few pairs one after the other; the result has them all in the end."""
    make_mirror(tmp_path, "enfr")
    for goal in ("text", "unsupervised", "low-resource", "result"):
        done = run_recipe("enfr", tmp_path, goal)
        assert done.returncode == 0 and not done.stderr, done.stdout + done.stderr
        assert (tmp_path / "work" / "result.json").exists() == (goal != "text")
    check_result("enfr", tmp_path)


def test_romanian_in_two_processes(tmp_path):
    make_mirror(tmp_path, "enro", batch=2)
    launch = {"LAUNCH": "torchrun --standalone --nproc_per_node 2", "PROCESSES": "2"}
    done = run_recipe("enro", tmp_path, **launch)
    assert done.returncode == 0, done.stdout + done.stderr
    check_result("enro", tmp_path)
    for stage in ("pretraining", "unsupervised.1", "mass.en-ro.40.1"):
        assert devices(tmp_path, stage) == {"2"}


def test_german_as_a_slurm_job(tmp_path):
    """Its time is over in pre-training: the job queues itself again; then it goes on to the scores."""
    make_mirror(tmp_path, "ende", batch=2)
    commands = tmp_path / "bin"
    commands.mkdir()
    for name, script in (("srun", SRUN), ("scontrol", SCONTROL)):
        (commands / name).write_text(f"#!/usr/bin/env bash\n{script}\n")
        (commands / name).chmod(stat.S_IRWXU)
    variables = environment(tmp_path)
    variables |= {"SLURM_SUBMIT_DIR": str(ROOT), "SLURM_JOB_ID": str(os.getpid()), "SLURM_JOB_NUM_NODES": "1",
                  "SLURM_JOB_NODELIST": "node1", "SLURM_GPUS_ON_NODE": "2"}  # fmt: skip
    variables["PATH"] = f"{commands}:{variables['PATH']}"
    command = ["bash", ROOT / "examples" / "slurm.sh", "unsupervised_wmt_ende"]
    first = subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, start_new_session=True)
    for line in first.stdout:
        if b"pretraining" in line:
            os.kill(first.pid, signal.SIGUSR1)
            break
    first.communicate(timeout=120)
    assert first.returncode == 0
    assert (tmp_path / "work" / "scontrol").read_text() == f"requeue {os.getpid()}\n"
    assert not list(tmp_path.glob("work/pretraining-*/.done"))
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=1200, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    check_result("ende", tmp_path)
    assert devices(tmp_path, "pretraining") == devices(tmp_path, "scratch.de-en.40.1") == {"2"}


def test_a_slurm_job_of_no_recipe_says_so(tmp_path):
    variables = environment(tmp_path, SLURM_SUBMIT_DIR=str(tmp_path))
    command = ["bash", ROOT / "examples" / "slurm.sh", "unsupervised_wmt_ende"]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "submit the job at the top of the repository" in done.stderr
