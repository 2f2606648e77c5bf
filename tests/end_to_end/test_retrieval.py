"""From text to a ranked list by the real commands: pre-training, groups, three stages, index, search, scores."""

import json
import shutil
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
from fairseq.checkpoint_utils import load_checkpoint_to_cpu

from mass_plugins import cli, load_encoder
from mass_plugins.data.retrieval_files import read_passages, read_queries, read_run
from mass_plugins.encoding.loading import load_model
from mass_plugins.encoding.retrieval_models import RetrieverModel
from mass_plugins.errors import InputError
from mass_plugins.retrieval.representations import Representations
from tests import msm_mirror, tiny, tiny_encoder
from tests import retrieval_flow as flow
from tests.conftest import run, run_until, script, torchrun
from tests.mirror import logged


def command(*words) -> None:
    assert cli.main([str(word) for word in words]) == 0


@pytest.fixture(scope="module")
def data_bin(once):
    return once("retrieval-data-bin", tiny_encoder.make_data_bin)


@pytest.fixture(scope="module")
def dupmae(once, data_bin, run_fairseq):
    """Checkpoints of four updates of pre-training; ``stdout``."""

    def make(folder):
        done = run_fairseq("train", data_bin, *flow.PRETRAIN, "--max-update", 4, "--save-dir", folder)
        (folder / "stdout").write_text(done.stdout + done.stderr)

    return once("dupmae", make)


@pytest.fixture(scope="module")
def collection(once):
    def make(folder):
        flow.write_collection(folder)
        files = ("--corpus", folder / "corpus.jsonl", "--queries", folder / "queries.tsv")
        command("bm25", *files, "--output", folder / "bm25.trec", "--depth", 20)
        command("mine", *files, "--qrels", folder / "qrels.txt", "--run", folder / "bm25.trec",
                "--output", folder / "groups.jsonl")  # fmt: skip

    return once("collection", make)


@pytest.fixture(scope="module")
def retriever(once, dupmae, collection, run_fairseq):
    """``checkpoint_last.pt`` of four updates of fine-tuning with gradient caching, started from DupMAE."""

    def make(folder):
        start = (
            "--pretrained-checkpoint",
            dupmae / "checkpoint_last.pt",
            "--train-groups",
            collection / "groups.jsonl",
        )
        run_fairseq(
            "train", dupmae, *flow.RETRIEVER, *start, "--cache-texts", 3, "--max-update", 4, "--save-dir", folder
        )

    return once("retriever", make)


def test_a_process_without_a_batch_gives_no_negatives(dupmae, collection, tmp_path, run_fairseq):
    """Three batches for two processes in training, one in validation; all 20 and 6 groups count."""
    lines = (collection / "groups.jsonl").read_text().splitlines(keepends=True)
    for name, rows in (("train", lines[:20]), ("valid", lines[:6])):
        (tmp_path / f"{name}.jsonl").write_text("".join(rows))
    flags = [word for word in flow.RETRIEVER if word != "--disable-validation"]
    words = [dupmae, *flags, "--pretrained-checkpoint", dupmae / "checkpoint_last.pt", "--lr", "1e-9"]
    words += ["--train-groups", tmp_path / "train.jsonl", "--valid-groups", tmp_path / "valid.jsonl"]
    words += ["--batch-size", 8, "--max-epoch", 1, "--no-epoch-checkpoints", "--dropout", 0, "--attention-dropout", 0]
    one = run_fairseq("train", *words, "--save-dir", tmp_path / "one")
    two = run(torchrun(*words, "--save-dir", tmp_path / "two", *tiny.PLUGIN_FLAGS))
    logs = [logged(done.output, "valid") for done in (one, two)]
    assert len(logs[0]) == len(logs[1]) == 1 and float(logs[0][0]["valid_bsz"]) == 6
    for name in ("valid_contrast", "valid_accuracy"):
        assert float(logs[0][0][name]) == pytest.approx(float(logs[1][0][name]), abs=2e-3), name
    assert logged(one.output, "train")[0]["train_num_updates"] == "3"
    assert (tmp_path / "two" / "checkpoint_last.pt").exists()


