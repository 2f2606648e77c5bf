"""Pre-training, fine-tuning, generation from binarized and from raw text, and the same from Python."""

import json
import re

import pytest

import mass_plugins
from tests import tiny

DIRECTION = ("--task", "seq2seq_finetuning", "--source-lang", "de", "--target-lang", "en", "--beam", 2)


def logged(folder, tag):
    """The JSON lines of ``tag`` in what a training run printed."""
    lines = re.findall(rf"\| {tag} \| (\{{.*\}})", (folder / "stdout").read_text())
    return [json.loads(line) for line in lines]


def hypotheses(stdout, tag):
    """Number of the sentence → what ``fairseq-generate`` printed for it under ``tag``."""
    found = re.findall(rf"^{tag}-(\d+)\t(?:-?[\d.einf]+\t)?(.*)$", stdout, re.MULTILINE)
    return {int(number): text for number, text in found}


@pytest.fixture(scope="module")
def generated(run_fairseq, tiny_data_bin, finetuned):
    return run_fairseq(
        "generate", tiny_data_bin, *DIRECTION, "--path", finetuned / "checkpoint_best.pt", "--scoring", "sacrebleu",
        "--gen-subset", "test", "--max-tokens", 500,
    )  # fmt: skip


def test_each_stage_logs_what_it_learns(pretrained, finetuned):
    assert len(logged(pretrained, "train_inner")) == 3
    assert all(0 < float(row["loss"]) < 20 for row in logged(pretrained, "train_inner"))
    (validation,) = logged(finetuned, "valid")
    directions = [float(validation[f"valid_bleu_{direction}"]) for direction in ("de-en", "en-de")]
    assert float(validation["valid_bleu"]) == pytest.approx(sum(directions) / 2, abs=0.011)
    assert "validation BLEU: nrefs:1|case:mixed" in (finetuned / "stdout").read_text()


def test_fine_tuning_starts_from_the_pretrained_weights(pretrained, finetuned):
    """The vector of French, which no pair touches, stays what pre-training made it (Adam, no weight decay)."""
    before, after = (
        mass_plugins.load(str(folder / "checkpoint_last.pt"), data=None).model.state_dict()
        for folder in (pretrained, finetuned)
    )
    french = tiny.LANGUAGES.index("fr")
    for side in ("encoder", "decoder"):
        name = f"{side}.embed_languages.weight"
        assert before[name][french].equal(after[name][french])
        assert not before[name][0].equal(after[name][0])


def test_generation_prints_raw_text_and_a_score(generated):
    """All twelve lines, though fairseq itself would drop the last four of them (12 = 8 + 4)."""
    pairs = tiny.sentences(12, ("de", "en"), "test ('de', 'en') 0")
    for tag, language in (("S", "de"), ("T", "en")):
        printed = hypotheses(generated.stdout, tag)
        assert [printed[number] for number in range(12)] == pairs[language]
    detokenized = hypotheses(generated.stdout, "D")
    assert sorted(detokenized) == list(range(12))
    assert not any("@@" in text for text in detokenized.values())
    assert re.search(r"Generate test with beam=2: BLEU = [\d.]+ ", generated.stdout)


def test_raw_text_translates_like_binarized_text(run_fairseq, tiny_data_bin, finetuned, generated):
    sources = tiny.sentences(12, ("de", "en"), "test ('de', 'en') 0")["de"]
    interactive = run_fairseq(
        "interactive", tiny_data_bin, *DIRECTION, "--path", finetuned / "checkpoint_best.pt", "--buffer-size", 12,
        "--max-tokens", 500, "--max-len-b", 20, "--max-len-a", 1.5, stdin="".join(line + "\n" for line in sources),
    )  # fmt: skip
    by_interactive = hypotheses(interactive.stdout, "D")
    translator = mass_plugins.load(str(finetuned / "checkpoint_best.pt"), data=str(tiny_data_bin))
    by_python = translator.translate(sources, source="de", target="en", beam=2)
    assert [by_interactive[number] for number in range(12)] == by_python
    assert any(by_python)


def test_python_finds_the_data_that_the_checkpoint_was_trained_on(finetuned):
    translator = mass_plugins.load(str(finetuned / "checkpoint_best.pt"))
    assert translator.languages == list(tiny.LANGUAGES)
    assert translator.translate(["", "stau."], source="de", target="fr")[0] == ""
