"""MSM's masked documents against the all-pairs way: time and peak memory of a step, by documents a batch.

    python benchmarks/msm.py [--output benchmarks/msm.json]

Both sides take the units' vectors of D documents of 32 units through the document encoder, both heads and the
hierarchical loss, forward and backward. Ours gives every unit a copy of its own document, (N, 32, d). The other, as the
authors' release does, puts each of the N units beside all N, (N, N, d), masks the diagonal, and takes out the blocks of
the documents; the rest is the same code. That both find the same loss is checked before anything is timed.
"""

import argparse
import platform
import sys
from pathlib import Path
from typing import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # runs from a clone, installed or not

from benchmarks.dupmae import peak  # noqa: E402
from benchmarks.harness.pairs import (  # noqa: E402
    Comparison,
    add_common_options,
    alternate,
    positive,
    processor,
    report,
)
from mass_plugins.losses.hierarchical import Units, hierarchical_contrast  # noqa: E402
from mass_plugins.models.msm import DocumentEncoder, Msm, MsmTinyConfig  # noqa: E402

UNITS = 32
PEER = "all pairs of the batch's units"


def make_model(width: int) -> Msm:
    torch.manual_seed(1)
    shape = {"encoder_layers": 1, "encoder_embed_dim": width, "encoder_ffn_embed_dim": 4 * width}
    shape |= {"encoder_attention_heads": max(1, width // 64), "dropout": 0.0, "attention_dropout": 0.0}
    return Msm(MsmTinyConfig(**shape, max_positions=64, units_per_document=UNITS), 100, 1).train()


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
    units = Units(document, torch.zeros_like(document))
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


def compare(documents: int, width: int, pairs: int, clock: str) -> tuple[Comparison, dict[str, int]]:
    """Times of a step, and megabytes at its peak beyond what was there before."""
    model = make_model(width)
    vectors = torch.randn(documents, UNITS, width, generator=torch.Generator().manual_seed(2)).requires_grad_()
    check_equality(model, vectors)
    steps = {"ours": make_step(model, vectors, by_documents), "pairs": make_step(model, vectors, by_all_pairs)}
    seconds = alternate({name: lambda _, step=step: step() for name, step in steps.items()}, pairs, clock=clock)
    name = f"msm, a step of {documents} documents of {UNITS} units"
    return Comparison(name, PEER, seconds["ours"], seconds["pairs"], documents * UNITS, "units per second"), {
        name: peak(step) for name, step in steps.items()
    }


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_common_options(parser)
    parser.add_argument("--documents", type=positive, nargs="+", default=[2, 4, 8, 16], help="(default: 2 4 8 16)")
    parser.add_argument("--width", type=positive, default=256, help="of the vectors (default: 256)")
    arguments = parser.parse_args(argv)
    torch.set_num_threads(1)
    hardware = f"{processor()}, 1 core, Python {platform.python_version()}, torch {torch.__version__}"
    settings, records = {"width": arguments.width, "clock": arguments.clock}, []
    for documents in arguments.documents:
        comparison, megabytes = compare(documents, arguments.width, arguments.pairs, arguments.clock)
        print(comparison.line(), flush=True)
        print(f"  memory at the peak: {megabytes['ours']} MB against {megabytes['pairs']} MB", flush=True)
        records.append(comparison.record(hardware, settings))
        records.append(
            {
                "benchmark": f"msm, memory of a step of {documents} documents", "peer": PEER,
                "ours": megabytes["ours"], "theirs": megabytes["pairs"], "unit": "megabytes at the peak",
                "ratio": round(megabytes["pairs"] / max(1, megabytes["ours"]), 3), "pairs": 1, "hardware": hardware,
                "settings": settings,
            }
        )  # fmt: skip
    report(records, arguments.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
