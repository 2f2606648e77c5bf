"""The recipes of Mirror-BERT: settings agree, processes share a batch, recipes share a folder; the peers' time."""

import itertools
import json
import os
import re
import subprocess
import sys
import types
from pathlib import Path

import pytest
import torch

from examples import mirror_bert_peers, mirror_bert_text

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
RECIPES = ("sts", "words")


@pytest.fixture
def bash(tmp_path):
    """bash(script, expect=0, recipe="sts"): what ``script`` prints where a recipe's settings are known."""

    def call(script, expect=0, recipe="sts"):
        folder = EXAMPLES / f"mirror_bert_{recipe}"
        (tmp_path / "work" / "runs" / recipe).mkdir(parents=True, exist_ok=True)
        head = f"""
            set -Eeuo pipefail; cd {tmp_path}/work; SHARED=() GPU=0 RECIPE={recipe}; ROOT={EXAMPLES.parent}
            RECORDS=runs/{recipe} STAGES=runs/{recipe}/stages
            EXAMPLE={folder} CONFIG={tmp_path}/config.sh CLAIM=claim STATUS="scaled down"
            say() {{ :; }}; die() {{ echo "error: $*" >&2; exit 1; }}
            eval "$(sed -n '/^seconds_of_stages()/,/^}}/p' {EXAMPLES}/common.sh)"
            source {EXAMPLES}/mirror_bert.sh; source {folder}/config.sh
        """
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-c", head + script], capture_output=True, text=True, check=False,
            env={**os.environ, "PATH": path, "PYTHONPATH": str(EXAMPLES.parent)},
        )  # fmt: skip
        assert done.returncode == expect, done.stdout + done.stderr
        return done.stdout if expect == 0 else done.stderr

    return call


@pytest.mark.parametrize("recipe", RECIPES)
def test_tests_of_significance_are_between_systems_that_there_are(bash, recipe):
    own = {"sts": ["mlm"], "words": ["mlm", "mlm-cls"]}[recipe] + ["minilm", "minilm+mirror"]
    names = ("ORDER", "PEERS", "COMPARISONS", "MINILM_SEEDS", "TIMED")
    script = "printf '%s\\n' " + " - ".join(f'"${{{name}[@]-}}"' for name in names)
    order, peers, comparisons, seeds, timed = (
        part.split("\n") for part in bash(script, recipe=recipe)[:-1].split("\n-\n")
    )
    assert timed == [""] if recipe == "words" else set(timed) <= set(order)
    assert {"mirror", "no dropout", "drop-head"} <= set(order)  # called the same in both
    systems = {*own, *order, *(peers if recipe == "sts" else [])}
    pairs = [tuple(item.split("=")) for item in comparisons]
    assert {name for pair in pairs for name in pair} <= systems
    tested = {system for system, _ in pairs}
    assert tested == systems - {"mlm", "mlm-cls", "minilm"} and ("minilm+mirror", "minilm") in pairs
    assert len(seeds) >= 3


def test_every_file_has_its_checksum(bash):
    """Of its address and, where that is another file, of a DATA folder; cards say what isn't known."""
    names = {copy: bash(f'printf "%s\\n" {words}').split() for copy, words in {
        "address": '"${TEXT[@]}" "${PAIRS[@]}" "${WORD_SETS[@]}" stsb-en-train.csv=x',
        "DATA": '"${LOCAL_TEXT[@]}" "${PAIRS[@]}" "${WORD_SETS[@]}" stsb-en-train.csv=x',
    }.items()}  # fmt: skip
    known = mirror_bert_text.known_files(EXAMPLES / "mirror_bert_files.tsv")
    for copy, items in names.items():
        for item in items:
            found = [one for one in known[item.split("=")[0]] if copy == "DATA" or one.copy != "DATA"]
            assert found and all(re.fullmatch("[0-9a-f]{64}", one.checksum) and one.lines > 20 for one in found)
    wanted = [item.partition("=")[2] for item in names["address"] if not item.endswith("=x")]
    assert all(re.match(r"https://\S+/[0-9a-f]{40}/", address) for address in wanted)
    assert not [address for address in wanted if "/all/" in address]  # links, whose content is a path


def test_processes_share_a_batch(bash):
    script = 'share --lr 1 --batch-size 200 --max-tokens 4000; echo "${WORDS_SHARED[@]}"'
    for number, words in ((1, "200 --max-tokens 4000"), (4, "50 --max-tokens 1000")):
        assert bash(f"PROCESSES={number}; {script}").strip() == f"--lr 1 --batch-size {words}"
    assert "--batch-size 200 can't be shared by 3 processes" in bash(f"PROCESSES=3; {script}", expect=1)


