"""``mass-plugins evaluate rouge``: summaries against references."""

import sys
from pathlib import Path

from mass_plugins.commands.flags import add_json, natural, reporter, samples, write_numbers
from mass_plugins.errors import InputError

HELP = "ROUGE-1, -2 and -L of summaries, with bootstrap intervals and a signature"


def add_flags(command):
    command.add_argument("summaries", type=Path, help="one summary per line, detokenized")
    command.add_argument("references", type=Path, help="one reference per line, or several, separated by tabs")
    command.add_argument("--baseline", type=Path, metavar="FILE", help="summaries of another system, to compare with")
    add = command.add_argument_group("settings, which the signature names").add_argument
    add("--no-stem", action="store_true", help="compare words, not Porter's stems")
    add("--unicode", action="store_true", help="for languages other than English: keep all letters, no stems")
    add("--summary-level", action="store_true", help="ROUGE-L over sentences, for summaries of several (CNN/DailyMail)")
    add("--samples", type=samples, default=1000, help="of the bootstrap (default 1000)")
    add("--confidence", type=float, default=0.95, help="of the intervals (default 0.95)")
    add("--seed", type=natural, default=12345, help="of the bootstrap (default 12345)")
    add_json(command)


def run(options):
    from mass_plugins.data.text_files import read_text
    from mass_plugins.scoring.rouge import RougeSettings, corpus_rouge, paired_bootstrap, without_a_word

    say = reporter(options)
    settings = RougeSettings(
        stem=not (options.no_stem or options.unicode),
        tokenize="unicode" if options.unicode else "ascii",
        summary_level=options.summary_level,
        samples=options.samples,
        confidence=options.confidence,
        seed=options.seed,
    )
    references = [line.split("\t") for line in read_text(options.references, "references")]
    summaries = _as_many(options.summaries, "summaries", references, options.references)
    empty = without_a_word(references, settings)
    if 2 * empty > len(references):
        mend = "" if options.unicode else "; for text that isn't English give --unicode"
        print(
            f"mass_plugins: warning: {empty} of {len(references)} references have no word for the tokenizer "
            f"{settings.tokenize}, so their summaries score 0{mend}",
            file=sys.stderr,
        )
    found = corpus_rouge(summaries, references, settings)
    tests = []
    if options.baseline:
        baseline = _as_many(options.baseline, "--baseline", references, options.references)
        tests = paired_bootstrap(baseline, summaries, references, settings)
    for name, score in found.items():
        say(f"{name}  {score.score:.2f}  [{score.low:.2f}, {score.high:.2f}]")
    for test in tests:
        say(f"{test.metric}  {test.difference:+.2f} against {options.baseline}, p = {test.p_value:.3f}")
    say(found["ROUGE-1"].signature)
    numbers = {name: score._asdict() for name, score in found.items()}
    write_numbers(options.json, numbers | {"comparisons": [test._asdict() for test in tests]})


def _as_many(path, flag, references, name):
    from mass_plugins.data.text_files import read_text

    lines = read_text(path, flag)
    if len(lines) != len(references):
        raise InputError(f"{flag}: {path} has {len(lines)} lines, {name} {len(references)}; line n belongs to line n")
    return lines
