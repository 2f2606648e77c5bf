"""Groups by random access are those of the file; what is wrong with a line names it."""

import gzip
import json
import math

import pytest

from mass_plugins.data.retrieval_files import Passage, Query
from mass_plugins.data.retrieval_groups import Candidate, Group, GroupFile
from mass_plugins.errors import InputError

GROUPS = [
    Group(
        Query("q1", "wer ähnelt"), [Candidate(Passage("d1", "T", "x"), 2.5)], [Candidate(Passage("d2", "", "y"), -1.0)]
    ),
    Group(
        Query("q2", "w"), [Candidate(Passage("d3", "", "z"))], [Candidate(Passage(f"d{n}", "", "n")) for n in (4, 5)]
    ),
]


def test_there_and_back_in_any_order(tmp_path):
    path = tmp_path / "groups.jsonl"
    path.write_text("\n\n".join(group.as_json() for group in GROUPS), encoding="utf-8")
    groups = GroupFile(path, "--groups")
    assert [groups[1], groups[0], groups[1]] == [GROUPS[1], GROUPS[0], GROUPS[1]]
    assert len(groups) == 2 and groups.fewest_negatives == 1
    assert groups.unscored == f"--groups: {path}, line 3"
    path.write_text(GROUPS[0].as_json().replace('"text"', '"contents"'), encoding="utf-8")  # as corpora may have it
    assert GroupFile(path, "--groups")[0] == GROUPS[0]
    path.write_text("\ufeff" + GROUPS[0].as_json() + "\n", encoding="utf-8")  # a byte order mark
    groups = GroupFile(path, "--groups")
    assert groups.unscored is None and groups[0] == GROUPS[0]


@pytest.mark.parametrize("change, words", [
    ({"query": None}, "line 2 has no text or query"),
    ({"query_id": None}, "line 2 has no id"),
    ({"query": " "}, "line 2: query q has no text"),
    ({"positive_passages": [{"docid": "d", "text": ""}]}, "line 2, positive_passages: the passage d has no text"),
    ({"positive_passages": []}, "line 2: query q has no positive passage"),
    ({"negative_passages": {"docid": "d"}}, "negative_passages is not a list"),
    ({"negative_passages": [{"text": "t"}]}, "line 2, negative_passages has no id"),
    ({"negative_passages": [{"docid": "d", "text": "t", "score": "1"}]}, "the score '1' is not a finite number"),
    ({"negative_passages": [{"docid": "d", "text": "t", "score": math.inf}]}, "the score inf is not a finite number"),
    ({"negative_passages": [{"docid": "d", "text": "t", "score": True}]}, "the score True is not a finite number"),
])  # fmt: skip
def test_bad_groups(tmp_path, change, words):
    good = {"query_id": "q", "query": "t", "positive_passages": [{"docid": "d", "text": "t"}], "negative_passages": []}
    bad = {name: value for name, value in {**good, **change}.items() if value is not None}
    path = tmp_path / "groups.jsonl"
    path.write_text(json.dumps(good) + "\n" + json.dumps(bad) + "\n")
    with pytest.raises(InputError, match=words):
        GroupFile(path, "--groups")


def test_compressed_and_empty_files(tmp_path):
    (tmp_path / "g.gz").write_bytes(gzip.compress(GROUPS[0].as_json().encode()))
    with pytest.raises(InputError, match="is compressed, but its lines are read in any order; unpack it"):
        GroupFile(tmp_path / "g.gz", "--groups")
    (tmp_path / "e").touch()
    with pytest.raises(InputError, match="is empty"):
        GroupFile(tmp_path / "e", "--groups")