@pytest.fixture(scope="module")
def represented(once, retriever, collection):
    """``documents`` in two shards, ``queries``, ``index``."""

    def make(folder):
        for shard in (0, 1):
            command("represent", retriever, "--corpus", collection / "corpus.jsonl", "--shard", f"{shard}/2",
                    "--destdir", folder / f"documents{shard}")  # fmt: skip
        command("represent", retriever, "--queries", collection / "queries.tsv", "--judged", collection / "qrels.txt",
                "--destdir", folder / "queries")  # fmt: skip
        command("index", folder / "index", "--documents", folder / "documents0", folder / "documents1")

    return once("represented", make)


def test_pretraining_learns_and_keeps_its_decoder(dupmae, data_bin, run_fairseq, tmp_path):
    log = (dupmae / "stdout").read_text()
    assert "decoder_loss" in log and "bow_loss" in log and "encoder_accuracy" in log
    state = load_checkpoint_to_cpu(str(dupmae / "checkpoint_last.pt"))
    assert "enhanced_decoder.q_proj.weight" in state["model"] and (dupmae / "tokenizer.json").exists()
    start = ("--pretrained-checkpoint", dupmae / "checkpoint_last.pt")
    run_fairseq("train", data_bin, *flow.PRETRAIN, *start, "--max-update", 1, "--lr", 1e-12, "--save-dir", tmp_path)
    again = load_checkpoint_to_cpu(str(tmp_path / "checkpoint_last.pt"))["model"]
    for name, weight in state["model"].items():
        assert torch.allclose(again[name], weight, atol=1e-6), name


def test_search_agrees_with_the_model_itself(represented, retriever, collection, tmp_path):
    """The hybrid ranking of the commands against scores computed from the model, pair by pair."""
    run = tmp_path / "both.trec"
    command(
        "search", represented / "index", "--queries", represented / "queries", "--output", run
    )  # all of the index's
    model = RetrieverModel(retriever)
    passages = list(read_passages([collection / "corpus.jsonl"]))
    queries = list(read_queries([collection / "queries.tsv"]))
    documents = model.represent([passage.whole for passage in passages], "documents")
    asked = model.represent([query.whole for query in queries], "queries")
    assert documents.entries.shape == (flow.DOCUMENTS, 6) and not documents.values[-2].any()  # the empty one
    found = dict(read_run(run))
    assert len(found) == flow.QUERIES and all(len(ranking) == flow.DOCUMENTS for ranking in found.values())
    for number, query in enumerate(queries):
        ranking = dict(found[query.id])
        for place, passage in enumerate(passages):
            entries = asked.dense[number][documents.entries[place]]
            score = asked.cls[number] @ documents.cls[place] + entries @ documents.values[place]
            assert ranking[passage.id] == pytest.approx(float(score), abs=1e-4)


def test_evaluation_prints_measures_and_tests(represented, collection, tmp_path, capsys):
    run = tmp_path / "cls.trec"
    command("search", represented / "index", "--queries", represented / "queries", "--score", "cls", "--output", run)
    capsys.readouterr()
    runs = (f"bm25={collection / 'bm25.trec'}", f"cls={run}")
    command("evaluate", "retrieval", *runs, "--qrels", collection / "qrels.txt",
            "--corpus", collection / "corpus.jsonl", "--json", tmp_path / "scores.json")  # fmt: skip
    printed = capsys.readouterr().out
    assert "bm25: nDCG@10" in printed and "cls less bm25" in printed and "ir_measures" in printed
    content = json.loads((tmp_path / "scores.json").read_text())
    assert set(content["queries"]["bm25"]["MRR@10"]) == {f"q{n}" for n in range(flow.QUERIES)}


