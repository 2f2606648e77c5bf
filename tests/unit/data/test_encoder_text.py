"""Raw lines to ids: both kinds of pipeline, kept and damaged."""

import json
import pickle

import numpy as np
import pytest

from mass_plugins.data.encoder_text import ENCODER_FILE, TOKENIZER_FILE, EncoderText, SubwordText, TokenizerText
from mass_plugins.data.word_masking import word_starts
from mass_plugins.errors import InputError
from tests import tiny, tiny_encoder

LINES = ["thight whound.", "", "Schlau kr\u0000ein \u6f22\u5b57 \U0001f642", " \t ", "s" * 3000]


@pytest.fixture(scope="module", params=["wordpiece", "unigram", "bpe", "ours"])
def text(request, tiny_data_bin):
    return EncoderText.load(tiny_data_bin) if request.param == "ours" else tiny_encoder.make_text(request.param, 400)


def test_a_text_begins_with_cls_and_ends_with_sep(text):
    rows = text.encode(LINES, max_tokens=20)
    for row in rows:
        assert row.dtype == np.int64 and 2 <= len(row) <= 20
        assert row[0] == text.dictionary.bos() == text.cls and row[-1] == text.dictionary.eos() == text.vocabulary.eos
        assert row.max() < len(text.dictionary)
    assert len(rows[1]) == len(rows[3]) == 2
    assert len(text.encode(["thight " * 300])[0]) > 300
    assert all(np.array_equal(a[:19], b[:19]) for a, b in zip(rows, text.encode(LINES)))


def test_special_and_ordinary_tokens(text):
    specials = {text.cls, text.mask, text.vocabulary.pad, text.vocabulary.eos, text.dictionary.unk()}
    assert len(specials) == 5 and not specials & set(text.vocabulary.ordinary.tolist())
    ordinary = np.concatenate(text.pieces(tiny_encoder.sentences(20, "other")))
    known = ordinary[ordinary != text.dictionary.unk()]
    assert set(known.tolist()) <= set(text.vocabulary.ordinary.tolist())
    assert len(text.dictionary) % 8 == 0


def test_words_begin_where_they_do(text):
    """As many words as there are between spaces, WordPiece's full stop apart."""
    for line in tiny.sentences(20, ["en"], "words")["en"]:
        tokens = text.encode([line])[0][None]
        words = line.replace(
            ".", " ." if "[CLS]" in text.dictionary or "@@" in "".join(text.dictionary.symbols) else "."
        )
        starts = starts_of(text, tokens)
        assert starts.sum() == len(words.split()) + 2 and starts[[0, 1, -1]].all()


def starts_of(text, tokens):
    """(1, S) tokens -> (S,) bool, as masking asks for them."""
    return word_starts(text.marks, tokens, text.vocabulary.ordinary_table(len(text.dictionary))[tokens])[0]


SCRIPTS = {
    "今天|去|学校|。|2019": [1, 1, 1, 1, 0],  # Chinese; digits have no sign of their own
    "きょう|は|ガッコウ|へ": [1, 1, 1, 1],
    "วัน|นี้|ไป": [1, 1, 1],
    "한국|어": [1, 0],  # with spaces
    "schl|au": [1, 0],
}


