"""Training groups of dupmae_small: the pairs of ``train.jsonl``, with hard negatives mined among all documents.

    python groups.py collect TEXT OUT         corpus.jsonl, queries.jsonl, qrels.txt of all collections, to mine with
    python groups.py join TEXT MINED OUTPUT   the pairs of train.jsonl with the negatives of MINED

The positives stay as train.jsonl has them: the passage of a query that is a title lacks that title. In the corpus the
same passage has it, and would be found by its first words alone.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from mass_plugins.data.retrieval_groups import GroupFile  # noqa: E402


def collect(text: Path, out: Path) -> None:
    """``text`` is what retrieval_text.py has written; ids get their collection's name in front."""
    groups = GroupFile(text / "train.jsonl", "train.jsonl")
    with (
        open(out / "corpus.jsonl", "w", encoding="utf-8") as corpus,
        open(out / "queries.jsonl", "w", encoding="utf-8") as queries,
        open(out / "qrels.txt", "w", encoding="utf-8") as qrels,
    ):
        for path in sorted(text.glob("*/corpus.jsonl")):
            for line in path.read_text(encoding="utf-8").splitlines():
                row = json.loads(line)
                corpus.write(json.dumps({**row, "_id": f"{path.parent.name}-{row['_id']}"}) + "\n")
        for query, positives, _ in (groups[number] for number in range(len(groups))):
            queries.write(json.dumps({"_id": query.id, "text": query.text}) + "\n")
            qrels.writelines(f"{query.id} 0 {found.passage.id} 1\n" for found in positives)


def join(text: Path, mined: Path, output: Path) -> None:
    """Groups in the order of ``mined``, which leaves out queries without a negative."""
    groups, found = GroupFile(text / "train.jsonl", "train.jsonl"), GroupFile(mined, "mined")
    own = {group.query.id: group.positives for group in (groups[number] for number in range(len(groups)))}
    with open(output, "w", encoding="utf-8") as file:
        for group in (found[number] for number in range(len(found))):
            file.write(group._replace(positives=own[group.query.id]).as_json() + "\n")


if __name__ == "__main__":
    {"collect": collect, "join": join}[sys.argv[1]](*map(Path, sys.argv[2:]))