def test_mining_from_the_index_and_a_teacher(represented, collection, dupmae, run_fairseq, tmp_path, capsys):
    """Stages two and three: negatives of the retriever itself, a cross-encoder's scores, a student of both."""
    groups, taught, files = (
        tmp_path / "groups.jsonl",
        tmp_path / "taught.jsonl",
        ("--corpus", collection / "corpus.jsonl"),
    )
    files += ("--queries", collection / "queries.tsv", "--qrels", collection / "qrels.txt")
    command("mine", *files, "--index", represented / "index", "--query-vectors", represented / "queries",
            "--score", "both", "--negatives", 4, "--output", groups)  # fmt: skip
    start = ("--pretrained-checkpoint", dupmae / "checkpoint_last.pt", "--max-update", 2)
    run_fairseq("train", dupmae, *flow.TEACHER, *start, "--train-groups", groups, "--save-dir", tmp_path / "teacher")
    command("teach", tmp_path / "teacher", "--groups", groups, "--output", taught)
    shorter = ("teach", tmp_path / "teacher", "--groups", groups, "--passage-tokens", 4, "--output")
    command(*shorter, tmp_path / "shorter.jsonl")
    assert (tmp_path / "shorter.jsonl").read_text() != taught.read_text()
    assert cli.main([str(word) for word in (*shorter, taught)]) == 1  # made with other lengths
    again = ("teach", tmp_path / "teacher", "--groups", groups, "--output", taught)
    assert cli.main([str(word) for word in (*again, "--data", other_tokenizer(dupmae, tmp_path / "other"))]) == 1
    assert "other rules or settings" in capsys.readouterr().err
    for line in taught.read_text().splitlines():
        group = json.loads(line)
        scores = [passage["score"] for side in ("positive_passages", "negative_passages") for passage in group[side]]
        assert len(scores) == 5 and np.isfinite(scores).all()
    student = (*flow.RETRIEVER, *start, "--distillation-weight", 1, "--contrastive-weight", 0, "--train-groups")
    done = run_fairseq("train", dupmae, *student, taught, "--save-dir", tmp_path / "student")
    assert '"distilled"' in done.output
    refused = run_fairseq("train", dupmae, *student, groups, "--save-dir", tmp_path / "x", expect=None)
    assert "make them with mass-plugins teach" in refused.output


def test_a_kill_while_representing_goes_on_to_the_same_files(retriever, collection, tmp_path):
    corpus = tmp_path / "corpus.tsv"
    texts = [passage.whole or "x" for passage in read_passages([collection / "corpus.jsonl"])]
    corpus.write_text("".join(f"p{n}\t{texts[n % len(texts)]}\n" for n in range(3000)))
    words = [script("python"), "-m", "mass_plugins", "represent", retriever, "--corpus", corpus, "--buffer", 50]
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    command(*words[3:], "--destdir", whole)
    program = "import sys, mass_plugins.retrieval.representations as r\ncommit = r.RepresentationWriter.commit\n"
    program += (
        "r.RepresentationWriter.commit = lambda self, **k: (commit(self, **k), print('row', self.rows, flush=True))\n"
    )
    program += "from mass_plugins.cli import main\nsys.exit(main(sys.argv[1:]))\n"
    run_until([script("python"), "-c", program, *words[3:], "--destdir", cut], "row 200", signal.SIGKILL)
    assert 200 <= json.loads((cut / "representations.json").read_text())["rows"] < 3000
    command(*words[3:], "--destdir", cut)
    for name in ("ids.txt", "cls.npy", "ot_index.npy", "ot_value.npy"):
        assert (cut / name).read_bytes() == (whole / name).read_bytes()
    assert len(Representations(cut)) == 3000


def test_representations_are_of_these_texts_and_this_precision(retriever, tmp_path, capsys):
    """The same command has nothing to do; a corpus edited at equal size, or another precision, is one line."""
    corpus = tmp_path / "c.tsv"
    corpus.write_text("a\tsight\nb\tlight\n")
    words = ["represent", str(retriever), "--corpus", str(corpus), "--destdir", str(tmp_path / "r")]
    assert cli.main(words) == 0
    before = np.load(tmp_path / "r" / "cls.npy")
    assert cli.main(words) == 0 and (np.load(tmp_path / "r" / "cls.npy") == before).all()
    assert cli.main([*words, "--dtype", "bfloat16"]) == 1 and "(precision differ)" in capsys.readouterr().err
    corpus.write_text("a\tlight\nb\tsight\n")
    assert cli.main(words) == 1 and "(files differ)" in capsys.readouterr().err
    assert cli.main([*words, "--overwrite"]) == 0 and not (np.load(tmp_path / "r" / "cls.npy") == before).all()


def other_tokenizer(dupmae, folder):
    """A folder with the same dictionary, which the checkpoints take, whose texts lose their letters "e"."""
    shutil.copytree(dupmae, folder, ignore=shutil.ignore_patterns("*.pt", "stdout"))
    content = json.loads((folder / "tokenizer.json").read_text())
    content["normalizer"] = {"type": "Replace", "pattern": {"String": "e"}, "content": ""}
    (folder / "tokenizer.json").write_text(json.dumps(content))
    return folder


