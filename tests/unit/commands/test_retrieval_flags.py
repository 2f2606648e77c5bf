"""What a flag can't be, and one that would change nothing, is told in one line; the others reach the index."""

import json

import numpy as np
import pytest

from mass_plugins import cli
from mass_plugins.retrieval.index import Index
from tests.unit.retrieval import synthetic


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Representations, indices of two kinds, small files, two runs of one name."""
    folder = tmp_path_factory.mktemp("flags")
    (folder / "three").write_text("".join(f"x{n}\ttext\n" for n in range(3)))
    synthetic.write(folder / "docs", synthetic.documents(30), "documents", "d")
    synthetic.write(folder / "queries", synthetic.queries(3), "queries", "q")
    for kind in ("flat", "hnsw"):
        assert cli.main(["index", f"{folder}/{kind}", "--documents", f"{folder}/docs", "--kind", kind]) == 0
    for name in ("x", "y"):
        (folder / name).mkdir()
        (folder / name / "run.trec").write_text("q0 Q0 d1 1 2.0 n\n")
    (folder / "corpus").write_text("".join(f"d{n}\ttext {n}\n" for n in range(30)))
    (folder / "asked").write_text("q0\ttext\n")
    (folder / "qrels").write_text("q0 0 d1 1\n")
    (folder / "others").write_text("q7 0 d1 1\n")
    (folder / "unknown").mkdir()
    (folder / "unknown" / "run.trec").write_text("q0 Q0 d1 1 2.0 n\nq0 Q0 dx 2 1.0 n\n")
    passages = [{"docid": f"d{n}", "title": "", "text": "a"} for n in (1, 2)]
    group = {"query_id": "q0", "query": "text", "positive_passages": passages[:1], "negative_passages": passages[1:]}
    (folder / "groups").write_text(json.dumps(group) + "\n")
    return folder


SEARCH = "search {0}/%s --queries {0}/queries --output {0}/out"
MINE = "mine --queries {0}/asked --qrels {0}/qrels --corpus {0}/corpus --run {0}/x/run.trec --output {0}/out"
BM25 = "bm25 --corpus {0}/corpus --queries {0}/asked --output {0}/out"
INDEX = "index {0}/out --documents {0}/docs"


@pytest.mark.parametrize("words, said", [
    (f"{SEARCH % 'flat'} --score ot --query-top -5", "--query-top: -5 is below 0"),
    (f"{SEARCH % 'flat'} --score cls --query-top 5", "--query-top has no effect on --score cls"),
    (f"{SEARCH % 'flat'} --probes 5", "--probes has no effect on --score both, --kind flat"),
    (f"{SEARCH % 'hnsw'} --score cls --candidates 5", "--candidates has no effect on --score cls, --kind hnsw"),
    (f"{SEARCH % 'hnsw'} --score ot --search-depth 5", "--search-depth has no effect on --score ot"),
    (f"{INDEX} --kind ivfpq --lists -1", "--lists: -1 is below 0"),
    (f"{INDEX} --kind hnsw --codes 4", "--codes has no effect on --kind hnsw"),
    ("index {0}/corpus --documents {0}/docs", "corpus can't be made (File exists); name another one"),
    (f"{INDEX} --kind hnsw --links 1", "--links 1 is too few for a graph; set 2 or more"),
    (f"{INDEX} --bits 4", "--bits has no effect on --kind flat"),
    (f"{INDEX} --links 4", "--links has no effect on --kind flat"),
    (f"{MINE} --skip -3", "--skip: -3 is below 0"),
    (f"{MINE} --margin nan", "--margin: nan is not a number of 0 or more"),
    (f"{MINE} --score both", "--score has no effect without --index"),
    *((f"{MINE.replace('--run {0}/x/run.trec', '')} {flag} 1", f"{flag} has no effect without --run or --index")
      for flag in ("--depth", "--skip", "--negatives", "--overlap", "--margin", "--seed")),
    (MINE.replace("x/run", "unknown/run"), "--run: {0}/unknown/run.trec, line 2: the document dx is not in the corpus"),
    ("teach --groups {0}/groups --scores {0}/x/run.trec --output {0}/out",
     "--scores: {0}/x/run.trec has no score for query q0 and passage d2; give a run"),
    *((f"teach --groups {{0}}/groups --scores {{0}}/x/run.trec --output {{0}}/out {words}",
       f"{words.split()[0]} has no effect with --scores")
      for words in ("--device cpu", "--dtype float32", "--batch-tokens 9", "--data x", "--query-tokens 9")),
    (f"{BM25} --judged {{0}}/others", "--judged: {0}/others judges none of the queries; give their judgements"),
    (f"{MINE} --query-vectors {{0}}/queries", "--query-vectors has no effect without --index"),
    (f"{BM25} --k1 -3", "--k1 -3.0 is not a number of 0 or more"),
    (f"{BM25} --b 7", "--b 7.0 is not between 0 and 1"),
    ("evaluate retrieval {0}/x/run.trec --qrels {0}/qrels --json {0}/none/x.json",
     "--json: the folder {0}/none doesn't exist; make it"),
    ("evaluate retrieval {0}/x/run.trec {0}/y/run.trec --qrels {0}/qrels", "two runs have the name run; tell them"),
    ("evaluate retrieval {0}/x/run.trec --qrels {0}/others", "{0}/x/run.trec has no query that {0}/others judges"),
])  # fmt: skip
def test_refused_in_one_line(folder, words, said, capsys):
    try:
        status = cli.main(words.format(folder).split())
    except SystemExit as end:  # argparse
        status = end.code
    errors = capsys.readouterr().err.strip().splitlines()
    assert status and said.format(folder) in errors[-1] and not (folder / "out").exists()


@pytest.mark.parametrize("name", ["my run", "", "a\tb", "a\u00a0b"])
def test_a_run_cannot_have_a_name_of_two_words(folder, name, capsys):
    """The package itself would refuse the run afterwards."""
    with pytest.raises(SystemExit):
        cli.main([*(SEARCH % "flat").format(folder).split(), "--name", name])
    assert f"--name: {name!r} is empty or holds white space, which a run can't" in capsys.readouterr().err
    assert not (folder / "out").exists()


def test_vectors_of_queries_leave_nothing_behind(folder, tmp_path, capsys):
    """Neither after a search nor after vectors of another width, whose corrected file is as good as a first one."""
    vectors, out = tmp_path / "v.npy", tmp_path / "runs" / "out"
    words = ["search", f"{folder}/flat", "--queries", str(vectors), "--ids", f"{folder}/asked", "--output", str(out)]
    np.save(vectors, np.ones((1, synthetic.WIDTH + 1), dtype=np.float32))
    assert cli.main(words) == 1 and "differ in the width of their vectors" in capsys.readouterr().err
    assert not out.parent.exists()
    np.save(vectors, np.ones((1, synthetic.WIDTH), dtype=np.float32))
    assert cli.main(words) == 0 and cli.main(words) == 0
    assert {path.name for path in out.parent.iterdir()} == {"out", "out.json"}


def test_files_that_cannot_be_adopted(folder, tmp_path, capsys):
    np.save(tmp_path / "v.npy", np.ones((3, 0), dtype=np.float32))
    for documents, said in (
        (tmp_path / "v.npy", "v.npy is float32 of shape (3, 0); vectors are floats of shape (rows, width)"),
        (folder / "docs", "--ids has no effect on"),
    ):
        words = ["index", f"{tmp_path}/i", "--documents", str(documents), "--ids", f"{folder}/three"]
        assert cli.main(words) == 1 and said in capsys.readouterr().err
    assert not (tmp_path / "i" / "index.json").exists()


def test_parts_that_documents_and_queries_both_have_are_searched(folder, tmp_path):
    np.save(tmp_path / "v.npy", np.ones((1, synthetic.WIDTH), dtype=np.float32))
    for queries, score in ((f"{folder}/queries", "both"), (f"{tmp_path}/v.npy --ids {folder}/asked", "cls")):
        words = f"search {folder}/flat --queries {queries} --output {tmp_path}/r"
        assert cli.main(words.split()) == 0
        assert json.loads((tmp_path / "r.json").read_text())["settings"]["score"] == score
        assert cli.main([*words.split(), "--score", score]) == 0  # finished
        (tmp_path / "r").unlink(), (tmp_path / "r.json").unlink()


@pytest.mark.parametrize("score", ["cls", "both"])
def test_short_rankings_are_told(folder, tmp_path, score, capsys):
    """One list of four is looked into; the numbers are those of the file, when it is finished, too."""
    words = f"index {tmp_path}/pq --documents {folder}/docs --kind ivfpq --codes 4 --bits 4 --lists 4"
    assert cli.main(words.split()) == 0
    words = f"search {tmp_path}/pq --queries {folder}/queries --score {score} --depth 20 --output {tmp_path}/r --probes"
    for _ in range(2):
        capsys.readouterr()
        assert cli.main([*words.split(), "1"]) == 0
        found, lines = capsys.readouterr(), (tmp_path / "r").read_text().splitlines()
        counts = [sum(line.startswith(f"q{n} ") for line in lines) for n in range(3)]
        assert f"r: 3 queries, {len(lines)} documents, 20 of 30 each at most" in found.out and len(lines) < 60
        short = sum(count < 20 for count in counts)
        assert found.err.endswith(f"mass_plugins: warning: {short} queries have fewer; raise --probes\n")
    assert cli.main([*words.split(), "4", "--overwrite"]) == 0
    found = capsys.readouterr()
    assert "r: 3 queries, 60 documents" in found.out and "warning" not in found.err


def test_other_ids_for_the_same_vectors(folder, tmp_path, capsys):
    """What an index or a run was made of includes the names of its rows."""
    np.save(tmp_path / "v.npy", np.eye(3, synthetic.WIDTH, dtype=np.float32))
    for name in "ab":
        (tmp_path / name).write_text("".join(f"{name}{n}\tt\n" for n in range(3)))
    index = ["index", f"{tmp_path}/i", "--documents", f"{tmp_path}/v.npy", "--ids"]
    search = ["search", f"{tmp_path}/i", "--queries", f"{tmp_path}/v.npy", "--output", f"{tmp_path}/r", "--ids"]
    for words, said in ((index, "i/vectors/0000 holds other representations (ids differ)"),
                        (search, "r is made with other settings (queries)")):  # fmt: skip
        assert cli.main([*words, f"{tmp_path}/a"]) == cli.main([*words, f"{tmp_path}/a"]) == 0
        assert cli.main([*words, f"{tmp_path}/b"]) == 1 and said in capsys.readouterr().err
        assert cli.main([*words, f"{tmp_path}/b", "--overwrite"]) == 0
    assert (tmp_path / "r").read_text().startswith("b0 Q0 b0 1")


def test_what_evaluation_tells(tmp_path, capsys):
    """Whose rankings lost their query, who has no relevant document; BEIR's header or the flag decides."""
    (tmp_path / "run").write_text("a Q0 a 1 3.0 n\na Q0 d1 2 2.0 n\nb Q0 d1 1 2.0 n\n")
    (tmp_path / "trec").write_text("a 0 d1 1\nb 0 d1 0\nb 0 d2 -1\n")
    (tmp_path / "beir").write_text("query-id\tcorpus-id\tscore\na\td1\t1\nb\td1\t0\nb\td2\t-1\n")

    def evaluate(qrels, *flags):
        words = ["evaluate", "retrieval", f"{tmp_path}/run", "--qrels", f"{tmp_path}/{qrels}", "--measures", "MRR@10"]
        assert cli.main([*words, *flags]) == 0
        return capsys.readouterr().out

    irrelevant = "1 queries that no document is judged relevant to count 0"
    left_out = "1 rankings less the document with their query's id"
    for said, whole in ((evaluate("trec"), True), (evaluate("beir", "--no-ignore-identical-ids"), True),
                        (evaluate("beir"), False), (evaluate("trec", "--ignore-identical-ids"), False)):  # fmt: skip
        assert irrelevant in said and (left_out in said) != whole
        assert f"run: MRR@10 {25 if whole else 50}.00" in said and ("|identical ids:left out|" in said) != whole


