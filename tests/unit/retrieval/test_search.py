"""Every way to search gives the ranking of a brute-force score, to the last rank; what doesn't fit is one line."""

import json
import os
from dataclasses import replace

import numpy as np
import pytest

from mass_plugins.data.retrieval_files import read_run
from mass_plugins.errors import InputError
from mass_plugins.retrieval import faiss_index
from mass_plugins.retrieval import search as search_module
from mass_plugins.retrieval.exact import Scorer, cut_queries
from mass_plugins.retrieval.faiss_index import FaissSettings
from mass_plugins.retrieval.index import Index, build
from mass_plugins.retrieval.representations import Description, Parts, Representations, RepresentationWriter
from mass_plugins.retrieval.search import Searcher, SearchSettings, search_to_file
from tests.unit.retrieval import synthetic

DOCUMENTS, QUERIES, FLAT = 90, 11, FaissSettings()


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    """Representations of documents in two shards and of queries; the parts of all."""
    folder = tmp_path_factory.mktemp("collection")
    documents, queries = synthetic.documents(DOCUMENTS), synthetic.queries(QUERIES)
    for name, rows in (("first", slice(0, 40)), ("second", slice(40, None))):
        parts = synthetic.Parts(*(None if part is None else part[rows] for part in documents))
        synthetic.write(folder / name, parts, "documents", f"{name}-")
    synthetic.write(folder / "queries", queries, "queries", "q")
    return folder, documents, queries


def build_index(collection, tmp_path, settings=FLAT):
    folder = collection[0]
    return build([folder / "first", folder / "second"], tmp_path / "index", settings, block=17, progress=False)


@pytest.mark.parametrize("which", ["cls", "ot", "both"])
@pytest.mark.parametrize("depth", [1, 13, 1000])
def test_agrees_with_brute_force_to_the_last_rank(collection, tmp_path, which, depth):
    folder, documents, queries = collection
    searcher = Searcher(build_index(collection, tmp_path), SearchSettings(which, depth), block=23)
    found = searcher.search(Representations(folder / "queries").parts(0, QUERIES))
    expected = synthetic.brute_force(queries, documents, which)
    size = min(depth, DOCUMENTS)
    assert len(np.unique(expected[0])) < DOCUMENTS  # there are ties
    assert (found.rows == synthetic.ranked(expected, size)).all()
    assert (found.scores == -np.sort(-expected, axis=1)[:, :size]).all()


@pytest.mark.parametrize(
    "settings", [FaissSettings("hnsw", links=16), FaissSettings("ivfpq", lists=3, codes=8, bits=4)]
)
def test_approximate_indices_propose_and_the_exact_score_decides(collection, tmp_path, settings):
    """With all documents proposed, the hybrid ranking is the exact one; vectors alone find most of the best."""
    folder, documents, queries = collection
    index = build_index(collection, tmp_path, settings)
    parts = Representations(folder / "queries").parts(0, QUERIES)
    chosen = SearchSettings("both", 20, candidates=DOCUMENTS, probes=3)
    expected = synthetic.ranked(synthetic.brute_force(queries, documents, "both"), 20)
    found = Searcher(index, chosen).search(parts).rows
    assert np.mean([len({*a} & {*b}) / 20 for a, b in zip(found, expected)]) > 0.95
    by_vectors = Searcher(index, SearchSettings("cls", 20, probes=3)).search(parts).rows
    exact = synthetic.ranked(synthetic.brute_force(queries, documents, "cls"), 20)
    assert np.mean([len({*a} & {*b}) / 20 for a, b in zip(by_vectors, exact)]) > 0.5


