"""Mirror-BERT through fairseq's own commands: from an encoder and strings to vectors; bad input."""

import re
import shutil

import pytest
import torch

import mass_plugins
from mass_plugins.errors import InputError
from mass_plugins.objectives.pretrained import PretrainedModel
from tests import tiny
from tests.conftest import run, torchrun
from tests.mirror import ENCODER, STRINGS, flags, get_encoder, logged, write_pairs, write_strings


@pytest.fixture(scope="session")
def encoder(once, tiny_data_bin, run_fairseq):
    return get_encoder(once, tiny_data_bin, run_fairseq)


@pytest.fixture
def strings(tmp_path):
    return write_strings(tmp_path / "strings.txt")


def test_training_validation_and_checkpoint(run_fairseq, encoder, strings, tmp_path):
    """It learns to tell the strings from each other, and leaves what encoding needs beside its checkpoints."""
    files = f"{write_pairs(tmp_path / 'one.tsv', 1)},{write_pairs(tmp_path / 'two.tsv', 2)}"
    done = run_fairseq(
        "train", *flags(encoder, strings), "--batch-size", 16, "--max-epoch", 4, "--weight-decay", 0.01,
        "--valid-pairs", files, "--best-checkpoint-metric", "spearman", "--maximize-best-checkpoint-metric",
        "--save-dir", tmp_path / "mirror", "--no-epoch-checkpoints",
    )  # fmt: skip
    assert "64 strings" in done.output and "3 empty or repeated ones" in done.output  # two lines of nothing, one twice
    epochs, validations = logged(done.output, "train"), logged(done.output, "valid")
    assert float(epochs[-1]["train_loss"]) < 0.8 * float(epochs[0]["train_loss"])
    assert float(epochs[-1]["train_accuracy"]) > float(epochs[0]["train_accuracy"])
    assert len(validations) == 4 and all(-100 <= float(log["valid_spearman"]) <= 100 for log in validations)
    best = max(float(log["valid_spearman"]) for log in validations)
    assert float(validations[-1]["valid_best_spearman"]) == best

    before, after = (PretrainedModel.read(str(f / "checkpoint_last.pt")) for f in (encoder, tmp_path / "mirror"))
    moved = {name for name in before.weights if not torch.equal(before.weights[name], after.weights[name])}
    assert "layers.0.fc1.weight" in moved and not [name for name in moved if name.startswith("lm_head")]
    assert after.task_state["vectors"] == {"pooling": "mean", "normalize": False, "max_tokens": None}
    assert {path.name for path in (tmp_path / "mirror").iterdir()} >= {"text.json", "bpe.codes", "dict.en.txt"}


def test_a_process_without_a_batch_waits_for_the_others(run_fairseq, encoder, strings, tmp_path):
    """Batches of 24, 24 and 16 strings in two processes are 48 and 16 in one: what keeps the second process in step in
    the second update gives no negatives. One set of pairs, which goes to one of the two. Seed 4 leaves the batches in
    their order."""
    words = ["--max-epoch", 1, "--valid-pairs", write_pairs(tmp_path / "pairs.tsv", 1), "--seed", 4]
    words += ["--dropout", 0, "--attention-dropout", 0, "--optimizer", "sgd", "--lr", 0.1, "--no-epoch-checkpoints"]
    one = run_fairseq("train", *flags(encoder, strings), *words, "--batch-size", 48, "--save-dir", tmp_path / "one")
    words += ["--batch-size", 24, "--save-dir", tmp_path / "two", *tiny.PLUGIN_FLAGS]
    two = run(torchrun(*flags(encoder, strings), *words))
    logs = [[(log["loss"], log["accuracy"]) for log in logged(done.output, "train_inner")] for done in (one, two)]
    assert len(logs[0]) == 2 and logs[0] == logs[1]
    assert len(logged(two.output, "valid")) == 1
    states = [PretrainedModel.read(str(tmp_path / name / "checkpoint_last.pt")).weights for name in ("one", "two")]
    for name, weight in states[0].items():
        assert torch.allclose(weight, states[1][name], atol=1e-5), name


BAD = {
    "one string": (["one thight"], [], "give more, different strings"),
    "identical strings": (["one thight"] * 300, [], "give more, different strings"),
    "no string": (["", " "], [], "give more, different strings"),
    "too long for the model": (STRINGS, ["--max-string-tokens", "65"], "more than the model's 64 positions"),
    "nothing to validate on": (STRINGS, ["--validate"], "--valid-pairs FILE"),
    "no name among commas": (STRINGS, ["--validate", "--valid-pairs", ","], "--valid-pairs FILE"),
    "temperature": (
        STRINGS,
        ["--contrast-temperature", "0"],
        "0.0 is not a number of 0.001 or more",
    ),
    "one string a batch": (STRINGS, ["--batch-size", "1"], "raise --batch-size"),
    "no room for a string": (STRINGS, ["--max-tokens", "30"], "--max-tokens 30 has no room for the"),
    "another criterion": (STRINGS, ["--criterion", "masked_tokens"], "set --criterion mirror_bert"),
    "no such language": (STRINGS, ["--language", "xx"], "language 'xx' is unknown; the model's are de,en,fr"),
    "another shape": (STRINGS, ["--encoder-layers", "2"], "--encoder-layers 1, not 2"),
}


