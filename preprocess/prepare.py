"""Your own text -> a ready data-bin: cleaning, joint sub-words, one dictionary, fairseq-preprocess.

    python preprocess/prepare.py --mono en=news.en de=a.de b.de.gz --parallel de-en=corpus/train \\
        --valid-parallel de-en=corpus/val --destdir data-bin --vocab-size 32000

LANGUAGE=FILE [FILE ...] names monolingual text, one sentence per line; SOURCE-TARGET=PREFIX names
pairs in PREFIX.SOURCE and PREFIX.TARGET (or SOURCE-TARGET=FILE,FILE); pairs of one language,
documents with summaries or turns with answers, are en-en=PREFIX in PREFIX.source and PREFIX.target.
Plain, .gz, .xz and .bz2 files are read. preprocess/README.md explains the rest.
"""

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import Optional

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    import preprocess.as_script  # noqa: F401

from mass_plugins.data.dialogue import SETTINGS_FILE as DIALOGUE_FILE
from mass_plugins.data.dialogue import DialogueSettings
from mass_plugins.data.progress import Progress
from mass_plugins.data.symbols import is_reserved
from mass_plugins.data.text import MODEL_FILES, TOKENIZERS, UNICODE_FORMS, TextSettings
from mass_plugins.errors import InputError
from preprocess.corpora import Corpus, inspect_corpora, parse_mono, parse_parallel
from preprocess.destination import already_done, building, move_into_place
from preprocess.filter import LIMITS, Limits, add_limit_flags, limits_of
from preprocess.moses_tokenize import refuse_without_spaces
from preprocess.pipeline import NAME, Flags, build
from preprocess.report import REPORT_FILE, find_report, format_report
from preprocess.stages import Cleaning
from preprocess.streaming import Parser, add_run_flags, exit_status, positive
from preprocess.subwords import SampleFlags
from preprocess.vocabulary import Vocabulary, vocabulary_from_files, vocabulary_like

SMALLEST = 32  # dictionary; letters alone need more
LARGEST_LINE = 511  # sub-words; with </s> 512, the positions of a model
SAMPLE = SampleFlags(lines=2_000_000, alpha=0.5, coverage=None)  # where no flag says otherwise
_LEARNING = ("vocab_size", "subword_lines", "subword_alpha", "character_coverage")
# flag, what it settles, flags that would do nothing beside it
_SETTLED = (
    ("like", "takes vocabulary and cleaning from there",
     ("unicode", "tokenizer", "lowercase", "subwords", "reserve", *_LEARNING, "dictionary", "codes")),
    ("dictionary", "is a vocabulary already", _LEARNING),
    ("no_clean", "takes away all limits", (*LIMITS, "max_pieces")),
)  # fmt: skip
_CORPORA = (
    ("--mono", "train", parse_mono, "L=FILE", "monolingual training text"),
    ("--parallel", "train", parse_parallel, "S-T=PREFIX", "pairs for training"),
    ("--valid-mono", "valid", parse_mono, "L=FILE", "monolingual validation text"),
    ("--valid-parallel", "valid", parse_parallel, "S-T=PREFIX", "pairs for validation"),
    ("--test-parallel", "test", parse_parallel, "S-T=PREFIX", "pairs to test with"),
)


