"""``mass-plugins evaluate retrieval``: TREC runs against judgements."""

import argparse
from itertools import combinations
from pathlib import Path

from mass_plugins.commands.flags import add_json, name_and_path, reporter, write_numbers

HELP = "nDCG, MRR and recall of TREC runs, and paired tests between them"


def add_flags(command):
    command.add_argument("runs", nargs="+", metavar="[NAME=]RUN", help="TREC runs of the same queries")
    add = command.add_argument
    add("--qrels", required=True, type=Path, help="judgements, in TREC's form or BEIR's")
    add(
        "--measures", nargs="+", metavar="NAME@N",
        help="nDCG, MRR, Recall, mAP at any depth (default: nDCG@10 MRR@10 Recall@100 Recall@1000)",
    )  # fmt: skip
    add("--corpus", nargs="+", type=Path, metavar="FILE", help="check that every judged document is in it")
    add("--ignore-identical-ids", action=argparse.BooleanOptionalAction,
        help="leave a document with the query's own id out of its ranking (default: where QRELS has BEIR's header, as "
        "BEIR does)")  # fmt: skip
    add(
        "--compare", action=argparse.BooleanOptionalAction, default=True, help="paired tests of each two runs (default)"
    )
    add_json(command, "the numbers, those of each query included")


def run(options):
    from mass_plugins.data.retrieval_files import (
        check_judged_documents,
        has_beir_header,
        read_judgements,
        read_passages,
        read_run,
    )
    from mass_plugins.errors import InputError
    from mass_plugins.scoring import retrieval

    say = reporter(options)
    measures = tuple(dict.fromkeys(options.measures or retrieval.MEASURES))
    ignore = options.ignore_identical_ids
    if ignore is None:
        ignore = has_beir_header(options.qrels)
    signatures = {measure: retrieval.signature(measure, ignore) for measure in measures}
    judgements = read_judgements(options.qrels)
    irrelevant = sum(max(grades.values()) <= 0 for grades in judgements.values())
    if options.corpus:
        check_judged_documents(judgements, options.qrels, (passage.id for passage in read_passages(options.corpus)))
    found = {}
    for text in options.runs:
        name, path = name_and_path(text)
        if name in found:
            raise InputError(f"two runs have the name {name}; tell them apart, as in NAME={path}")
        rankings = dict(read_run(path, "RUN"))
        if not judgements.keys() & rankings.keys():
            raise InputError(
                f"{path} has no query that {options.qrels} judges; give the judgements of this run's queries"
            )
        found[name] = retrieval.measure_queries(judgements, rankings.items(), measures, ignore)
        left_out = retrieval.unjudged(judgements, rankings)
        missing = len(judgements.keys() - rankings.keys())
        notes = [f"{len(left_out)} queries without a judgement left out"] if left_out else []
        notes += [f"{missing} judged queries without a ranking count 0"] if missing else []
        notes += [f"{irrelevant} queries that no document is judged relevant to count 0"] if irrelevant else []
        own = sum(any(document == query for document, _ in ranking) for query, ranking in rankings.items())
        notes += [f"{own} rankings less the document with their query's id"] if own and ignore else []
        means = "  ".join(f"{m} {sum(v.values()) / len(v):.2f}" for m, v in found[name].items())
        say(f"{name}: {means}  ({len(judgements)} queries{''.join('; ' + note for note in notes)})")
    comparisons = []
    for (other, theirs), (name, ours) in combinations(found.items(), 2) if options.compare else ():
        for measure in measures:
            order = sorted(judgements)
            sides = [[values[measure][query] for query in order] for values in (ours, theirs)]
            comparisons.append(retrieval.compare(measure, (name, sides[0]), (other, sides[1])))
    for c in comparisons:
        say(
            f"{c.measure}, {c.system} less {c.baseline}: {c.difference:+.2f} (95 %: {c.low:+.2f} to {c.high:+.2f}), "
            f"p = {c.p_value:.4f}"
        )
    say("\n".join(signatures.values()))
    tests = [c._asdict() for c in comparisons]
    write_numbers(options.json, {"signatures": signatures, "queries": found, "comparisons": tests})
