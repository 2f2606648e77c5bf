"""The text of MSM's recipes: the same from one file a collection and from the files as their authors publish them."""

import gzip
import json
import re
import sys
from pathlib import Path

import pytest

from tests import msm_mirror, tiny

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
sys.path.insert(0, str(EXAMPLES))

import crawl_text  # noqa: E402
import msm_text  # noqa: E402

sys.path.remove(str(EXAMPLES))


@pytest.fixture
def made(tmp_path):
    """OUT of both; the published files lie in one folder, as run.sh puts them."""
    msm_mirror.write_small(tmp_path / "data")
    msm_mirror.write_small_mirror(tmp_path / "mirror")
    published = tmp_path / "published"
    published.mkdir()
    names = {"b279d876e2a3381605d38ea62b863f60abadc92c.zip": "python-docs-fr.zip"}
    names |= {"577bd37b96c02d1833b2c9eed2de9f96964e96cb.zip": "medquad.zip"}
    for path in (tmp_path / "mirror").rglob("*.*"):
        if path.is_file():
            folder = published / "xquad-r" if path.suffix == ".json" else published
            folder.mkdir(exist_ok=True)
            (folder / names.get(path.name, path.name)).write_bytes(path.read_bytes())
    for name, content in msm_mirror.scifact().items():
        (published / name).write_text(content)
    outs = []
    for source in (tmp_path / "data", published):
        out = tmp_path / f"{source.name}.out"
        out.mkdir()
        for _ in range(2):  # the second time as after a run that was cut off
            assert msm_text.main(source, out, list(tiny.LANGUAGES), ["en", "fr"], ["de", "en"]) == 0
        outs.append(out)
    return outs


def test_both_forms_give_the_same(made):
    ours, published = made
    files = sorted(path.relative_to(ours) for path in ours.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(published) for path in published.rglob("*") if path.is_file())
    for file in files:
        if file.name not in ("documents.en.jsonl", "text.en.txt", "groups.jsonl"):
            assert (ours / file).read_bytes() == (published / file).read_bytes(), file
    english = (ours / "text.en.txt").read_text().splitlines()
    theirs = (published / "text.en.txt").read_text().splitlines()
    assert sorted(theirs) == sorted([*english, 'say "no"'])  # English needs no translation
    sides = [sorted((folder / "groups.jsonl").read_text().splitlines()) for folder in made]
    questions = [{json.loads(line)["query"] for line in side} for side in sides]
    assert questions[0] == questions[1] and len(questions[0]) > 30


def test_queries_are_counted_by_kind(made, tmp_path, capsys):
    counts = msm_text.write_groups(tmp_path / "data", tmp_path)
    assert sum(counts.values()) == len((tmp_path / "groups.jsonl").read_text().splitlines())
    rows = [json.loads(line) for line in (tmp_path / "groups.jsonl").read_text().splitlines()]
    assert counts["SciFact's titles"] == sum("title" in row["query_id"] for row in rows) == 19
    assert counts["MedQuAD's questions"] == sum(row["query_id"].startswith("medquad") for row in rows) > 20
    card = " ".join((EXAMPLES / "msm_small" / "README.md").read_text().split())
    form = (
        r"There are ([\d ]+) English queries .*: ([\d ]+) questions of MedQuAD .*, (\d+) claims .* SciFact's (\d+) abs"
    )
    whole, *parts = (int(number.replace(" ", "")) for number in re.search(form, card).groups())
    assert whole == sum(parts)


def test_documents_are_chapters_and_pages(made):
    rows = [json.loads(line)["lines"] for line in (made[0] / "documents.fr.jsonl").read_text().splitlines()]
    assert [len(lines) for lines in rows] == [24] * 3 + [15]  # Genesis; what isn't translated is no French
    verses = [row[3] for row in msm_mirror.bible("fr")]
    assert rows[0] == verses[:24]


def test_english_abstracts_are_documents(made):
    rows = [json.loads(line)["lines"] for line in (made[0] / "documents.en.jsonl").read_text().splitlines()]
    groups = [json.loads(line) for line in (made[0] / "groups.jsonl").read_text().splitlines()]
    passages = {group["positive_passages"][0]["text"] for group in groups if group["query_id"].startswith("scifact-")}
    whole = {" ".join(lines[first:]) for lines in rows for first in (0, 1)}  # an abstract's first line is its title
    assert len(passages) > 15 and passages <= whole


