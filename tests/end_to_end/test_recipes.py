"""The machinery of the recipes, with toy stages; and a whole recipe on a few lines of text."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RECIPE = """\
source "$ROOT/examples/common.sh"
source "$CONFIG"
count() { echo "$1" >>"$WORK/calls"; }
say_word() { count "$1"; echo "$1" >"$OUT/word"; [ "$1" != "${BAD:-}" ] || { echo "no luck"; false; echo "went on"; }; }
slowly() { count "$1"; sleep 0.3; touch "$OUT/whole"; }
forever() { count started; sleep 600; }
one_job() { stage shared slowly shared; stage "$1" slowly "$1"; }
main() {
    BODY
}
main
exit
"""


@pytest.fixture
def recipe(tmp_path):
    """recipe(body, config="", **environment) → a process that is running the recipe."""
    environment = {**os.environ, "ROOT": str(ROOT), "WORK": str(tmp_path / "work"), "JOBS": "2", "THREADS": "1"}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    (tmp_path / "work").mkdir()

    def start(body, config="", **more):
        (tmp_path / "config.sh").write_text(config)
        (tmp_path / "run.sh").write_text(RECIPE.replace("BODY", body))
        return subprocess.Popen(
            ["bash", str(tmp_path / "run.sh")],
            env={**environment, **more},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    return start


def end_of(process, status=0):
    out, err = process.communicate(timeout=120)
    assert process.returncode == status, out + err
    return out, err


def calls(tmp_path):
    return sorted((tmp_path / "work" / "calls").read_text().split())


def test_a_stage_runs_once_and_another_setting_has_another_folder(recipe, tmp_path):
    for config in ("WORD=a", "WORD=a", "WORD=b"):
        end_of(recipe('stage word say_word "$WORD"', config))
    assert calls(tmp_path) == ["a", "b"]
    assert sorted(path.read_text() for path in tmp_path.glob("work/word-*/word")) == ["a\n", "b\n"]


def test_a_stage_that_fails_ends_the_recipe_and_is_run_again(recipe, tmp_path):
    body = "stage word say_word a; stage next say_word b"
    _, err = end_of(recipe(body, BAD="a"), status=1)
    assert "no luck" in err and "log.txt" in err.splitlines()[-1] and "went on" not in err
    end_of(recipe(body))
    assert calls(tmp_path) == ["a", "a", "b"]


def test_jobs_share_a_stage_and_a_failed_job_ends_the_recipe(recipe, tmp_path):
    end_of(recipe("job one_job a; job one_job b; job one_job c; finish_jobs"))
    assert calls(tmp_path) == ["a", "b", "c", "shared"]
    _, err = end_of(recipe("job stage word say_word d; job stage x slowly x; finish_jobs; count never", BAD="d"), 1)
    assert "word-" in err and "never" not in calls(tmp_path)


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_recipe_leaves_no_process_and_no_finished_stage(recipe, tmp_path, signal_number):
    process = recipe("job stage long forever; finish_jobs")
    deadline = time.time() + 60
    while not (tmp_path / "work" / "calls").exists() and time.time() < deadline:
        time.sleep(0.1)
    os.kill(process.pid, signal_number)
    end_of(process, status=130)
    assert not list(tmp_path.glob("work/*/.done"))
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(tmp_path) not in listed


def test_a_program_that_outlives_its_recipe_is_waited_for(recipe, tmp_path):
    """One that is deep in native code when it is told to end writes on for a while."""
    body = "stage long stubborn"
    work = "echo begins >>calls; until [ -e end ]; do sleep 0.05; done; echo ends >>calls"
    function = f"stubborn() {{ bash -c 'trap : TERM; {work}'; }}; "
    first = recipe(function + body)
    deadline = time.time() + 60
    while not (tmp_path / "work" / "calls").exists() and time.time() < deadline:
        time.sleep(0.1)
    os.killpg(first.pid, signal.SIGTERM)
    assert first.wait(timeout=120) == 130
    second = recipe(function + body)
    assert "another is at work on it; waiting" in second.stdout.readline()
    (tmp_path / "work" / "end").touch()
    end_of(second)
    assert (tmp_path / "work" / "calls").read_text().split() == ["begins", "ends"] * 2


def test_a_finished_stage_waits_for_nobody(recipe, tmp_path):
    """Its program may have left another one behind."""
    out, _ = end_of(recipe("leave_behind() { sleep 20 & count a; }; stage one leave_behind; stage one leave_behind"))
    assert "waiting" not in out and calls(tmp_path) == ["a"]


def test_a_slurm_job_queues_itself_again_while_a_stage_is_at_work(tmp_path):
    """Bash alone would put its trap off until the program of its stage has ended."""
    (tmp_path / "examples" / "toy").mkdir(parents=True)
    (tmp_path / "examples" / "toy" / "run.sh").write_text("trap 'exit 130' TERM\ntouch begun\nsleep 300\n")
    (tmp_path / "scontrol").write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/asked\necho here\n')
    (tmp_path / "scontrol").chmod(0o755)
    slurm = {"SUBMIT_DIR": tmp_path, "JOB_NODELIST": "here", "JOB_ID": 7, "JOB_NUM_NODES": 1, "GPUS_ON_NODE": 1}
    environment = recipe_environment(**{f"SLURM_{name}": value for name, value in slurm.items()})
    environment["PATH"] = f"{tmp_path}:{environment['PATH']}"
    job = subprocess.Popen(["bash", ROOT / "examples" / "slurm.sh", "toy"], env=environment, start_new_session=True)
    while not (tmp_path / "begun").exists():
        assert job.poll() is None
        time.sleep(0.05)
    os.kill(job.pid, signal.SIGUSR1)
    job.wait(timeout=120)
    assert (tmp_path / "asked").read_text().splitlines()[-1] == "requeue 7"


def test_seconds_are_those_of_the_recipes_own_stages_cut_off_ones_included(recipe, tmp_path):
    body = 'attempt() { echo said; [ -e "$WORK/go" ] || kill -KILL $BASHPID; }; '
    body += 'stage "$NAME" attempt "$NAME"; seconds_of_stages'
    end_of(recipe(body, "NAME=a"), status=1)
    (folder,) = tmp_path.glob("work/a-*")
    assert (folder / ".begun").exists() is False  # the recipe lived on, and noted the seconds
    (folder / ".begun").touch()  # as if the recipe had been killed, too, 100 seconds after its beginning
    os.utime(folder / ".begun", (1e9, 1e9))
    os.utime(folder / "log.txt", (1e9 + 100, 1e9 + 100))
    (tmp_path / "work" / "go").touch()
    out, _ = end_of(recipe(body, "NAME=a"))
    assert 100 <= int(out.split()[-1]) < 110
    out, _ = end_of(recipe(body, "NAME=b"))
    assert int(out.split()[-1]) < 10


def test_a_result_is_not_made_of_the_runs_of_another_configuration(recipe):
    body = 'if [ -n "${RUN:-}" ]; then record a s t 1 x y; else write_result a; fi'
    end_of(recipe(body, "RATE=1", RUN="yes"))
    _, err = end_of(recipe(body, "RATE=2"), status=1)
    assert "no run of this configuration has ended yet" in err


def test_two_recipes_do_not_share_a_folder(recipe, tmp_path):
    first = recipe('stage long slowly a; until [ -e "$WORK/end" ]; do sleep 0.1; done')
    deadline = time.time() + 60
    while not (tmp_path / "work" / "calls").exists() and time.time() < deadline:
        time.sleep(0.1)
    _, err = end_of(recipe("stage long slowly a"), status=1)
    assert "another run.sh is at work" in err
    (tmp_path / "work" / "end").touch()
    end_of(first)


def test_text_with_another_checksum_is_refused(recipe, tmp_path):
    (tmp_path / "a.txt").write_text("text\n")
    good = hashlib.sha256(b"text\n").hexdigest()
    get = "stage text fetch {} https://nowhere.invalid/a.txt.gz a.txt"
    _, err = end_of(recipe(get.format("0" * 64), DATA=str(tmp_path)), status=1)
    assert "checksum" in err and not list(tmp_path.glob("work/*/a.txt"))
    _, err = end_of(recipe(get.format(good), DATA=str(tmp_path / "work")), status=1)
    assert "has neither a.txt nor a.txt.gz" in err
    end_of(recipe(get.format(good), DATA=str(tmp_path)))
    assert [path.read_text() for path in tmp_path.glob("work/*/a.txt")] == ["text\n"]


def test_a_data_folder_may_be_named_from_where_the_recipe_is_called(recipe, tmp_path):
    (tmp_path / "a.txt").write_text("text\n")
    get = f"stage text fetch {hashlib.sha256(b'text' + bytes([10])).hexdigest()} https://nowhere.invalid/a.txt a.txt"
    _, err = end_of(recipe(get, DATA="lost"), status=1)
    assert err == "error: DATA=lost is no folder; name the one with the text\n"
    body = f'{get}; CLAIM=c STATUS=s CALLED=DATA=folder; about_result; echo "${{RESULT_FLAGS[@]}}"'
    out, _ = end_of(recipe(body, DATA=os.path.relpath(tmp_path)))
    assert [path.read_text() for path in tmp_path.glob("work/*/a.txt")] == ["text\n"]
    assert " --command DATA=folder bash examples/" in out


def test_a_training_is_started_by_the_launcher(recipe, tmp_path):
    end_of(recipe("stage training train data --max-update 3", LAUNCH="echo torchrun --standalone"))
    (log,) = tmp_path.glob("work/training-*/log.txt")
    words = log.read_text().split()
    assert words[:2] == ["torchrun", "--standalone"] and words[2].endswith("/bin/fairseq-train")
    assert words[3:6] == ["data", "--max-update", "3"]


@pytest.mark.parametrize(
    "number, launched, called", [(1, "", ""), (2, "--standalone --nproc_per_node 2 ", "PROCESSES=2 ")]
)
def test_a_pre_training_is_shared_by_as_many_processes_as_asked_for(recipe, tmp_path, number, launched, called):
    body = f'source "{ROOT}/examples/multi30k_unpaired.sh"; MIXED=bin MODEL=() CLAIM=c STATUS=s; '
    body += 'torchrun() { echo "$@"; }; '
    body += "PRETRAINING=(--update-freq $((4 / PROCESSES))); pretrain; "
    body += 'unset LAUNCH; about_result; echo "${RESULT_FLAGS[@]}"'
    out, _ = end_of(recipe(body, PROCESSES=str(number), LAUNCH="echo"))
    (log,) = tmp_path.glob("work/pretraining-*/log.txt")
    words = log.read_text()
    assert words.startswith(launched + "/") and f" bin --update-freq {4 // number} " in words
    assert f" --command {called}bash examples/" in out


@pytest.mark.parametrize("number, order", [(1, ["other", "first"]), (2, ["first", "other"])])
def test_a_job_of_several_processes_has_the_machine_to_itself(recipe, number, order):
    body = f'source "{ROOT}/examples/shared_training.sh"; JOBS=2; first() {{ sleep 2; echo first; }}; '
    out, _ = end_of(recipe(body + "first_job first; job echo other; finish_jobs", PROCESSES=str(number)))
    assert out.split()[-2:] == order


def test_an_aligned_pre_training_starts_from_the_vectors_of_its_text(recipe, tmp_path):
    body = f'source "{ROOT}/examples/multi30k_unpaired.sh"; MIXED=bin MODEL=() PRETRAINING=() ALIGNMENT=(--pivot en); '
    body += 'align() { echo "$@"; }; torchrun() { echo "$@"; }; pretrain_aligned'
    end_of(recipe(body, PROCESSES="2"))
    (vectors,), (log,) = tmp_path.glob("work/vectors-*"), tmp_path.glob("work/pretraining.aligned-*/log.txt")
    assert (vectors / "log.txt").read_text() == "bin --pivot en\n"
    words = log.read_text()
    assert words.startswith("--standalone --nproc_per_node 2 ")
    assert f" bin --pretrained-embeddings {vectors.name}/vectors.txt " in words


def test_curves_are_drawn_of_the_trainings_that_have_begun(recipe, tmp_path):
    body = f'source "{ROOT}/examples/multi30k_unpaired.sh"; '
    body += """train() { echo '1 | INFO | valid | {"valid_bleu": "2.5", "valid_num_updates": "10"}'; }; """
    body += "stage bt.1 train; remember_curve bt.1; draw_curves bleu bt.1 bt.2"
    out, _ = end_of(recipe(body))
    assert "bt.1" in out and "bt.2" not in out
    assert (tmp_path / "curves.png").read_bytes() == (tmp_path / "work" / "curves.png").read_bytes()
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_a_number_of_processes_that_shares_unevenly_is_refused(recipe):
    _, err = end_of(recipe(f'source "{ROOT}/examples/multi30k_unpaired.sh"', PROCESSES="3"), status=1)
    assert "error: PROCESSES=3: choose 1, 2 or 4" in err


@pytest.mark.parametrize("gains, kept", [(1, ["--autocast-bfloat16"]), (0, [])])
def test_a_training_computes_in_bfloat16_where_the_processor_gains(recipe, tmp_path, gains, kept):
    end_of(recipe(f"BFLOAT16={gains}; stage training train data --autocast-bfloat16 --seed 3", LAUNCH="echo"))
    (log,) = tmp_path.glob("work/training-*/log.txt")
    *said, command = log.read_text().splitlines()
    assert command.split()[1 : 4 + gains] == ["data", *kept, "--seed", "3"]
    assert len(said) == 1 - gains and all("is left out" in line for line in said)


def captions(folder):
    """Aligned lines of three made-up languages, under Multi30k's file names."""
    draw = random.Random(1)
    for name, lines in (("train", 120), ("val", 12), ("test_2016_flickr", 12)):
        numbers = [[draw.randrange(40) for _ in range(draw.randint(3, 9))] for _ in range(lines)]
        for language in ("de", "en", "fr"):
            text = "".join(" ".join(f"{language}{n}" for n in line) + "\n" for line in numbers)
            (folder / f"{name}.{language}").write_text(text)


