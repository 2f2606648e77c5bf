"""Our text pipeline as a Hugging Face tokenizer.json that gives the ids of our dictionary.

    sentencepiece            the whole pipeline: normalization, pieces, joining
    tokenizer.json           likewise
    BPE, Moses               words separated by spaces -> pieces and back; Moses itself is beyond a tokenizer file

A tokenizer file numbers its pieces itself, so a piece that the dictionary lacks, which is ``<unk>`` to us, gets a
number after the dictionary's; the exported model has ``<unk>``'s embedding there.
"""

import re
from typing import Any, NamedTuple, Optional

from mass_plugins.data.symbols import SPECIAL, is_reserved
from mass_plugins.data.text import INVISIBLE, SPACE_SIGN, TextCodec, has_spaces
from mass_plugins.errors import InputError

_END = "</w>"  # of a word, in BPE
_NEVER = -1e4  # score of what no text may become: special symbols
# White space as Python's str.split sees it.
_WHITE = r"[\x{9}-\x{d}\x{1c}-\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}]+"
# Two characters that the text can't hold any more where they are used (private use), to turn two signs round.
_LEFT, _RIGHT = "\ue000", "\ue001"
# Moses' rules with groups in their replacement, which a tokenizer file doesn't know, as rules without.
_WITHOUT_GROUPS: dict[tuple[str, str], list[tuple[str, str]]] = {
    (r"\) ([.!:?;,])", r")\g<1>"): [(r"(?<=\)) (?=[.!:?;,])", "")],
    (r"(\d) %", r"\g<1>%"): [(r"(?<=\d) (?=%)", "")],
    ("([a-zA-Z])‘([a-zA-Z])", r"\g<1>'\g<2>"): [("(?<=[a-zA-Z])‘(?=[a-zA-Z])", "'")],
    ("([a-zA-Z])’([a-zA-Z])", r"\g<1>'\g<2>"): [("(?<=[a-zA-Z])’(?=[a-zA-Z])", "'")],
    ("(\\d)\u00a0(\\d)", r"\g<1>,\g<2>"): [("(?<=\\d)\u00a0(?=\\d)", ",")],
    ("(\\d)\u00a0(\\d)", r"\g<1>.\g<2>"): [("(?<=\\d)\u00a0(?=\\d)", ".")],
    # "., -> .,": the sign after the run, the one before it away
    (r'"([,.]+)', r'\g<1>"'): [
        (r'"[,.]*\K,(?![,.])', f",{_LEFT}"),
        (r'"[,.]*\K\.(?![,.])', f".{_LEFT}"),
        (f'"(?=[,.]+{_LEFT})', ""),
        (_LEFT, '"'),
    ],
    # .." before anything but < -> "..
    (r'(\.+)"(\s*[^<])', r'"\g<1>\g<2>'): [
        (r'(?<=\.)"(?=[^<])', _LEFT),
        (rf"(?<!\.)\.(?=\.*{_LEFT})", f"{_RIGHT}."),
        (_LEFT, ""),
        (_RIGHT, '"'),
    ],
}


class TokenizerFile(NamedTuple):
    """``tokenizer`` and the pieces that it numbers after the dictionary's."""

    tokenizer: Any  # tokenizers.Tokenizer
    extra: list[str]
    raw_text: bool  # it takes raw text; else words that Moses separated

    def says(self) -> str:
        """How it is to be used, for a person."""
        if self.raw_text:
            return "tokenizer.json takes raw text"
        return "tokenizer.json takes words that Moses separated, as TextCodec.words does, and gives such words back"


def make_tokenizer(codec: TextCodec, symbols: list[str], language: str, start: Optional[str]) -> TokenizerFile:
    """The tokenizer of sources in ``language``, and of all targets' joining.

    Args:
        codec: our pipeline.
        symbols: the whole dictionary.
        start: a token before each source, or None.

    Raises:
        InputError: the pipeline holds what no tokenizer file can say.
    """
    from tokenizers import AddedToken, normalizers, processors

    settings = codec.settings
    if settings.subwords == "tokenizer":
        tokenizer, extra = _renumbered(codec, symbols)
    elif settings.subwords == "sentencepiece":
        tokenizer, extra = _unigram(codec, symbols)
    else:
        tokenizer, extra = _bpe(codec, symbols)
    raw_text = settings.tokenizer == "none"
    if raw_text:
        steps = _normalization(codec, language)
        if tokenizer.normalizer is not None:  # of a tokenizer.json from elsewhere
            steps.append(tokenizer.normalizer)
        tokenizer.normalizer = normalizers.Sequence(steps)
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in SPECIAL])
    tokenizer.add_tokens([AddedToken(token, normalized=False) for token in settings.reserve])
    ends = [("</s>", symbols.index("</s>"))] + ([(start, symbols.index(start))] if start else [])
    single = f"{start} $A </s>" if start else "$A </s>"
    tokenizer.post_processor = processors.TemplateProcessing(single=single, special_tokens=[*dict.fromkeys(ends)])
    return TokenizerFile(tokenizer, extra, raw_text)