def test_representations_are_of_this_tokenizer(retriever, collection, dupmae, tmp_path, capsys):
    other = other_tokenizer(dupmae, tmp_path / "other")
    words = ["--corpus", f"{collection}/corpus.jsonl", "--destdir", f"{tmp_path}/r"]
    assert cli.main(["represent", str(retriever), *words, "--data", str(other)]) == 1
    assert "other rules or settings" in capsys.readouterr().err and not (tmp_path / "r").exists()


def test_one_part_and_other_lengths(represented, retriever, collection, tmp_path, capsys):
    """--parts cls is enough to search by vectors, with the same ranking; lengths cut, are recorded and have limits."""
    judged = ["--queries", collection / "queries.tsv", "--judged", collection / "qrels.txt"]
    command("represent", retriever, *judged, "--parts", "cls", "--destdir", tmp_path / "q")
    assert not (tmp_path / "q" / "ot_dense.npy").exists()
    search = ["search", represented / "index", "--score", "cls", "--queries"]
    command(*search, represented / "queries", "--output", tmp_path / "all")
    command(*search, tmp_path / "q", "--output", tmp_path / "cls")
    assert (tmp_path / "cls").read_text() == (tmp_path / "all").read_text()
    words = [*search[:3], "both", "--queries", tmp_path / "q", "--output", tmp_path / "x"]
    assert cli.main([str(word) for word in words]) == 1
    assert "differ in their entries of the vocabulary: 6 and 0" in capsys.readouterr().err
    corpus = ["represent", retriever, "--corpus", collection / "corpus.jsonl", "--passage-tokens"]
    command(*corpus, 5, "--destdir", tmp_path / "short")
    short, whole = Representations(tmp_path / "short"), RetrieverModel(retriever)
    assert short.description.text["tokens"] == 5 and whole.passage_tokens == 48
    whole.set_lengths(None, 5)
    texts = [passage.whole for passage in read_passages([collection / "corpus.jsonl"])]
    np.testing.assert_allclose(short.parts(0, len(short)).cls, whole.represent(texts, "documents").cls, atol=1e-6)
    for words, said in (
        ([*corpus, 65], "--passage-tokens 65 is not between 3 and the model's 64 positions"),
        ([*corpus, 5, "--query-tokens", 5], "--query-tokens has no effect on --corpus"),
    ):
        assert cli.main([str(word) for word in [*words, "--destdir", tmp_path / "y"]]) == 1
        assert said in capsys.readouterr().err


def test_a_retriever_as_an_encoder_makes_its_own_vectors(retriever, collection, tmp_path, capsys):
    """Projected, cut and compared as it was trained, in every command that takes a text encoder; or refused."""
    passages = [passage.whole for passage in read_passages([collection / "corpus.jsonl"])]
    passages.append(" ".join(passages[:9]))  # longer than --passage-tokens
    encoder = load_encoder(retriever)
    assert encoder.dim == 8 and encoder.similarity == "dot"
    wanted = RetrieverModel(retriever).represent(passages, "documents").cls
    np.testing.assert_allclose(encoder.encode(passages), wanted, atol=1e-5)
    text = tmp_path / "lines.txt"
    text.write_text("".join(passage + "\n" for passage in passages))
    command("encode", retriever, "--input", text, "--output", tmp_path / "v.npy")
    np.testing.assert_allclose(np.load(tmp_path / "v.npy"), wanted, atol=1e-5)
    (tmp_path / "xquad.json").write_text(json.dumps(msm_mirror.xquad("en")))
    capsys.readouterr()
    command("evaluate", "lareqa", retriever, "--xquad", f"en={tmp_path}/xquad.json")
    assert capsys.readouterr().out.rstrip().endswith("|dot")
    command("evaluate", "tatoeba", retriever, "--pairs", f"en={text},{text}")
    for words in (
        ("encode", retriever, "--input", text, "--output", tmp_path / "w.npy", "--pooling", "mean"),
        ("export", "sentence-transformers", retriever, "--destdir", tmp_path / "st"),
    ):
        assert cli.main([str(word) for word in words]) == 1
        assert "is a retriever" in capsys.readouterr().err
    with pytest.raises(InputError, match="by words alone"):
        replace(load_model(retriever), representation="ot").vector_settings()


