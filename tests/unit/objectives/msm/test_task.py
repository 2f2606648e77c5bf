"""The task: what checkpoints are told of vectors, documents and text that fit together, weights of both parts."""

import numpy as np
import pytest
from fairseq import tasks

from mass_plugins.errors import InputError
from tests import tiny, tiny_encoder
from tests.unit.test_flags import parsed

FLAGS = "--task msm_pretraining --arch msm_tiny --criterion msm --encoder-layers 1 --encoder-embed-dim 16".split()
FLAGS += "--encoder-ffn-embed-dim 16 --encoder-attention-heads 2 --units-per-document 4 --no-save".split()
FLAGS += "--optimizer adam --lr 0.003 --max-tokens 600".split()


def write_documents(text, folder, languages=tiny_encoder.LANGUAGES, units=24):
    """``units`` units of each language, four of them a document."""
    folder.mkdir()
    text.save(folder)
    for language in languages:
        rows = text.pieces(tiny.sentences(units, [language], f"documents {language}")[language])
        prefix = folder / f"train.{language}-None.{language}"
        tiny.write_binarized(prefix, ([*row, text.vocabulary.eos] for row in rows))
        np.save(folder / f"train.{language}.documents.npy", np.full(units // 4, 4, dtype=np.int32))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A data-bin; documents of its tokenizer, of another one, and of one language alone."""
    folder = tmp_path_factory.mktemp("msm")
    (folder / "data-bin").mkdir()
    text = tiny_encoder.make_data_bin(folder / "data-bin")
    write_documents(text, folder / "documents")
    write_documents(text, folder / "german", ["de"])
    write_documents(text, folder / "more", units=8)
    write_documents(tiny_encoder.make_text(size=300), folder / "other")
    return folder


def setup(data, documents="documents", *flags):
    folders = ":".join(str(data / name) for name in documents.split(":"))
    cfg = parsed(data / "data-bin", "--documents", folders, *FLAGS, *flags)
    return tasks.setup_task(cfg.task), cfg


@pytest.mark.parametrize("flags, pooling", (([], "cls"), (["--unit-pooling", "mean"], "mean")))
def test_checkpoints_say_how_a_vector_is_made(flags, pooling, data):
    task, cfg = setup(data, "documents", *flags)
    task.build_model(cfg.model)
    assert task.state_dict()["vectors"]["pooling"] == pooling


@pytest.mark.parametrize("documents", ("other", "documents:other"))
def test_documents_of_another_tokenizer_are_refused(documents, data):
    """In any shard: its ids are those of other tokens."""
    with pytest.raises(InputError, match="other was prepared with another tokenizer than .*data-bin"):
        setup(data, documents)


@pytest.mark.parametrize(
    "flags",
    (
        [],
        ["--mask-sets", "3"],
        ["--mask-ratio", "0.3", "--whole-words"],
        ["--sample-break-mode", "complete", "--tokens-per-sample", "40"],
        ["--max-tokens", "100", "--max-positions", "16", "--long-lines", "skip"],
    ),
)
def test_balance_is_masked_tokens_of_a_batch_over_units_of_a_batch(flags, data):
    """By the batches that the two sets are cut into."""
    task, cfg = setup(data, "documents", "--text-share", "0.5", *flags)
    task.load_dataset("train")
    documents, text = task.load_documents("train", 1), task.masked_text("train", 1)
    batches = []
    most, positions = cfg.dataset.max_tokens, min(cfg.model.max_positions, cfg.dataset.max_tokens)
    for dataset in (documents, text):
        places, _ = dataset.filter_indices_by_size(dataset.ordered_indices(), positions)
        groups = dataset.batch_by_size(places, max_tokens=most, required_batch_size_multiple=8)
        batches.append([dataset.collater([dataset[int(place)] for place in group]) for group in groups])
    units = np.mean([len(batch["documents"]["document"]) for batch in batches[0]])
    tokens = np.mean([batch["ntokens"] for batch in batches[1]])
    assert task.balance == pytest.approx(tokens / units, rel=0.01)  # masks are drawn by the order of equal lengths


@pytest.mark.parametrize("folders", ("documents", "documents:more"))
def test_an_epoch_reads_the_next_shard_of_documents(folders, data):
    task, cfg = setup(data, folders)
    assert task.has_sharded_data("train") == (folders != "documents")
    found = []
    for epoch in (1, 2, 3):
        task.load_dataset("train", epoch=epoch)
        found.append(len(task.load_documents("train", epoch)))
    assert found == ([12, 12, 12] if folders == "documents" else [12, 4, 12])


def test_text_of_which_nothing_fits_is_refused(data):
    task, _ = setup(data, "documents", "--long-lines", "skip")
    task.positions = 3
    with pytest.raises(InputError, match="--long-lines skip leaves no text to train on; raise --max-positions"):
        task.cut(task.masked_text("train", 1))


def test_units_count_for_one_without_text(data):
    task, cfg = setup(data, "documents", "--text-share", "0")
    task.load_dataset("train")
    assert task.balance == 1.0


CMLM = "--task cmlm_pretraining --arch cmlm_tiny --criterion masked_tokens --optimizer adam --lr 0.1 --no-save".split()


@pytest.mark.parametrize(
    "objective, flag, value",
    (
        ("msm", "--head-dim", "8"),
        ("msm", "--document-layers", "1"),
        ("msm", "--units-per-document", "5"),
        ("msm", "--document-context", "none"),
        ("cmlm", "--condition-vectors", "3"),
        ("cmlm", "--condition-pooling", "cls"),
    ),
)
def test_a_training_is_resumed_with_the_same_modules(objective, flag, value, data):
    words = [data / "data-bin", "--documents", data / "documents", *FLAGS]
    if objective == "cmlm":
        words = [data / "documents", *CMLM]
    cfg, other = parsed(*words), parsed(*words, flag, value)
    task = tasks.setup_task(cfg.task)
    state = {"task_state": task.state_dict(), "cfg": {"model": cfg.model}}
    task.check_resumed(state, "last.pt", cfg.model)
    with pytest.raises(InputError, match=f"last.pt was trained with {flag} .*, not {value}; set it as it was"):
        task.check_resumed(state, "last.pt", other.model)
    encoder = {
        name: cfg.model[name] for name in parsed(data / "data-bin", *tiny_encoder.MLM).model if name in cfg.model
    }
    with pytest.raises(InputError, match="last.pt has no modules of --.*, so training can't be resumed"):
        task.check_resumed({**state, "cfg": {"model": encoder}}, "last.pt", cfg.model)


def test_languages_of_text_without_documents_are_told(data, caplog):
    for documents, flags in (("documents", ()), ("german", ("--langs", "de")), ("german", ())):
        task, _ = setup(data, documents, *flags)
        caplog.clear()
        task.load_dataset("train")
        said = [record.message for record in caplog.records if record.levelname == "WARNING"]
        assert said == ([] if flags or documents == "documents" else ["train: text without documents in en"])