@pytest.mark.parametrize("case", BAD, ids=str)
def test_bad_input_ends_in_one_line(case, encoder, tmp_path):
    """In this process: the same functions that fairseq-train calls, without its ten seconds a start."""
    lines, more, message = BAD[case]
    path = tmp_path / "strings.txt"
    path.write_text("".join(f"{line}\n" for line in lines))
    with pytest.raises(InputError, match=re.escape(message)) as error:
        begin_training(encoder, path, more, tmp_path / "out")
    assert "\n" not in str(error.value)


def test_a_forgotten_criterion_is_what_the_user_sees(run_fairseq, encoder, strings):
    """fairseq's own default, cross_entropy, in a run that saves nothing."""
    words = [*flags(encoder, strings), "--batch-size", 16, "--no-save", "--criterion", "cross_entropy"]
    done = run_fairseq("train", *words, expect=1)
    line = done.stderr.splitlines()[-1]
    assert line.endswith("--criterion cross_entropy can't read this task's batches; set --criterion mirror_bert")


@pytest.mark.parametrize(
    ("more", "told"),
    [([], False), (["--dropout", "0", "--attention-dropout", "0"], False), (["--span-characters", "0"], False),
     (["--dropout", "0", "--attention-dropout", "0", "--span-characters", "200"], True),
     (["--dropout", "0", "--attention-dropout", "0", "--mode", "word"], True),
     (["--dropout", "0", "--attention-dropout", "0", "--mode", "word", "--drop-head", "0.2"], False)],
)  # fmt: skip
def test_two_views_that_are_the_same_are_told(encoder, strings, tmp_path, caplog, more, told):
    with caplog.at_level("WARNING", "mass_plugins"):
        begin_training(encoder, strings, more, tmp_path / "out")
    assert ("without dropout the two views of 64 of 64 strings are the same" in caplog.text) == told


def test_strings_too_short_for_a_span_are_told(encoder, tmp_path, caplog):
    """Without dropout a few long strings among short ones don't make a loss that means something."""
    short = [text[:25] for text in STRINGS]
    path = tmp_path / "strings.txt"
    path.write_text("".join(f"{line}\n" for line in [*short, max(STRINGS, key=len)]))
    with caplog.at_level("WARNING", "mass_plugins"):
        begin_training(encoder, path, ["--dropout", "0", "--attention-dropout", "0"], tmp_path / "out")
    assert "strings are the same" in caplog.text and "strings of 30 characters or more" in caplog.text


def test_mean_with_padding_encodes_within_the_model_s_positions(run_fairseq, tiny_data_bin, strings, tmp_path):
    """The release pads to 64; a model of 40 positions has no more."""
    start = tmp_path / "start"
    words = [*ENCODER, "--max-positions", 40, "--max-tokens", 500, "--max-update", 1, "--disable-validation"]
    mlm = ["--task", "mlm_pretraining", "--criterion", "masked_tokens", *words, "--save-dir", start]
    run_fairseq("train", tiny_data_bin, *mlm)
    more = ["--pooling", "mean_with_padding", "--max-string-tokens", 30, "--max-positions", 40, "--batch-size", 32]
    run_fairseq("train", *flags(start, strings), *more, "--max-epoch", 1, "--disable-validation", "--save-dir",
                tmp_path / "mirror", "--no-epoch-checkpoints")  # fmt: skip
    encoder = mass_plugins.load_encoder(tmp_path / "mirror")
    assert encoder.settings.max_tokens == 40 and encoder.encode(STRINGS[:3]).shape == (3, 16)


def begin_training(encoder, strings, more, save_dir):
    """Task, model, data and batches as fairseq-train makes them, up to the first update."""
    from fairseq import options, tasks
    from fairseq.dataclass.utils import convert_namespace_to_omegaconf

    words = [*flags(encoder, strings), "--batch-size", 16, "--save-dir", save_dir, "--cpu"]
    validate = "--validate" in more
    words += [word for word in more if word != "--validate"]
    arguments = options.parse_args_and_arch(options.get_training_parser(), list(map(str, words)))
    cfg = convert_namespace_to_omegaconf(arguments)
    task = tasks.setup_task(cfg.task)
    task.build_model(cfg.model)
    task.build_criterion(cfg.criterion)
    task.load_dataset("valid" if validate else "train")
    task.get_batch_iterator(
        task.dataset("train"), max_tokens=cfg.dataset.max_tokens, max_sentences=cfg.dataset.batch_size
    )


def test_a_dictionary_that_does_not_fit(encoder, strings, tmp_path):
    """The text pipeline of another model: refused, not trained on with the wrong embeddings."""
    other = tmp_path / "other"
    shutil.copytree(encoder, other)
    for path in other.glob("dict.*.txt"):
        first, second, *rest = path.read_text().splitlines()
        path.write_text("\n".join([first, *rest, second]) + "\n")
    with pytest.raises(InputError, match="another dictionary"):
        start = ["--pretrained-checkpoint", encoder / "checkpoint_last.pt"]
        begin_training(other, strings, start, tmp_path / "out")
