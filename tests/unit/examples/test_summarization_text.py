"""Documents and summaries from their published forms; samples and leads."""

import io
import json
import lzma
import tarfile

import pytest

from examples import summarization_text as text
from mass_plugins.errors import InputError
from tests import summarization_mirror


def aeslc_archive(path, test_body="Of the test.\nAll of it."):
    """A training and a validation e-mail each that is in the test set, too, and one that isn't."""
    mails = {
        "train/b_1": "Bring  the file.\nThanks,", "train/a_2": "of the TEST - all of it", "dev/c_3": "See you at ten.",
        "dev/d_4": test_body, "test/e_5": test_body,
    }  # fmt: skip
    with tarfile.open(path, "w:gz") as archive:
        for name, body in mails.items():
            content = f"{body}\n\n@subject\nAbout {name[-1]}\n\n@ann0\nother\n".encode()
            info = tarfile.TarInfo(f"AESLC-1/enron_subject_line/{name}.subject")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def test_emails_of_the_test_set_are_left_out(tmp_path):
    aeslc_archive(tmp_path / "a.tar.gz")
    text.aeslc(tmp_path / "a.tar.gz", tmp_path / "out", valid=1)
    written = {path.name: path.read_text() for path in (tmp_path / "out").iterdir()}
    assert written["train.source"] == "Bring the file. Thanks,\n" and written["train.target"] == "About 1\n"
    assert written["train.text"] == "Bring the file.\nThanks,\n"
    assert written["valid.target"] == "About 3\n" and written["test.target"] == ""


def test_a_local_copy_gives_the_same_text(tmp_path):
    rows = [{"id": f"x_{n}", "body": f"Body {n}.\nMore.", "subject": f"Subject {n}"} for n in range(5)]
    content = "".join(json.dumps(row) + "\n" for row in rows).encode()
    for name in ("train", "dev"):
        (tmp_path / f"{name}.jsonl.xz").write_bytes(lzma.compress(content))
    text.aeslc(tmp_path, tmp_path / "out", valid=2)
    assert (tmp_path / "out" / "test.source").read_text().splitlines() == [f"Body {n}. More." for n in (2, 3, 4)]
    order = (tmp_path / "out" / "train.target").read_text().splitlines()
    assert sorted(order) == [f"Subject {n}" for n in range(5)] != order  # shuffled
    with pytest.raises(InputError, match="has no train.jsonl"):
        text.aeslc(tmp_path / "out", tmp_path / "other", valid=2)


def test_abstracts_have_several_references_but_for_training(tmp_path):
    rows = [{"source": ["One.", "Two."], "target": ["a", "b"]}, {"source": ["Three."], "target": ["c"]}]
    for name in ("train", "dev"):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    text.scitldr(tmp_path, tmp_path / "out", valid=1)
    assert (tmp_path / "out" / "valid.target").read_text() == "a\tb\n"
    assert set((tmp_path / "out" / "train.target").read_text().splitlines()) == {"a", "c"}


def test_abstracts_of_scifact_in_both_of_their_forms(tmp_path):
    abstract = ["It's one.", 'A "second"  one.']
    (tmp_path / "corpus.csv").write_text(
        'doc_id,title,abstract,structured\n1,T,"[""It\'s one.""\n \'A """"second""""  one.\']",False\n'
    )
    content = (json.dumps({"abstract": abstract}) + "\n").encode()
    with tarfile.open(tmp_path / "data.tar.gz", "w:gz") as archive:
        info = tarfile.TarInfo("data/corpus.jsonl")
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    assert list(text.scifact(tmp_path / "data.tar.gz")) == ["It's one.", 'A "second" one.']
    assert list(text.scifact(tmp_path / "corpus.csv"))[0] == "It's one."


def test_a_story_ends_its_lines_and_keeps_highlights_apart():
    found = text.story('A headline\n\nHe said "no."\n\n@highlight\n\nFirst\n\n@highlight\n\nSecond.')
    assert found == ('A headline . He said "no."', "First . Second.")


def test_paragraphs_of_wikipedia(tmp_path):
    (tmp_path / "a.parquet").write_bytes(summarization_mirror.wikipedia(3))
    lines = list(text.wikipedia([str(tmp_path / "a.parquet")]))
    assert len(lines) == 3 * 7 and lines[0] == "Title 0" and all(lines)


def test_samples_and_leads(tmp_path):
    for side in ("source", "target"):
        (tmp_path / f"train.{side}").write_text("".join(f"{side} {n}\n" for n in range(10)))
    (tmp_path / "out").mkdir()
    text.sample(5, tmp_path, tmp_path / "out")
    assert (tmp_path / "out" / "train.target").read_text().splitlines() == [f"target {n}" for n in (1, 3, 5, 7, 9)]
    text.sample(50, tmp_path, tmp_path / "out")
    assert (tmp_path / "out" / "train.source").read_text() == (tmp_path / "train.source").read_text()
    assert text.lead("One two. Three? Four", 2, words=False, lowercase=False) == "One two. Three?"
    assert text.lead("One two. Three? Four", 3, words=True, lowercase=True) == "one two. three?"