def test_verses_of_the_test_are_in_no_document(made):
    held_out = {
        language: [row[3] for row in msm_mirror.bible(language) if row[0] == "Esther"] for language in ("de", "fr")
    }
    for language, verses in held_out.items():
        assert (made[0] / "verses" / f"{language}.txt").read_text().splitlines() == verses and len(verses) == 72
        text = (made[0] / f"text.{language}.txt").read_text().splitlines()
        assert len(text) >= 72 and not set(text) & set(verses)


def test_verses_that_a_language_lacks_are_left_out(made, tmp_path):
    path = tmp_path / "data" / "bible.fr.tsv"
    lines = path.read_text().splitlines(keepends=True)
    missing = next(number for number, line in enumerate(lines) if line.startswith("Esther\t1\t2\t"))
    path.write_text("".join(lines[:missing] + lines[missing + 1 :]))
    assert msm_text.write_verses(tmp_path / "data", tmp_path, ["de", "fr"]) == 71
    german = (made[0] / "verses" / "de.txt").read_text().splitlines()
    assert (tmp_path / "verses" / "de.txt").read_text().splitlines() == german[:1] + german[2:]


def test_one_chapter_for_the_picture(made):
    first = 24 * 3  # verses of Genesis
    for language in ("en", "fr"):
        verses = [row[3] for row in msm_mirror.bible(language)][first : first + 24]
        assert (made[0] / f"parallel.{language}.txt").read_text().splitlines() == verses
    assert not (made[0] / "parallel.de.txt").exists()


@pytest.mark.parametrize(
    "change", (lambda text: text.replace("Esther", "Ruth"), lambda text: text + "Esther\t1\t25\tx\n")
)
def test_a_picture_of_different_verses_is_refused(change, made, tmp_path, capsys):
    path = tmp_path / "data" / "bible.fr.tsv"
    path.write_text(change(path.read_text()))
    assert msm_text.main(tmp_path / "data", made[0], ["en", "fr"], ["en"]) == 0
    assert msm_text.main(tmp_path / "data", made[0], ["en", "fr"], ["en", "fr"]) == 1
    message = capsys.readouterr().err
    assert "Esther 1: {'en': 24, 'fr': " in message and message.count("\n") == 1


def test_a_language_without_text_ends_it(made, tmp_path, capsys):
    (tmp_path / "other").mkdir()
    (tmp_path / "data" / "bible.de.tsv").unlink()
    assert msm_text.main(tmp_path / "data", tmp_path / "other", ["de"]) == 1
    assert "has no documents in de" in capsys.readouterr().err


def test_a_test_of_fewer_languages_ends_it(made, tmp_path, capsys):
    (tmp_path / "other").mkdir()
    for languages, xquad, name in (
        (["de", "ko"], [], "tatoeba.kor-eng.kor, tatoeba.kor-eng.eng of the tests"),
        (["de"], ["de", "zh"], "xquad-r/zh.json of the tests"),
    ):
        assert msm_text.main(tmp_path / "data", tmp_path / "other", languages, [], xquad) == 1
        message = capsys.readouterr().err
        assert f"lacks {name}" in message and message.count("\n") == 1


def test_whole_documents_up_to_a_number_of_lines(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"a\nb\r\n\n\nc\n\xff\nd\n\ne\n")
    for lines, kept in ((1, "a\nb\n\n"), (4, "a\nb\n\nc\nd\n\n"), (9, "a\nb\n\nc\nd\n\ne\n\n")):
        count = crawl_text.cut_documents(tmp_path / "a.txt", lines, tmp_path / "out.gz")
        assert gzip.open(tmp_path / "out.gz", "rt").read() == kept and count == kept.count("\n") - kept.count("\n\n")


def test_lines_with_the_mask_are_left_out_and_documents_stay_apart(tmp_path):
    (tmp_path / "a.txt").write_text("a\nan odd [MASK]\n\n[MASK]\n\nb\n")
    crawl_text.cut_documents(tmp_path / "a.txt", 9, tmp_path / "out.gz")
    assert gzip.open(tmp_path / "out.gz", "rt").read() == "a\n\nb\n\n"


def test_items_of_a_list_in_chunks(tmp_path, monkeypatch):
    rows = [{"question": "é" * n, "n": n, "in": [{}, "], ["]} for n in range(40)]
    (tmp_path / "list.json").write_text(json.dumps(rows, indent=2, ensure_ascii=False))
    for size in (1, 7, 1 << 20):
        monkeypatch.setattr(crawl_text, "_CHUNK", size)
        assert list(crawl_text.items(tmp_path / "list.json")) == rows
