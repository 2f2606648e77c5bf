"""DupMAE's masks and updates against a loop over examples, and hybrid search against a brute-force product.

    python benchmarks/dupmae.py [--output benchmarks/dupmae.json]

masking    Both sides turn a batch's texts into masked tokens and what each row of the decoder sees, position by
           position: ours by patterns, of which the model makes the rows. The loop goes example by example, word by
           word and row by row, as the releases' collators do; given the same draws it gives the same tensors, which
           is checked before anything is timed.
update     Whole updates of pre-training (collation, forward, backward, Adam), the loop's collation against ours.
search     Queries a second of the exact hybrid search against a product with dense rows; a thousand sets of entries,
           drawn as unevenly as words are, serve all documents.
memory     What the peak of each loss is more than before, forward and backward.
"""

import argparse
import platform
import sys
from pathlib import Path
from typing import Callable

import numpy as np
import torch
import torch.nn.functional as F

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # runs from a clone, installed or not

from benchmarks.harness.dupmae_sides import (  # noqa: E402
    FIRST,
    PAD,
    PythonDraws,
    check_equality,
    make_masker,
    make_texts,
    mask_at_once,
    mask_in_a_loop,
)
from benchmarks.harness.memory import peak  # noqa: E402
from benchmarks.harness.pairs import (  # noqa: E402
    Comparison,
    add_common_options,
    alternate,
    positive,
    processor,
    report,
)
from mass_plugins.data.collate import pad_right  # noqa: E402
from mass_plugins.data.dupmae_masking import DupMaeArrays, Patterns  # noqa: E402
from mass_plugins.data.random_state import sentence_keys  # noqa: E402
from mass_plugins.losses.cross_entropy import projected_cross_entropy  # noqa: E402
from mass_plugins.modules.vocabulary_maximum import max_over_positions  # noqa: E402
from mass_plugins.retrieval.exact import Block, Scorer, search_exactly  # noqa: E402
from mass_plugins.retrieval.representations import Parts  # noqa: E402

VOCABULARY = 30522


# -- masking


def compare_masking(texts: int, length: int, arguments) -> Comparison:
    rows, masker = make_texts(texts, length, VOCABULARY, arguments.seed), make_masker(VOCABULARY)
    check_equality(rows[:4], masker, arguments.seed)

    def ours(epoch: int):
        mask_at_once(rows, masker, sentence_keys(arguments.seed, epoch, np.arange(texts)))

    def loop(epoch: int):
        keys = sentence_keys(arguments.seed, epoch, np.arange(texts)).tolist()
        mask_in_a_loop(rows, masker, [PythonDraws(key, VOCABULARY) for key in keys])

    times = alternate({"ours": ours, "loop": loop}, arguments.pairs, 1, arguments.clock)
    name = f"dupmae, masking ({texts} x {length})"
    peer = "a loop over examples, words and rows in Python"
    return Comparison(name, peer, times["ours"], times["loop"], texts, "texts per second and core")


# -- whole updates


def make_trainer(arguments) -> Callable[[dict], None]:
    from fairseq.models import MODEL_DATACLASS_REGISTRY

    from mass_plugins.models.dupmae import DupMae
    from mass_plugins.objectives.dupmae.criterion import DupMaeCriterion

    torch.manual_seed(arguments.seed)
    model = DupMae(MODEL_DATACLASS_REGISTRY["dupmae_tiny"](), VOCABULARY, PAD).train()
    criterion = DupMaeCriterion(None, 1.0, 1.0)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)

    def update(batch: dict) -> None:
        loss, size, _ = criterion(model, batch)
        optimizer.zero_grad()
        (loss / size).backward()
        optimizer.step()

    return update


def compare_update(texts: int, length: int, arguments) -> Comparison:
    """The same model and losses; the peer's batch is made by the loop, each row a pattern of its own."""
    from mass_plugins.objectives.dupmae.dataset import to_dupmae_batch

    rows, masker = make_texts(texts, length, VOCABULARY, arguments.seed), make_masker(VOCABULARY)
    update = make_trainer(arguments)
    bow = ("unmasked", "mean")  # positions and targets
    tokens, lengths = pad_right(rows, PAD)
    ids = np.arange(texts)

    def ours(epoch: int):
        update(to_dupmae_batch(masker(tokens, lengths, sentence_keys(arguments.seed, epoch, ids)), ids, *bow))

    def loop(epoch: int):
        keys = sentence_keys(arguments.seed, epoch, ids).tolist()
        made = mask_in_a_loop(rows, masker, [PythonDraws(key, VOCABULARY) for key in keys])
        source, masked, visible = (tensor.numpy() for tensor in made)
        patterns = Patterns(visible, np.tile(np.arange(length), (texts, 1)))
        arrays = DupMaeArrays(source, tokens, lengths, masked, tokens >= FIRST, patterns)
        update(to_dupmae_batch(arrays, ids, *bow))

    times = alternate({"ours": ours, "loop": loop}, arguments.pairs, 1, arguments.clock)
    name = f"dupmae, update (3 layers of 256, {texts} x {length})"
    peer = "the same update on batches made by the loop"
    return Comparison(name, peer, times["ours"], times["loop"], texts, "texts per second and core")


# -- search


