"""``make results``: tables from ``examples/*/result.json``, between two marks of a README.

The top README gets one table per example, of the first metric of each setting, with the outcome that the example's
card states, and the names of the examples that have no result. Each card gets all metrics, the raw values and the
significance tests. One table over all examples is printed.
"""

import argparse
import json
import re
import statistics
import sys
from pathlib import Path
from typing import Optional, Sequence

from mass_plugins.data.text_files import write_whole
from mass_plugins.errors import InputError
from mass_plugins.scoring.result import configuration_changed

BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"


CHANGED = "; measured before its configuration changed"
STAR = " *"  # the same in a terminal


LINK = re.compile(r"\]\(([^/)]+)/README\.md\)")  # to an example, from examples/README.md
OUTCOME = re.compile(r"^\*\*Outcome:\*\* (.+?)(?=\n\n|\Z)", re.MULTILINE | re.DOTALL)


def table(result: dict, outcome: str = "", changed: bool = False) -> str:
    """One example in Markdown, as the top README shows it: the first metric of each setting.

    ``outcome``: what the result says of the claim; ``changed``: its configuration is another one now.
    """
    first: dict[str, str] = {}
    for score in result["scores"]:
        first.setdefault(score["setting"], score["metric"])
    scores = [score for score in result["scores"] if score["metric"] == first[score["setting"]]]
    status = result["status"] + (CHANGED if changed else "")
    signatures = dict.fromkeys(f"{score['metric']}: `{score['signature']}`" for score in scores)
    lines = [
        f"**[{result['example']}](examples/{result['example']}/README.md)**, {status}. Claim: {result['claim']}.",
        *([f"**Outcome:** {outcome}"] if outcome else []),
        "",
        *_by_system(scores),
        "",
        "; ".join(signatures) + f"; {result['hardware']}.",
    ]
    return "\n".join(lines)


def _by_system(scores: list[dict]) -> list[str]:
    """One row per setting and metric, one column per system, the best of several in a row in bold."""
    found = {(score["setting"], score["metric"], score["system"]): score for score in scores}
    systems = list(dict.fromkeys(score["system"] for score in scores))
    lines = [f"| | {' | '.join(systems)} |", f"|---|{'---|' * len(systems)}"]
    for setting, metric in dict.fromkeys(map(_setting_and_metric, scores)):
        here = {system: score for system in systems if (score := found.get((setting, metric, system)))}
        choose = min if any(score.get("lower_is_better") for score in here.values()) else max
        best = choose(score["mean"] for score in here.values())
        shown = {system: _cell(score, len(here) > 1 and score["mean"] == best) for system, score in here.items()}
        lines.append(f"| {setting}, {metric} | {' | '.join(shown.get(system, '') for system in systems)} |")
    return lines


def _mean(score: dict) -> str:
    """To one place, from the values: the mean of result.json has been rounded once already."""
    values = score["values"]
    text = f"{statistics.fmean(values):.1f}"
    return f"{text} ± {statistics.stdev(values):.1f}" if len(values) > 1 else text


def _cell(score: dict, best: bool) -> str:
    text = _mean(score)
    if best:
        text = f"**{text}**"
    return f"{text} (paper {score['paper']})" if score.get("paper") is not None else text


def details(result: dict, changed: bool = False) -> str:
    """What a card shows in Markdown: all metrics, values and paired tests; ``changed`` as in :func:`table`."""
    lines = ["Measured before the configuration changed.", ""] if changed else []
    lines += _by_system(result["scores"])
    if result["comparisons"]:
        pooled = all("interval" in test for test in result["comparisons"])  # over the means of the seeds
        named = "value, 95 % interval | p-value" if pooled else "by seed | p-values"
        lines += ["", f"| setting | difference | {named} |", "|---|---|---|---|"]
    for test in result["comparisons"]:
        differences = ", ".join(f"{value:+.2f}" for value in test["differences"])
        if "interval" in test:
            differences += " ({:+.2f} to {:+.2f})".format(*test["interval"])
        p_values = ", ".join(f"{value:.3f}" if value >= 0.0005 else "< 0.001" for value in test["p_values"])
        metric = f" ({test['metric']})" if "metric" in test else ""
        named = f"{test['system']} less {test['baseline']}{metric}"
        lines.append(f"| {test['setting']} | {named} | {differences} | {p_values} |")
    signatures = {(score["metric"], score["signature"]) for score in result["scores"]}
    signatures |= {(test["test"], test["signature"]) for test in result["comparisons"]}
    lines += ["", *(f"{name}: `{signature}`  " for name, signature in sorted(signatures))]
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    commit = f"{result['commit'][:10]}{' with changes' if result['dirty'] else ''}" if result["commit"] else "none"
    lines.append(f"{result['hardware']}; {versions}; commit {commit}; all stages added up {result['seconds']} s.")
    lines += ["", "<details><summary>Every value</summary>", ""]
    lines += ["| setting | system | metric | mean | raw values | seeds |", "|---|---|---|---|---|---|"]
    for score in result["scores"]:
        bounds = [f" [{low:.2f}, {high:.2f}]" for low, high in score.get("intervals", [])] or [""] * len(
            score["values"]
        )
        values = ", ".join(f"{value:.2f}{interval}" for value, interval in zip(score["values"], bounds))
        seeds = ", ".join(map(str, score["seeds"]))
        names = " | ".join(score[key] for key in ("setting", "system", "metric"))
        lines.append(f"| {names} | {_cell(score, False)} | {values} | {seeds} |")
    return "\n".join([*lines, "", "</details>"])