def _unigram(codec: TextCodec, symbols: list[str]):
    """sentencepiece's unigram model with our numbers."""
    import sentencepiece
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    model = sentencepiece.SentencePieceProcessor(model_proto=codec.model)
    ids = range(model.get_piece_size())
    if any(model.is_byte(number) for number in ids):
        raise InputError("the sentencepiece model falls back to bytes, which this export doesn't know")
    known = [number for number in ids if not (model.is_unknown(number) or model.is_control(number))]
    scores = {model.id_to_piece(number): model.get_score(number) for number in known}
    own = set(symbols)
    extra = [piece for piece in scores if piece not in own]
    pieces = [(symbol, _NEVER if is_reserved(symbol) else scores.get(symbol, _NEVER)) for symbol in symbols]
    pieces += [(piece, scores[piece]) for piece in extra]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=symbols.index("<unk>"), byte_fallback=False))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement=SPACE_SIGN, prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(replacement=SPACE_SIGN, prepend_scheme="always")
    return tokenizer, extra


def _bpe(codec: TextCodec, symbols: list[str]):
    """subword-nmt's merges with our numbers: our ``ab@@`` is its ``ab``, our ``ab`` its ``ab</w>``."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    lines = codec.model.decode("utf-8").rstrip("\n").split("\n")
    if not lines[0].startswith("#version: 0.2"):
        raise InputError(
            "the BPE codes are of subword-nmt's version 0.1, which no tokenizer file knows; learn them again"
        )
    merges = [(left, right) for left, right in (line.strip("\r ").split(" ") for line in lines[1:])]
    names = [
        symbol if is_reserved(symbol) or symbol in codec.settings.reserve else _bpe_name(symbol) for symbol in symbols
    ]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"the dictionary has two entries that BPE writes {twice!r}; it can't be exported")
    numbers = {name: number for number, name in enumerate(names)}
    extra: list[str] = []
    for left, right in merges:
        for name in (left, right, left + right):
            if name not in numbers:
                numbers[name] = len(symbols) + len(extra)
                extra.append(name)
    tokenizer = Tokenizer(models.BPE(numbers, merges, unk_token="<unk>", end_of_word_suffix=_END, fuse_unk=False))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.decoder = decoders.BPEDecoder(suffix=_END)
    return tokenizer, extra


def _renumbered(codec: TextCodec, symbols: list[str]):
    """A tokenizer.json with other numbers for its pieces."""
    import json

    from tokenizers import Tokenizer

    content = json.loads(codec.model)
    model = content["model"]
    if model["type"] not in ("BPE", "WordPiece", "WordLevel"):
        raise InputError(f"tokenizer.json holds a {model['type']} model, which this export doesn't know")
    numbers = {symbol: number for number, symbol in enumerate(symbols)}
    extra = sorted(set(model["vocab"]) - set(numbers), key=model["vocab"].get)
    model["vocab"] = numbers | {piece: len(symbols) + number for number, piece in enumerate(extra)}
    model["unk_token"] = "<unk>"
    content["added_tokens"], content["post_processor"] = [], None
    return Tokenizer.from_str(json.dumps(content)), extra


def _bpe_name(symbol: str) -> str:
    return symbol[:-2] if symbol.endswith("@@") and len(symbol) > 2 else symbol + _END


def _normalization(codec: TextCodec, language: str) -> list[Any]:
    """``WordPipeline.normalize`` in a tokenizer file's terms."""
    from tokenizers import Regex, normalizers

    settings = codec.settings
    steps: list[Any] = [normalizers.Replace(SPACE_SIGN, " ")]
    if settings.unicode != "none":
        steps += [normalizers.Replace(Regex(_escaped(INVISIBLE.pattern)), ""), normalizers.NFC()]
    if settings.normalize and has_spaces(language):
        steps += [normalizers.Replace(Regex(rule), new) for rule, new in _moses_rules(language)]
    if settings.unicode == "NFKC":
        steps.append(normalizers.NFKC())
    if settings.lowercase:
        steps.append(normalizers.Lowercase())
    return [*steps, normalizers.Replace(Regex(_WHITE), " "), normalizers.Strip()]


def _moses_rules(language: str) -> list[tuple[str, str]]:
    """Moses' punctuation rules as pairs of a regular expression and a replacement without groups."""
    from sacremoses import MosesPunctNormalizer

    from mass_plugins.data.text import base_language

    rules: list[tuple[str, str]] = []
    for rule, new in MosesPunctNormalizer(base_language(language)).substitutions:
        if (rule, new) in _WITHOUT_GROUPS:
            rules += _WITHOUT_GROUPS[rule, new]
        elif "\\" in new:
            raise InputError(f"Moses' rule {rule!r} can't be put into a tokenizer file; this sacremoses is unknown")
        else:
            rules.append((rule, new))
    return rules


def _escaped(pattern: str) -> str:
    """A class of characters with each one as ``\\x{..}``; surrogates, which no UTF-8 holds, left out."""
    pattern = pattern.replace("\ud800-\udfff", "")
    return re.sub(r"[^\[\]\-]", lambda found: f"\\x{{{ord(found[0]):x}}}", pattern)