def test_export_to_sentence_transformers(retriever, collection, tmp_path):
    """Its vectors are those of ``represent``, dot product and all."""
    from sentence_transformers import SentenceTransformer

    command("export", "retriever", retriever, "--destdir", tmp_path / "st")
    texts = [passage.whole for passage in read_passages([collection / "corpus.jsonl"])]
    theirs = SentenceTransformer(str(tmp_path / "st"), device="cpu")
    assert theirs.similarity_fn_name == "dot"
    ours = RetrieverModel(retriever)
    assert np.allclose(theirs.encode(texts), ours.represent(texts, "documents").cls, atol=1e-5)
    long = [" ".join(texts)]
    assert not np.allclose(theirs.encode(long), ours.represent(long, "queries").cls, atol=1e-3)
    theirs.max_seq_length = ours.query_tokens  # as docs/retrieval.md says
    assert np.allclose(theirs.encode(long), ours.represent(long, "queries").cls, atol=1e-5)


@pytest.mark.parametrize("words, said", [
    (["represent", "{dupmae}", "--corpus", "{collection}/corpus.jsonl"], "is a text encoder of another task"),
    (["represent", "{retriever}", "--corpus", "{collection}/none"], "can't be read (No such file"),
    (["represent", "{retriever}", "--queries", "{collection}/queries.tsv", "--judged", "{other}"], "no text falls"),
    (["represent", "{retriever}", "--corpus", "{collection}/corpus.jsonl", "--judged", "{other}"],
     "--judged has no effect on --corpus; leave it out"),
    (["represent", "{retriever}", "--corpus", "{collection}/corpus.jsonl", "--destdir", "{other}/x"],
     "other/x can't be made (Not a directory); name another one"),
])  # fmt: skip
def test_bad_input(words, said, dupmae, retriever, collection, tmp_path, capsys):
    other = tmp_path / "other"
    other.write_text("q999 0 d1 1\n")
    places = {"dupmae": dupmae, "retriever": retriever, "collection": collection, "other": other}
    words = [word.format(**places) for word in words]
    assert cli.main([*words[:2], "--destdir", str(tmp_path / "out"), *words[2:]]) == 1
    errors = capsys.readouterr().err.strip().splitlines()
    assert said in errors[-1] and errors[-1].startswith("mass_plugins: error: ")


def test_a_weight_that_is_missing_is_named(retriever, collection, tmp_path, capsys):
    state = torch.load(retriever / "checkpoint_last.pt", weights_only=False)
    del state["model"]["cls_projection.weight"]
    torch.save(state, tmp_path / "damaged.pt")
    words = ["--corpus", f"{collection}/corpus.jsonl", "--destdir", f"{tmp_path}/r", "--data", str(retriever)]
    assert cli.main(["represent", f"{tmp_path}/damaged.pt", *words]) == 1
    assert "the weight cls_projection.weight is missing" in capsys.readouterr().err


def test_a_query_without_negatives_is_told(collection, dupmae, run_fairseq, tmp_path):
    groups = tmp_path / "groups.jsonl"
    files = ("--corpus", collection / "corpus.jsonl", "--queries", collection / "queries.tsv")
    command("mine", *files, "--qrels", collection / "qrels.txt", "--output", groups)
    done = run_fairseq("train", dupmae, *flow.RETRIEVER, "--train-groups", groups, "--save-dir", tmp_path, expect=None)
    assert "has a query without negatives" in done.output


def test_vectors_of_the_mean(dupmae, collection, run_fairseq, tmp_path):
    """``--vector-pooling mean``: encode, represent and the export make the same vector, which isn't [CLS]'s."""
    from sentence_transformers import SentenceTransformer

    words = (*flow.RETRIEVER, "--vector-pooling", "mean", "--train-groups", collection / "groups.jsonl")
    run_fairseq("train", dupmae, *words, "--max-update", 2, "--save-dir", tmp_path)
    checkpoint = tmp_path / "checkpoint_last.pt"
    texts = [passage.whole for passage in read_passages([collection / "corpus.jsonl"])]
    model = RetrieverModel(checkpoint)
    wanted = model.represent(texts, "documents").cls
    np.testing.assert_allclose(load_encoder(checkpoint).encode(texts), wanted, atol=1e-5)
    with pytest.raises(InputError, match="leave out --pooling cls"):
        load_encoder(checkpoint, pooling="cls")
    command("export", "retriever", checkpoint, "--destdir", tmp_path / "st")
    theirs = SentenceTransformer(str(tmp_path / "st"), device="cpu")
    np.testing.assert_allclose(theirs.encode(texts), wanted, atol=1e-5)
    model.model.vector_pooling = "cls"
    assert np.abs(model.represent(texts, "documents").cls - wanted).max() > 0.01