def _setting_and_metric(score: dict) -> tuple[str, str]:
    return score["setting"], score["metric"]


def overview(results: list[dict], changed: Sequence[bool]) -> str:
    """One table over all examples, to be read in a terminal: one line per score, names repeated where they change.

    ``changed``: of each example whether its configuration is another one now; a star marks it.
    """
    head = ("example", "setting", "metric", "system", "mean", "paper", "seeds")
    rows, last = [], ("", "", "")
    for result, star in zip(results, changed):
        order = {key: i for i, key in enumerate(dict.fromkeys(map(_setting_and_metric, result["scores"])))}
        for score in sorted(result["scores"], key=lambda score: order[_setting_and_metric(score)]):
            names = (result["example"] + STAR * star, score["setting"], score["metric"])
            known = next((i for i, (old, new) in enumerate(zip(last, names)) if old != new), 3)
            paper = "" if score["paper"] is None else f"{score['paper']:.1f}"
            seeds = str(len(score["values"]))
            rows.append((*[""] * known, *names[known:], score["system"], _mean(score), paper, seeds))
            last = names
    widths = [max(map(len, column)) for column in zip(head, *rows)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in (head, *rows)]
    return "\n".join([*lines, *["*" + CHANGED.removeprefix(";")] * any(changed)])


def between_marks(readme: str, name: str, text: str) -> str:
    """``readme`` with ``text`` between the marks.

    Raises:
        InputError: a mark is missing.
    """
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise InputError(f"{name} lacks the marks {BEGIN} and {END}; put them where the tables belong")
    return f"{before}{BEGIN}\n\n{text}\n\n{END}{after}"


def outcome_of(card: str, name: str) -> str:
    """What a card states about its claim: the text of its paragraph ``**Outcome:** ...``, on one line.

    Raises:
        InputError: there is none.
    """
    found = OUTCOME.search(card)
    if not found:
        raise InputError(
            f"{name} lacks a paragraph that begins with **Outcome:**; write what the result says of the claim"
        )
    return " ".join(found[1].split())


def find_results(root: Path) -> dict[Path, dict]:
    """``result.json`` → what it holds, for every example, in the order in which ``examples/README.md`` links to them.

    Those without a link come next; the demo, whose languages are artificial, is the last.
    """
    order = root / "examples" / "README.md"
    links = LINK.findall(order.read_text(encoding="utf-8")) if order.exists() else []

    def place(file: Path) -> tuple[bool, int, str]:
        name = file.parent.name
        return name == "demo", links.index(name) if name in links else len(links), name

    files = sorted(root.glob("examples/*/result.json"), key=place)
    return {file: json.loads(file.read_text(encoding="utf-8")) for file in files}


def pages(root: Path, results: dict[Path, dict]) -> dict[Path, str]:
    """README → what it should say, for the top one and every card with a ``result.json``.

    Raises:
        InputError: a README, a mark or an outcome is missing.
    """
    changed = {file: configuration_changed(result, root) for file, result in results.items()}
    tables, found = [], {}
    for file, result in results.items():
        card = file.with_name("README.md")
        text = _read(card)
        tables.append(table(result, outcome_of(text, str(card)), changed[file]))
        found[card] = between_marks(text, str(card), details(result, changed[file]))
    cards = [card for card in sorted(root.glob("examples/*/README.md")) if card not in found]
    missing = ", ".join(f"[{card.parent.name}]({card.relative_to(root).as_posix()})" for card in cards)
    readme, text = root / "README.md", "\n\n".join([*tables, *([f"Not run yet: {missing}."] if cards else [])])
    return {readme: between_marks(_read(readme), str(readme), text), **found}


def _read(readme: Path) -> str:
    if not readme.exists():
        raise InputError(f"{readme} doesn't exist; run this at the top of the repository, write the missing card")
    return readme.read_text(encoding="utf-8")


def main(argv: Optional[list[str]] = None) -> int:
    parser = argparse.ArgumentParser(prog="results", description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; status 1 if the README is out of date")
    parser.add_argument("--root", type=Path, default=Path.cwd(), help="top of the repository (default: here)")
    options = parser.parse_args(argv)
    results = find_results(options.root)
    try:
        found = pages(options.root, results)
    except InputError as error:
        print(f"mass_plugins: error: {error}", file=sys.stderr)
        return 1
    old = [readme for readme, text in found.items() if readme.read_text(encoding="utf-8") != text]
    if options.check:
        for readme in old:
            print(f"mass_plugins: error: {readme} is out of date; run make results", file=sys.stderr)
        return int(bool(old))
    for readme in old:
        write_whole(readme, found[readme].encode("utf-8"))
    print(overview(list(results.values()), [configuration_changed(each, options.root) for each in results.values()]))
    print(f"\n{len(old)} of {len(found)} pages changed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
