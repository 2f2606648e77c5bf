"""Raw text to sub-words and back, and what lies on disk between training and translation."""

import dataclasses
import json
import pickle
import re
import resource
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sacremoses import MosesPunctNormalizer, MosesTokenizer

from mass_plugins.data import text
from mass_plugins.data.text import (
    MODEL_FILES,
    SETTINGS_FILE,
    TOKENIZERS,
    TextCodec,
    TextSettings,
    WordPipeline,
    base_language,
    has_spaces,
)
from mass_plugins.errors import InputError
from preprocess.subwords import Sample, SampleFlags, learn

# normalized lines that Moses' detokenizer gives back exactly
LINES = {
    "de": [
        'Er sagte: "Das Haus ist schön" - z. B. am 3. Mai, für 10.000 €!',
        "Die Straße (dort drüben) heißt Dr. Müller nach.",
    ],
    "en": ["He said, \"I don't know (really).\" It's 3.5% of $10...", "Mr. Smith's dog isn't here, is it?"],
    "fr": ["L'homme qu'il a vu, c'est l'été.", "Aujourd'hui, j'ai mangé à l'hôtel."],
    "zh": ["\u4f60\u597d\uff0c\u4e16\u754c\u3002", "\u201c\u4f60\u597d\u201d\uff08\u4e16\u754c\uff09\uff01"],
}
SPACED = ("de", "en", "fr")
LEARNED = tuple(kind for kind in MODEL_FILES if kind != "tokenizer")  # here; that one comes from elsewhere
KINDS = [(subwords, tokenizer) for subwords in LEARNED for tokenizer in TOKENIZERS]


@pytest.fixture(scope="module")
def codecs(tmp_path_factory) -> dict[tuple[str, str], TextCodec]:
    """(sub-words, tokenizer) -> a codec that was learned from LINES."""
    folder, made = tmp_path_factory.mktemp("text"), {}
    flags = SampleFlags(lines=1000, alpha=1, coverage=None)
    for subwords, tokenizer in KINDS:
        how = TextSettings(subwords=subwords, tokenizer=tokenizer)
        files = {}
        for language in LINES:
            files[language] = [folder / f"{subwords}.{tokenizer}.{language}"]
            words = [WordPipeline(how).words(line, language) for line in LINES[language] * 20]
            files[language][0].write_text("".join(line + "\n" for line in words))
        sizes = {language: 20 * len(lines) for language, lines in LINES.items()}
        made[subwords, tokenizer], _ = learn(how, Sample(files, sizes, flags), 250, flags)
    return made


@pytest.fixture(params=KINDS, ids="+".join)
def codec(codecs, request) -> TextCodec:
    return codecs[request.param]


class TestRoundTrip:
    @pytest.mark.parametrize("language", SPACED)
    def test_text_comes_back(self, codec, language):
        for line in LINES[language]:
            pieces = codec.encode(line, language)
            assert pieces == " ".join(pieces.split())
            assert codec.decode(pieces, language) == line

    @pytest.mark.parametrize("subwords", LEARNED)
    def test_text_without_spaces(self, codecs, subwords):
        for line in LINES["zh"]:
            for codec in (codecs[subwords, "none"], codecs["sentencepiece", "moses"]):
                pieces = codec.encode(line, "zh")
                assert codec.join(pieces).replace(" ", "") == line
            assert codecs[subwords, "none"].decode(codecs[subwords, "none"].encode(line, "zh_CN"), "zh_CN") == line

    def test_characters_that_the_model_never_saw(self, codec):
        line = "Žluťoučký kůň 🐎 \u043b\u043e\u0448\u0430\u0434\u044c"
        assert codec.decode(codec.encode(line, "de"), "de") == line

    def test_nothing_stays_nothing(self, codec):
        for line in ("", "  \t\u00a0\u200b"):
            assert codec.encode(line, "de") == ""
        assert codec.decode("", "de") == ""

    @pytest.mark.parametrize("subwords", LEARNED)
    @given(line=st.text(st.one_of(st.characters(), st.sampled_from(" \u2581")), max_size=30))
    @example(line="sub\u2581words")
    @settings(deadline=None, max_examples=40)
    def test_any_text_without_a_tokenizer(self, codecs, subwords, line):
        """Exactly its normalized form."""
        codec = codecs[subwords, "none"]
        assert codec.decode(codec.encode(line, "en"), "en") == codec.normalize(line, "en")

    def test_pieces_of_both_kinds(self):
        bpe = TextCodec(TextSettings(tokenizer="none"), b"#version: 0.2\nl o\nlo w</w>\n")
        assert bpe.encode("low  lower", "en") == "low lo@@ w@@ e@@ r"
        assert bpe.decode("low lo@@ w@@ e@@ r", "en") == "low lower"
        assert bpe.decode("lo@@ w@@ e@@", "en") == "lowe"  # a translation that was cut off

    def test_sentencepiece_pieces_start_words_with_a_sign(self, codecs):
        codec = codecs["sentencepiece", "none"]
        assert codec.encode("Er sagte", "de").replace(" ", "") == "\u2581Er\u2581sagte"
        assert codec.decode("\u2581E r \u2581 sa g te", "de") == "Er sagte"

    def test_the_memory_of_words_is_limited(self, codecs, monkeypatch):
        codec = TextCodec(codecs["subword-nmt", "none"].settings, codecs["subword-nmt", "none"].model)
        monkeypatch.setattr(text, "WORD_CACHE", 5)
        for number in range(100):
            assert codec.join(codec.segment(f"schön{number}")) == f"schön{number}"
        assert 0 < len(codec._bpe.cache) <= 6


