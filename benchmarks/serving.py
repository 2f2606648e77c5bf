"""Translations and speed of a model in fairseq, in transformers and in CTranslate2, after its export.

    python benchmarks/serving.py --checkpoint checkpoint_best.pt --source de --target en --text test.de

All sides get the same sub-words of the first --lines lines, sorted by length, in batches of --batch-tokens, on the
CPU. For greedy search and a beam, each prints how many of its translations are fairseq's, word for word, and its
speed. Without a checkpoint, a model is taught a coded language first (some minutes).
"""

import argparse
import contextlib
import json
import logging
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # runs from a clone, installed or not

import torch  # noqa: E402

from benchmarks.harness import back_translation_sides, serving_sides  # noqa: E402
from benchmarks.harness.pairs import Comparison, add_common_options, alternate, positive, processor, report  # noqa: E402
from benchmarks.harness.training_sides import SOURCE, TARGET, ModelSize, Setup  # noqa: E402
from mass_plugins import load  # noqa: E402
from mass_plugins.data.text import TextCodec, TextSettings  # noqa: E402

PEER = "fairseq (mass-plugins translate)"
UNIT = "sentences per second"


def parse(argv) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_common_options(parser)
    parser.set_defaults(pairs=3)
    parser.add_argument("--checkpoint", help="a fine-tuned model (default: one that is taught here)")
    parser.add_argument("--data", help="with --checkpoint: its data-bin (default: where it was trained)")
    parser.add_argument("--source", default=SOURCE, help="with --checkpoint: language of the text")
    parser.add_argument("--target", default=TARGET, help="with --checkpoint: language to translate into")
    parser.add_argument("--text", type=Path, help="with --checkpoint: raw text, a sentence a line")
    parser.add_argument("--lines", type=positive, default=500, help="of the text (default: 500)")
    parser.add_argument(
        "--beams", type=positive, nargs="+", default=[1, 5], help="widths of the search; 1 is greedy (default: 1 5)"
    )
    parser.add_argument("--batch-tokens", type=positive, default=1000, help="of a batch of sources (default: 1000)")
    parser.add_argument("--threads", type=positive, default=1, help="of each side (default: 1)")
    parser.add_argument("--lessons", type=positive, default=600, help="without --checkpoint: updates (default: 600)")
    parser.add_argument("--vocabulary", type=positive, default=1000, help="without --checkpoint (default: 1000)")
    parser.add_argument("--width", type=positive, default=256, help="without --checkpoint (default: 256)")
    parser.add_argument("--seed", type=positive, default=1, help="without --checkpoint (default: 1)")
    arguments = parser.parse_args(argv)
    if bool(arguments.checkpoint) != bool(arguments.text):
        parser.error("--checkpoint and --text belong together")
    return arguments


def taught_model(folder: str, arguments: argparse.Namespace) -> tuple[str, list[str]]:
    """A checkpoint that knows some of a coded language, beside its data, and lines to translate."""
    from fairseq.data import Dictionary, data_utils

    back_translation_sides.coded_corpus(folder, 4000, arguments.vocabulary, arguments.seed)
    dictionary = Dictionary.load(f"{folder}/dict.{SOURCE}.txt")
    words = {"type": "WordLevel", "vocab": dictionary.indices, "unk_token": "<unk>"}
    joined = {"type": "WordPiece", "prefix": "##", "cleanup": False}
    parts = dict.fromkeys(("truncation", "padding", "normalizer", "post_processor"))
    tokenizer = {"version": "1.0", **parts, "added_tokens": [], "model": words, "decoder": joined}
    tokenizer["pre_tokenizer"] = {"type": "WhitespaceSplit"}
    settings = TextSettings(normalize=False, tokenizer="none", subwords="tokenizer")
    TextCodec(settings, json.dumps(tokenizer).encode()).save(folder)
    size = ModelSize(3, arguments.width, 4 * arguments.width, 4)
    setup = Setup(folder, SOURCE, TARGET, size, 2000, False, arguments.seed)
    path = back_translation_sides.save_taught(setup, arguments.lessons, f"{folder}/checkpoint.pt")
    rows = data_utils.load_indexed_dataset(f"{folder}/train.{SOURCE}-None.{SOURCE}", dictionary)
    return path, [dictionary.string(rows[number]) for number in range(arguments.lines)]


def measure(arguments: argparse.Namespace, folder: Path) -> tuple[list[Comparison], dict[str, dict[str, float]]]:
    """The comparisons, and of each engine the share of translations that are fairseq's."""
    if arguments.checkpoint:
        checkpoint, data = arguments.checkpoint, arguments.data
        lines = arguments.text.read_text(encoding="utf-8").split("\n")[: arguments.lines]
    else:
        os.mkdir(folder / "data")
        (checkpoint, lines), data = taught_model(str(folder / "data"), arguments), str(folder / "data")
    translator = load(checkpoint, data=data, device="cpu", dtype=torch.float32)
    direction = (arguments.source, arguments.target)
    work = serving_sides.prepare(translator, lines, direction[0], arguments.batch_tokens)
    sides = serving_sides.engines(
        translator, work, *direction, folder, threads=arguments.threads, batch_tokens=arguments.batch_tokens
    )
    comparisons, same = [], {}
    for beam in dict.fromkeys(arguments.beams):
        search = "greedy" if beam == 1 else f"beam {beam}"
        found: dict[str, list[list[int]]] = {}

        def timed(name: str, beam: int = beam, found=found):
            return lambda _: found.update({name: sides[name](beam)})

        seconds = alternate({name: timed(name) for name in sides}, arguments.pairs, clock=arguments.clock)
        same[search] = {
            name: sum(map(list.__eq__, rows, found["fairseq"])) / len(work.rows) for name, rows in found.items()
        }
        for name in sides:
            if name != "fairseq":
                title = f"serving, {name}, {search}"
                one = Comparison(title, PEER, seconds[name], seconds["fairseq"], len(work.rows), UNIT)
                comparisons.append(one)
    return comparisons, same


def main(argv=None) -> int:
    arguments = parse(argv)
    logging.disable(logging.WARNING)
    torch.set_num_threads(arguments.threads)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        comparisons, same = measure(arguments, folder)
    settings = {name: getattr(arguments, name) for name in ("lines", "batch_tokens", "threads", "clock")}
    settings["text"] = "own" if arguments.checkpoint else f"coded, vocabulary {arguments.vocabulary}"
    records = []
    for one in comparisons:
        _, name, search = one.benchmark.split(", ")
        share = same[search][name]
        print(f"{one.line()}; {share:.1%} of the translations are fairseq's")
        hardware = f"{processor()}, {arguments.threads} threads, torch {torch.__version__}"
        records.append(one.record(hardware, {**settings, "same_translations": round(share, 4)}))
    report(records, arguments.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
