"""Collections in every format give the same passages; each way to be wrong is one line with file and line."""

import gzip
import json

import pytest

from mass_plugins.data import retrieval_files
from mass_plugins.data.retrieval_files import (
    Passage,
    Query,
    check_judged_documents,
    read_judgements,
    read_passages,
    read_queries,
    read_run,
    run_lines,
)
from mass_plugins.data.retrieval_passages import PassageStore
from mass_plugins.errors import InputError


def write(path, *lines):
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


@pytest.mark.parametrize("lines", [
    ['{"_id": "7", "title": "A", "text": "b c"}', '{"_id": "x", "title": "", "text": ""}'],
    ['{"docid": 7, "title": "A", "text": "b c"}', "", '{"docid": "x", "text": ""}'],
    ["7\tA\tb c", "x\t\t"],
    ["7\thttp://a.b/c\tA\tb c", "x\thttp://a\t\t"],
    ["id\ttitle\ttext", "7\tA\tb c", "x\t\t"],
    ["id\ttext\ttitle", "7\tb c\tA", "x\t\t"],
    ["PID\tPassage\tTitle", "7\tb c\tA", "x\t\t"],
    ["qid\ttitle\tdoc_id\ttext", "1\tA\t7\tb c", "2\t\tx\t"],
], ids=["beir", "tevatron", "tsv", "msmarco documents", "header", "dpr", "passages", "any order"])  # fmt: skip
def test_formats_of_passages(tmp_path, lines):
    path = write(tmp_path / "corpus", *lines)
    assert list(read_passages([path])) == [Passage("7", "A", "b c"), Passage("x", "", "")]
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())  # a byte order mark
    assert list(read_passages([path])) == [Passage("7", "A", "b c"), Passage("x", "", "")]
    store = PassageStore(path)
    assert len(store) == 2 and store["7"] == Passage("7", "A", "b c") and store["x"].text == ""
    assert Passage("7", "A", "b c").whole == "A b c" and Passage("x", "", "t").whole == "t"


def test_formats_of_queries_and_compressed_files(tmp_path):
    beir = write(tmp_path / "a", '{"_id": "q1", "text": "who", "metadata": {}}')
    tevatron = write(tmp_path / "b", '{"query_id": "q2", "query": "what"}')
    (tmp_path / "c.gz").write_bytes(gzip.compress(b"q3\twhere\n"))
    named = write(tmp_path / "d", "query_id\tlang\tquestion", "q4\ten\tis it")
    found = list(read_queries([beir, tevatron, tmp_path / "c.gz", named]))
    assert found == [Query("q1", "who"), Query("q2", "what"), Query("q3", "where"), Query("q4", "is it")]


@pytest.mark.parametrize("lines, words", [
    (["pid\tbody of it", "7\tb"], "line 1 is a header without a column for the text; name it text or contents, or"),
    (["qid\ttext", "7\tb"], "line 1 is a header without a column for the id; name it _id or docid, or take"),
    (["id\ttitle\ttext", "7\tb"], "line 2 has 2 columns and the header 3; mend that line"),
    (["id\ttext", "a b\tb"], "line 2: the id 'a b' is empty or holds white space"),
    (["id\ttext"], "is empty"),
    (["id text", "7\tb"], "line 1 has 1 columns"),
])  # fmt: skip
def test_bad_headers(tmp_path, lines, words):
    path = write(tmp_path / "corpus", *lines)
    with pytest.raises(InputError, match=f"{path},? {words}"):
        list(read_passages([path]))


def test_no_header(tmp_path):
    """Text that says what a header may say, in lines that are none."""
    lines = ["d1\tid", "d2\ttitle\ttext", "id\ttext"]
    passages = [Passage("d1", "", "id"), Passage("d2", "title", "text"), Passage("id", "", "text")]
    assert list(read_passages([write(tmp_path / "corpus", *lines)])) == passages


@pytest.mark.parametrize("line, words", [
    ('{"_id": "a", "text": "b"', "line 2 is not JSON"),
    ("[1]", "line 2 has 1 columns"),
    ('{"text": "b"}', "line 2 has no id"),
    ('{"_id": "a"}', "line 2 has no text"),
    ('{"_id": "a", "text": 3}', "line 2: text is int, not text"),
    ('{"_id": "a", "text": "b\\ud800"}', "line 2: text has half a surrogate pair in it; mend that line"),
    ('{"_id": "\\udc00", "text": "b"}', "line 2: _id has half a surrogate pair"),
    ('{"_id": "a b", "text": ""}', "line 2: the id 'a b' is empty or holds white space"),
    ("\ttext", "line 2: the id '' is empty"),
    ("a\tb\tc\td\te", "line 2 has 5 columns"),
    ('{"_id": "first", "text": ""}', "line 2: the id first came before"),
])  # fmt: skip
def test_bad_passages(tmp_path, line, words):
    path = write(tmp_path / "corpus.jsonl", '{"_id": "first", "text": "t"}', line)
    with pytest.raises(InputError, match=f"--corpus: {path}, {words}"):
        list(read_passages([path]))


