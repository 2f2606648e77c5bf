"""Scores of an example's encoders: ``python -m mass_plugins.scoring.encoder_runs``.

Each run is a file with a line for each number, tab-separated: system, seed, setting, metric, and the JSON file that
``mass-plugins evaluate tatoeba`` or ``lareqa`` wrote. The seeds of one system become one score.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Iterable

from mass_plugins.errors import InputError
from mass_plugins.scoring.result import Result, Score, hash_of_files


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
                value, signature = float(content["average"]), str(content["signature"])
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise InputError(f"{file}, named in {path}, holds no score ({error!r}); measure it again") from None
            score = scores.setdefault((setting, metric, system), Score(system, setting, metric, signature, [], []))
            score.values.append(value)
            score.seeds.append(int(seed))
    return list(scores.values())


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("runs", nargs="+", type=Path, help="files of a line a number")
    parser.add_argument("--example", type=Path, required=True, help="folder of the example")
    parser.add_argument("--claim", required=True)
    parser.add_argument("--status", required=True)
    parser.add_argument("--config", nargs="+", type=Path, required=True, help="files that fix the experiment")
    parser.add_argument("--seconds", type=int, required=True, help="of all stages together")
    parser.add_argument("--output", type=Path, required=True, help="result.json")
    arguments = parser.parse_args(argv)
    try:
        scores = read_scores(arguments.runs)
        result = Result(
            example=arguments.example.name,
            claim=arguments.claim,
            status=arguments.status,
            command=f"bash examples/{arguments.example.name}/run.sh",
            config_hash=hash_of_files(arguments.config),
            seconds=arguments.seconds,
            scores=scores,
        )
        result.write(arguments.output, arguments.example)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for score in result.scores:
        print(f"{score.setting}, {score.system}, {score.metric}: {score.mean:.2f} ± {score.std:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
