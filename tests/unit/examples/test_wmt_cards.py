"""Cards and configurations of the recipes on WMT's news: complete, and saying the same."""

import re
import subprocess
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
PAIRS = ("enfr", "ende", "enro")
HEADINGS = ["Claim", "Status", "Result", "Run", "Data", "Expected log lines", "Deviations from the paper",
            "What did not work"]  # fmt: skip


def card(pair):
    return (EXAMPLES / f"unsupervised_wmt_{pair}" / "README.md").read_text()


def configured(pair, script):
    """What ``script`` prints where the recipe's settings are known, in lines of words."""
    folder = EXAMPLES / f"unsupervised_wmt_{pair}"
    script = f"set -eu; source {EXAMPLES}/wmt.sh; source {folder}/config.sh; {script}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    return [line.split() for line in done.stdout.splitlines()]


@pytest.mark.parametrize("pair", PAIRS)
def test_a_card_has_all_headings(pair):
    assert re.findall(r"^## (.+)", card(pair), re.MULTILINE) == HEADINGS
    assert "<!-- results:begin -->" in card(pair) and "<!-- results:end -->" in card(pair)


@pytest.mark.parametrize("pair", PAIRS)
def test_what_was_not_run_is_called_so(pair):
    (status,) = configured(pair, 'echo "$STATUS"')
    result = EXAMPLES / f"unsupervised_wmt_{pair}" / "result.json"
    assert (status == ["not", "run"]) == ("Not run." in card(pair)) == (not result.exists())


@pytest.mark.parametrize("pair", PAIRS)
def test_the_papers_numbers_are_the_same_everywhere(pair):
    ((there, back),) = configured(pair, 'echo "${PAPER[$PAIR]} ${PAPER[${PAIR#*-}-${PAIR%-*}]}"')
    claim = " ".join(configured(pair, 'echo "$CLAIM"')[0])
    text = " ".join(card(pair).split("## Status")[0].split())
    for page in (claim, text):
        assert re.search(rf"{there} .*from English to \w+ and {back} back", page.replace("BLEU ", ""))


@pytest.mark.parametrize("pair", PAIRS)
def test_archives_have_known_sums_and_the_sets_are_complete(pair):
    rows = configured(
        pair, 'for corpus in "$DEV" "${PARALLEL[@]}"; do echo "${corpus%% *} ${KNOWN[${corpus%% *}]}"; done'
    )
    for address, size, digest in rows:
        assert address.startswith("https://") and int(size) > 1e6 and re.fullmatch("[0-9a-f]{64}", digest)
    sets = configured(pair, 'printf "%s %s %s\\n" "${SETS[@]}"')
    one, other = pair[:2], pair[2:]
    names = ("valid", f"{one}-{other}", f"{other}-{one}")
    assert {(name, language) for name, _, language in sets} == {(n, lang) for n in names for lang in (one, other)}
    for name, file, language in sets:
        assert f".{language}" in file and (name == "valid" or ("-src." in file) == name.startswith(language))
