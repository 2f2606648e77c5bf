"""A small collection and the steps from groups to a ranking, for tests that run the real commands."""

import json
from pathlib import Path

from tests import tiny

DOCUMENTS, QUERIES = 60, 20
ENCODER = (
    "--encoder-layers 1 --encoder-embed-dim 16 --encoder-ffn-embed-dim 16 --encoder-attention-heads 2 "
    "--max-positions 64"
).split()
TRAINING = "--optimizer adam --lr 0.003 --num-workers 0 --log-format json --log-interval 1".split()
PRETRAIN = ["--task", "dupmae_pretraining", "--arch", "dupmae_tiny", *ENCODER, "--criterion", "dupmae", *TRAINING]
PRETRAIN += ["--langs", "en", "--max-tokens", "500"]
GROUPS = ["--query-tokens", "16", "--passage-tokens", "48", "--group-size", "3", "--batch-size", "4"]
RETRIEVER = ["--task", "retrieval_finetuning", "--arch", "retriever_tiny", *ENCODER, "--criterion", "retrieval"]
RETRIEVER += [*TRAINING, *GROUPS, "--cls-dim", "8", "--ot-top", "6", "--disable-validation"]
TEACHER = ["--task", "relevance_finetuning", "--arch", "cross_encoder_tiny", *ENCODER, "--criterion", "relevance"]
TEACHER += [*TRAINING, *GROUPS, "--disable-validation"]


def write_collection(folder: Path) -> None:
    """corpus.jsonl (one document empty, one of a word), queries.tsv, qrels.txt: a query begins as its document."""
    texts = tiny.sentences(DOCUMENTS, ["en"], "documents")["en"]
    texts[-2:] = ["", texts[-1].split()[0]]
    lines = [json.dumps({"_id": f"d{n}", "title": "", "text": text}) for n, text in enumerate(texts)]
    (folder / "corpus.jsonl").write_text("".join(line + "\n" for line in lines))
    queries = [f"q{n}\t{' '.join(text.split()[:3])}\n" for n, text in enumerate(texts[:QUERIES])]
    (folder / "queries.tsv").write_text("".join(queries))
    (folder / "qrels.txt").write_text("".join(f"q{n} 0 d{n} 1\n" for n in range(QUERIES)))