def compare_search(documents: int, queries: int, arguments) -> Comparison:
    """Vectors of 384 and 384 of 30 522 entries a document; entries are as unevenly frequent as words are."""
    rng = np.random.default_rng(arguments.seed)
    k, width = 384, 384
    shares = 1 / np.arange(1, VOCABULARY + 1)
    pool = np.stack([np.sort(rng.choice(VOCABULARY, k, replace=False, p=shares / shares.sum())) for _ in range(1000)])
    entries = pool[rng.integers(0, len(pool), documents)].astype(np.int32)
    values = rng.random((documents, k), dtype=np.float32)
    vectors = rng.standard_normal((documents, width), dtype=np.float32)
    asked = Parts(
        rng.standard_normal((queries, width), dtype=np.float32),
        dense=rng.standard_normal((queries, VOCABULARY), dtype=np.float32),
    )
    block, size = arguments.block, 1000

    def blocks():
        for begin in range(0, documents, block):
            rows = slice(begin, begin + block)
            yield Block(begin, Parts(vectors[rows], entries[rows], values[rows]))

    def ours(_: int):
        return search_exactly(Scorer(asked, "both"), blocks(), size).rows

    def brute_force(_: int):
        """Each document as a dense row of vector and vocabulary, a block at a time, and a sort of the best."""
        scores = np.empty((queries, documents), dtype=np.float32)
        for begin in range(0, documents, block):
            rows = slice(begin, min(begin + block, documents))
            dense = np.zeros((rows.stop - begin, VOCABULARY), dtype=np.float32)
            np.put_along_axis(dense, entries[rows], values[rows], axis=1)
            scores[:, rows] = asked.dense @ dense.T + asked.cls @ vectors[rows].T
        best = np.argpartition(-scores, size, axis=1)[:, :size]
        order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1, kind="stable")
        return np.take_along_axis(best, order, axis=1)

    agreement = (ours(0)[:, :100] == brute_force(0)[:, :100]).mean()
    if agreement < 0.99:  # sums in another order may swap scores that are equal to six digits
        raise AssertionError(f"the rankings agree in {agreement:.3f} of the first 100 ranks only")
    times = alternate({"ours": ours, "brute": brute_force}, arguments.pairs, 1, arguments.clock)
    name = f"hybrid search ({documents} documents, {queries} queries at once, exact)"
    peer = "a product with dense rows"
    return Comparison(name, peer, times["ours"], times["brute"], queries, "queries per second and core")


# -- memory


def memory_records(texts: int, length: int, hardware: str) -> list[dict]:
    """Peak of forward and backward of each projection; the naive side keeps the logits of all positions."""
    records, width = [], 768
    hidden = torch.randn(texts, length, width, requires_grad=True)
    weight = torch.randn(VOCABULARY, width, requires_grad=True)
    target = torch.randint(VOCABULARY, (texts * length,))
    allowed = torch.ones(texts, length, dtype=torch.bool)
    flat = hidden.view(-1, width)
    sides: dict[str, tuple[Callable, Callable]] = {
        "cross-entropy": (
            lambda: projected_cross_entropy(flat, weight, None, target).loss.backward(),
            lambda: F.cross_entropy(flat @ weight.T, target, reduction="sum").backward(),
        ),
        "maximum over positions": (
            lambda: max_over_positions(hidden, weight, None, allowed).sum().backward(),
            lambda: (hidden @ weight.T).max(dim=1).values.sum().backward(),
        ),
    }
    for name, (ours, naive) in sides.items():
        found = []
        for work in (ours, naive):
            hidden.grad = weight.grad = None
            found.append(peak(work))
        print(f"memory of the {name} ({texts} x {length} x {VOCABULARY}): {found[0]} MB against {found[1]} MB")
        records.append(
            {
                "benchmark": f"dupmae, memory of the {name} ({texts} x {length})", "peer": "all positions at once",
                "ours": found[0], "theirs": found[1], "unit": "megabytes at the peak",
                "ratio": round(found[1] / max(1, found[0]), 3), "pairs": 1, "hardware": hardware, "settings": {},
            }
        )  # fmt: skip
    return records


PARTS = ("masking", "update", "search", "memory")


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_common_options(parser)
    parser.add_argument(
        "--parts", nargs="+", choices=PARTS, default=PARTS, help="default: all; others' records stay in --output"
    )
    parser.add_argument("--texts", type=positive, default=32, help="of a batch (default: 32)")
    parser.add_argument("--length", type=positive, default=512, help="tokens of a text (default: 512)")
    parser.add_argument("--update-texts", type=positive, default=8, help="of an update's batch (default: 8)")
    parser.add_argument("--update-length", type=positive, default=128, help="tokens of its texts (default: 128)")
    parser.add_argument("--memory-texts", type=positive, default=16, help="whose logits take memory (default: 16)")
    parser.add_argument("--memory-length", type=positive, default=256, help="tokens of them (default: 256)")
    parser.add_argument("--documents", type=positive, default=100_000, help="searched (default: 100 000)")
    parser.add_argument("--queries", type=positive, default=64, help="at once (default: 64)")
    parser.add_argument("--block", type=positive, default=4096, help="documents at once (default: 4096)")
    parser.add_argument("--seed", type=positive, default=1, help="of texts, masks and weights (default: 1)")
    arguments = parser.parse_args(argv)

    torch.set_num_threads(1)
    hardware = f"{processor()}, 1 core, Python {platform.python_version()}, torch {torch.__version__}"
    work: dict[str, Callable[[], Comparison]] = {
        "masking": lambda: compare_masking(arguments.texts, arguments.length, arguments),
        "update": lambda: compare_update(arguments.update_texts, arguments.update_length, arguments),
        "search": lambda: compare_search(arguments.documents, arguments.queries, arguments),
    }
    records = []
    for part in arguments.parts:
        if part == "memory":
            records += memory_records(arguments.memory_texts, arguments.memory_length, hardware)
        else:
            comparison = work[part]()
            print(comparison.line(), flush=True)
            records.append(comparison.record(hardware, {"seed": arguments.seed, "clock": arguments.clock}))
    report(records, arguments.output, merge=set(arguments.parts) != set(PARTS))
    return 0


if __name__ == "__main__":
    sys.exit(main())
