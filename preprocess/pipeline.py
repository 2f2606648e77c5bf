"""What prepare.py does once all flags and files have been checked: text -> words -> sub-words -> binary."""

import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from mass_plugins.data.dialogue import DialogueSettings
from mass_plugins.errors import InputError
from preprocess.binarize import Job, binarize
from preprocess.corpora import Corpus, Inspection
from preprocess.destination import say
from preprocess.report import make_report, write_report
from preprocess.stages import Cleaned, Cleaning, Encoded, clean, encode
from preprocess.subwords import RESERVED, Sample, SampleFlags, learn
from preprocess.vocabulary import Vocabulary
from preprocess.workers import in_process

NAME = "prepare.py"


@dataclass(frozen=True)
class Flags:
    """Everything that changes what is written, besides the text and an existing vocabulary."""

    cleaning: Cleaning
    sample: Optional[SampleFlags]  # None, like vocab_size, with an existing vocabulary
    vocab_size: Optional[int]
    max_pieces: int
    valid_lines: int
    shards: int
    running_text: bool = False  # neighbouring lines belong together
    dialogue: Optional[DialogueSettings] = None  # sources are contexts


def build(
    corpora: list[Corpus], found: dict[Path, Inspection], flags: Flags, vocabulary: Optional[Vocabulary],
    digests: dict, folder: Path, workers: int, progress: Optional[bool],
) -> dict:  # fmt: skip
    """Make ``folder/data-bin``; returns the report that is stored in it."""
    text, made = folder / "text", folder / "data-bin"
    text.mkdir()
    totals = [sum(found[part[0]].lines for part in corpus.parts) for corpus in corpora]
    say(NAME, f"cleaning {sum(totals)} lines: {', '.join(f'{corpus.split} {corpus.name}' for corpus in corpora)}")
    cleaned = []
    for number, (corpus, total) in enumerate(zip(corpora, totals)):
        cleaned.append(clean(corpus, total, text / f"words{number}", flags.cleaning, workers, progress))
    held_out = [lines_to_hold_out(NAME, item, corpora, flags) for item in cleaned]
    if vocabulary is None:
        vocabulary = learn_vocabulary(cleaned, flags)
    say(NAME, "encoding with the sub-words")
    encoded = [
        encode(
            item, text, vocabulary, flags.shards, hold_out, flags.max_pieces, flags.running_text,
            flags.dialogue is not None, workers, progress,
        )
        for item, hold_out in zip(cleaned, held_out)
    ]  # fmt: skip
    check_lines(encoded, flags)
    dictionary = folder / "dict.txt"
    counts = sum((tokens for item in encoded for tokens in item.tokens.values()), Counter())
    size = vocabulary.write_dictionary(dictionary, counts)
    languages = sorted({language for corpus in corpora for language in corpus.languages} | set(vocabulary.languages))
    shards = [made / str(i) for i in range(flags.shards)] if flags.shards > 1 else [made]
    say(NAME, "binarizing with fairseq-preprocess")
    binarize(make_jobs(encoded, shards), dictionary, workers)
    for shard in shards:
        vocabulary.codec.save(shard)
        if flags.dialogue:
            flags.dialogue.save(shard)
        for language in languages:
            shutil.copyfile(dictionary, shard / f"dict.{language}.txt")
    report = make_report(flags, digests, size, languages, cleaned, encoded)
    write_report(made, report)
    return report


def learn_vocabulary(cleaned: list[Cleaned], flags: Flags) -> Vocabulary:
    """Joint sub-words from all training text, monolingual and the sides of pairs."""
    files: dict[str, list[Path]] = {}
    sizes: Counter = Counter()
    for item in cleaned:
        for language, side in zip(item.corpus.languages, item.corpus.sides) if item.corpus.split == "train" else ():
            files.setdefault(language, []).append(item.file(side))
            sizes[language] += item.lines
    settings = flags.cleaning.settings
    sample = Sample(files, dict(sizes), flags.sample, settings.reserve)
    drawn = ", ".join(f"{count} lines of {language}" for language, count in sample.quotas.items())
    learned = flags.vocab_size - RESERVED - len(settings.reserve)
    say(NAME, f"learning {learned} sub-words ({settings.subwords}) from {drawn}")
    codec, symbols = in_process(learn, settings, sample, flags.vocab_size, flags.sample)
    return Vocabulary(codec, [*settings.reserve, *symbols])


def lines_to_hold_out(tool: str, item: Cleaned, corpora: list[Corpus], flags: Flags) -> int:
    """How many lines of training text become validation text: none if the user gave some. ``tool`` says so.

    Raises:
        InputError: too few lines for that and for a line in each shard.
    """
    corpus = item.corpus
    if corpus.split != "train":
        return 0
    count, flag = 0, f"--valid-{corpus.kind} {corpus.name}=..."
    if not any(c.split == "valid" and c.languages == corpus.languages for c in corpora):
        count = max(1, min(flags.valid_lines, item.lines // 10))
        say(tool, f"{corpus.name}: no {flag} given, {count} of {item.lines} lines are held out for validation")
    if item.lines < count + flags.shards:
        raise InputError(
            f"{corpus.flag} {corpus.name}: {item.lines} lines are too few for --shards {flags.shards} and "
            f"{count} lines of validation text; give more text"
        )
    return count


def check_lines(encoded: list[Encoded], flags: Flags) -> None:
    """Every file needs a line, or fairseq fails later: the limit on sub-words may have dropped the last one."""
    for item in encoded:
        if min(item.lines) == 0 or (item.held_out and not item.held_out_lines):
            raise InputError(
                f"{item.corpus.flag} {item.corpus.name}: {item.too_long} lines have over {flags.max_pieces} sub-words "
                "and too few are left; raise --max-pieces or give shorter lines"
            )


def make_jobs(encoded: list[Encoded], shards: list[Path]) -> list[Job]:
    """One run of fairseq-preprocess for each corpus and shard; validation and test text in the first."""
    jobs: dict[tuple, Job] = {}

    def add(item: Encoded, split: str, shard: int, prefix: Path, lines: int) -> None:
        key = (shard, item.corpus.languages)
        job = jobs.setdefault(key, Job(item.corpus.name, item.corpus.sides, {}, {}, shards[shard]))
        job.prefixes[split], job.lines[split] = prefix, lines

    for item in encoded:
        for shard, (prefix, lines) in enumerate(zip(item.shards, item.lines)):
            add(item, item.corpus.split, shard, prefix, lines)
        if item.held_out:
            add(item, "valid", 0, item.held_out, item.held_out_lines)
    return list(jobs.values())
