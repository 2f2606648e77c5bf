"""MSM's masked documents against the all-pairs way: time and peak memory of a step and an update, by documents a batch.

    python benchmarks/msm.py [--output benchmarks/msm.json]

Both sides take the units' vectors of D documents of 32 units through the document encoder, both heads and the
hierarchical loss, forward and backward: what differs of an update. Beside such a step stands a whole update with
documents, the sentence encoder (3 layers) on units of 64 tokens and Adam's step included. Ours gives every unit a copy
of its own document, (N, 32, d). The other, as the authors' release does, puts each of the N units beside all N,
(N, N, d), masks the diagonal, and takes out the blocks of the documents; the rest is the same code. That both find the
same loss is checked before anything is timed. The memory of a side is what a process of its own holds more at its peak
than before. In the end: how all of it grows with the documents.
"""

import argparse
import math
import platform
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # runs from a clone, installed or not

from benchmarks.harness.memory import peak  # noqa: E402
from benchmarks.harness.pairs import (  # noqa: E402
    Comparison,
    add_common_options,
    alternate,
    positive,
    processor,
    report,
)
from mass_plugins.losses.hierarchical import Units, hierarchical_contrast  # noqa: E402
from mass_plugins.models.msm import DocumentEncoder, Msm, MsmConfig  # noqa: E402

UNITS, TOKENS, LAYERS = 32, 64, 3
PEER = "all pairs of the batch's units"


