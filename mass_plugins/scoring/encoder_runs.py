"""Scores of an example's encoders: ``python -m mass_plugins.scoring.encoder_runs``.

Each run is a file with a line for each number, tab-separated: system, seed, setting, metric, and the JSON file that
``mass-plugins evaluate tatoeba``, ``lareqa``, ``retrieval`` (of one run) or ``xor-retrieve`` wrote. The seeds of one
system become one score.
"""

import json
import sys
from pathlib import Path
from typing import Any, Iterable, Optional

from mass_plugins.errors import InputError
from mass_plugins.scoring.recipe_result import make_parser, write_result
from mass_plugins.scoring.result import Score


def find_number(content: dict[str, Any], metric: str) -> tuple[float, str]:
    """The number of a metric in a file, and its signature.

    Of ``tatoeba`` the average of both ways, or of one: ``accuracy, forward``, ``accuracy, backward``; ``lareqa`` has
    one number.

    Raises:
        KeyError, TypeError, ValueError: there is none.
    """
    if "average" in content:
        _, _, way = metric.partition(", ")
        ways = [float(pair[way]) for pair in content["pairs"].values()] if way else [float(content["average"])]
        return sum(ways) / len(ways), str(content["signature"])
    signature = str(content["signatures"][metric])
    if "recall" in content:
        return float(content["recall"][metric]["all"]), signature
    [queries] = content["queries"].values()
    found = queries[metric].values()
    return sum(found) / len(found), signature


def read_scores(paths: Iterable[Path]) -> list[Score]:
    """One score for each setting, metric and system, in the order of the files.

    Raises:
        InputError: another number of columns, a file without a number.
    """
    scores: dict[tuple[str, str, str], Score] = {}
    for path in paths:
        for line in path.read_text(encoding="utf-8").splitlines():
            cells = line.split("\t")
            if len(cells) != 5:
                raise InputError(
                    f"{path} has {len(cells)} columns; five are needed: system, seed, setting, metric, file"
                )
            system, seed, setting, metric, file = cells
            try:
                content = json.loads(Path(file).read_text(encoding="utf-8"))
                value, signature = find_number(content, metric)
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise InputError(f"{file}, named in {path}, holds no score ({error!r}); measure it again") from None
            score = scores.setdefault((setting, metric, system), Score(system, setting, metric, signature, [], []))
            score.values.append(value)
            score.seeds.append(int(seed))
    return list(scores.values())


def main(argv: Optional[list[str]] = None) -> int:
    options = make_parser("encoder_runs", __doc__).parse_args(argv)
    return write_result(options, lambda: (read_scores(options.runs), []))


if __name__ == "__main__":
    sys.exit(main())