class TestNormalization:
    def normalized(self, line, language="en", **how):
        return WordPipeline(TextSettings(**how)).normalize(line, language)

    def test_unicode_forms(self):
        line = "a\u0301 \ufb01n x\u00b2 \u212b \uff21"
        assert self.normalized(line) == "\u00e1 \ufb01n x\u00b2 \u00c5 \uff21"
        assert self.normalized(line, unicode="NFKC") == "\u00e1 fin x2 \u00c5 A"
        assert self.normalized(line, unicode="none") == line

    def test_control_and_invisible_characters(self):
        line = "soft\u00adhy zero\u200bwidth \ufeffbom\x07 \u202ertl\u202c\ue000 \ud800"
        assert self.normalized(line) == "softhy zerowidth bom rtl"
        assert self.normalized(line, unicode="none", normalize=False) == line

    def test_joiners_stay(self):
        for language, line in (("fa", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"), ("en", "👩\u200d🔬")):
            assert self.normalized(line, language) == line

    @pytest.mark.parametrize("how", [{}, {"unicode": "none", "normalize": False}])
    def test_every_white_space_is_one_space(self, how):
        line = " a\tb\u00a0c\u2028d\x1ce\x85f\u3000 g\r"
        assert self.normalized(line, "zh", **how) == "a b c d e f g"

    @pytest.mark.parametrize("how", [{}, {"subwords": "sentencepiece"}, {"unicode": "none", "normalize": False}])
    def test_sentencepieces_sign_for_a_space_is_one(self, how):
        """Before Moses' rules, which go by the spaces around a sign."""
        percent = "5 %" if how.get("normalize") is False else "5%"
        assert self.normalized("\u2581It's\u2581\u2581 5\u2581%", **how) == f"It's {percent}"

    @given(line=st.text(max_size=30))
    @settings(deadline=None, max_examples=60)
    def test_no_invisible_character_of_unicode_is_left(self, line):
        left = {
            unicodedata.category(character) for character in self.normalized(line) if character not in "\u200c\u200d"
        }
        assert not left & {"Cc", "Cs", "Co", "Zl", "Zp"}

    @pytest.mark.parametrize(
        ("language", "line", "normal"),
        [
            ("de", "„Guten Tag“, sagte er … ‚ja‘ – nein.", "\"Guten Tag\", sagte er ... 'ja' - nein."),
            ("en", "It’s 5 % of “that” (no )", 'It\'s 5% of "that" (no)'),
            ("en", 'the "end".', 'the "end."'),  # English puts the full stop inside
            ("de", 'das "Ende".', 'das "Ende".'),
            ("fr", "«\u00a0Oui\u00a0», dit-il\u00a0!", '"Oui", dit-il!'),
            ("de", "a\u0308 \u201eb\u201c", '\u00e4 "b"'),
        ],
    )
    def test_moses_punctuation(self, language, line, normal):
        assert self.normalized(line, language) == normal
        assert self.normalized(line, f"{language}_XX") == normal
        assert self.normalized(line, language, unicode="NFKC") == normal
        composed = unicodedata.normalize("NFC", line).replace("\u00a0", " ")
        assert self.normalized(line, language, normalize=False) == composed

    def test_moses_leaves_languages_without_spaces_alone(self):
        line = "\u4f60\u597d\uff0c\u201c\u4e16\u754c\u201d\u3002"
        assert self.normalized(line, "zh") == self.normalized(line, "yue_HK") == line
        assert self.normalized(line, "en") != line

    @pytest.mark.parametrize("language", SPACED)
    def test_it_is_sacremoses_normalization(self, language):
        lines = ["“a” ‘b’ ´c` d…", "1 000,5 % n° 3 ! ?", "a—b–c „d“ «e»", *LINES[language]]
        reference = MosesPunctNormalizer(language)
        for line in lines:
            assert self.normalized(line, language) == " ".join(reference.normalize(line).split())

    def test_lowercase(self):
        assert self.normalized("ÄPFEL Und ΣΑΣ", "de", lowercase=True) == "äpfel und σας"
        assert self.normalized("ÄPFEL", "de") == "ÄPFEL"

    @given(line=st.text(max_size=20))
    @settings(deadline=None, max_examples=60)
    def test_normal_text_stays(self, line):
        """Without Moses' rules, which are no projection: what they make may fit another of them."""
        for form in ("NFC", "NFKC"):
            once = self.normalized(line, unicode=form, normalize=False)
            assert self.normalized(once, unicode=form, normalize=False) == once


class TestWords:
    pipeline = WordPipeline(TextSettings())

    def test_moses_tokens(self):
        assert self.pipeline.words("He  said, “don’t (ever)” & go.", "en") == 'He said , " don \'t ( ever ) " & go .'
        assert self.pipeline.words("L'homme, qu'il a.", "fr") == "L' homme , qu' il a ."
        assert self.pipeline.words("z. B. am 3. Mai.", "de_AT") == "z. B. am 3. Mai ."

    @pytest.mark.parametrize("language", SPACED)
    def test_it_is_sacremoses_tokenization(self, language):
        """The tables that make it fast change nothing."""
        reference = MosesTokenizer(language)
        lines = [line for lines in LINES.values() for line in lines]
        for line in [*lines, "No. 5 of the U.S. vs. Dr. who. Cf. p. 7. and Fig. a. end", "ca. 5 usw. und bzw. Art. 3."]:
            assert self.pipeline.tokenize(line, language) == reference.tokenize(line, escape=False, return_str=True)

    def test_detokenization(self):
        assert self.pipeline.detokenize('" Ja , " sagte er ( laut ) .', "de") == '"Ja," sagte er (laut).'
        assert self.pipeline.detokenize("l' homme , c' est", "fr") == "l'homme, c'est"
        assert self.pipeline.detokenize("a &amp; b", "en") == "a &amp; b"  # nothing was escaped

    def test_a_language_that_moses_does_not_know(self):
        assert self.pipeline.words("Hallo, wereld!", "xx") == "Hallo , wereld !"
        assert self.pipeline.detokenize("Hallo , wereld !", "xx") == "Hallo, wereld!"

    def test_without_a_tokenizer_words_are_what_stands_between_spaces(self):
        pipeline = WordPipeline(TextSettings(tokenizer="none"))
        assert pipeline.words("Ja,  so.", "de") == pipeline.detokenize("Ja, so.", "de") == "Ja, so."

    def test_languages(self):
        assert [base_language(code) for code in ("zh_CN", "EN", "pt-br")] == ["zh", "en", "pt"]
        assert [has_spaces(code) for code in ("zh_CN", "JA", "th", "de", "ko")] == [False, False, False, True, True]


class TestSettings:
    def test_unknown_values(self):
        for name in ("unicode", "tokenizer", "subwords"):
            with pytest.raises(InputError, match=f"^{name}='other' is unknown; choose from "):
                TextSettings(**{name: "other"})
        for name in ("normalize", "lowercase"):
            with pytest.raises(InputError, match=f"^{name}=1 is not true or false; fix text.json"):
                TextSettings(**{name: 1})

    @pytest.mark.parametrize(
        "model",
        [b"", b"\xff\xfe", b"#version: 0.2\n", b"a b\na b c\n", b"a \n", b"a b\n\nc d\n", b"\n#version: 0.2\na b\n",
         b"#version: two\na b\n"],
    )  # fmt: skip
    def test_models_that_are_none(self, model, codecs, capfd):
        for subwords, made_by in (("subword-nmt", "subword-nmt learn-bpe"), ("sentencepiece", "sentencepiece")):
            with pytest.raises(InputError, match=f"; give .*{made_by} wrote$"):
                TextCodec(TextSettings(subwords=subwords), model)
        assert capfd.readouterr() == ("", "")

    def test_models_of_the_other_kind(self, codecs):
        for (subwords, tokenizer), codec in codecs.items():
            other = next(kind for kind in LEARNED if kind != subwords)
            with pytest.raises(InputError, match="^not a "):
                TextCodec(TextSettings(subwords=other, tokenizer=tokenizer), codec.model)


class TestReserved:
    @pytest.fixture
    def tagged(self, codec):
        """The codec, to which ``<BT>`` and ``<N>`` are tokens."""
        return TextCodec(dataclasses.replace(codec.settings, reserve=("<BT>", "<N>")), codec.model)

    @pytest.mark.parametrize("token", ["<BT>", "<N>"])
    def test_a_token_at_the_beginning_stays_whole(self, codec, tagged, token):
        for language, lines in LINES.items():
            for line in lines:
                pieces = codec.encode(line, language)
                assert tagged.encode(f"{token} {line}", language) == (f"{token} {pieces}" if pieces else "")
                assert tagged.encode(f" {token}\t{line}", language) == (f"{token} {pieces}" if pieces else "")
                if pieces:
                    assert tagged.decode(f"{token} {pieces}", language) == f"{token} {codec.decode(pieces, language)}"

    def test_elsewhere_it_is_text(self, codec, tagged):
        for line in ("a <BT> b", "<BT>a", "a <BT>", "<bt> a", "<BT><N> a", "plain"):
            assert tagged.encode(line, "en") == codec.encode(line, "en")
            assert tagged.decode(line, "en") == codec.decode(line, "en")

    def test_the_first_of_two_is_the_token(self, codec, tagged):
        assert tagged.encode("<BT> <N> a", "en").split()[0] == "<BT>"

    def test_alone_it_is_no_text(self, tagged):
        for line in ("<BT>", " <BT> ", "<BT> \u200b"):
            assert tagged.normalize(line, "en") == tagged.encode(line, "en") == ""

    def test_it_is_saved_and_loaded(self, tagged, tmp_path):
        tagged.save(tmp_path)
        assert json.loads((tmp_path / SETTINGS_FILE).read_text())["reserve"] == ["<BT>", "<N>"]
        loaded = TextCodec.load(tmp_path)
        assert loaded.settings == tagged.settings and loaded.encode("<BT> a", "en") == tagged.encode("<BT> a", "en")
        assert pickle.loads(pickle.dumps(tagged)).settings == tagged.settings

    @pytest.mark.parametrize("token", ["", " ", "a b", "<BT> ", "\u2581a", 5])
    def test_what_is_no_token(self, token):
        with pytest.raises(InputError, match=f"^reserve={re.escape(repr(token))} is not one token without white space"):
            TextSettings(reserve=(token,))


class TestFiles:
    def test_what_is_saved_is_loaded(self, codec, tmp_path):
        codec.save(tmp_path)
        model = MODEL_FILES[codec.settings.subwords]
        assert sorted(path.name for path in tmp_path.iterdir()) == sorted([SETTINGS_FILE, model])
        expected = {"version": 1, "model": model, **dataclasses.asdict(codec.settings)}
        del expected["reserve"]  # nothing is: the file is what it was before there were such tokens
        assert json.loads((tmp_path / SETTINGS_FILE).read_text()) == expected
        loaded = TextCodec.load(tmp_path)
        assert (loaded.settings, loaded.model) == (codec.settings, codec.model)
        for language, lines in LINES.items():
            for line in lines:
                assert loaded.encode(line, language) == codec.encode(line, language)

    def test_a_codec_goes_to_another_process(self, codec):
        line = LINES["de"][0]
        assert pickle.loads(pickle.dumps(codec)).encode(line, "de") == codec.encode(line, "de")

    @pytest.mark.parametrize("size", [0, 5])
    def test_a_full_disk_leaves_the_earlier_files(self, size, codecs, tmp_path):
        codec = codecs["subword-nmt", "moses"]
        codec.save(tmp_path)
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))  # no file grows beyond it
        try:
            with pytest.raises(OSError, match="too large"):
                TextCodec(codec.settings, codec.model + b"q q\n").save(tmp_path)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert TextCodec.load(tmp_path).model == codec.model

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"version": 2, "casing": "true"}, r"version 2 is not 1, which this program reads; update mass_plugins"),
            ({"tokenizer": "jieba"}, "tokenizer='jieba' is unknown; choose from moses, none"),
            ({"normalize": "yes"}, "normalize='yes' is not true or false"),
            ({"casing": "true"}, "is damaged .*casing.*; prepare the text again"),
            (
                {"model": "../bpe.codes"},
                "the model '../bpe.codes' is not a file's name; put the model beside text.json",
            ),
            ({"model": ""}, "the model '' is not a file's name"),
            ({"model": 5}, "the model 5 is not a file's name"),
        ],
    )
    def test_settings_that_do_not_fit(self, change, message, codecs, tmp_path):
        codecs["subword-nmt", "moses"].save(tmp_path)
        path = tmp_path / SETTINGS_FILE
        path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
        with pytest.raises(InputError, match=f"^{path}:? {message}") as caught:
            TextCodec.load(tmp_path)
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize("content", [b"", b"{", b"null", b"[]", b"{}", b"\xff\xfe"])
    def test_settings_that_are_damaged(self, content, codecs, tmp_path):
        codecs["subword-nmt", "moses"].save(tmp_path)
        (tmp_path / SETTINGS_FILE).write_bytes(content)
        with pytest.raises(InputError, match=r"text.json is damaged \(.*\); prepare the text again$"):
            TextCodec.load(tmp_path)

    def test_files_that_are_not_there(self, codec, tmp_path):
        with pytest.raises(InputError, match="text.json doesn't exist; prepare the text with preprocess/prepare.py"):
            TextCodec.load(tmp_path)
        codec.save(tmp_path)
        model = tmp_path / MODEL_FILES[codec.settings.subwords]
        model.write_bytes(b"")
        with pytest.raises(InputError, match=f"^{model}: not a "):
            TextCodec.load(tmp_path)
        model.unlink()
        with pytest.raises(InputError, match=f"^{model} doesn't exist, text.json names it; prepare the text again"):
            TextCodec.load(tmp_path)