@pytest.mark.parametrize("which", ["cls", "ot", "both"])
def test_equal_documents_tie_whatever_the_blocks_and_batches(tmp_path, which):
    """Values of which no sum is exact; every document is there about 25 times."""
    rng = np.random.default_rng(0)
    count, width, words, kept = 5003, 384, 500, 20
    same = rng.integers(0, 200, count)
    cls, value = (rng.standard_normal((200, size), dtype=np.float32)[same] for size in (width, kept))
    index = np.sort(np.argsort(rng.random((200, words)), axis=1)[:, :kept], axis=1).astype(np.int32)[same]
    asked = Parts(
        rng.standard_normal((30, width), dtype=np.float32), dense=rng.standard_normal((30, words), dtype=np.float32)
    )
    with RepresentationWriter(tmp_path / "d", Description("m", "documents", width, kept, words)) as writer:
        writer.append([f"d{n}" for n in range(count)], Parts(cls, index, value))
        writer.commit(finished=True)
    index = build([tmp_path / "d"], tmp_path / "index", FLAT, progress=False)

    def search(batch, block):
        searcher = Searcher(index, SearchSettings(which, 1000), block)
        found = [searcher.search(synthetic.rows(asked, begin, begin + batch)) for begin in range(0, 30, batch)]
        return np.concatenate([top.rows for top in found]), np.concatenate([top.scores for top in found])

    rows, scores = search(30, 4096)
    twins = same[rows[:, 1:]] == same[rows[:, :-1]]
    assert twins.sum() > 20000 and (rows[:, 1:] > rows[:, :-1])[twins].all()
    for batch, block in ((30, 1000), (7, 4096), (1, 333)):
        again = search(batch, block)
        assert (again[0] == rows).all() and (again[1] == scores).all()


def test_a_cut_query_keeps_its_largest_values(collection):
    _, documents, queries = collection
    cut = cut_queries(queries.dense, 5).toarray()
    assert ((cut != 0).sum(axis=1) <= 5).all()
    for row, whole in zip(cut, queries.dense):
        assert np.abs(row).sum() == np.sort(np.abs(whole))[-5:].sum()
    scores = Scorer(queries, "ot", query_top=5).scores(documents)
    assert (scores == synthetic.brute_force(queries._replace(dense=cut), documents, "ot")).all()
    whole = Scorer(queries, "both", query_top=synthetic.VOCABULARY).scores(documents)
    assert (whole == synthetic.brute_force(queries, documents, "both")).all()


def test_the_document_with_the_query_s_id_makes_room(tmp_path):
    """Named as the queries, the first documents are left out of their rankings, which are as long as the others."""
    synthetic.write(tmp_path / "d", synthetic.documents(40), "documents", "x")
    synthetic.write(tmp_path / "q", synthetic.queries(5), "queries", "x")
    index, queries = build([tmp_path / "d"], tmp_path / "i", FLAT, progress=False), Representations(tmp_path / "q")
    for which in ("cls", "both"):
        for depth in (10, 40):
            chosen = SearchSettings(which, depth)
            for output, how in ("with", chosen), ("less", replace(chosen, depth=depth + 1, ignore_identical_ids=True)):
                search_to_file(index, queries, how, tmp_path / f"{which}.{depth}.{output}", "n", progress=False)
            whole, less = (dict(read_run(tmp_path / f"{which}.{depth}.{output}")) for output in ("with", "less"))
            for query, ranking in whole.items():
                wanted = [found for found in ranking if found[0] != query]
                assert less[query][: len(wanted)] == wanted and len(less[query]) == min(depth + 1, 39)
            again = search_to_file(index, queries, how, tmp_path / f"{which}.{depth}.less", "n", progress=False)
            assert again == (5, 5 * min(depth + 1, 39), 0)  # as much as there is


def test_a_run_that_is_cut_off_goes_on_with_the_same_file(collection, tmp_path, monkeypatch):
    index, queries = build_index(collection, tmp_path), Representations(collection[0] / "queries")

    def search(output):
        return search_to_file(index, queries, SearchSettings("both", 5), output, "name", batch=2, progress=False)

    assert search(tmp_path / "whole.trec") == (QUERIES, 5 * QUERIES, 0)
    calls, original = [], Searcher.search

    def fail_at_the_third(self, parts):
        calls.append(len(parts.cls))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return original(self, parts)

    monkeypatch.setattr(search_module.Searcher, "search", fail_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path / "cut.trec")
    with open(tmp_path / "cut.trec.part", "a") as file:
        file.write("half a li")
    assert not (tmp_path / "cut.trec").exists()
    assert search(tmp_path / "cut.trec") == search(tmp_path / "whole.trec") == (QUERIES, 5 * QUERIES, 0)
    assert sum(calls) == QUERIES + 2  # no query is searched again but those that were cut off
    assert (tmp_path / "cut.trec").read_text() == (tmp_path / "whole.trec").read_text()
    assert {path.name for path in tmp_path.iterdir()} == {
        "index", "cut.trec", "cut.trec.json", "whole.trec", "whole.trec.json"
    }  # fmt: skip
    found = dict(read_run(tmp_path / "whole.trec"))
    assert len(found) == QUERIES and all(len(ranking) == 5 for ranking in found.values())


