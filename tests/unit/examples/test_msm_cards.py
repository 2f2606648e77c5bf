"""Cards and configurations of MSM's recipes: complete, and saying the same."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
HEADINGS = ["Claim", "Status", "Result", "Run", "Data", "Expected log lines", "Deviations from the paper",
            "What did not work"]  # fmt: skip


def card(name):
    return (EXAMPLES / name / "README.md").read_text()


def configured(name, script):
    """What ``script`` prints where the recipe's settings are known."""
    script = f"set -eu; XLMR=x; source {EXAMPLES}/{name}/config.sh; {script}"
    return subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.parametrize("name", ("msm_small", "msm_full"))
def test_a_card_has_all_headings_and_is_listed(name):
    assert re.findall(r"^## (.+)", card(name), re.MULTILINE) == HEADINGS
    assert "<!-- results:begin -->" in card(name) and f"bash examples/{name}/run.sh" in card(name)
    assert f"({name}/README.md)" in (EXAMPLES / "README.md").read_text()


def test_small_card_names_systems_languages_and_updates():
    for system in configured("msm_small", 'echo "${SYSTEMS[@]}"'):
        assert f"`{system}`" in card("msm_small")
    languages, updates, start = configured("msm_small", 'echo "${#LANGUAGES[@]} $UPDATES $START_UPDATES"')
    assert f"{languages} languages" in card("msm_small")
    for number in (updates, start):
        assert f"{number} updates" in card("msm_small")


def test_full_has_108_languages_each_once():
    languages = configured("msm_full", 'echo "${LANGUAGES[@]}"')
    assert len(languages) == len(set(languages)) == 108
    tests = configured("msm_full", 'echo "${#TATOEBA_LANGUAGES[@]} ${#XQUAD_LANGUAGES[@]}"')
    assert f"LASER, {tests[0]} languages; XQuAD-R, {tests[1]} languages" in card("msm_full")
    assert configured("msm_full", 'echo "${STATUS}"') == ["not", "run"] and "Not run:" in card("msm_full")


def test_small_hours_are_those_of_the_result():
    seconds = json.loads((EXAMPLES / "msm_small" / "result.json").read_text())["seconds"]
    text = " ".join(card("msm_small").split())
    first, start = (int(*re.findall(rf"\| `{name}`.* \| (\d+) \|", card("msm_small"))) for name in ("text", "start"))
    on_four = (first + start + (seconds - first - start) / 4) / 3600
    assert f"The stages took {seconds / 3600:.1f} hours, added up" in text
    assert f"By calculation that is {on_four:.1f} hours on 4 cores" in text and on_four < 4
    assert f"4 cores, {on_four:.1f} hours" in (EXAMPLES / "README.md").read_text()


def test_the_picture_is_in_the_card():
    """And there, where there is a result."""
    folder = EXAMPLES / "msm_small"
    (name,) = re.findall(r"^!\[[^]]+\]\((.+)\)$", card("msm_small"), re.MULTILINE)
    assert f'"$EXAMPLE/{name}"' in (folder / "run.sh").read_text()
    assert (folder / name).exists() == (folder / "result.json").exists()


def test_small_seeds():
    """Every system has a run for each of its seeds; those of the ablations are set apart."""
    run = (EXAMPLES / "msm_small" / "run.sh").read_text()
    function = run[run.index("has_seed() {") : run.index("\n\n# draw")]
    loop = 'for s in "${SYSTEMS[@]}"; do for n in "${SEEDS[@]}"; do ! has_seed $s $n || echo $s; done; done'
    found = configured("msm_small", f"{function}; {loop}; true")
    systems, ablations, seeds, fewer = (
        configured("msm_small", f"echo {what}")
        for what in ('"${SYSTEMS[@]}"', '"${!ABLATION[@]}"', '"${SEEDS[@]}"', '"${ABLATION_SEEDS[@]}"')
    )
    expected = {system: len(seeds) for system in systems} | {
        system: len(fewer) for system in ablations if system != "msm"
    }
    assert {system: found.count(system) for system in systems} == {**expected, "start": 1}
    # without negatives of both kinds there is no correction: what no-cross lacks besides is tested, and in the card
    assert "no-cross=no-correction" in configured("msm_small", 'echo "${COMPARISONS[@]}"')
    assert "`no-cross` is also without the correction" in card("msm_small")
    assert fewer == seeds and f"{len(seeds)} seeds of every system except `start`" in card("msm_small")


@pytest.mark.parametrize("name", ("msm_small", "msm_full"))
def test_every_system_is_tested_against_another(name):
    systems = configured(name, 'echo "${SYSTEMS[@]}"')
    compared = [pair.split("=") for pair in configured(name, 'echo "${COMPARISONS[@]}"')]
    assert {system for pair in compared for system in pair} == set(systems)
    assert '--compare "${COMPARISONS[@]}"' in (EXAMPLES / name / "run.sh").read_text()


