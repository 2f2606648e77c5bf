"""The translator's parts that other rooms use: rows of ids in and out, and the precision."""

import numpy as np
import pytest
import torch

import mass_plugins
from mass_plugins.errors import InputError
from mass_plugins.generation import translator as module
from tests import tiny

LINES = tiny.sentences(30, ["en"], "translator")["en"]


@pytest.fixture(scope="module")
def checkpoint(translating):
    return str(translating / "checkpoint_last.pt")


def rows_of(translator):
    encode = translator.task.dictionary.encode_line
    return [encode(translator.codec.encode(line, "en"), add_if_not_exist=False).numpy() for line in LINES]


@pytest.mark.parametrize("batch_tokens", [1, 50, 4000])
@pytest.mark.parametrize("beam", [1, 2])
def test_rows_come_back_in_their_order(checkpoint, batch_tokens, beam):
    translator = mass_plugins.load(checkpoint)
    found = translator.generate(translator.search(beam=beam), rows_of(translator), "en", "de", batch_tokens)
    assert all(row[-1] == 2 and row.dtype == torch.int64 for row in found)
    texts = [translator.codec.decode(translator.task.dictionary.string(row), "de") for row in found]
    assert texts == translator.translate(LINES, "en", "de", beam=beam)
    assert len(set(texts)) > 5


@pytest.mark.parametrize("beam, most", [(1, 60), (3, 20)])
def test_batches_are_bounded(checkpoint, monkeypatch, beam, most):
    translator, slots = mass_plugins.load(checkpoint), []
    pad = module.pad_right

    def note(rows, index):
        slots.append(len(rows) * max(map(len, rows)))
        return pad(rows, index)

    monkeypatch.setattr(module, "pad_right", note)
    translator.generate(translator.search(beam=beam), rows_of(translator), "en", "de", 60)
    assert max(slots) <= most and len(slots) < len(LINES)


def test_of_dialogues_the_end_of_a_long_source_stays(checkpoint, monkeypatch):
    translator = mass_plugins.load(checkpoint)
    whole = rows_of(translator)
    first, again = (translator.encode(LINES, "en", 3, keep_end=how) for how in (None, False))
    monkeypatch.setattr(module.DialogueSettings, "are_in", lambda folder: folder == translator.data_folder)
    last = translator.encode(LINES, "en", 3)
    monkeypatch.setattr(translator, "longest_source", lambda truncate=None: truncate or 3)  # as in training
    given = []
    encode = translator.encode
    monkeypatch.setattr(translator, "encode", lambda *words, **named: given.append(words) or encode(*words, **named))
    translator.translate(LINES[:2], "en", "de")
    assert given == [(LINES[:2], "en", 3)]
    for row, start, same, end in zip(whole, first, again, last):
        assert start.tolist() == same.tolist() == [*row[:2], row[-1]] and end.tolist() == row[-3:].tolist()


@pytest.mark.parametrize(
    "lines, settings, message",
    [
        ("Ein Hund", {}, r"write \['Ein Hund'\]"),
        (["a", None], {}, "line 2 is None"),
        (["a"], {"beam": 0}, "beam=0 is below 1"),
        (["a"], {"min_len": 5, "max_len_a": 0, "max_len_b": 4}, "min_len=5 exceeds max_len_b=4; lower"),
        (["a"], {"min_len": 900, "max_len_b": 2000, "beam": 2}, "min_len=900 exceeds the model's 63 positions"),
        (["a"], {"min_len": 30, "beam": 2}, r"min_len=30 exceeds max_len_a \* length \+ max_len_b = 23; lower"),
        (["a"], {"length_penalty": float("nan")}, "length_penalty=nan is not a finite number"),
        (["a"], {"truncate": 1}, "truncate=1 leaves nothing but </s>"),
        (["a"], {"sampling": True, "temperature": 0.0}, "temperature of 0.0 is not finite and 1e-10 or more"),
    ],
)
def test_arguments_that_make_no_sense(checkpoint, lines, settings, message):
    with pytest.raises(InputError, match=message):
        mass_plugins.load(checkpoint).translate(lines, "en", "de", **settings)


def test_a_summary_s_lengths_have_its_own_names(checkpoint):
    with pytest.raises(InputError, match="min_len=5 exceeds max_len=4; lower"):
        mass_plugins.load(checkpoint).summarize(["a"], "en", min_len=5, max_len=4)


def test_what_load_can_not_find(checkpoint, tmp_path, monkeypatch):
    with pytest.raises(InputError, match="is a folder; give a checkpoint"):
        mass_plugins.load(str(tmp_path))
    with pytest.raises(InputError, match="--device nonsense"):
        mass_plugins.load(checkpoint, device="nonsense")
    state = torch.load(checkpoint, weights_only=True)
    state["cfg"]["task"]["data"] = "elsewhere/data-bin"
    torch.save(state, tmp_path / "model.pt")
    with pytest.raises(InputError, match="was trained on elsewhere/data-bin, which is not a folder here"):
        mass_plugins.load(str(tmp_path / "model.pt"))


def test_no_rows(checkpoint):
    translator = mass_plugins.load(checkpoint)
    assert translator.generate(translator.search(), [], "en", "de") == []
    with pytest.raises(InputError, match="target 'it' is unknown"):
        translator.generate(translator.search(), [np.array([2])], "en", "it")


@pytest.mark.parametrize("trained", [False, True], ids=["trained in float32", "trained with autocast"])
@pytest.mark.parametrize("dtype", [None, torch.float32, torch.bfloat16], ids=str)
def test_precision(checkpoint, monkeypatch, dtype, trained):
    """The decoder sees the precision that was asked for, else the one of the training."""
    load = module.checkpoint_utils.load_checkpoint_to_cpu
    as_trained = {"autocast_bfloat16": True} if trained else {}
    monkeypatch.setattr(
        module.checkpoint_utils,
        "load_checkpoint_to_cpu",
        lambda path, overrides: load(path, {**as_trained, **overrides}),
    )
    translator, seen = mass_plugins.load(checkpoint, dtype=dtype), []

    def note(*arguments):
        seen.append(torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else torch.float32)
        return forward(*arguments)

    forward = translator.model.encoder.forward
    monkeypatch.setattr(translator.model.encoder, "forward", note)
    assert len(translator.translate(LINES[:3], "en", "de", beam=1)) == 3
    expected = dtype or (torch.bfloat16 if trained else torch.float32)
    assert seen == [expected]


def test_half_precision_of_gpus(checkpoint):
    with pytest.raises(InputError, match="^float16 is for GPUs; on a CPU take bfloat16$"):
        mass_plugins.load(checkpoint, device="cpu", dtype=torch.float16)
