"""Your own text -> a ready data-bin for a text encoder: cleaning, a tokenizer of Hugging Face's kind, binary files.

    python preprocess/prepare_encoder.py --mono en=news.en de=a.de b.de.gz --destdir data-bin --vocab-size 30000
    python preprocess/prepare_encoder.py --mono en=news.en --like bert-checkpoint --destdir data-bin

LANGUAGE=FILE [FILE ...] names text, one per line. Plain, .gz, .xz and .bz2 files are read. The tokenizer is learned, or
taken from another data-bin, from an imported model's folder, or from a Hugging Face folder.
"""

import argparse
import os
import sys
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Optional

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    import preprocess.as_script  # noqa: F401

from mass_plugins.data.encoder_text import ENCODER_FILE, SPECIALS, TOKENIZER_FILE, EncoderText, TokenizerText
from mass_plugins.data.progress import Progress
from mass_plugins.data.text import TextSettings
from mass_plugins.errors import InputError
from preprocess.corpora import Corpus, Inspection, inspect_corpora, parse_mono
from preprocess.destination import already_done, building, move_into_place
from preprocess.encoder_stage import binarize, files_of_encoder
from preprocess.filter import Limits, add_limit_flags, limits_of
from preprocess.pipeline import lines_to_hold_out
from preprocess.report import REPORT_FILE, find_report, format_report, make_report, write_report
from preprocess.stages import Cleaned, Cleaning, clean
from preprocess.streaming import Parser, add_run_flags, exit_status, positive
from preprocess.subwords import Sample, SampleFlags
from preprocess.tokenizer import KINDS, EncoderFlags, learn_tokenizer

NAME = "prepare_encoder.py"
LARGEST_LINE = 510  # tokens; with CLS and SEP 512, the positions of a model
SAMPLE = SampleFlags(lines=2_000_000, alpha=0.5, coverage=None)
_LEARNING = ("vocab_size", "subwords", "lowercase", "subword_lines", "subword_alpha")
# The tokenizer does all that is done to a line, in training as in encoding; here white space is unified, no more.
_RAW = TextSettings(unicode="none", normalize=False, tokenizer="none", subwords="sentencepiece")