@pytest.mark.parametrize("recipe", RECIPES)
def test_an_unknown_word_is_refused(recipe, tmp_path):
    command = ["bash", str(EXAMPLES / f"mirror_bert_{recipe}" / "run.sh"), "reslt"]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "WORK": str(tmp_path / "work")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "there is no reslt; say" in done.stderr and "result" in done.stderr
    assert not list((tmp_path / "work").glob("*/.seconds"))


def test_recipes_in_one_folder_keep_to_their_own(bash, tmp_path):
    """Each has its stages' seconds in its own result."""
    work = tmp_path / "work"
    (tmp_path / "config.sh").touch()
    for name, seconds in (("mlm-1", "100\n20\n"), ("sts.mirror.1-2", "3\n"), ("words.mirror.1-3", "4\n")):
        (work / name).mkdir(parents=True)
        (work / name / ".seconds").write_text(seconds)
    for recipe, stages in (("sts", "mlm-1\nsts.mirror.1-2\nmlm-1\nhalf-4\n"), ("words", "mlm-1\nwords.mirror.1-3\n")):
        bash(f"printf '{stages}' >\"$STAGES\"; touch $RECORDS/{recipe}.mirror.1.json", recipe=recipe)
        script = 'python() { echo "$@"; }; about_result() { RESULT_FLAGS=(); }; '
        script += 'write_scores "$RECIPE.mirror.1" "$RECIPE.mirror.2"'
        words = bash(script, recipe=recipe).split()
        assert words[words.index("--seconds") + 1] == {"sts": "123", "words": "124"}[recipe]
        assert words[words.index("--output") + 1] == f"{recipe}.result.json" and "--compare" in words


def test_a_result_tells_whose_text_it_is_of(bash, tmp_path):
    """Written by a call without DATA, too, of the runs that a call with DATA made."""
    script = 'python() { :; }; about_result() { echo "called $CALLED"; RESULT_FLAGS=(); }; >"$STAGES"; '
    script += "begin mlm result -- WORD; touch $RECORDS/sts.mlm.json; write_scores sts.mlm"
    for data, word, called in (("x", "", "DATA=folder"), ("", "result", "DATA=folder"), ("", "", "")):
        assert bash(f"DATA={data}; {script.replace('WORD', word)}") == f"called {called}\n"


class OneWeight(torch.nn.Module):
    """In the place of a peer's model and loss."""

    device = torch.device("cpu")

    def __init__(self, *_, **__):
        super().__init__()
        self.weight, self.max_seq_length = torch.nn.Parameter(torch.ones(())), 128

    def preprocess(self, texts):
        return {}

    def forward(self, features, labels):
        assert self.max_seq_length == 50
        return self.weight**2

    def save(self, folder):
        Path(folder).mkdir()
        (Path(folder) / "max_seq_length").write_text(str(self.max_seq_length))


def test_peers_end_with_their_time(tmp_path, monkeypatch, capsys):
    """After the last update nothing is done any more: each epoch left would shuffle the strings and ask the clock."""
    (tmp_path / "strings.txt").write_text("".join(f"string {n}\n" for n in range(100)))
    monkeypatch.setitem(sys.modules, "sentence_transformers", types.SimpleNamespace(SentenceTransformer=OneWeight))
    monkeypatch.setattr(mirror_bert_peers, "loss_of", lambda method, model, temperature: model)
    clock = itertools.count()
    monkeypatch.setattr(mirror_bert_peers, "time", types.SimpleNamespace(perf_counter=lambda: next(clock)))
    words = ["train", "simcse", "model", tmp_path / "strings.txt", tmp_path / "out", "--seconds", 25]
    assert mirror_bert_peers.main(list(map(str, [*words, "--epochs", 1000, "--batch-size", 10]))) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["updates"] == 25 and said["seconds"] == 27  # asked for before each update, once too often, at the end
    assert (tmp_path / "out" / "seconds").read_text() == "27.0\n"
    assert (tmp_path / "out" / "max_seq_length").read_text() == "128"  # scored on texts as long as ours
    words[4:] = [tmp_path / "again", "--epochs", 2, "--batch-size", 30]
    assert mirror_bert_peers.main(list(map(str, words))) == 0
    assert json.loads(capsys.readouterr().out)["updates"] == 6
    words[4:] = [tmp_path / "none", "--batch-size", 101]
    assert mirror_bert_peers.main(list(map(str, words))) == 1 and not (tmp_path / "none").exists()
    assert "has 100 strings, less than a batch; set --batch-size 100 or less" in capsys.readouterr().err