# fmt: off
def make_parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog=NAME, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    text = parser.add_argument_group("text")
    for flag, _, _, metavar, what in _CORPORA:
        text.add_argument(flag, nargs="+", action="extend", default=[], metavar=metavar, help=what)
    text.add_argument(
        "--valid-lines", type=positive, default=1000, metavar="N",
        help="lines held out of training text that has no validation text, at most a tenth (default: %(default)s)",
    )
    text.add_argument("--destdir", type=Path, required=True, help="the data-bin to make")
    text.add_argument("--shards", type=positive, default=1, metavar="N", help="deal training text to DESTDIR/0, /1, …")
    text.add_argument(
        "--running-text", action="store_true",
        help="neighbouring lines belong together, as paragraphs of documents do: shards are stretches of the text and "
        "validation lines are its last ones (default: lines in turn, and at even distances)",
    )
    text.add_argument(
        "--dialogue", type=Path, metavar="FILE",
        help="dialogue.json of dialogue_pairs.py: it is kept in DESTDIR, and contexts that are too long lose their "
        "beginning, not their end",
    )
    text.add_argument("--overwrite", action="store_true", help="replace a DESTDIR that holds other data")

    cleaning = parser.add_argument_group("cleaning")
    cleaning.add_argument("--unicode", choices=UNICODE_FORMS, help="default: NFC")
    cleaning.add_argument("--tokenizer", choices=TOKENIZERS, help="default: none, with subword-nmt: moses")
    cleaning.add_argument("--lowercase", action="store_true", default=None)
    add_limit_flags(cleaning)
    cleaning.add_argument(
        "--max-pieces", type=int, metavar="N",
        help=f"sub-words of a training line; with </s> the positions of a model (default: {LARGEST_LINE})",
    )
    cleaning.add_argument("--keep-duplicates", action="store_true")
    cleaning.add_argument(
        "--no-clean", action="store_true",
        help="the text is clean: no normalization (unless --like asks for it), no limits, duplicates stay",
    )

    words = parser.add_argument_group("sub-words")
    words.add_argument("--vocab-size", type=positive, metavar="N", help="of the dictionary in all (default: 32000)")
    words.add_argument("--subwords", choices=tuple(MODEL_FILES), help="default: sentencepiece")
    words.add_argument(
        "--subword-lines", type=positive, metavar="N", help=f"to learn from (default: {SAMPLE.lines})"
    )
    words.add_argument(
        "--subword-alpha", type=float, metavar="A",
        help=f"a language of n lines gives a share of n^A of them (default: {SAMPLE.alpha})",
    )
    words.add_argument(
        "--character-coverage", type=float, metavar="SHARE",
        help="of all characters that get a sub-word (default: all, in at most half of the vocabulary)",
    )
    words.add_argument(
        "--reserve", nargs="+", metavar="TOKEN",
        help="tokens with a place in the dictionary that stay whole at the beginning of a line, like <BT>",
    )
    words.add_argument(
        "--like", type=Path, metavar="DATA_BIN", help="use the vocabulary and cleaning of another data-bin"
    )
    words.add_argument("--dictionary", type=Path, metavar="FILE", help="an existing dictionary; needs --codes")
    words.add_argument(
        "--codes", type=Path, metavar="FILE", help="BPE codes, sentencepiece model or tokenizer.json of --dictionary"
    )
    add_run_flags(parser.add_argument_group("running"))
    return parser
# fmt: on


def read_corpora(args, known_vocabulary: bool) -> list[Corpus]:
    """All corpora of the command line; pairs lie the way round that their training text has.

    Raises:
        InputError: nothing to train on, or validation text of a language without any.
    """
    corpora = [
        corpus
        for flag, split, parse, _, _ in _CORPORA
        for corpus in parse(getattr(args, flag[2:].replace("-", "_")), split, flag)
    ]
    training = {corpus.languages for corpus in corpora if corpus.split == "train"}
    if not training and not known_vocabulary:
        raise InputError("no training text; give --mono LANGUAGE=FILE or --parallel SOURCE-TARGET=PREFIX")
    heard = {language for languages in training for language in languages}
    result = []
    for corpus in corpora:
        if corpus.languages not in training and corpus.languages[::-1] in training:
            turned = tuple(part[::-1] for part in corpus.parts)
            corpus = Corpus(corpus.split, corpus.languages[::-1], turned, corpus.flag)
        for language in corpus.languages:
            if language not in heard and not known_vocabulary:
                raise InputError(
                    f"{corpus.flag} {corpus.name}: {language} has no training text; add --mono {language}=..."
                )
        result.append(corpus)
    return result


def refuse_flags_without_effect(args) -> None:
    """Raises InputError: another flag settles already what a flag asks for; names both."""
    for owner, what, names in _SETTLED:
        given = [_as_flag(name) for name in names if getattr(args, name) is not None]
        if getattr(args, owner) and given:
            raise InputError(f"{_as_flag(owner)} {what}; leave out {', '.join(given)}, which would do nothing")


def _as_flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def read_vocabulary(args) -> Optional[Vocabulary]:
    """The existing vocabulary that the flags name, if they name one."""
    if args.like:
        return vocabulary_like(args.like)
    if (args.dictionary is None) != (args.codes is None):
        raise InputError("--dictionary and --codes belong together; give both, or --like DATA_BIN")
    if args.dictionary:
        return vocabulary_from_files(args.dictionary, args.codes, settings_of(args))
    if args.subwords == "tokenizer":
        raise InputError("--subwords tokenizer can't be learned; give --codes tokenizer.json and its --dictionary")
    return None