# fmt: off
def make_parser() -> argparse.ArgumentParser:
    parser = Parser(prog=NAME, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    text = parser.add_argument_group("text")
    text.add_argument("--mono", nargs="+", action="extend", default=[], metavar="L=FILE", help="training text")
    text.add_argument("--valid-mono", nargs="+", action="extend", default=[], metavar="L=FILE", help="validation text")
    text.add_argument(
        "--valid-lines", type=positive, default=1000, metavar="N",
        help="lines held out of training text that has no validation text, at most a tenth (default: %(default)s)",
    )
    text.add_argument("--destdir", type=Path, required=True, help="the data-bin to make")
    text.add_argument("--shards", type=positive, default=1, metavar="N", help="deal training text to DESTDIR/0, /1, …")
    text.add_argument("--overwrite", action="store_true", help="replace a DESTDIR that holds other data")
    cleaning = parser.add_argument_group("cleaning")
    add_limit_flags(cleaning)
    cleaning.add_argument(
        "--max-pieces", type=int, default=LARGEST_LINE, metavar="N",
        help="tokens of a line; with CLS and SEP the positions of a model; 0: any number (default: %(default)s)",
    )
    cleaning.add_argument("--keep-duplicates", action="store_true")
    words = parser.add_argument_group("tokenizer")
    words.add_argument("--like", type=Path, metavar="FOLDER", help="take that of a data-bin or of a model's folder")
    words.add_argument("--vocab-size", type=positive, metavar="N", help="of a learned one (default: 30000)")
    words.add_argument(
        "--subwords", choices=KINDS, help="wordpiece (BERT, the default), unigram (XLM-R), bpe (bytes, RoBERTa)"
    )
    words.add_argument("--lowercase", action="store_true", default=None)
    words.add_argument("--subword-lines", type=positive, metavar="N", help=f"to learn from (default: {SAMPLE.lines})")
    words.add_argument(
        "--subword-alpha", type=float, metavar="A",
        help=f"a language of n lines gives a share of n^A of them (default: {SAMPLE.alpha})",
    )
    add_run_flags(parser.add_argument_group("running"))
    return parser
# fmt: on


def read_corpora(args) -> list[Corpus]:
    """Raises InputError: no training text, or validation text of a language that has none."""
    training = parse_mono(args.mono, "train", "--mono")
    validation = parse_mono(args.valid_mono, "valid", "--valid-mono")
    if not training:
        raise InputError("no training text; give --mono LANGUAGE=FILE")
    alone = {corpus.name for corpus in validation} - {corpus.name for corpus in training}
    if alone:
        raise InputError(f"--valid-mono {min(alone)} has no training text; add --mono {min(alone)}=...")
    return [*training, *validation]


def read_vocabulary(args) -> Optional[TokenizerText]:
    """The tokenizer of ``--like``.

    Raises:
        InputError: there is none, or other flags ask for a new one.
    """
    given = [f"--{name.replace('_', '-')}" for name in _LEARNING if getattr(args, name) is not None]
    if args.like is None:
        return None
    if given:
        raise InputError(f"--like takes the tokenizer from there; leave out {', '.join(given)}, which would do nothing")
    folder = args.like.parent if args.like.is_file() else args.like
    if (folder / "config.json").is_file() and not (folder / ENCODER_FILE).is_file():
        raise InputError(
            f"--like {folder} is a Hugging Face model; import it first (mass-plugins import), for training"
        )
    try:
        text = EncoderText.load(folder)
    except InputError as error:
        raise InputError(f"--like: {error}") from None
    if not isinstance(text, TokenizerText):
        raise InputError(f"--like {folder} has sub-words of prepare.py; prepare the text with prepare.py --like")
    return text


def read_flags(args, text: Optional[TokenizerText]) -> EncoderFlags:
    """The flags that change what is written, checked."""
    if args.max_pieces < 0:
        raise InputError(f"--max-pieces {args.max_pieces} is not a limit; give a positive number, or 0 for none")
    alpha = SAMPLE.alpha if args.subword_alpha is None else args.subword_alpha
    if not 0 <= alpha <= 1:
        raise InputError(f"--subword-alpha {alpha} is not in [0, 1]; 1 takes languages as they are")
    names = text.specials.values() if text else (name for names in SPECIALS.values() for name in names)
    limits: Limits = limits_of(args, reserved=tuple(sorted(names)))
    learns = text is None
    return EncoderFlags(
        cleaning=Cleaning(_RAW, limits, args.keep_duplicates),
        sample=SampleFlags(args.subword_lines or SAMPLE.lines, alpha, None) if learns else None,
        vocab_size=(args.vocab_size or 30000) if learns else None,
        subwords=(args.subwords or KINDS[0]) if learns else None,
        lowercase=bool(args.lowercase),
        max_pieces=args.max_pieces,
        valid_lines=args.valid_lines,
        shards=args.shards,
    )


def build(
    corpora: list[Corpus], found: dict[Path, Inspection], flags: EncoderFlags, text: Optional[TokenizerText],
    digests: dict, folder: Path, workers: int, progress: Optional[bool],
) -> dict:  # fmt: skip
    """Make ``folder/data-bin``; returns the report that is stored in it."""
    made = folder / "data-bin"
    shards = [made / str(i) for i in range(flags.shards)] if flags.shards > 1 else [made]
    for shard in shards:
        shard.mkdir(parents=True)
    cleaned = []
    for number, corpus in enumerate(corpora):
        total = sum(found[part[0]].lines for part in corpus.parts)
        cleaned.append(clean(corpus, total, folder / f"words{number}", flags.cleaning, workers, progress))
    held_out = [lines_to_hold_out(NAME, item, corpora, flags) for item in cleaned]
    text = text or learn(cleaned, flags)
    encoded = [binarize(item, text, shards, hold, flags.max_pieces, progress) for item, hold in zip(cleaned, held_out)]
    for shard in shards:
        text.save(shard)
    languages = sorted({language for corpus in corpora for language in corpus.languages})
    report = make_report(flags, digests, len(text.dictionary), languages, cleaned, encoded)
    write_report(made, report)
    return report


def learn(cleaned: list[Cleaned], flags: EncoderFlags) -> TokenizerText:
    """A tokenizer of all training text, balanced over the languages."""
    training = [item for item in cleaned if item.corpus.split == "train"]
    files = {item.corpus.name: [item.file(item.corpus.name)] for item in training}
    sizes = Counter({item.corpus.name: item.lines for item in training})
    return learn_tokenizer(Sample(files, dict(sizes), flags.sample), flags)


def main(argv: Optional[list[str]] = None) -> int:
    args = make_parser().parse_args(argv)
    os.environ.setdefault("RAYON_NUM_THREADS", str(args.workers))  # of the tokenizers package
    text = read_vocabulary(args)
    flags, corpora = read_flags(args, text), read_corpora(args)
    with Progress("look through", args.progress) as bar:
        found = inspect_corpora(corpora, args.workers, bar.add)
    digests = {f"{c.flag} {c.name}": [found[part[0]].digest for part in c.parts] for c in corpora}
    if text:
        digests["tokenizer"] = [text.fingerprint()]
    look = partial(find_report, flags=flags, digests=digests, files=files_of_encoder)
    if already_done(NAME, args.destdir, REPORT_FILE, look, args.overwrite):
        print(f"{args.destdir} is ready already, from the same text and flags; nothing to do")
        return 0
    with building(NAME, args.destdir) as folder:
        report = build(corpora, found, flags, text, digests, folder, args.workers, args.progress)
        move_into_place(folder / "data-bin", args.destdir)
    print(format_report(report, args.destdir))
    print(f"the tokenizer: {args.destdir}/{'0/' if flags.shards > 1 else ''}{TOKENIZER_FILE}")
    return 0


if __name__ == "__main__":
    sys.exit(exit_status(NAME, main))