def test_identical_ids_of_the_commands(folder, tmp_path):
    """Both that write runs leave the query's document out, and record it."""
    (tmp_path / "asked").write_text("d1\ttext\n")
    np.save(tmp_path / "v.npy", np.ones((1, synthetic.WIDTH), dtype=np.float32))
    search = ["search", f"{folder}/flat", "--queries", f"{tmp_path}/v.npy", "--ids", f"{tmp_path}/asked"]
    bm25 = ["bm25", "--corpus", f"{folder}/corpus", "--queries", f"{tmp_path}/asked"]
    for name, words in (("s", search), ("b", bm25)):
        words = [*words, "--depth", "30", "--output", f"{tmp_path}/{name}"]
        assert cli.main(words) == 0 and len((tmp_path / name).read_text().splitlines()) == 30
        assert cli.main([*words, "--ignore-identical-ids"]) == 1
        assert cli.main([*words, "--ignore-identical-ids", "--overwrite"]) == 0
        lines = (tmp_path / name).read_text().splitlines()
        assert len(lines) == 29 and not any(line.startswith("d1 Q0 d1 ") for line in lines)


def test_the_others_are_used(folder, tmp_path, capsys):
    words = f"index {tmp_path}/i --documents {folder}/docs --kind hnsw --links 4 --build-depth 9".split()
    assert cli.main(words) == 0
    settings = Index(tmp_path / "i").settings
    assert (settings.links, settings.build_depth, settings.codes) == (4, 9, 48)
    words = f"index {tmp_path}/pq --documents {folder}/docs --kind ivfpq --codes 4 --lists 2 --training 30".split()
    assert cli.main(words) == 1 and "set fewer --bits, or --kind flat" in capsys.readouterr().err
    assert cli.main([*words, "--bits", "4"]) == 0 and Index(tmp_path / "pq").settings.bits == 4
    queries = ["--queries", f"{folder}/queries", "--score", "both"]
    tail = ["--candidates", "4", "--search-depth", "9", "--query-top", "3", "--output", f"{tmp_path}/r"]
    assert cli.main(["search", f"{tmp_path}/i", *queries, *tail]) == 0
    assert (
        len((tmp_path / "r").read_text().splitlines()) == 3 * 30
    )  # all documents are asked for, so all are candidates
    runs = [f"{folder}/x/run.trec", f"other={folder}/y/run.trec"]
    assert cli.main(["evaluate", "retrieval", *runs, "--qrels", f"{folder}/qrels"]) == 0
    assert "other: nDCG@10" in capsys.readouterr().out