def settings_of(args) -> TextSettings:
    subwords = args.subwords or "sentencepiece"
    return TextSettings(
        unicode=args.unicode or ("none" if args.no_clean else "NFC"),
        normalize=not args.no_clean,
        tokenizer=args.tokenizer or ("moses" if subwords == "subword-nmt" else "none"),
        lowercase=bool(args.lowercase),
        subwords=subwords,
        reserve=reserved_tokens(args.reserve or []),
    )


def reserved_tokens(tokens: list[str]) -> tuple[str, ...]:
    """The tokens of --reserve.

    Raises:
        InputError: one of them is no token, is there twice, or has a meaning already.
    """
    for token in tokens:
        if is_reserved(token):
            raise InputError(f"--reserve {token} has a meaning already; choose another token")
        if tokens.count(token) > 1:
            raise InputError(f"--reserve names {token} twice; once is enough")
    try:
        return TextSettings(reserve=tuple(tokens)).reserve
    except InputError as error:
        raise InputError(f"--reserve: {error}") from None


def read_flags(args, settings: TextSettings, learns: bool) -> Flags:
    """The flags that change what is written, checked."""
    coverage = args.character_coverage
    if coverage is not None and not 0 < coverage <= 1:
        raise InputError(f"--character-coverage {coverage} is not in (0, 1]; 0.9995 suits Chinese and Japanese")
    alpha = SAMPLE.alpha if args.subword_alpha is None else args.subword_alpha
    if not 0 <= alpha <= 1:
        raise InputError(f"--subword-alpha {alpha} is not in [0, 1]; 1 takes languages as they are")
    pieces = LARGEST_LINE if args.max_pieces is None else args.max_pieces
    if pieces < 0:
        raise InputError(f"--max-pieces {pieces} is not a limit; give a positive number, or 0 for none")
    size = 32000 if args.vocab_size is None else args.vocab_size
    if size < SMALLEST:
        raise InputError(f"--vocab-size {size} is below {SMALLEST}; raise it")
    limits = Limits(0, 0, 0) if args.no_clean else limits_of(args)
    return Flags(
        cleaning=Cleaning(settings, limits, args.keep_duplicates or args.no_clean),
        sample=SampleFlags(args.subword_lines or SAMPLE.lines, alpha, coverage) if learns else None,
        vocab_size=size if learns else None,
        max_pieces=0 if args.no_clean else pieces,
        valid_lines=args.valid_lines,
        shards=args.shards,
        running_text=args.running_text,
        dialogue=read_dialogue(args.dialogue) if args.dialogue else None,
    )


def read_dialogue(path: Path) -> DialogueSettings:
    """How contexts are written.

    Raises:
        InputError: no such file, or another one.
    """
    if path.name != DIALOGUE_FILE or not path.is_file():
        raise InputError(f"--dialogue {path} is not a {DIALOGUE_FILE}; give the one beside the pairs")
    return DialogueSettings.load(path.parent)


def main(argv: Optional[list[str]] = None) -> int:
    args = make_parser().parse_args(argv)
    refuse_flags_without_effect(args)
    vocabulary = read_vocabulary(args)
    settings = vocabulary.codec.settings if vocabulary else settings_of(args)
    flags = read_flags(args, settings, learns=vocabulary is None)
    corpora = read_corpora(args, vocabulary is not None)
    if settings.tokenizer == "moses":
        refuse_without_spaces(sorted({language for corpus in corpora for language in corpus.languages}))
    with Progress("look through", args.progress) as bar:
        found = inspect_corpora(corpora, args.workers, bar.add)
    digests = {
        f"{c.flag} {c.name}": [found[path].digest for part in c.parts for path in part] for c in corpora
    }  # fmt: skip
    if vocabulary:
        digests["vocabulary"] = [vocabulary.digest()]
    look = partial(find_report, flags=flags, digests=digests)
    if already_done(NAME, args.destdir, REPORT_FILE, look, args.overwrite):
        print(f"{args.destdir} is ready already, from the same text and flags; nothing to do")
        return 0
    with building(NAME, args.destdir) as folder:
        report = build(corpora, found, flags, vocabulary, digests, folder, args.workers, args.progress)
        move_into_place(folder / "data-bin", args.destdir)
    print(format_report(report, args.destdir))
    return 0


if __name__ == "__main__":
    sys.exit(exit_status(NAME, main))