def make_model(width: int, layers: int = 1) -> Msm:
    torch.manual_seed(1)
    shape = {"encoder_layers": layers, "encoder_embed_dim": width, "encoder_ffn_embed_dim": 4 * width}
    shape |= {"encoder_attention_heads": max(1, width // 64), "dropout": 0.0, "attention_dropout": 0.0}
    return Msm(MsmConfig(**shape, max_positions=TOKENS, units_per_document=UNITS), 100, 1).train()


def by_all_pairs(encoder: DocumentEncoder, vectors: Tensor) -> Tensor:
    """(D, 32, d) -> (N, d) predictions, by way of (N, N, d); the layers, positions and norm are the encoder's."""
    flat = vectors.flatten(0, 1)
    count = len(flat)
    eye = torch.eye(count)[:, :, None]
    x = flat[None] * (1 - eye) + eye * encoder.mask_vector  # (N, N, d)
    document = torch.arange(count) // UNITS
    x = x[document[:, None] == document[None, :]].view(count, UNITS, -1)
    x = encoder.dropout(encoder.layernorm_embedding(x + encoder.embed_positions.weight[:UNITS]))
    for layer in encoder.layers:
        x = layer(x, encoder_padding_mask=torch.zeros(x.shape[:2], dtype=torch.bool))
    return x[torch.arange(count), torch.arange(count) % UNITS]


def by_documents(encoder: DocumentEncoder, vectors: Tensor) -> Tensor:
    """Ours."""
    return encoder(vectors, torch.ones(vectors.shape[:2], dtype=torch.bool))


def loss_of(model: Msm, vectors: Tensor, predict: Callable[[DocumentEncoder, Tensor], Tensor]) -> Tensor:
    queries = F.normalize(model.query_head(predict(model.document_encoder, vectors)), dim=-1)
    keys = F.normalize(model.key_head(vectors.flatten(0, 1)), dim=-1)
    document = torch.arange(len(keys)) // UNITS
    units = Units(document, document, torch.zeros_like(document))
    return hierarchical_contrast(queries, keys, units, units, torch.arange(len(keys)), 0.1).loss


def make_step(model: Msm, vectors: Tensor, predict) -> Callable[[], None]:
    def step() -> None:
        model.zero_grad()
        vectors.grad = None
        loss_of(model, vectors, predict).backward()

    return step


def check_equality(model: Msm, vectors: Tensor) -> None:
    """Loss and gradient with respect to the vectors agree.

    Raises:
        AssertionError: they don't.
    """
    found = []
    for predict in (by_documents, by_all_pairs):
        loss = loss_of(model, vectors, predict)
        found.append((loss.detach(), *torch.autograd.grad(loss, vectors)))
    for ours, theirs in zip(*found):
        scale = float(theirs.abs().max())
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3 * scale)


SIDES = {"ours": by_documents, "pairs": by_all_pairs}


def make_sides(documents: int, width: int) -> tuple[Msm, Tensor]:
    vectors = torch.randn(documents, UNITS, width, generator=torch.Generator().manual_seed(2)).requires_grad_()
    return make_model(width), vectors


def compare(documents: int, width: int, pairs: int, clock: str) -> Comparison:
    """Times of a step."""
    model, vectors = make_sides(documents, width)
    check_equality(model, vectors)
    steps = {name: make_step(model, vectors, predict) for name, predict in SIDES.items()}
    seconds = alternate({name: lambda _, step=step: step() for name, step in steps.items()}, pairs, clock=clock)
    name = f"msm, a step of {documents} documents of {UNITS} units"
    return Comparison(name, PEER, seconds["ours"], seconds["pairs"], documents * UNITS, "units per second")


def make_update(model: Msm, tokens: Tensor, predict) -> Callable[[], Tensor]:
    optimizer = torch.optim.Adam(model.parameters(), lr=0.0)  # 0: both sides have the same weights for ever

    def update() -> Tensor:
        optimizer.zero_grad()
        loss = loss_of(model, model(tokens)[:, 0].unflatten(0, (-1, UNITS)), predict)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return update


def make_update_sides(documents: int, width: int) -> tuple[Msm, Tensor]:
    tokens = torch.randint(4, 100, (documents * UNITS, TOKENS), generator=torch.Generator().manual_seed(2))
    return make_model(width, layers=LAYERS), tokens


def compare_updates(documents: int, width: int, pairs: int, clock: str) -> Comparison:
    """Times of whole updates with documents; that both find the same loss is checked."""
    model, tokens = make_update_sides(documents, width)
    updates = {name: make_update(model, tokens, predict) for name, predict in SIDES.items()}
    losses = [update() for update in updates.values()]
    torch.testing.assert_close(*losses, rtol=1e-4, atol=0)
    seconds = alternate(
        {name: lambda _, update=update: update() for name, update in updates.items()}, pairs, clock=clock
    )
    name = f"msm, a whole update of {documents} documents of {UNITS} units"
    return Comparison(name, PEER, seconds["ours"], seconds["pairs"], documents * UNITS, "units per second")


WORK = {"step": (make_step, make_sides), "update": (make_update, make_update_sides)}
TITLES = {"step": "a step", "update": "a whole update"}


def memory_of(what: str, side: str, documents: int, width: int, runs: int) -> int:
    """Megabytes of a step or an update, the median of processes of their own: nothing freed before is used again."""
    command = [sys.executable, __file__, "--memory-of", what, side]
    command += ["--documents", str(documents), "--width", str(width)]
    return round(median(int(subprocess.run(command, capture_output=True, check=True).stdout) for _ in range(runs)))


def print_memory(what: str, side: str, documents: int, width: int) -> None:
    make, sides = WORK[what]
    model, inputs = sides(documents, width)
    print(peak(make(model, inputs, SIDES[side])))


def growth(documents: list[int], values: list[float]) -> float:
    """The exponent e of values ~ documents^e, by least squares of the logarithms."""
    x, y = ([math.log(max(value, 1e-9)) for value in row] for row in (documents, values))
    x_mean, y_mean = sum(x) / len(x), sum(y) / len(y)
    return sum((a - x_mean) * (b - y_mean) for a, b in zip(x, y)) / sum((a - x_mean) ** 2 for a in x)


def growth_record(what: str, unit: str, documents: list[int], ours: list[float], theirs: list[float]) -> dict:
    """How the two sides grow with the documents of a batch, as exponents."""
    exponents = [round(growth(documents, values), 2) for values in (ours, theirs)]
    print(f"{what} grows with the documents to the power of {exponents[0]:.2f} against {exponents[1]:.2f}")
    return {
        "benchmark": f"msm, growth of {what} from {documents[0]} to {documents[-1]} documents", "peer": PEER,
        "ours": exponents[0], "theirs": exponents[1], "unit": "exponent of the number of documents",
        "ratio": round(exponents[1] / exponents[0], 3), "pairs": len(documents),
        "measured": {"documents": documents, "ours": ours, "theirs": theirs, "unit": unit},
    }  # fmt: skip


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_common_options(parser)
    parser.add_argument("--documents", type=positive, nargs="+", default=[2, 4, 8, 16], help="(default: 2 4 8 16)")
    parser.add_argument("--width", type=positive, default=256, help="of the vectors (default: 256)")
    parser.add_argument(
        "--memory-of", nargs=2, metavar=("WHAT", "SIDE"),
        help="print the megabytes of a step or update, ours or pairs, and end",
    )  # fmt: skip
    arguments = parser.parse_args(argv)
    torch.set_num_threads(1)
    sizes, width = sorted(set(arguments.documents)), arguments.width
    if arguments.memory_of:
        what, side = arguments.memory_of
        if what not in WORK or side not in SIDES:
            parser.error(f"--memory-of {what} {side}: the words are {' or '.join(WORK)}, then {' or '.join(SIDES)}")
        print_memory(what, side, sizes[0], width)
        return 0
    hardware = f"{processor()}, 1 core, Python {platform.python_version()}, torch {torch.__version__}"
    settings, records = {"width": width, "units": UNITS, "clock": arguments.clock}, []
    of_updates = {**settings, "layers": LAYERS, "tokens of a unit": TOKENS}
    for what, compared, described in (("step", compare, settings), ("update", compare_updates, of_updates)):
        measured: dict[str, dict[str, list[float]]] = {
            "time": {"ours": [], "pairs": []}, "memory": {"ours": [], "pairs": []}
        }  # fmt: skip
        for documents in sizes:
            comparison = compared(documents, width, arguments.pairs, arguments.clock)
            for side, times in (("ours", comparison.ours), ("pairs", comparison.theirs)):
                measured["time"][side].append(round(median(times), 4))
                measured["memory"][side].append(memory_of(what, side, documents, width, arguments.pairs))
            print(comparison.line(), flush=True)
            ours, theirs = (measured["memory"][side][-1] for side in ("ours", "pairs"))
            print(f"  memory at the peak: {ours} MB against {theirs} MB", flush=True)
            records.append(comparison.record(hardware, described))
            records.append(
                {
                    "benchmark": f"msm, memory of {TITLES[what]} of {documents} documents of {UNITS} units",
                    "peer": PEER, "ours": ours, "theirs": theirs, "unit": "megabytes at the peak",
                    "ratio": round(theirs / max(1, ours), 3), "pairs": arguments.pairs, "hardware": hardware,
                    "settings": described,
                }
            )  # fmt: skip
        if len(sizes) > 1:
            for name, unit in (("time", "seconds"), ("memory", "megabytes")):
                values = measured[name]
                found = growth_record(f"{name} of {TITLES[what]}", unit, sizes, values["ours"], values["pairs"])
                records.append({**found, "hardware": hardware, "settings": described})
    report(records, arguments.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
