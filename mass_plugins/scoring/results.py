"""The README's results: tables from ``examples/*/result.json``, between two marks. ``make results``."""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Optional

from mass_plugins.errors import InputError

BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"


def table(result: dict) -> str:
    """One example in Markdown: a row a setting, a column a system, the best of a row in bold."""
    scores = {(score["setting"], score["system"], score["metric"]): score for score in result["scores"]}
    systems = list(dict.fromkeys(score["system"] for score in result["scores"]))
    rows = list(dict.fromkeys((score["setting"], score["metric"]) for score in result["scores"]))
    lines = [
        f"**[{result['example']}](examples/{result['example']}/README.md)**, {result['status']}: {result['claim']}",
        "",
        f"| | {' | '.join(systems)} |",
        f"|---|{'---|' * len(systems)}",
    ]
    for setting, metric in rows:
        here = [scores.get((setting, system, metric)) for system in systems]
        best = max(score["mean"] for score in here if score)
        cells = [_cell(score, len(systems) > 1 and score["mean"] == best) if score else "" for score in here]
        lines.append(f"| {setting}, {metric} | {' | '.join(cells)} |")
    signatures = dict.fromkeys(f"{score['metric']}: `{score['signature']}`" for score in result["scores"])
    return "\n".join([*lines, "", "; ".join(signatures) + f"; {result['hardware']}."])


def _cell(score: dict, best: bool) -> str:
    text = f"{score['mean']:.1f}"
    if len(score["values"]) > 1:
        text += f" ± {score['std']:.1f}"
    if best:
        text = f"**{text}**"
    return f"{text} (paper {score['paper']})" if score.get("paper") is not None else text


def with_results(readme: str, results: list[dict]) -> str:
    """``readme`` with new tables between the marks.

    Raises:
        InputError: a mark is missing.
    """
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise InputError(f"the README lacks the marks {BEGIN} and {END}; put them where the tables belong")
    return f"{before}{BEGIN}\n\n{''.join(table(result) + chr(10) * 2 for result in results)}{END}{after}"


def main(argv: Optional[list[str]] = None) -> int:
    parser = argparse.ArgumentParser(prog="results", description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; status 1 if the README is out of date")
    parser.add_argument("--root", type=Path, default=Path.cwd(), help="top of the repository (default: here)")
    options = parser.parse_args(argv)
    try:
        files = sorted(options.root.glob("examples/*/result.json"))
        readme = options.root / "README.md"
        if not readme.exists():
            raise InputError(f"{readme} doesn't exist; run this at the top of the repository")
        old = readme.read_text(encoding="utf-8")
        new = with_results(old, [json.loads(file.read_text(encoding="utf-8")) for file in files])
    except InputError as error:
        print(f"mass_plugins: error: {error}", file=sys.stderr)
        return 1
    if options.check:
        if old != new:
            print("mass_plugins: error: README.md is out of date; run make results", file=sys.stderr)
        return int(old != new)
    temporary = Path(f"{readme}.tmp")
    temporary.write_text(new, encoding="utf-8")
    os.replace(temporary, readme)
    print(f"{readme}: {len(files)} examples")
    return 0


if __name__ == "__main__":
    sys.exit(main())
