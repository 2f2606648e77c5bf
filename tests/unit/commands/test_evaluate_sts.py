"""``mass-plugins evaluate sts``: what it prints and writes, and what it says to wrong words."""

import numpy as np
import pytest

import mass_plugins
from mass_plugins import cli
from mass_plugins.data.encoder_text import TextCounts
from mass_plugins.scoring.similarity_runs import read_run


@pytest.fixture
def folder(tmp_path):
    """Two sets of sentences and one of words; scores follow the texts' lengths."""
    for name, scale in (("2012.A.test.tsv", 1), ("2013.B.test.tsv", 2)):
        rows = [f"{n % 7 * scale}\ta{'b' * (n % 7)}\tc{n}\n" for n in range(40)]
        (tmp_path / name).write_text("".join(rows))
    (tmp_path / "EN-RG-65.txt").write_text("a\tb\t1\nc\td\t2\ne\tf\t0\n")
    return tmp_path


class LengthEncoder:
    """A text of n characters at an angle that falls with n; what it was loaded with is kept."""

    def __init__(self, path, **settings):
        LengthEncoder.loaded = (path, settings)

    unknown = 0

    def encode_and_count(self, lines, language=None):
        angles = np.array([0.0 if line.startswith("c") else 1.5 - 0.1 * len(line) for line in lines])
        return np.stack([np.cos(angles), np.sin(angles)], axis=1), TextCounts(0, 100, self.unknown)


@pytest.fixture(autouse=True)
def encoder(monkeypatch):
    monkeypatch.setattr(mass_plugins, "load_encoder", LengthEncoder)


def call(*words):
    return cli.main(["evaluate", "sts", *map(str, words)])


def test_scores_and_run(folder, tmp_path, capsys):
    output = tmp_path / "run.json"
    words = ["--json", output, "--system", "mirror", "--system-seed", 3, "--seconds", 1.5]
    assert call("model.pt", "--folders", folder, "--bootstrap", 120, "--pooling", "cls", *words) == 0
    out = capsys.readouterr().out
    assert "STS12    100.0" in out and "average is over STS12, STS13" in out and "40 pairs" in out
    assert LengthEncoder.loaded[0] == "model.pt" and LengthEncoder.loaded[1]["pooling"] == "cls"
    run = read_run(output)
    assert (run.system, run.seed, run.seconds) == ("mirror", 3, 1.5) and len(run.cosines["STS13"]) == 40


def test_unknown_tokens_are_told_and_flags_reach_the_encoder(folder, capsys, monkeypatch):
    words = ["--device", "cpu", "--dtype", "bfloat16", "--batch-tokens", 77, "--bootstrap", 100]
    assert call("model.pt", "--folders", folder, *words) == 0 and not capsys.readouterr().err
    given = LengthEncoder.loaded[1]
    assert (given["device"], given["dtype"], given["batch_tokens"]) == ("cpu", "bfloat16", 77)
    monkeypatch.setattr(LengthEncoder, "unknown", 54)
    assert call("model.pt", "--folders", folder, "--bootstrap", 100) == 0
    warning = "mass_plugins: warning: 54 % of the texts' tokens are unknown to the tokenizer; "
    assert capsys.readouterr().err.startswith(warning)
    for words, message in (
        (["--seed", -3], "-3 is below 0"),
        (["--seconds", "nan"], "nan is not a number of 0 or more"),
        (["--bootstrap", 1], "1 is not 100 or more"),
    ):
        with pytest.raises(SystemExit):
            call("model.pt", "--folders", folder, *words)
        assert message in capsys.readouterr().err


def test_other_sets_and_the_list(folder, capsys):
    assert call("model.pt", "--folders", folder, "--sets", "STS13", "--bootstrap", 100) == 0
    out = capsys.readouterr().out
    assert "STS13" in out and "average" not in out and "STS12" not in out
    assert call("--folders", folder, "--list") == 0
    out = capsys.readouterr().out
    assert [line.split()[:2] for line in out.splitlines()] == [
        ["RG-65", "words"], ["STS12", "sentences"], ["STS13", "sentences"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["model.pt", "--folders", "nowhere"], "--folders nowhere doesn't exist"),
        (["model.pt", "--folders", "{}", "--sets", "STS99"], "STS99 isn't there; there are RG-65, STS12, STS13"),
        (["--folders", "{}"], "no encoder; name its checkpoint"),
        (["model.pt", "--folders", "{}", "--json", "{}/no/run.json"], "doesn't exist; make it"),
        (["model.pt", "--folders", "{}", "--json", "{}"], "is a folder; name a file in it"),
    ],
)
def test_wrong_words(folder, words, message, capsys):
    assert call(*(word.replace("{}", str(folder)) for word in words)) == 1
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
