"""Runs become scores over seeds; systems are compared on pooled queries, seeds averaged."""

import json

import pytest

from mass_plugins.errors import InputError
from mass_plugins.scoring import retrieval_runs
from mass_plugins.scoring.results import details, table


def record(folder, name, system, setting, seed, ranks):
    """A run in which the answer of query n is at rank ``ranks[n]``."""
    run, qrels, path = folder / f"{name}.trec", folder / f"{setting}.qrels", folder / f"{name}.tsv"
    qrels.write_text("".join(f"q{n} 0 answer 1\n" for n in range(len(ranks))))
    lines = []
    for number, rank in enumerate(ranks):
        names = [f"d{place}" for place in range(1, 11)]
        names.insert(rank - 1, "answer")
        lines += [f"q{number} Q0 {found} {place} {100 - place} x\n" for place, found in enumerate(names, start=1)]
    run.write_text("".join(lines))
    path.write_text(f"{system}\t{setting}\t{seed}\t{run}\t{qrels}\n")
    return path


def test_scores_and_comparisons(tmp_path):
    paths = [
        record(tmp_path, "bm25.a", "bm25", "a", 1, [2] * 6),
        record(tmp_path, "bm25.b", "bm25", "b", 1, [4] * 6),
        record(tmp_path, "new.a.1", "new", "a", 1, [1] * 6),
        record(tmp_path, "new.a.2", "new", "a", 2, [2] * 6),
        record(tmp_path, "new.b.1", "new", "b", 1, [1, 1, 1, 1, 1, 2]),
    ]
    runs = [retrieval_runs.read_record(path) for path in paths]
    scores = {(s.setting, s.system, s.metric): s for s in retrieval_runs.score_runs(runs)}
    assert scores["a", "new", "MRR@10"].values == [100.0, 50.0] and scores["a", "new", "MRR@10"].seeds == [1, 2]
    assert scores["b", "bm25", "MRR@10"].mean == 25.0 and scores["a", "bm25", "Recall@100"].mean == 100.0
    pooled = retrieval_runs.pooled(runs, "new", "MRR@10")
    assert len(pooled) == 12 and pooled["a", "q0"] == 75.0
    [found] = retrieval_runs.compare_runs(runs, ["MRR@10"])
    assert (found["system"], found["baseline"]) == ("new", "bm25")
    assert found["differences"] == [pytest.approx((6 * 25 + 5 * 75 + 25) / 12, abs=0.01)]
    assert found["p_values"][0] < 0.05 and found["interval"][0] > 0
    assert (found["setting"], found["metric"]) == ("12 queries of all collections", "MRR@10")
    assert found["items"] == 12 and found["seeds"] == [1, 2]


def test_judgements_with_beirs_header(tmp_path):
    """The document with the query's id is left out; signatures say so where it was."""
    paths = [record(tmp_path, f"{name}.{kind}", name, kind, 1, [2, 1]) for kind in "ab" for name in ("bm25", "new")]
    (tmp_path / "a.qrels").write_text("query-id\tcorpus-id\tscore\nq0\tanswer\t1\nq1\tanswer\t1\n")
    for path in paths:
        run = tmp_path / f"{path.stem}.trec"
        run.write_text(run.read_text().replace("q0 Q0 d1 ", "q0 Q0 q0 "))
    runs = [retrieval_runs.read_record(path) for path in paths]
    found = {(score.setting, score.metric): score for score in retrieval_runs.score_runs(runs)}
    assert found["a", "MRR@10"].values == [100.0] and "identical ids:left out" in found["a", "MRR@10"].signature
    assert found["b", "MRR@10"].values == [75.0] and "identical ids" not in found["b", "MRR@10"].signature
    [compared] = retrieval_runs.compare_runs(runs)
    assert compared["signature"].count("nDCG@10|") == 2 and compared["signature"].count("identical ids") == 1
    with pytest.raises(InputError, match=r"c: nDCG@10 of bm25 \(.*bm25.a.tsv\) .* of bm25 \(.*bm25.b.tsv\)"):
        retrieval_runs.score_runs([run._replace(setting="c") for run in runs])


def test_the_command_writes_a_result_that_tables_can_be_made_of(tmp_path, capsys):
    paths = [
        record(tmp_path, name, name, "a", 1, ranks) for name, ranks in (("bm25", [1, 2, 3, 2]), ("new", [1, 1, 1, 2]))
    ]
    output = tmp_path / "result.json"
    flags = ["--example", str(tmp_path), "--claim", "c", "--status", "scaled down", "--config", str(paths[0])]
    assert retrieval_runs.main([*map(str, paths), *flags, "--seconds", "3", "--output", str(output)]) == 0
    assert "a  new  nDCG@10" in capsys.readouterr().out
    result = json.loads(output.read_text())
    assert "| bm25 | new |" in table(result)
    assert "| 4 queries of all collections | new less bm25 (nDCG@10) |" in details(result)


def test_bad_records(tmp_path, capsys):
    path = tmp_path / "x.tsv"
    path.write_text("a\tb\t1\n")
    with pytest.raises(InputError, match="has 3 columns"):
        retrieval_runs.read_record(path)
