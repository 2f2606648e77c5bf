"""result.json of encoders' runs."""

import json

import pytest

from mass_plugins.errors import InputError
from mass_plugins.scoring import encoder_runs


def tatoeba(forward, backward=None, signature="accuracy|x", language="de"):
    """What ``evaluate tatoeba --json`` writes of one language, from its hits."""
    sides = {"forward": forward, "backward": forward if backward is None else backward}
    numbers = {side: 100 * hits.count("1") / len(hits) for side, hits in sides.items()}
    pair = {**numbers, "pairs": len(forward), **{f"{side}_hits": hits for side, hits in sides.items()}}
    return {"average": sum(numbers.values()) / 2, "signature": signature, "pairs": {language: pair}}


def lareqa(questions, signature="AP|x"):
    means = {language: sum(values.values()) / len(values) for language, values in questions.items()}
    mean = sum(means.values()) / len(means)
    return {"average": mean, "signature": signature, "mAP@20": {"all": mean, **means}, "questions": questions}


def write(folder, name, rows, setting="tatoeba, zero-shot", metric="accuracy"):
    """Rows of (system, seed, content of the file)."""
    lines = []
    for number, (system, seed, content) in enumerate(rows):
        file = folder / f"{name}.{number}.json"
        file.write_text(json.dumps(content))
        lines.append(f"{system}\t{seed}\t{setting}\t{metric}\t{file}\n")
    (folder / f"{name}.tsv").write_text("".join(lines))
    return folder / f"{name}.tsv"


def hits(right, of=20):
    return "1" * right + "0" * (of - right)


def test_seeds_become_one_score(tmp_path):
    rows = [("msm", 1, tatoeba(hits(8))), ("mlm", 1, tatoeba(hits(4)))]
    runs = [write(tmp_path, "a", rows), write(tmp_path, "b", [("msm", 2, tatoeba(hits(9)))])]
    scores = {score.system: score for score in encoder_runs.score_runs(encoder_runs.read_runs(runs))}
    assert scores["msm"].values == [40.0, 45.0] and scores["msm"].seeds == [1, 2] and scores["msm"].mean == 42.5
    assert scores["mlm"].values == [20.0]


def test_seeds_measured_in_different_ways_are_no_score(tmp_path):
    rows = [("msm", seed, tatoeba(hits(8), signature=f"accuracy|{seed}")) for seed in (1, 2)]
    with pytest.raises(InputError, match=r"a.0.json\) is measured by accuracy\|1, .*a.1.json\) by accuracy\|2"):
        encoder_runs.score_runs(encoder_runs.read_runs([write(tmp_path, "a", rows)]))


def test_result(tmp_path, capsys):
    example = tmp_path / "example"
    example.mkdir()
    (example / "config.sh").write_text("x")
    rows = [("msm", 1, tatoeba(hits(18))), ("mlm", 1, tatoeba(hits(4)))]
    words = [str(write(tmp_path, "a", rows)), "--example", str(example), "--claim", "c"]
    words += ["--status", "scaled down", "--config", str(example / "config.sh"), "--seconds", "3"]
    words += ["--output", str(tmp_path / "result.json"), "--compare"]
    assert encoder_runs.main([*words, "mlm=msm", "cmlm=msm"]) == 0
    result = json.loads((tmp_path / "result.json").read_text())
    score, (test,) = result["scores"][0], result["comparisons"]  # cmlm has no run
    assert (score["system"], score["metric"], score["values"]) == ("msm", "accuracy", [90.0])
    assert (test["system"], test["baseline"], test["differences"]) == ("mlm", "msm", [-70.0])
    assert test["p_values"][0] < 0.01 and test["interval"][0] <= -70 <= test["interval"][1] < 0
    assert encoder_runs.main([*words, "mlm"]) == 1
    assert "--compare mlm is not SYSTEM=BASELINE" in capsys.readouterr().err


def test_items_are_averaged_over_the_seeds_that_both_have(tmp_path):
    """The second seed takes back what the first gained; the third, of one system alone, doesn't count."""
    rows = [("msm", 1, tatoeba(hits(9))), ("mlm", 1, tatoeba(hits(5)))]
    rows += [("msm", 2, tatoeba(hits(5))), ("mlm", 2, tatoeba(hits(9))), ("msm", 3, tatoeba(hits(20)))]
    [found] = encoder_runs.compare_runs(encoder_runs.read_runs([write(tmp_path, "a", rows)]), [("msm", "mlm")])
    assert found["seeds"] == [1, 2] and found["items"] == 20
    assert found["differences"] == [0.0] and found["p_values"] == [1.0]


