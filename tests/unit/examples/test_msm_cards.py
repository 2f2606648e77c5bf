"""Cards and configurations of MSM's recipes: complete, and saying the same."""

import re
import subprocess
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