@pytest.mark.parametrize("what", ["model", "queries", "index"])
def test_a_run_is_never_of_two_models_or_texts(tmp_path, monkeypatch, what):
    """All at the same paths: cut off, made anew from something else, given again; or finished and given again."""

    def make(changed):
        model = "another model" if changed == "model" else "a model"
        for name, parts, role in (
            ("docs", synthetic.documents(30), "documents"),
            ("queries", synthetic.queries(6), "queries"),
        ):
            text = {"files": ["other"]} if changed == name else {}
            synthetic.write(tmp_path / name, parts, role, "x", model=model, overwrite=True, text=text)
        settings = FaissSettings("hnsw") if changed == "index" else FLAT
        return build([tmp_path / "docs"], tmp_path / "index", settings, overwrite=True, progress=False)

    def search(index, output="run.trec", **flags):
        queries = Representations(tmp_path / "queries")
        chosen = SearchSettings("cls", 5)
        return search_to_file(index, queries, chosen, tmp_path / output, "n", batch=2, progress=False, **flags)

    index, original, calls = make(None), Searcher.search, []
    search(index, "finished.trec")

    def fail_at_the_second(self, parts):
        calls.append(len(parts.cls))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return original(self, parts)

    monkeypatch.setattr(search_module.Searcher, "search", fail_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        search(index)
    index = make(what)
    for output in ("run.trec", "finished.trec"):
        said = "queries" if what == "queries" else "index, queries" if what == "model" else "index"
        with pytest.raises(InputError, match=f"{output} is made with other settings \\({said}\\)"):
            search(index, output)
    assert search(index, "finished.trec", overwrite=True) == (6, 30, 0)
    assert not (tmp_path / "finished.trec.part").exists()


def test_an_index_that_was_cut_off_goes_on(collection, tmp_path, monkeypatch):
    written, original = [], faiss_index.write

    def fail_at_the_second(index, path):
        written.append(path)
        if len(written) == 2:
            raise KeyboardInterrupt
        original(index, path)

    monkeypatch.setattr(faiss_index, "write", fail_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        build_index(collection, tmp_path)
    with pytest.raises(InputError, match="is not finished; run its mass-plugins index again"):
        Index(tmp_path / "index")
    index = build_index(collection, tmp_path)
    assert len(written) == 3 and len(index) == DOCUMENTS
    assert index.ids()[[0, 40]].tolist() == ["first-0", "second-0"]


@pytest.mark.parametrize("name", ["0000/vectors.faiss", "0001/ot_value.npy", "0000/ids.txt"])
def test_a_truncated_or_missing_file(collection, tmp_path, name):
    build_index(collection, tmp_path)
    path = tmp_path / "index" / name
    content = path.read_bytes()
    path.unlink()  # a hard link to the source
    path.write_bytes(content[:-9])
    with pytest.raises(InputError, match=f"{name} has {len(content) - 9} bytes instead of {len(content)}"):
        Index(tmp_path / "index")
    path.unlink()
    with pytest.raises(InputError, match=f"{name} is gone"):
        Index(tmp_path / "index")


@pytest.mark.parametrize("name", ["0000/vectors.faiss", "0001/ot_value.npy"])
def test_the_mend_of_a_truncated_file_mends_it(collection, tmp_path, name):
    """The same command doesn't call the index finished; with --overwrite, which both errors name, it is whole."""
    before = build_index(collection, tmp_path).ids().tolist()
    path = tmp_path / "index" / name
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content[:-9])
    with pytest.raises(InputError, match="make it anew: mass-plugins index .*index … --overwrite"):
        Index(tmp_path / "index")
    with pytest.raises(InputError, match="instead of .*; make it anew with the same command and --overwrite"):
        build_index(collection, tmp_path)
    sources = [collection[0] / "first", collection[0] / "second"]
    index = build(sources, tmp_path / "index", FLAT, overwrite=True, progress=False)
    assert index.ids().tolist() == before and path.stat().st_size == len(content)
    assert len(build_index(collection, tmp_path)) == DOCUMENTS  # finished


@pytest.mark.parametrize("file, name", [("index.json", "sizes"), ("plan.json", "settings")])
def test_a_record_that_lacks_something(collection, tmp_path, file, name):
    build_index(collection, tmp_path)
    record = tmp_path / "index" / file
    content = json.loads(record.read_text())
    del content[name]
    record.write_text(json.dumps(content))
    with pytest.raises(
        InputError, match=f"{file} is damaged \\(its '{name}' is no dict\\); make it anew .* --overwrite"
    ):
        build_index(collection, tmp_path)


def test_queries_of_another_model_or_width(collection, tmp_path):
    index = build_index(collection, tmp_path)
    queries = synthetic.queries(3)
    other = Representations(synthetic.write(tmp_path / "other", queries, "queries", "q", model="another model"))
    with pytest.raises(InputError, match="differ in the model that made them"):
        index.check_queries(other, "cls")
    record = tmp_path / "other" / "representations.json"
    content = json.loads(record.read_text())
    content["description"]["vocabulary"] = 51
    record.write_text(json.dumps(content))
    with pytest.raises(InputError, match="differ in vocabulary: 50 and 51"):
        index.check_queries(Representations(tmp_path / "other"), "cls")
    with pytest.raises(InputError, match="holds documents; give queries"):
        index.check_queries(Representations(collection[0] / "first"), "cls")
    with pytest.raises(InputError, match="holds queries; an index is made of documents"):
        build([collection[0] / "queries"], tmp_path / "i", FaissSettings())


def test_the_same_documents_twice_and_another_index_in_the_way(collection, tmp_path):
    first = collection[0] / "first"
    with pytest.raises(InputError, match="the id first-0 is in an earlier shard, too"):
        build([first, first], tmp_path / "twice", FaissSettings(), progress=False)
    build_index(collection, tmp_path)
    with pytest.raises(InputError, match="an index of other documents or settings"):
        build([first], tmp_path / "index", FaissSettings(), progress=False)
    assert len(build([first], tmp_path / "index", FaissSettings(), overwrite=True, progress=False)) == 40


@pytest.mark.parametrize("settings, twice, said", [
    (FaissSettings("ivfpq", codes=7), False, "--codes 7 doesn't divide the width"),
    (FaissSettings("ivfpq", codes=2, lists=900), False, "--lists 900 needs 900 vectors to learn from"),
    (FaissSettings(), True, "is in an earlier shard, too"),
])  # fmt: skip
def test_what_is_refused_leaves_the_index_that_it_would_replace(collection, tmp_path, settings, twice, said):
    first = collection[0] / "first"
    build([first], tmp_path / "index", FaissSettings(), progress=False)
    before = {path: path.read_bytes() for path in (tmp_path / "index").rglob("*") if path.is_file()}
    with pytest.raises(InputError, match=said):
        build([first, *[first] * twice], tmp_path / "index", settings, overwrite=True, progress=False)
    assert {path: path.read_bytes() for path in (tmp_path / "index").rglob("*") if path.is_file()} == before
    assert len(Index(tmp_path / "index")) == 40


def shard_of(folder, name, shard, files=("a.tsv (9 bytes, abc)",), **text):
    text = {"files": list(files), "tokens": 144, "precision": "float32", "judged": None, "shard": shard, **text}
    return synthetic.write(folder / name, synthetic.documents(4), "documents", f"{name}-", text=text)


@pytest.mark.parametrize("shards, said", [
    ([{"shard": "0/2"}], "0 is shard 0/2 of a.tsv; 1/2 of the same text, lengths and precision isn't among"),
    ([{"shard": "0/3"}, {"shard": "1/3"}], "shard 0/3 of a.tsv; 2/3 of the same text"),
    ([{"shard": "2/4"}], "shard 2/4 of a.tsv; 0/4, 1/4, 3/4 of the same text"),
    ([{"shard": "0/3"}, {"shard": "1/2"}], "shard 0/3 of a.tsv; 1/3, 2/3 of"),
    ([{"shard": "0/2"}, {"shard": "1/2", "files": ["b.tsv"]}], "shard 0/2 of a.tsv; 1/2 of"),
    ([{"shard": "0/2"}, {"shard": "1/2", "tokens": 20}], "shard 0/2 of a.tsv; 1/2 of"),
    ([{"shard": "0/2"}, {"shard": "1/2", "precision": "bfloat16"}], "shard 0/2 of a.tsv; 1/2 of"),
    ([{"shard": "0/1"}, {"shard": "1/2", "files": ["b.tsv"]}], "shard 1/2 of b.tsv; 0/2 of"),
])  # fmt: skip
def test_a_part_of_a_corpus_is_no_index(tmp_path, shards, said):
    sources = [shard_of(tmp_path, str(number), **shard) for number, shard in enumerate(shards)]
    with pytest.raises(InputError, match=said):
        build(sources, tmp_path / "index", FLAT, progress=False)
    assert not (tmp_path / "index").exists()


def test_whole_corpora_beside_each_other(tmp_path):
    other = {"files": ["b.tsv"], "tokens": 20}
    whole, shards = shard_of(tmp_path, "b", "0/1", **other), [shard_of(tmp_path, f"a{n}", f"{n}/2") for n in (0, 1)]
    sources = [shards[1], whole, shards[0]]
    assert len(build(sources, tmp_path / "index", FLAT, progress=False)) == 12


def test_representing_anew_leaves_an_index_as_it_is(tmp_path):
    """Its files are hard links where the disk allows: neither another model's rows nor a cut-off run may reach them."""
    folder = synthetic.write(tmp_path / "docs", synthetic.documents(30), "documents", "d")
    index = build([folder], tmp_path / "index", FLAT, progress=False)
    before = {path: path.read_bytes() for path in sorted(index.folder.rglob("*")) if path.is_file()}
    assert os.stat(folder / "cls.npy").st_ino == os.stat(index.folder / "0000" / "cls.npy").st_ino
    synthetic.write(folder, synthetic.documents(30, 5), "documents", "d", model="another model", overwrite=True)
    assert {path: path.read_bytes() for path in before} == before
    assert (np.load(folder / "cls.npy") == synthetic.documents(30, 5).cls).all()


def test_pq_without_enough_vectors(collection, tmp_path):
    """The limit that isn't kept is the one that is named."""
    bits = "--bits 8 needs 256 vectors to learn from, here are 90; set fewer --bits, or --kind flat"
    for lists, said in ((0, bits), (1, bits), (91, "--lists 91 needs 91 vectors .*; set fewer --lists, or")):
        with pytest.raises(InputError, match=said):
            build_index(collection, tmp_path, FaissSettings("ivfpq", codes=4, lists=lists))
    with pytest.raises(InputError, match="--bits 6 needs 64 vectors .* 45; set fewer --bits, more --training, or"):
        build_index(collection, tmp_path, FaissSettings("ivfpq", codes=4, bits=6, training=50))
    with pytest.raises(InputError, match="--codes 5 doesn't divide the width 8"):
        build_index(collection, tmp_path, FaissSettings("ivfpq", codes=5))


def test_what_faiss_cannot_build():
    with pytest.raises(InputError, match="--links 1 is too few for a graph; set 2 or more"):
        FaissSettings("hnsw", links=1)
    for bits in (0, 17):
        with pytest.raises(InputError, match=f"--bits {bits} is not between 1 and 16"):
            FaissSettings("ivfpq", bits=bits)


@pytest.mark.parametrize("training, lists", [(500, 12), (100, 2)])
def test_lists_by_default(training, lists):
    """A 39th of the vectors to learn from where that is less than four times the root of all."""
    sample = np.random.default_rng(0).standard_normal((training, 8), dtype=np.float32)
    index = faiss_index.train(FaissSettings("ivfpq", codes=4, bits=4, training=training), 8, 500, sample)
    assert index.nlist == lists


def test_memory_is_that_of_a_block_not_of_the_corpus(tmp_path):
    """A corpus of more than ten times the blocks: never more than one block of documents is asked for."""
    folder = synthetic.write(tmp_path / "docs", synthetic.documents(500), "documents", "d", commit_every=100)
    index = build([folder], tmp_path / "index", FaissSettings(), block=32, progress=False)
    asked, original = [], Representations.take

    def watch(self, places):
        parts = original(self, places)
        asked.append(len(parts.cls))
        return parts

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Representations, "take", watch)
        queries = synthetic.queries(4)
        found = Searcher(index, SearchSettings("both", 10), block=32).search(queries)
    assert max(asked) == 32 and sum(asked) == 500
    assert (found.rows == synthetic.ranked(synthetic.brute_force(queries, synthetic.documents(500), "both"), 10)).all()
