"""On-the-fly back-translation with our batch decoder against the same with fairseq's SequenceGenerator.

    python benchmarks/back_translation.py [--output benchmarks/back_translation.json]

All sides are in this process and, except stock, translate the same sentences in the same batches, batch by batch in
turn, with the same limits (1.3 times the width of the batch + 5 tokens). The models have been taught on pairs of two
generated languages, so that their sentences end as sentences do. The unit is sentences per second, of stock tokens.

    generation   the translations of an update alone; the same weights on both sides, in float32 the same
                 translations, which is checked
    update       the whole of fairseq's training step (generation, forward, backward, clipping, Adam, logging)
                 of our task, with our decoder and with SequenceGenerator in its place; the learning rate is 0, so
                 that every update translates with the same weights
    stock        our update against fairseq's own task online_backtranslation with a transformer of the same
                 size, taught on the same pairs, its denoising switched off; by tokens, not by sentences, for the two
                 differ in their batches and in the length of what they write

and each of the first two with --autocast-bfloat16 on our side, on both sides for the peer. Beside them: where an
update's time goes (data, generation, training), the memory at its peak (of a process of its own), and the share of
matrix products in generation, which are the same on both sides. Without a GPU: a
model of width 256; with one: fairseq's --bf16 (weights included) and a model of width 768.
"""

import argparse
import contextlib
import logging
import sys
import tempfile
from pathlib import Path
from typing import Any, Iterator, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # runs from a clone, installed or not

import torch  # noqa: E402

from benchmarks.harness import back_translation_sides as sides  # noqa: E402
from benchmarks.harness.pairs import (  # noqa: E402
    CLOCKS,
    Comparison,
    add_common_options,
    alternate,
    positive,
    processor,
    report,
)
from benchmarks.harness.training_sides import SOURCE, TARGET, ModelSize, Setup  # noqa: E402

UNIT = "sentences per second"
STOCK_UPDATES = 8  # at least, of each side in a pair against fairseq's own task: its batches are others than ours
ON_CPU = {"layers": 3, "width": 256, "ffn": 1024, "heads": 4, "max_tokens": 1000, "batches": 1, "precision": "fp32"}
ON_GPU = {"layers": 6, "width": 768, "ffn": 3072, "heads": 12, "max_tokens": 8000, "batches": 8, "precision": "bf16"}


def parse(argv) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_common_options(parser)
    parser.add_argument("--sentences", type=positive, default=5000, help="of each generated text (default: 5000)")
    parser.add_argument("--vocabulary", type=positive, default=6000, help="of the generated text (default: 6000)")
    parser.add_argument(
        "--lessons", type=positive, default=40, help="updates that a model is taught before (default: 40)"
    )
    parser.add_argument("--cpu", action="store_true", help="don't use the GPU")
    parser.add_argument("--threads", type=positive, help="of torch on the CPU (default: as torch chooses)")
    parser.add_argument("--seed", type=positive, default=1, help="(default: 1)")
    meanings = {
        "layers": "of encoder and of decoder",
        "width": "of the model",
        "ffn": "inner width of the feed-forward layers",
        "heads": "of attention",
        "max_tokens": "of a batch, source or target, padding included",
        "batches": f"updates of each side in a pair; of stock at least {STOCK_UPDATES}",
    }
    for name, meaning in meanings.items():
        default = f"default: {ON_CPU[name]} on a CPU, {ON_GPU[name]} on a GPU"
        parser.add_argument(f"--{name.replace('_', '-')}", type=positive, help=f"{meaning} ({default})")
    arguments = parser.parse_args(argv)
    arguments.cuda = torch.cuda.is_available() and not arguments.cpu
    for name, value in (ON_GPU if arguments.cuda else ON_CPU).items():
        if getattr(arguments, name, None) is None:
            setattr(arguments, name, value)
    if arguments.cuda and arguments.clock == "cpu":
        parser.error("--clock cpu doesn't see what a GPU does; drop it, or set --cpu")
    return arguments


def check_same_translations(ours: sides.Generation, theirs: sides.Generation) -> float:
    """Share of sentences that both sides translate alike.

    Raises:
        AssertionError: fewer than 99.9 %: something else than rounding is different.
    """
    same = total = 0
    for number in range(len(ours.batches)):
        one, other = (side.update(number).tolist() for side in (ours, theirs))
        rows = [[[token for token in row if token != 1] for row in side] for side in (one, other)]
        same += sum(a == b for a, b in zip(*rows, strict=True))
        total += len(one)
    if same < 0.999 * total:
        raise AssertionError(f"only {same} of {total} translations are the same on both sides")
    return same / total


class Measured(NamedTuple):
    """A comparison and what its record says beside the speed."""

    comparison: Comparison
    beside: dict[str, Any]


