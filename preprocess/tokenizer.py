"""Tokenizers of Hugging Face's kind, learned: WordPiece as BERT's, unigram as XLM-R's, byte-level BPE as RoBERTa's."""

import json
from dataclasses import dataclass
from typing import Iterable, Optional

from mass_plugins.data.encoder_text import SPECIALS, TokenizerText
from mass_plugins.errors import InputError
from preprocess.stages import Cleaning
from preprocess.subwords import MULTIPLE, SampleFlags

KINDS = ("wordpiece", "unigram", "bpe")
SMALLEST = {"wordpiece": 32, "unigram": 32, "bpe": 288}  # letters alone need more; of bytes there are 256


@dataclass(frozen=True)
class EncoderFlags:
    """Everything that changes what is written, besides the text and an existing tokenizer."""

    cleaning: Cleaning
    sample: Optional[SampleFlags]  # None, like vocab_size and subwords, with an existing tokenizer
    vocab_size: Optional[int]
    subwords: Optional[str]
    lowercase: bool
    max_pieces: int
    valid_lines: int
    shards: int


def learn_tokenizer(lines: Iterable[str], flags: EncoderFlags) -> TokenizerText:
    """Learn a tokenizer of ``flags.vocab_size`` tokens at most, filled up to a multiple of eight.

    Raises:
        InputError: a size too small, or text too little.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

    kind, size = str(flags.subwords), int(flags.vocab_size or 0)
    if size < SMALLEST[kind]:
        raise InputError(f"--vocab-size {size} is below {SMALLEST[kind]}; raise it")
    bert = kind == "wordpiece"
    specials = {role: names[0 if bert else 1] for role, names in SPECIALS.items()}
    order = ("pad", "unk", "cls", "sep", "mask") if bert else ("cls", "pad", "sep", "unk", "mask")
    common = {"vocab_size": size, "special_tokens": [specials[role] for role in order], "show_progress": False}
    spaces = [normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip()]  # as cleaning leaves them
    lowercase = [normalizers.Lowercase()] if flags.lowercase else []
    tokenizer: Tokenizer
    if bert:
        tokenizer = Tokenizer(models.WordPiece(unk_token=specials["unk"]))
        tokenizer.normalizer = normalizers.BertNormalizer(lowercase=flags.lowercase)
        tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.BertPreTokenizer(), decoders.WordPiece()
        trainer = trainers.WordPieceTrainer(limit_alphabet=size // 2, **common)
    elif kind == "unigram":
        tokenizer = Tokenizer(models.Unigram())
        tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), *spaces, *lowercase])
        tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
        trainer = trainers.UnigramTrainer(unk_token=specials["unk"], **common)
    else:
        tokenizer = Tokenizer(models.BPE())
        tokenizer.normalizer = normalizers.Sequence([*spaces, *lowercase])
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), **common)
    try:
        tokenizer.train_from_iterator(lines, trainer)
        ends = [(specials[role], tokenizer.token_to_id(specials[role])) for role in ("cls", "sep")]
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{specials['cls']} $A {specials['sep']}",
            pair=f"{specials['cls']} $A {specials['sep']} $B:1 {specials['sep']}:1",
            special_tokens=ends,
        )
    except Exception as error:  # tokenizers raises plain Exception
        raise InputError(f"--vocab-size {size}: no tokens can be learned from this text ({error}); give more") from None
    count = tokenizer.get_vocab_size(with_added_tokens=True)
    return TokenizerText(_stable(tokenizer), specials, count + -count % MULTIPLE)


def _stable(tokenizer) -> bytes:
    """The file's content, the same for the same tokenizer."""
    content = json.loads(tokenizer.to_str())
    vocabulary = content["model"]["vocab"]
    if isinstance(vocabulary, dict):
        content["model"]["vocab"] = dict(sorted(vocabulary.items(), key=lambda item: item[1]))
    return (json.dumps(content, ensure_ascii=False, indent=1) + "\n").encode("utf-8")
