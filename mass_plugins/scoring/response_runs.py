"""Score the responses of an example's runs: ``python -m mass_plugins.scoring.response_runs``.

Each run is a file of one line, tab-separated: system, setting, seed, responses, real answers, the JSON that
``mass-plugins evaluate perplexity --json`` wrote, and, if there is one, the paper's perplexity. The runs of one
system in one setting become one score a metric: perplexity, BLEU, distinct-1 and distinct-2.
"""

import json
import sys
from pathlib import Path
from typing import Optional

from mass_plugins.errors import InputError
from mass_plugins.scoring.bleu import corpus_bleu
from mass_plugins.scoring.distinct import distinct
from mass_plugins.scoring.recipe_result import Collected, make_parser, write_result
from mass_plugins.scoring.result import Score
from mass_plugins.scoring.translation_runs import TranslationRun, read_run


def score_runs(runs: list[TranslationRun]) -> list[Score]:
    """A score for each setting, metric and system, in the order of the runs.

    Raises:
        InputError: signatures of one setting and metric that differ, as where perplexities count other sub-words.
    """
    collected = Collected()
    for run in runs:
        measured = read_perplexity(Path(run.language or ""))
        bleu, one, two = corpus_bleu(run.translation, run.reference), *(distinct(run.translation, n) for n in (1, 2))
        for metric, value, signature in (
            ("perplexity", measured["perplexity"], measured["signature"]),
            ("BLEU", bleu.score, bleu.signature),
            ("distinct-1", one.score, one.signature),
            ("distinct-2", two.score, two.signature),
        ):
            lower = metric == "perplexity"
            paper = run.paper if lower else None
            collected.add(run, run.setting, metric, signature, value, paper=paper, lower_is_better=lower)
    return collected.scores()


def read_perplexity(path: Path) -> dict:
    """Raises InputError: the file isn't there, or isn't what the command writes."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {"perplexity": float(found["perplexity"]), "signature": str(found["signature"])}
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(f"{path} holds no perplexity; run the recipe again") from None


def main(argv: Optional[list[str]] = None) -> int:
    options = make_parser("response_runs", __doc__).parse_args(argv)
    return write_result(options, lambda: (score_runs([read_run(path) for path in options.runs]), []))


if __name__ == "__main__":
    sys.exit(main())
