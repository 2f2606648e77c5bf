"""``mass-plugins evaluate rouge``: what it warns of, and what it refuses."""

import pytest

from mass_plugins import cli


def run(folder, text, *flags):
    (folder / "text").write_text(text)
    return cli.main(["evaluate", "rouge", str(folder / "text"), str(folder / "text"), "--samples", "100", *flags])


@pytest.mark.parametrize("text, flags, warned", [
    ("\u4f60\u597d\n\u4f60\n", (), "2 of 2 references have no word for the tokenizer ascii, so their summaries"),
    ("\n\na\n", ("--unicode",), "2 of 3 references have no word for the tokenizer unicode, so"),
    ("\u4f60\u597d\n", ("--unicode",), ""),
    ("a\n\n", (), ""),
])  # fmt: skip
def test_most_references_without_a_word(text, flags, warned, tmp_path, capsys):
    assert run(tmp_path, text, *flags) == 0
    said = capsys.readouterr().err
    assert warned in said and bool(said) == bool(warned)


def test_a_seed_below_0(tmp_path, capsys):
    with pytest.raises(SystemExit):
        run(tmp_path, "a\n", "--seed", "-1")
    assert "argument --seed: -1 is below 0" in capsys.readouterr().err
