"""The ``mass-plugins`` command: where, doctor, translate, back-translate, plot.

Each sub-command is one function here that reads its flags and calls the room that does the work.
"""

import argparse
import dataclasses
import os
import re
import sys
from itertools import islice
from pathlib import Path

from mass_plugins.errors import InputError


def main(argv=None) -> int:
    """Run one sub-command; the exit status: 0 good, 1 failed or something is wrong, 2 usage."""
    parser = build_parser()
    options = parser.parse_args(argv)
    try:
        status = options.run(options) or 0
        sys.stdout.flush()  # here, where a closed pipe is dealt with
        return status
    except InputError as error:
        print(f"mass_plugins: error: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader, head for instance, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print("mass_plugins: interrupted", file=sys.stderr)
        return 130


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="mass-plugins", description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_where(commands)
    _add_doctor(commands)
    _add_translate(commands)
    _add_back_translate(commands)
    _add_plot(commands)
    return parser


def _add_command(commands, name, run, text):
    command = commands.add_parser(name, help=text, description=text)
    command.set_defaults(run=run)
    return command


def _positive(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not 1 or more")
    return number


def _add_model_flags(command):
    command.add_argument("checkpoint", help="a checkpoint_*.pt of seq2seq_finetuning or unsupervised_translation")
    command.add_argument("--source", required=True, help="language of the input, for instance de")
    command.add_argument("--target", required=True, help="language of the output, for instance en")
    command.add_argument(
        "--data", help="data-bin with dictionary and text.json (default: where the checkpoint is, or was trained)"
    )


def _add_where(commands):
    _add_command(commands, "where", where, "print the folder to hand to --user-dir")


def where(options):
    print(Path(__file__).resolve().parent)


def _add_doctor(commands):
    _add_command(commands, "doctor", doctor, "print versions and hardware, and what is wrong")


def doctor(options):
    from mass_plugins.doctor import main as examine

    return examine()


def _add_translate(commands):
    command = _add_command(
        commands, "translate", translate, "translate raw text, a line at a time, from stdin to stdout"
    )
    _add_model_flags(command)
    command.add_argument("--beam", type=_positive, default=5, help="width of the search; 1 is greedy (default 5)")
    command.add_argument(
        "--buffer", type=_positive, default=100, help="lines read before they are translated (default 100)"
    )


def translate(options):
    from mass_plugins import load

    translator = load(options.checkpoint, data=options.data)
    for language, flag in ((options.source, "--source"), (options.target, "--target")):
        translator.task.language_index(language, flag)  # before the first line is waited for
    sys.stdout.reconfigure(encoding="utf-8")  # as stdin is read, whatever the locale
    lines, done = _lines_of_stdin(), 0
    while batch := list(islice(lines, options.buffer)):
        try:
            translations = translator.translate(batch, options.source, options.target, beam=options.beam)
        except InputError as error:
            raise InputError(_with_line_of_stdin(str(error), done)) from None
        for line in translations:
            print(line)
        sys.stdout.flush()
        done += len(batch)


def _with_line_of_stdin(message, before):
    """``"line 3 has .."``, counted within a buffer, as a line of stdin, with ``before`` lines ahead of it."""
    return re.sub(r"^line (\d+)", lambda found: f"stdin, line {before + int(found[1])}", message)


def _lines_of_stdin():
    """Lines of stdin without their ends; only \\n ends a line, so that lines out = lines in."""
    for number, line in enumerate(sys.stdin.buffer, start=1):
        try:
            yield line.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            why = f"is not UTF-8 ({error.reason}); convert it, for instance with iconv"
            raise InputError(f"stdin, line {number} {why}") from None


def _add_back_translate(commands):
    command = _add_command(
        commands,
        "back-translate",
        back_translate,
        "translate a large corpus into synthetic pairs: DESTDIR/bt.TARGET, translations, is the source of a later "
        "training, DESTDIR/bt.SOURCE, the real lines, its target; the same command again goes on where it was cut off",
    )
    _add_model_flags(command)
    add = command.add_argument_group("text").add_argument
    add("--input", nargs="+", required=True, type=Path, metavar="FILE", help="a sentence a line; plain, .gz, .xz, .bz2")
    add("--destdir", required=True, type=Path, help="folder of the pairs")
    add("--shard", default="0/1", metavar="I/N", help="part I, from 0, of N: a process each writes DESTDIR/bt.I-of-N.*")
    add("--raw", action="store_true", help="write raw text, for prepare.py --like (default: sub-words)")
    add("--tag", metavar="TOKEN", help="entry of the dictionary to put before each translation")
    add("--max-pieces", type=_positive, metavar="N", help="leave out longer lines (default: the model's positions)")
    add("--drop-copies", action="store_true", help="leave out translations that are equal to their line")
    add("--overwrite", action="store_true", help="give up pairs in DESTDIR that were made otherwise")
    add = command.add_argument_group("translation").add_argument
    add("--beam", type=_positive, default=1, help="width of the search (default 1: greedy)")
    add("--sampling", action="store_true", help="draw from the model instead of searching")
    add("--temperature", type=float, default=1.0, help="of --sampling: divides the logits (default 1)")
    add("--sampling-topk", type=_positive, default=0, metavar="K", help="draw from the K likeliest tokens")
    add("--sampling-topp", type=float, default=1.0, metavar="P", help="draw from this share of probability")
    add("--seed", type=int, default=1, help="of --sampling (default 1)")
    add("--max-len-a", type=float, default=1.5, metavar="A", help="leave out translations that don't end within A")
    add("--max-len-b", type=_positive, default=20, metavar="B", help="times the length + B sub-words (default 1.5, 20)")
    add = command.add_argument_group("running").add_argument
    add("--dtype", choices=("float32", "bfloat16", "float16"), help="precision (default: as trained); float16: GPU")
    add("--batch-tokens", type=_positive, default=4000, help="sub-words times beam translated at once (default 4000)")
    add("--buffer", type=_positive, default=5000, help="lines sorted, translated and kept together (default 5000)")
    add("--progress", action=argparse.BooleanOptionalAction, help="show a bar (default: when stderr is a terminal)")


def back_translate(options):
    import torch

    from mass_plugins import load
    from mass_plugins.data.text_files import Shard
    from mass_plugins.generation.back_translate import Settings, run

    def given(*names):
        return {name: getattr(options, name) for name in names}

    chosen = given(*(field.name for field in dataclasses.fields(Settings)))
    settings = Settings(**{**chosen, "shard": Shard.parse(options.shard)})
    dtype = getattr(torch, options.dtype) if options.dtype else None
    translator = load(options.checkpoint, data=options.data, dtype=dtype)
    where = given("destdir", "batch_tokens", "buffer", "overwrite", "progress")
    try:
        print(run(translator, Path(options.checkpoint), options.input, settings=settings, **where))
    except OSError as error:
        raise InputError(f"{error.filename or options.destdir}: {error.strerror or error}") from None
    except KeyboardInterrupt:
        print("mass_plugins: interrupted; run the same command again to go on", file=sys.stderr)
        return 130


def _add_plot(commands):
    command = _add_command(commands, "plot", plot, "draw the training curves of one or more runs as a PNG")
    command.add_argument(
        "runs", nargs="+", metavar="[NAME=]LOG", help="fairseq-train's output or --log-file, or a TensorBoard folder"
    )
    command.add_argument("--output", default="curves.png", help="picture to write (default curves.png)")
    command.add_argument(
        "--metrics", default="loss,bleu", help="what to draw, a panel each, comma-separated (default loss,bleu)"
    )


def plot(options):
    from mass_plugins.scoring.curves import draw, read_run

    runs = [read_run(*_name_and_path(text)) for text in options.runs]
    draw(runs, [metric.strip() for metric in options.metrics.split(",")], options.output)
    print(options.output)


def _name_and_path(text):
    """``"mass=logs/a.log"`` → ``("mass", "logs/a.log")``; the name is the file's own by default."""
    name, equals, path = text.partition("=")
    if equals and not os.path.exists(text):
        return name, path
    return Path(text).stem, text


if __name__ == "__main__":
    sys.exit(main())