def unpaired_text(folder):
    """``captions`` and everyday sentences, too few to be aligned; the lines of a config.sh for so little text."""
    captions(folder)
    draw = random.Random(2)
    for language in ("de", "en", "fr"):
        lines = {" ".join(f"{language}{draw.randrange(40)}" for _ in range(5)) for _ in range(30)}
        (folder / f"voice.{language}").write_text("".join(f"{line}\n" for line in sorted(lines)))
    sizes = (f"--{side}-{what}" for side in ("encoder", "decoder") for what in ("layers 1", "embed-dim 16"))
    vectors = """head -n 20 "$1/dict.en.txt" | awk 'BEGIN { print 20, 16 }
        { printf "%s", $1; for (i = 0; i < 16; i++) printf " %d", i == NR % 16; print "" }' >"$OUT/vectors.txt"; """
    return (
        f'CHECKSUMS="{checksums(folder)}"\nVOICE_CHECKSUMS="$(grep voice <<<"$CHECKSUMS")"\n'
        'CHECKSUMS="$(grep -v voice <<<"$CHECKSUMS")"\nVOCABULARY=200\nBEAM=2\nNUMBER=40\n'
        f"MODEL+=({' '.join(sizes)})\nalign() {{ {vectors} }}\n"
    )


def recipe_environment(**values):
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {**os.environ, "JOBS": "2", "THREADS": "1", "PATH": path, **{k: str(v) for k, v in values.items()}}