@pytest.mark.parametrize("kind", ["wordpiece", "unigram"])
def test_without_spaces_every_piece_is_a_word(kind):
    """Chinese, Japanese, Thai: by spaces alone a line would be a single word. Other scripts have their spaces."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    rows = [line.split("|") for line in SCRIPTS]
    sign, other = ("", "##") if kind == "wordpiece" else ("\u2581", "")
    symbols = [(sign if place == 0 else other) + piece for row in rows for place, piece in enumerate(row)]
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    if kind == "wordpiece":
        numbers = {symbol: number for number, symbol in enumerate([*specials, *symbols])}
        tokenizer = Tokenizer(models.WordPiece(numbers, unk_token="[UNK]"))
        tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    else:
        tokenizer = Tokenizer(models.Unigram([(symbol, -1.0) for symbol in [*specials, *symbols]], unk_id=1))
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    text = TokenizerText(tokenizer.to_str().encode())
    for row, expected in zip(rows, SCRIPTS.values()):
        tokens = text.encode(["".join(row)])[0][None]
        assert starts_of(text, tokens).astype(int).tolist() == [1, *expected, 1]


def test_without_spaces_every_piece_of_our_sub_words_is_a_word(tmp_path):
    codec, pieces = tiny.make_codec(), ["我@@", "们@@", "今天", "schl@@", "au"]
    dictionary = tiny.write_dictionary(tmp_path, pieces)
    text = SubwordText(codec, dictionary, ["zh"])
    ids = [dictionary.bos(), *(dictionary.index(piece) for piece in pieces), dictionary.eos()]
    assert starts_of(text, np.array([ids])).tolist() == [True, True, True, True, True, False, True]


def test_saved_loaded_and_sent_to_another_process(text, tmp_path):
    text.save(tmp_path)
    for other in (EncoderText.load(tmp_path), pickle.loads(pickle.dumps(text))):
        assert all(map(np.array_equal, other.encode(LINES), text.encode(LINES)))
        assert other.dictionary == text.dictionary and other.fingerprint() == text.fingerprint()
        assert (other.dictionary.bos(), other.dictionary.pad()) == (text.dictionary.bos(), text.dictionary.pad())


def test_ids_are_the_tokenizer_s_own():
    text = tiny_encoder.make_text()
    line = tiny.sentences(1, ["en"], "ids")["en"][0]
    assert text.encode([line])[0].tolist() == text.tokenizer.encode(line).ids


def test_a_model_may_have_more_tokens_but_not_fewer():
    text = tiny_encoder.make_text()
    size = len(text.dictionary)
    larger = TokenizerText(text.content, text.specials, size + 5)
    assert len(larger.dictionary) == size + 5 and not set(range(size, size + 5)) & set(larger.vocabulary.ordinary)
    with pytest.raises(InputError, match="the model only 100; give the model's own tokenizer"):
        TokenizerText(text.content, text.specials, 100)


def test_half_a_surrogate_pair():
    for lines in (["good", "\ud800"], (line for line in ("good", "\ud800"))):
        with pytest.raises(InputError, match="line 2 has half a surrogate pair in it; mend it"):
            tiny_encoder.make_text().encode(lines)


BAD_LINES = {
    "a pair": (lambda: ["good", ["a", "b"]], "line 2 is no text but of type list;"),
    "a tuple": (lambda: [("a", "b")], "line 1 is no text but of type tuple;"),
    "nothing": (lambda: ["good", "good", None], "line 3 is no text but of type NoneType;"),
    "bytes": (lambda: [b"a"], "line 1 is no text but of type bytes;"),
    "a generator": (lambda: (line for line in ("good", 3)), "line 2 is no text but of type int;"),
    "no lines": (lambda: None, "of type NoneType; give a list of texts"),
    "a number": (lambda: 3, "of type int; give a list of texts"),
    "one line": (lambda: "good", "of type str; give a list of texts"),
    "one line of bytes": (lambda: b"good", "of type bytes; give a list of texts"),
}


@pytest.mark.parametrize("case", BAD_LINES, ids=str)
def test_what_is_no_list_of_texts_is_refused(case, text):
    lines, message = BAD_LINES[case]
    with pytest.raises(InputError, match=message):
        text.encode(lines())


def test_lines_may_be_anything_that_gives_them(text):
    for lines in (iter(LINES), tuple(LINES), np.array(LINES), dict.fromkeys(LINES)):
        assert all(map(np.array_equal, text.encode(lines), text.encode(LINES)))


def test_no_room():
    with pytest.raises(InputError, match="max_tokens=1 has no room"):
        tiny_encoder.make_text().encode(["a"], max_tokens=1)


@pytest.mark.parametrize(
    "file, content, message",
    [
        (TOKENIZER_FILE, "{}", "tokenizer.json can't be read"),
        (TOKENIZER_FILE, None, "doesn't exist"),
        (ENCODER_FILE, "{", "is damaged"),
        (ENCODER_FILE, '{"version": 2}', "version 2 is not 1"),
        (ENCODER_FILE, '{"version": 1, "size": 999, "specials": {"mask": "<none>"}}', "has no <none>"),
    ],
)
def test_damaged_files(file, content, message, tmp_path):
    tiny_encoder.make_text().save(tmp_path)
    (tmp_path / file).unlink()
    if content is not None:
        (tmp_path / file).write_text(content)
    with pytest.raises(InputError, match=message):
        EncoderText.load(tmp_path)


def test_a_folder_without_a_pipeline(tmp_path):
    with pytest.raises(InputError, match="neither encoder_text.json nor text.json"):
        EncoderText.load(tmp_path)


def test_a_tokenizer_without_a_mask():
    text = tiny_encoder.make_text()
    content = json.loads(text.content.decode().replace("[MASK]", "other"))
    with pytest.raises(InputError, match=r"no \[MASK\] or <mask>"):
        TokenizerText(json.dumps(content).encode())
