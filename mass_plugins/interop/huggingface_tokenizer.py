"""The tokenizer of a Hugging Face folder, as a file of the ``tokenizers`` package, and back."""

import json
from pathlib import Path
from typing import Any, Optional

from mass_plugins.data.encoder_text import SPECIALS, TOKENIZER_FILE, TokenizerText
from mass_plugins.errors import InputError
from mass_plugins.interop.settings import flag

_CONFIG_FILES = ("tokenizer_config.json", "special_tokens_map.json")  # the second wins
_ADDED_FILE = "added_tokens.json"
_PROBE = "An example, with 3 words!"


def read_tokenizer(folder: Path, size: int) -> TokenizerText:
    """The text pipeline of a model with ``size`` token embeddings.

    Raises:
        InputError: no tokenizer file, a damaged one, one of another model, one that adds more than CLS and SEP.
    """
    settings: dict[str, Any] = {}
    for name in _CONFIG_FILES:
        settings |= _read(folder / name)
    specials = {role: symbol for role in SPECIALS if (symbol := _symbol(settings.get(f"{role}_token")))}
    try:
        content = _tokenizer_file(folder, settings, specials)
        text = TokenizerText(content, specials, size)
        _check_ends(text)
    except InputError as error:
        raise InputError(f"{folder}: {error}") from None
    return text


def _read(path: Path) -> dict[str, Any]:
    """The JSON object in a file; nothing where there is no file."""
    if not path.is_file():
        return {}
    try:
        return {**json.loads(path.read_text(encoding="utf-8"))}
    except (ValueError, TypeError) as error:
        raise InputError(f"{path} is damaged ({error}); fetch it again") from None


def _symbol(token) -> Optional[str]:
    """A special token as settings give it: a string, or an object with its content."""
    content = token.get("content") if isinstance(token, dict) else token
    return content if isinstance(content, str) else None


def _tokenizer_file(folder: Path, settings: dict[str, Any], specials: dict[str, str]) -> bytes:
    """``tokenizer.json``, or what transformers makes of the older files: a vocabulary, and the tokens added to it.

    Raises:
        InputError: none of them, settings of a wrong kind, an added token whose id the vocabulary doesn't give it.
    """
    if (folder / TOKENIZER_FILE).is_file():
        return (folder / TOKENIZER_FILE).read_bytes()

    def wanted(name: str, default: bool) -> bool:
        return flag(_CONFIG_FILES[0], name, settings.get(name, default))

    if (folder / "vocab.txt").is_file():
        from tokenizers import BertWordPieceTokenizer

        made = BertWordPieceTokenizer(
            str(folder / "vocab.txt"),
            lowercase=wanted("do_lower_case", True),
            strip_accents=None if settings.get("strip_accents") is None else wanted("strip_accents", False),
            handle_chinese_chars=wanted("tokenize_chinese_chars", True),
        )
    elif (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file():
        from tokenizers import AddedToken, ByteLevelBPETokenizer

        files = (str(folder / "vocab.json"), str(folder / "merges.txt"))
        made = ByteLevelBPETokenizer(*files, add_prefix_space=wanted("add_prefix_space", False))
        made.add_special_tokens(["<s>", "<pad>", "</s>", "<unk>", AddedToken("<mask>", lstrip=True)])
    else:
        raise InputError(
            f"there is no {TOKENIZER_FILE} (nor vocab.txt, nor vocab.json and merges.txt); make one with "
            "transformers: AutoTokenizer.from_pretrained(folder).save_pretrained(folder)"
        )
    file, added = _added_tokens(folder, settings, specials)
    for number, token in sorted(added.items()):  # each gets the next id, unless the vocabulary has it
        (made.add_special_tokens if token.special else made.add_tokens)([token])
        if made.token_to_id(token.content) != number:
            raise InputError(
                f"{file} gives {token.content!r} the id {number}, which its vocabulary doesn't; make a tokenizer.json "
                "with transformers: AutoTokenizer.from_pretrained(folder).save_pretrained(folder)"
            )
    return made.to_str().encode("utf-8")


def _added_tokens(folder: Path, settings: dict[str, Any], specials: dict[str, str]) -> tuple[str, dict[int, Any]]:
    """A file and the tokens that it adds to the vocabulary, ``AddedToken`` by id; as transformers has it the settings
    tell, else a file of their own."""
    from tokenizers import AddedToken

    file, how = _CONFIG_FILES[0], ("single_word", "lstrip", "rstrip", "normalized", "special")
    listed, names = settings.get("added_tokens_decoder"), set(specials.values())
    tokens: list[tuple[Any, Any]]
    try:
        if listed is None:
            file = _ADDED_FILE
            tokens = [
                (number, {"content": token, "normalized": token not in names, "special": token in names})
                for token, number in _read(folder / file).items()
            ]
        else:
            tokens = [*listed.items()]
        return file, {
            int(number): AddedToken(token["content"], **{n: flag(file, n, token[n]) for n in how if n in token})
            for number, token in tokens
        }
    except InputError:
        raise
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{file} is damaged ({error!r}); fetch it again") from None


def _check_ends(text: TokenizerText) -> None:
    """Our ``[CLS] .. [SEP]`` must be what the tokenizer's own rule gives, if it has one."""
    ours, plain = text.encode([_PROBE])[0].tolist(), text.pieces([_PROBE])[0].tolist()
    theirs = text.tokenizer.encode(_PROBE).ids
    if theirs not in (ours, plain):
        raise InputError(
            f"its tokenizer makes {theirs} of {_PROBE!r}, and not {ours}: CLS, the text, SEP, as our encoder reads it"
        )


def _with_ends(text: TokenizerText) -> bytes:
    from tokenizers import Tokenizer, processors

    if text.tokenizer.encode(_PROBE).ids == text.encode([_PROBE])[0].tolist():
        return text.content
    made = Tokenizer.from_str(text.content.decode("utf-8"))
    cls, sep = (text.specials[role] for role in ("cls", "sep"))
    ends = processors.TemplateProcessing(
        single=f"{cls} $A {sep}",
        pair=f"{cls} $A {sep} $B {sep}",
        special_tokens=[(cls, text.cls), (sep, text.vocabulary.eos)],
    )
    others = [] if made.post_processor is None else [made.post_processor]  # a byte-level one trims offsets
    made.post_processor = processors.Sequence([*others, ends])
    return made.to_str().encode("utf-8")


def write_tokenizer(text: TokenizerText, folder: Path, max_tokens: int) -> None:
    """``tokenizer.json`` and the settings that transformers wants beside it.

    The file is byte for byte what came in, unless it has no rule that puts CLS and SEP around a text: ours always
    does, so the rule is added.
    """
    (folder / TOKENIZER_FILE).write_bytes(_with_ends(text))
    specials = {f"{role}_token": symbol for role, symbol in text.specials.items()}
    config = {**specials, "tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": max_tokens}
    for name, content in (("tokenizer_config.json", config), ("special_tokens_map.json", specials)):
        (folder / name).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
