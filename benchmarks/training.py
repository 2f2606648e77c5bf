"""Our training updates against fairseq's translation task with a transformer of the same size.

    python benchmarks/training.py [--output benchmarks/training.json]

All sides are in this process and take the same sentences in the same batches through the whole of
fairseq's training step (forward, backward, clipping, Adam, logging), batch by batch in turn. The unit is
source tokens per second: an update of MASS predicts half a sentence where translation predicts a whole one.

    translation    fairseq's own task and transformer, which has our flags (post-norm, GELU, learned
                   positions, shared embeddings, embedding layer-norm)
    fine-tuning    seq2seq_finetuning on the same pairs
    pre-training   mass_pretraining on the source sentences of the same pairs

and ours with --autocast-bfloat16 against ours without. Without a GPU: float32 and a model of width 256;
with one: bfloat16 (fairseq's --bf16, weights included) and a model of width 768.
"""

import argparse
import contextlib
import logging
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # runs from a clone, installed or not

import torch  # noqa: E402

from benchmarks.harness import training_sides as sides  # noqa: E402
from benchmarks.harness.pairs import (  # noqa: E402
    Comparison,
    add_common_options,
    alternate,
    positive,
    processor,
    report,
)
from benchmarks.harness.training_sides import ModelSize, Setup  # noqa: E402

PEER = "fairseq's translation task, transformer of the same size"
UNIT = "source tokens per second"
ON_CPU = {"layers": 3, "width": 256, "ffn": 1024, "heads": 4, "max_tokens": 2000, "batches": 4, "precision": "fp32"}
ON_GPU = {"layers": 6, "width": 768, "ffn": 3072, "heads": 12, "max_tokens": 8000, "batches": 16, "precision": "bf16"}


def parse(argv) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_common_options(parser)
    parser.add_argument("--data", help="a data-bin with train pairs (default: generated, as long as Multi30k's)")
    parser.add_argument("--source-lang", help="with --data: language of the source")
    parser.add_argument("--target-lang", help="with --data: language of the target")
    parser.add_argument("--sentences", type=positive, default=29000, help="generated pairs (default: 29000)")
    parser.add_argument("--vocabulary", type=positive, default=6000, help="of the generated text (default: 6000)")
    parser.add_argument("--cpu", action="store_true", help="don't use the GPU")
    parser.add_argument("--threads", type=positive, help="of torch on the CPU (default: as torch chooses)")
    parser.add_argument("--seed", type=positive, default=1, help="(default: 1)")
    meanings = {
        "layers": "of encoder and of decoder",
        "width": "of the model",
        "ffn": "inner width of the feed-forward layers",
        "heads": "of attention",
        "max_tokens": "of a batch, source or target, padding included",
        "batches": "updates of each side in a pair",
    }
    for name, meaning in meanings.items():
        default = f"default: {ON_CPU[name]} on a CPU, {ON_GPU[name]} on a GPU"
        parser.add_argument(f"--{name.replace('_', '-')}", type=positive, help=f"{meaning} ({default})")
    parser.add_argument(
        "--precision", choices=["fp32", "bf16"], help="of both sides; bf16: fairseq's --bf16 (default: see above)"
    )
    arguments = parser.parse_args(argv)
    arguments.cuda = torch.cuda.is_available() and not arguments.cpu
    for name, value in (ON_GPU if arguments.cuda else ON_CPU).items():
        if getattr(arguments, name) is None:
            setattr(arguments, name, value)
    if arguments.cuda and arguments.clock == "cpu":
        parser.error("--clock cpu doesn't see what a GPU does; drop it, or set --cpu")
    if arguments.data and not (arguments.source_lang and arguments.target_lang):
        parser.error("--data needs --source-lang and --target-lang")
    return arguments


def measure(setup: Setup, arguments: argparse.Namespace) -> tuple[list[Comparison], dict[str, int]]:
    """The comparisons, and each side's number of parameters."""
    precision = arguments.precision
    translation, places = sides.stock(setup, precision, arguments.batches)
    pairs = translation.trainer.task.dataset("train")
    everyone = {
        "translation": translation,
        "fine-tuning": sides.finetuning(setup, precision, places),
        "pre-training": sides.pretraining(setup, precision, places, pairs),
        "fine-tuning, autocast": sides.finetuning(setup, "autocast", places),
        "pre-training, autocast": sides.pretraining(setup, "autocast", places, pairs),
    }
    for side in everyone.values():
        sides.check_same_sentences(translation, side)
    updates = {name: side.update for name, side in everyone.items()}
    steps = len(places)

    settle = torch.cuda.synchronize if setup.cuda else lambda: None
    alternate(updates, 1, steps, settle=settle)  # memory, kernels and the optimizer's state
    seconds = alternate(updates, arguments.pairs, steps, arguments.clock, settle)
    tokens = translation.source_tokens

    def compare(benchmark: str, peer: str, ours: str, theirs: str) -> Comparison:
        return Comparison(benchmark, peer, seconds[ours], seconds[theirs], tokens, UNIT)

    where = f"{'GPU' if setup.cuda else 'CPU'} {precision}"
    comparisons = [
        compare(f"training, {name} update, {where}", PEER, name, "translation")
        for name in ("fine-tuning", "pre-training")
    ]
    comparisons += [
        compare(f"training, {name} update, autocast", f"ours in {precision}", f"{name}, autocast", name)
        for name in ("fine-tuning", "pre-training")
    ]
    return comparisons, {name: side.parameters for name, side in everyone.items()}


def hardware(cuda: bool) -> str:
    device = f"{torch.cuda.get_device_name()}, " if cuda else ""
    return f"{device}{processor()}, {torch.get_num_threads()} threads, torch {torch.__version__}"


def main(argv=None) -> int:
    arguments = parse(argv)
    logging.disable(logging.INFO)  # fairseq tells of every file and trainer
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    size = ModelSize(arguments.layers, arguments.width, arguments.ffn, arguments.heads)
    with contextlib.ExitStack() as stack:
        data = arguments.data or stack.enter_context(
            sides.generated_corpus(arguments.sentences, arguments.vocabulary, arguments.seed)
        )
        setup = Setup(
            data, arguments.source_lang or sides.SOURCE, arguments.target_lang or sides.TARGET, size,
            arguments.max_tokens, arguments.cuda, arguments.seed,
        )  # fmt: skip
        comparisons, parameters = measure(setup, arguments)
    names = ("batches", "max_tokens", "layers", "width", "ffn", "heads", "precision", "clock", "seed")
    settings = {name: getattr(arguments, name) for name in names}
    settings["text"] = "own" if arguments.data else f"generated, vocabulary {arguments.vocabulary}"
    settings["parameters"] = parameters["fine-tuning"]
    settings["parameters_of_peer"] = parameters["translation"]
    for comparison in comparisons:
        print(comparison.line())
    report([one.record(hardware(arguments.cuda), settings) for one in comparisons], arguments.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