def test_an_id_that_comes_again_much_later_or_in_another_file(tmp_path, monkeypatch):
    monkeypatch.setattr(retrieval_files, "_AT_A_TIME", 4)
    path = write(tmp_path / "a", *(f"d{n}\tt" for n in range(30)), "d1\tt")
    with pytest.raises(InputError, match="line 31: the id d1 came before"):
        list(read_passages([path]))
    first, second = write(tmp_path / "b", "d1\tt"), write(tmp_path / "c", "d1\tt")
    with pytest.raises(InputError, match=f"{second}, line 1: the id d1 came before"):
        list(read_passages([first, second]))


def test_empty_missing_and_not_utf8(tmp_path):
    with pytest.raises(InputError, match="is empty"):
        list(read_queries([write(tmp_path / "e")]))
    with pytest.raises(InputError, match="doesn't exist"):
        list(read_queries([tmp_path / "none"]))
    (tmp_path / "latin").write_bytes(b"a\tb\nq\tcaf\xe9\n")
    with pytest.raises(InputError, match="line 2 is not UTF-8"):
        list(read_queries([tmp_path / "latin"]))


def test_judgements(tmp_path):
    beir = write(tmp_path / "beir.tsv", "query-id\tcorpus-id\tscore", "q1\td1\t2", "q1\td2\t0", "q2\td1\t1")
    trec = write(tmp_path / "trec.txt", "q1 0 d1 2", "q1 0 d2 0", "q2\t0\td1\t1")
    assert read_judgements(beir) == read_judgements(trec) == {"q1": {"d1": 2, "d2": 0}, "q2": {"d1": 1}}
    for header in ("\ufeffquery-id\tcorpus-id\tscore", "query_id\tcorpus_id\tscore", "qid pid label"):
        named = write(tmp_path / "named", header, "q1\td1\t2", "q1\td2\t0", "q2\td1\t1")
        assert read_judgements(named) == read_judgements(beir)
    turned = write(tmp_path / "turned", "score\tdocid\tquery-id", "2\td1\tq1", "0\td2\tq1", "1\td1\tq2")
    assert read_judgements(turned) == read_judgements(beir)
    for line, words in [
        ("a\tdoc 1\t1", "line 2: the id 'doc 1' is empty or holds white space"),
        ("a\t\t1", "line 2: the id '' is empty or holds white space"),
        ("q1 d1", "line 2 has 2 columns"),
        ("q1 0 d1 high", "line 2: the grade 'high' is no whole number"),
        ("q1 0 d1 99999999999999999999", "line 2: the grade 99999999999999999999 is beyond 1000"),
        ("q1 0 d1 -1001", "line 2: the grade -1001 is beyond 1000"),
        ("a 0 b 2", "line 2: a and b were judged 1 before"),
    ]:
        with pytest.raises(InputError, match=words):
            read_judgements(write(tmp_path / "bad", "a 0 b 1", line))
    with pytest.raises(InputError, match="holds no judgement"):
        read_judgements(write(tmp_path / "none"))


def test_a_judged_document_outside_the_corpus(tmp_path):
    path = write(tmp_path / "qrels", "q1 0 d1 1", "q1 0 d9 1", "q2 0 d8 0")
    judgements = read_judgements(path)
    check_judged_documents(judgements, path, ["d1", "d8", "d9", "d0"])
    with pytest.raises(InputError, match=f"{path}, line 3: the document d8 is not in the corpus .nor are 1 more"):
        check_judged_documents(judgements, path, ["d1"])


def test_a_run_there_and_back(tmp_path):
    rankings = {"q1": [("d2", 1.5), ("d1", 0.1), ("d3", 0.1)], "q2": [("d1", -7e-9)]}
    path = tmp_path / "run"
    path.write_text("".join(run_lines(query, ranking, "x") for query, ranking in rankings.items()))
    assert path.read_text().splitlines()[0] == "q1 Q0 d2 1 1.5 x"
    assert dict(read_run(path)) == rankings
    path.write_text("\ufeffq Q0 a 1 1 x\nq Q0 b 2 3 x\n", encoding="utf-8")
    assert dict(read_run(path)) == {"q": [("b", 3.0), ("a", 1.0)]}  # scores decide, not the ranks beside them


@pytest.mark.parametrize("lines, words", [
    (["q1 Q0 d1 1 x"], "line 1 has 5 columns"),
    (["q1 Q0 d1 1 high x"], "line 1: the score 'high' is no number"),
    (["q1 Q0 d1 1 nan x"], "line 1: the score 'nan' is no number"),
    (["q1 Q0 d1 1 3 x", "q2 Q0 d1 1 3 x", "q1 Q0 d2 2 2 x"], "line 3: the lines of query q1 don't stand together"),
    (["q1 Q0 d1 1 3 x", "q1 Q0 d1 2 2 x"], "line 2: query q1 has the document d1 twice"),
    ([], "is empty"),
])  # fmt: skip
def test_bad_runs(tmp_path, lines, words):
    with pytest.raises(InputError, match=words):
        list(read_run(write(tmp_path / "run", *lines)))


def test_unicode_line_ends_stay_in_a_text(tmp_path):
    path = write(tmp_path / "a", json.dumps({"_id": "a", "text": "x\u2028y"}, ensure_ascii=False), "b\tu\x85v")
    assert [passage.text for passage in read_passages([path])] == ["x\u2028y", "u\x85v"]