def checksums(folder):
    return "\n".join(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()} {path.name}" for path in sorted(folder.iterdir())
    )


def test_multi30k_recipe_from_raw_text_to_result(tmp_path):
    """The recipe as it is, with few lines and updates; cut off once, then run to its end."""
    captions(tmp_path)
    folder = ROOT / "examples" / "multi30k_low_resource"
    sums = checksums(tmp_path)
    config = tmp_path / "config.sh"
    config.write_text(
        (folder / "config.sh").read_text()
        + f'\nCHECKSUMS="{sums}"\nVOCABULARY=200\nBEAM=2\nUPDATES=([60]=5)\nDIRECTIONS=([60]=de-en)\nPLAN=("60 1")\n'
        + "EXTRA=()\nMODEL+=(--encoder-layers 1 --decoder-layers 1)\n"
        + "PRETRAINING+=(--max-update 4 --save-interval-updates 2)\n"
    )
    environment = recipe_environment(CONFIG=config, DATA=tmp_path, WORK=tmp_path / "work")
    command = ["bash", str(folder / "run.sh")]
    first = subprocess.Popen([*command, "pretrain"], env=environment, stdout=subprocess.PIPE, start_new_session=True)
    for line in first.stdout:
        if b"pretraining.mass" in line:
            os.kill(first.pid, signal.SIGINT)
            break
    first.communicate(timeout=120)
    assert first.returncode == 130
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not done.stderr
    result = json.loads((tmp_path / "work" / "result.json").read_text())
    assert [score["system"] for score in result["scores"]] == ["scratch", "mass", "denoising"]
    assert {(score["setting"], score["metric"]) for score in result["scores"]} == {("de-en, 60 pairs", "BLEU")}
    assert len(result["comparisons"]) == 3 and result["seconds"] > 0
    again = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert again.returncode == 0 and "starts" not in again.stdout
