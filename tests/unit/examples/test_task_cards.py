"""Cards and configurations of summarization, response generation and the ablation: complete, and agreeing."""

import re
import subprocess
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
LARGE = ("summarization_gigaword", "summarization_cnndm", "response_generation_cornell")
SMALL = ("summarization_aeslc", "summarization_scitldr", "response_generation_dailydialog", "mass_objectives_ablation")
HEADINGS = ["Claim", "Status", "Result", "Run", "Data", "Expected log lines", "Deviations from the paper",
            "What did not work"]  # fmt: skip


def card(name):
    return (EXAMPLES / name / "README.md").read_text()


def configured(name, script):
    """What ``script`` prints where the recipe's settings are known."""
    shared = "summarization_large.sh" if name.startswith("summarization") and name in LARGE else "wmt.sh"
    sources = [shared, *(["shared_training.sh"] if name in SMALL else []), f"{name}/config.sh"]
    script = f"set -eu; SHARED=(); {''.join(f'source {EXAMPLES}/{source}; ' for source in sources)}{script}"
    return subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("name", LARGE + SMALL)
def test_a_card_has_all_headings_and_names_what_its_recipe_needs(name):
    assert re.findall(r"^## (.+)", card(name), re.MULTILINE) == HEADINGS
    assert "<!-- results:begin -->" in card(name) and "<!-- results:end -->" in card(name)
    assert f"bash examples/{name}/run.sh" in card(name)
    assert f"({name}/README.md)" in (EXAMPLES / "README.md").read_text()


@pytest.mark.parametrize("name", LARGE)
def test_what_was_not_run_is_called_so(name):
    assert configured(name, 'echo "$STATUS"') == "not run"
    assert "Not run." in card(name) and not (EXAMPLES / name / "result.json").exists()


@pytest.mark.parametrize("name", LARGE)
def test_the_papers_numbers_are_the_same_everywhere(name):
    numbers = re.findall(r"\d+\.\d+", configured(name, 'echo "${PAPER[@]}"'))
    claims = (configured(name, 'echo "$CLAIM"'), card(name).split("## Status")[0])
    for claim in claims:
        assert numbers and sorted(numbers) == sorted(set(re.findall(r"\d+\.\d\d", claim)))


@pytest.mark.parametrize("name", ["summarization_aeslc", "summarization_scitldr"])
def test_documents_are_cut_alike_in_training_and_in_the_test(name, tmp_path):
    for split in ("train", "valid"):
        for side in ("source", "target"):
            (tmp_path / f"{split}.{side}").write_text("text\n")
    script = f"""set -eu; source {EXAMPLES}/summarization.sh; source {EXAMPLES}/{name}/config.sh
        TEXT={tmp_path} ALL=like
        stage() {{ FOLDER=f; case $1 in *.test) echo "$*" ;; pairs-*) OUT=$(mktemp -d -p $TEXT); "${{@:2}}" ;; esac; }}
        prepare() {{ echo "$*"; }}; record() {{ :; }}; system scratch ${{PAIRS[0]}} 1"""
    lines = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout
    trained, tested = (int(re.search(rf"{flag} (\d+)", lines)[1]) for flag in ("--max-pieces", "--truncate"))
    assert tested == trained + 1  # </s>


@pytest.mark.parametrize("name", SMALL)
def test_settings_name_their_updates(name):
    """Every number of pairs of a small recipe has its updates, where systems differ every system."""
    if name == "mass_objectives_ablation":
        return
    pairs, updates, systems = configured(
        name, 'echo "${PAIRS[@]}"; echo "${!UPDATES[@]}"; echo "${SYSTEMS[*]:-none}"'
    ).splitlines()
    if name == "response_generation_dailydialog":
        pairs = " ".join(f"{system}.{number}" for system in systems.split() for number in pairs.split())
    assert sorted(pairs.split()) == sorted(updates.split())