def tell(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def measure(setup: Setup, arguments: argparse.Namespace) -> Iterator[Measured]:
    precision, count = arguments.precision, arguments.batches
    hows = tuple(dict.fromkeys((precision, "autocast")))
    settle = torch.cuda.synchronize if setup.cuda else lambda: None
    clock = CLOCKS[arguments.clock]
    tell(f"teaching a model, {arguments.lessons} updates")
    weights = sides.taught(setup, precision, arguments.lessons)
    plain = {
        (who, how): sides.unsupervised(setup, how, weights, count, by_fairseq=who == "fairseq")
        for who in ("ours", "fairseq")
        for how in hows
    }
    generation = {name: sides.Generation(side) for name, side in plain.items()}
    same = check_same_translations(generation["ours", precision], generation["fairseq", precision])
    length = sides.mean_length(generation["ours", precision])
    tell(f"{100 * same:.2f} % of the translations are the same on both sides; their mean length is {length:.1f} tokens")
    products = {name: sides.share_of_products(side.update, setup.cuda) for name, side in generation.items()}
    for (who, how), share in products.items():
        tell(f"{100 * share:.0f} % of generation's time are matrix products ({who}, {how})")
    work = sides.sentences(plain["ours", precision])
    pairs = [(("ours", how), ("fairseq", how)) for how in hows] + [(("ours", "autocast"), ("fairseq", precision))]

    def timed(updates: dict, label: str, count: int = count) -> dict:
        alternate(updates, 1, count, settle=settle)  # memory, kernels and the optimizer's state
        named = {" ".join(name) if isinstance(name, tuple) else name: side for name, side in updates.items()}
        seconds = alternate(named, arguments.pairs, count, arguments.clock, settle, label)
        return dict(zip(updates, seconds.values(), strict=True))

    def compare(what: str, seconds: dict, beside: dict[str, dict]) -> Iterator[Measured]:
        for ours, theirs in pairs:
            names = f"back-translation, {what}, {ours[1]}", f"SequenceGenerator at beam 1, {theirs[1]}"
            values = {name: {"ours": table[ours], "peer": table[theirs]} for name, table in beside.items()}
            yield Measured(Comparison(*names, seconds[ours], seconds[theirs], work, UNIT), values)

    seconds = timed({name: side.update for name, side in generation.items()}, "generation")
    shares = {name: round(share, 3) for name, share in products.items()}
    yield from compare("generation", seconds, {"share_of_matrix_products": shares})

    seconds = timed({name: side.update for name, side in plain.items()}, "update")
    parts = {name: sides.seconds_of_parts(side, setup, clock, settle) for name, side in plain.items()}
    for (who, how), part in parts.items():
        total = sum(part.values())
        told = ", ".join(f"{name} {100 * value / total:.1f} %" for name, value in part.items())
        tell(f"where an update's time goes ({who}, {how}): {told}")
    peaks = {name: round(sides.peak_memory(setup, name[1], weights, name[0]), 2) for name in plain}
    tell(f"teaching the model of online_backtranslation, {arguments.lessons} updates")
    stock_weights = sides.taught_stock(setup, precision, arguments.lessons)
    stock_peak = round(sides.peak_memory(setup, precision, stock_weights, "stock"), 2)
    for name, peak in [*peaks.items(), (("online_backtranslation", precision), stock_peak)]:
        tell(f"peak memory of an update ({', '.join(name)}): {peak:.2f} GiB")
    if sides.mean_length(generation["ours", precision]) != length:
        raise AssertionError("the updates that were timed have changed the model")
    yield from compare("update", seconds, {"seconds_of_an_update": parts, "peak_memory_gib": peaks})

    count = max(count, STOCK_UPDATES)
    ours = sides.unsupervised(setup, precision, weights, count, by_fairseq=False)
    stock = sides.stock(setup, precision, stock_weights, count)
    seconds = timed({"ours": ours.update, "stock": stock.update}, "stock", count)
    # neither the batches nor the lengths of the translations are the same, so theirs is scaled to our number of tokens
    done, theirs = sides.work_of(ours), stock.work()
    scaled = [second * done.all_tokens / theirs.all_tokens for second in seconds["stock"]]
    names = f"back-translation, update, {precision}", f"online_backtranslation, {precision}"
    beside: dict[str, Any] = {"peak_memory_gib": {"ours": peaks["ours", precision], "peer": stock_peak}}
    beside["work_of_a_pair"] = {"updates": count, "ours": done._asdict(), "peer": theirs._asdict()}
    unit = "tokens of text and translations per second"
    yield Measured(Comparison(*names, seconds["ours"], scaled, done.all_tokens, unit), beside)


def hardware(cuda: bool) -> str:
    device = f"{torch.cuda.get_device_name()}, " if cuda else ""
    return f"{device}{processor()}, {torch.get_num_threads()} threads, torch {torch.__version__}"


def main(argv=None) -> int:
    arguments = parse(argv)
    logging.disable(logging.INFO)  # fairseq tells of every file and trainer
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    names = ("batches", "max_tokens", "layers", "width", "ffn", "heads", "lessons", "clock", "seed")
    settings = {name: getattr(arguments, name) for name in names}
    settings["text"] = f"generated, vocabulary {arguments.vocabulary}"
    size = ModelSize(arguments.layers, arguments.width, arguments.ffn, arguments.heads)
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        sides.coded_corpus(folder, arguments.sentences, arguments.vocabulary, arguments.seed)
        setup = Setup(folder, SOURCE, TARGET, size, arguments.max_tokens, arguments.cuda, arguments.seed)
        device, records = hardware(arguments.cuda), []
        for comparison, beside in measure(setup, arguments):
            print(comparison.line(), flush=True)
            records.append({**comparison.record(device, settings), **beside})
            if arguments.output:  # so that a run that is cut off leaves what it has measured
                report(records, arguments.output)
    if not arguments.output:
        report(records, None)
    return 0


if __name__ == "__main__":
    sys.exit(main())
