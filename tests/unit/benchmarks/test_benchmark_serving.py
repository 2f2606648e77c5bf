"""All engines translate a taught model's text, and the records say how many translations are the same.

After so few lessons all next words are about as probable; the engines end a beam search by different rules, which then
shows. A greedy search has no such rules.
"""

import json

from benchmarks import serving

SMALL = "--pairs 1 --lines 12 --lessons 30 --vocabulary 40 --width 16 --batch-tokens 100 --clock cpu".split()


def test_it_runs_and_writes_records(tmp_path, capsys):
    output = tmp_path / "serving.json"
    assert serving.main([*SMALL, "--output", str(output)]) == 0
    records, printed = json.loads(output.read_text()), capsys.readouterr().out
    engines = ("transformers", "CTranslate2 float32", "CTranslate2 int8")
    names = [f"serving, {engine}, {search}" for search in ("greedy", "beam 5") for engine in engines]
    assert [record["benchmark"] for record in records] == names
    for record in records:
        assert record["ratio"] > 0 and record["pairs"] == 1
        if "int8" not in record["benchmark"] and "greedy" in record["benchmark"]:
            assert record["settings"]["same_translations"] >= 0.9
    assert printed.count("of the translations are fairseq's") == 6