def test_objectives_can_be_compared_under_one_pooling():
    """MLM and MSM by the mean and by the first token, each pair tested; MSM trains what it is measured with."""
    script = 'for s in "${SYSTEMS[@]}"; do echo "$s=${POOLING[$s]:-mean}"; done; echo "${ABLATION[msm-cls]}=${MSM[*]}"'
    found = " ".join(configured("msm_small", script))
    pooling = dict(row.split("=") for row in found.split() if row.count("=") == 1)
    assert pooling["mlm"] == pooling["msm"] == "mean" and pooling["mlm-cls"] == pooling["msm-cls"] == "cls"
    assert "--unit-pooling cls=" in found and "--unit-pooling mean" in found
    compared = configured("msm_small", 'echo "${COMPARISONS[@]}"')
    assert {"mlm=msm", "mlm-cls=msm-cls"} <= set(compared)


@pytest.mark.parametrize("alignment", ("--pivot en --window 3", ""))
def test_the_start_begins_with_aligned_vectors(alignment):
    """And nothing else does; without an alignment it begins anew."""
    run = (EXAMPLES / "msm_small" / "run.sh").read_text()
    functions = run[run.index("# schedule UPDATES") : run.index("\n# measure CHECKPOINT")]
    vectors = run[run.index("    VECTORS=()") : run.index("    stage documents")]
    stubs = 'stage() { FOLDER=of.$1; echo "$*"; }; shared_training() { FOLDER=of.$1; echo "$*"; }; '
    script = (
        f"{stubs}{functions}\nALIGNMENT=({alignment}) ALL=bin UNITS=units\n{vectors}\npretrain start 1; pretrain msm 1"
    )
    found = " ".join(configured("msm_small", script))
    assert found.count("--pretrained-embeddings of.vectors/vectors.txt") == (
        2 if alignment else 0
    )  # both name the start
    assert found.count(f"vectors align bin {alignment}") == (1 if alignment else 0)
    trained = found[found.index("msm.1 train bin --documents units") :]
    assert "--pretrained-embeddings" not in trained and "--pretrained-checkpoint of.start/checkpoint_last.pt" in trained


@pytest.mark.parametrize("data, called", (("", "."), (".", "DATA=folder.")))
def test_a_result_of_other_text_names_it(data, called, tmp_path):
    """What run.sh knows before main."""
    folder = tmp_path / "examples" / "msm_small"
    folder.mkdir(parents=True)
    for name in ("common.sh", "large.sh", "shared_training.sh", "msm_small/config.sh"):
        (tmp_path / "examples" / name).symlink_to(EXAMPLES / name)
    (tmp_path / "mass_plugins").symlink_to(EXAMPLES.parent / "mass_plugins")
    script = (EXAMPLES / "msm_small" / "run.sh").read_text()
    assert script.endswith('main "$@"\nexit\n')
    (folder / "run.sh").write_text(script.replace('main "$@"\nexit\n', 'echo "$CALLED."\n'))
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    variables = {**os.environ, "DATA": data, "PATH": path, "WORK": str(tmp_path / "work"), "CONFIG": ""}
    done = subprocess.run(["bash", folder / "run.sh"], env=variables, capture_output=True, text=True, check=True)
    assert done.stdout == f"{called}\n"


def test_full_measures_what_depends_on_no_seed_once():
    run = (EXAMPLES / "msm_full" / "run.sh").read_text()
    stubs = "prepare_text get_tests stage note write_result"
    script = "".join(f"{name}() {{ :; }}; " for name in stubs.split())
    script += 'measure() { echo "$1.$2.$3.$5"; }; FOLDER=f RECORDS=r MRTYDI= XOR= GROUPS_FILE=g ALL=a UNITS=u\n'
    script += run[run.index("# system SYSTEM") :].replace("\nexit\n", "\n")
    found = configured("msm_full", script)
    zero_shot = ["xlm-r.1.zero-shot.mean", "msm.1.zero-shot.cls"]
    fine_tuned = [f"{name}.{seed}.fine-tuned.cls" for name in ("xlm-r", "msm") for seed in (1, 2, 3)]
    assert sorted(found) == sorted(zero_shot + fine_tuned)
    assert "MSM is pre-trained once" in card("msm_full")


@pytest.mark.parametrize("processes, words", ((8, "--batch-size 16"), (2, "--batch-size 64 --cache-texts 48")))
def test_full_has_one_batch_of_questions_on_any_number_of_gpus(processes, words):
    """Not several smaller ones, whose questions would have fewer negatives."""
    run = (EXAMPLES / "msm_full" / "run.sh").read_text()
    function = run[run.index("fine_tune() {") : run.index("# note SYSTEM SEED")]
    script = f'PROCESSES={processes}; train() {{ echo "$@"; }}; {function}'
    script += 'fine_tune "$BATCH_OF_QUESTIONS" "$TEXTS_AT_ONCE" x "${FINE_TUNING[@]}"'
    found = configured("msm_full", script)
    assert " ".join(found).endswith(words) and found.count("--batch-size") == 1 and "--update-freq" not in found
    assert 'stage "$system.$seed.fine" fine_tune "$BATCH_OF_QUESTIONS" "$TEXTS_AT_ONCE"' in run