class TestTokenizerJson:
    """A Hugging Face tokenizer as the sub-words, of models from elsewhere."""

    settings = TextSettings(tokenizer="none", subwords="tokenizer")

    def make(self, decoder=True):
        from tokenizers import Tokenizer, decoders, models, pre_tokenizers

        tokenizer = Tokenizer(models.WordPiece({"[UNK]": 0, "dog": 1, "##s": 2, ".": 3}, unk_token="[UNK]"))
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        if decoder:
            tokenizer.decoder = decoders.WordPiece(cleanup=False)
        return tokenizer.to_str().encode()

    def test_there_and_back_and_kept_in_a_folder(self, tmp_path):
        TextCodec(self.settings, self.make()).save(tmp_path)
        codec = TextCodec.load(tmp_path)
        assert codec.encode("dogs dog.", "en") == "dog ##s dog ."
        assert codec.decode("dog ##s dog .", "en") == "dogs dog ."
        assert codec.vocabulary() == {"[UNK]", "dog", "##s", "."}
        assert (tmp_path / "tokenizer.json").exists()

    @pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"model": {"type": "BPE"}}'])
    def test_another_file(self, content):
        with pytest.raises(InputError, match="not a tokenizer.json"):
            TextCodec(self.settings, content)

    def test_one_that_cannot_join(self):
        with pytest.raises(InputError, match="no decoder"):
            TextCodec(self.settings, self.make(decoder=False))
