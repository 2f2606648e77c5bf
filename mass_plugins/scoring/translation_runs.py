"""Score the translations of an example's runs: ``python -m mass_plugins.scoring.translation_runs``.

Each run is a file of one line, tab-separated: system, setting, seed, translation, reference, where the
last two are files of detokenized text; then, if wanted, their language, which --tokenized-bleu needs, and
the paper's number (of tokenized BLEU if that is scored). The runs of one system in one setting become one
score over seeds, or two with --tokenized-bleu; any two systems of a setting are compared by paired
bootstrap, a seed with the same seed.
"""

import sys
from itertools import combinations
from pathlib import Path
from typing import Any, Callable, NamedTuple, Optional

from mass_plugins.errors import InputError
from mass_plugins.scoring.bleu import corpus_bleu, paired_bootstrap, tokenized_bleu
from mass_plugins.scoring.recipe_result import Collected, comparison, make_parser, write_result
from mass_plugins.scoring.result import Score

# --tokenized-bleu → the name of the metric
TOKENIZED = {"cased": "tokenized BLEU", "lowercased": "tokenized lower-cased BLEU"}


class TranslationRun(NamedTuple):
    system: str
    setting: str
    seed: int
    translation: list[str]
    reference: list[str]
    language: Optional[str] = None  # target; Moses' rules go by it
    paper: Any = None  # a number; of several metrics as many
    file: Optional[Path] = None


def read_run(path: Path, parse_paper: Callable[[str], Any] = float) -> TranslationRun:
    """Raises InputError: another number of columns, a file that is missing, lines that don't pair up."""
    cells = path.read_text(encoding="utf-8").rstrip("\n").split("\t")
    if not 5 <= len(cells) <= 7:
        raise InputError(f"{path} has {len(cells)} columns; five to seven are needed: {TranslationRun._fields}")
    system, setting, seed, *files = cells[:5]
    language, paper = (cells[5:] + ["", ""])[:2]
    translation, reference = (_lines(Path(file)) for file in files)
    if len(translation) != len(reference):
        raise InputError(f"{files[0]} has {len(translation)} lines, its reference {files[1]} {len(reference)}")
    published = parse_paper(paper) if paper else None
    return TranslationRun(system, setting, int(seed), translation, reference, language or None, published, path)


def _lines(path: Path) -> list[str]:
    if not path.exists():
        raise InputError(f"{path} doesn't exist; run the recipe again")
    return path.read_text(encoding="utf-8").removesuffix("\n").split("\n")


def score_runs(runs: list[TranslationRun], tokenized: Optional[str] = None) -> list[Score]:
    """One score for each setting and system, in the order of the runs; ``tokenized``: and one of this kind.

    Raises:
        InputError: ``tokenized``, and a run whose language is unknown; or other than that of the setting's others.
    """
    collected = Collected()
    for run in runs:
        found = {"BLEU": corpus_bleu(run.translation, run.reference)}
        if tokenized:
            if not run.language:
                raise InputError(f"{run.system}, {run.setting}: --tokenized-bleu needs its language; record it, too")
            lowercase = tokenized == "lowercased"
            found[TOKENIZED[tokenized]] = tokenized_bleu(run.translation, run.reference, run.language, lowercase)
        for metric, bleu in found.items():
            paper = run.paper if metric == list(found)[-1] else None
            collected.add(run, run.setting, metric, bleu.signature, bleu.score, paper=paper)
    return collected.scores()


def compare_runs(runs: list[TranslationRun]) -> list[dict]:
    """Paired bootstrap of any two systems of a setting; of two, the earlier one is the baseline."""
    settings: dict[str, dict[str, dict[int, TranslationRun]]] = {}
    for run in runs:
        settings.setdefault(run.setting, {}).setdefault(run.system, {})[run.seed] = run
    comparisons = []
    for setting, systems in settings.items():
        for baseline, system in combinations(systems, 2):
            seeds = sorted(systems[baseline].keys() & systems[system].keys())
            pairs = [(systems[baseline][seed], systems[system][seed]) for seed in seeds]
            tests = [
                paired_bootstrap({baseline: old.translation, system: new.translation}, old.reference)[0]
                for old, new in pairs
            ]
            if not tests:
                continue
            comparisons.append(comparison(setting, system, baseline, seeds, tests, tests[0].signature))
    return comparisons


def main(argv: Optional[list[str]] = None) -> int:
    parser = make_parser("translation_runs", __doc__)
    parser.add_argument(
        "--tokenized-bleu", choices=TOKENIZED, help="BLEU of Moses-tokenized text as well, as multi-bleu.perl counts it"
    )
    options = parser.parse_args(argv)

    def scored() -> tuple[list[Score], list[dict]]:
        runs = [read_run(path) for path in options.runs]
        return score_runs(runs, options.tokenized_bleu), compare_runs(runs)

    return write_result(options, scored)


if __name__ == "__main__":
    sys.exit(main())