def test_both_ways_of_a_sentence_are_one_item_and_one_way_is_not_tested(tmp_path):
    content = tatoeba("1100", "1010")
    assert encoder_runs.find_number(content, "accuracy").items == {
        ("de", 0): 100.0, ("de", 1): 50.0, ("de", 2): 50.0, ("de", 3): 0.0,
    }  # fmt: skip
    rows = [("msm", 1, content), ("mlm", 1, content)]
    runs = encoder_runs.read_runs([write(tmp_path, "a", rows, metric="accuracy, forward")])
    assert encoder_runs.compare_runs(runs, [("mlm", "msm")]) == []


def test_items_have_the_number_as_their_mean():
    """Languages count alike, however many sentences they have; a question is one item in all its languages."""
    content = tatoeba("10", "11")
    content["pairs"]["fr"] = tatoeba("000001")["pairs"]["de"]
    number = encoder_runs.find_number(content, "accuracy")
    assert len(number.items) == 8
    assert sum(number.items.values()) / 8 == pytest.approx(number.value) == pytest.approx((75 + 100 / 6) / 2)
    number = encoder_runs.find_number(lareqa({"en": {"a": 30.0, "b": 60.0}, "de": {"b": 20.0, "a": 0.0}}), "mAP@20")
    assert number.items == pytest.approx({"a": 15.0, "b": 40.0}) and number.value == 27.5


def test_different_items_are_not_compared(tmp_path):
    rows = [("msm", 1, tatoeba(hits(9))), ("mlm", 1, tatoeba(hits(9), language="fr"))]
    runs = encoder_runs.read_runs([write(tmp_path, "a", rows)])
    with pytest.raises(InputError, match="mlm and msm, tatoeba, zero-shot: measured on different items"):
        encoder_runs.compare_runs(runs, [("mlm", "msm")])


def test_tatoeba_each_way():
    content = tatoeba(hits(2), hits(4))
    content["pairs"]["fr"] = tatoeba(hits(6), hits(12))["pairs"]["de"]
    found = [encoder_runs.find_number(content, f"accuracy{way}").value for way in ("", ", forward", ", backward")]
    assert found == [30, 20, 40]
    with pytest.raises(KeyError):
        encoder_runs.find_number(content, "accuracy, sideways")


def test_numbers_of_rankings_and_of_xor_retrieve(tmp_path):
    """The mean over queries; the mean over languages."""
    rankings = {"signatures": {"MRR@100": "rr"}, "queries": {"run": {"MRR@100": {"q1": 50.0, "q2": 0.0}}}}
    hits = {"ja": {"a": 100.0, "b": 0.0}, "fi": {"c": 0.0}}
    answers = {
        "signatures": {"R@2kt": "a", "R@5kt": "b"}, "recall": {"R@5kt": {"all": 25.0, "ja": 50.0, "fi": 0.0}},
        "questions": {"R@5kt": hits},
    }  # fmt: skip
    for name, content in (("m", rankings), ("x", answers)):
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    run = tmp_path / "a.tsv"
    run.write_text(f"msm\t1\tmr\tMRR@100\t{tmp_path}/m.json\nmsm\t1\txor\tR@5kt\t{tmp_path}/x.json\n")
    found = encoder_runs.score_runs(encoder_runs.read_runs([run]))
    assert [(score.metric, score.values, score.signature) for score in found] == [
        ("MRR@100", [25.0], "rr"), ("R@5kt", [25.0], "b"),
    ]  # fmt: skip
    run.write_text(f"msm\t1\tmr\tnDCG@10\t{tmp_path}/m.json\n")
    with pytest.raises(InputError, match="holds no score"):
        encoder_runs.read_runs([run])


@pytest.mark.parametrize(
    "metric, content", (("mAP@20", tatoeba("10")), ("accuracy", lareqa({"en": {"a": 1.0}})), ("average", tatoeba("10")))
)
def test_files_of_another_measure_are_refused(metric, content, tmp_path):
    run = write(tmp_path, "a", [("msm", 1, content)], metric=metric)
    with pytest.raises(InputError, match=f"a.0.json, named in .*, holds no score .*{metric}"):
        encoder_runs.read_runs([run])


def test_bad_runs(tmp_path):
    (tmp_path / "a.tsv").write_text("msm\t1\n")
    with pytest.raises(InputError, match="has 2 columns"):
        encoder_runs.read_runs([tmp_path / "a.tsv"])
    (tmp_path / "b.tsv").write_text(f"msm\t1\ts\tm\t{tmp_path}/none.json\n")
    with pytest.raises(InputError, match="holds no score"):
        encoder_runs.read_runs([tmp_path / "b.tsv"])
