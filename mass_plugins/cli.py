"""The ``mass-plugins`` command; ``--help`` lists what it can do.

Each sub-command is a file of ``mass_plugins/commands``: ``HELP``, its one line of help; ``add_flags(command)``;
``run(options)``, which calls the room that does the work and returns the exit status, None for 0.
"""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from mass_plugins.commands import (
    align,
    back_translate,
    bm25,
    chat,
    doctor,
    encode,
    evaluate_distinct,
    evaluate_lareqa,
    evaluate_perplexity,
    evaluate_retrieval,
    evaluate_rouge,
    evaluate_sts,
    evaluate_tatoeba,
    evaluate_xor_retrieve,
    export_bart,
    export_ctranslate2,
    export_huggingface_encoder,
    export_retriever,
    export_sentence_transformers,
    import_bart,
    import_huggingface_encoder,
    import_summarization,
    import_xlm,
    index,
    mine,
    plot,
    plot_vectors,
    represent,
    search,
    summarize,
    teach,
    translate,
    where,
)
from mass_plugins.errors import InputError

COMMANDS = (
    *(
        where,
        doctor,
        align,
        translate,
        back_translate,
        summarize,
        chat,
        encode,
        represent,
        index,
        search,
        bm25,
        mine,
        teach,
        plot,
        plot_vectors,
    ),
    *(
        evaluate_distinct,
        evaluate_lareqa,
        evaluate_perplexity,
        evaluate_retrieval,
        evaluate_rouge,
        evaluate_sts,
        evaluate_tatoeba,
        evaluate_xor_retrieve,
    ),
    *(import_bart, import_huggingface_encoder, import_summarization, import_xlm),
    *(export_bart, export_ctranslate2, export_huggingface_encoder, export_retriever, export_sentence_transformers),
)
# first words of commands that have two: ``commands/import_xlm.py`` is ``mass-plugins import xlm``
GROUPS = {
    "import": "turn a model of another program into a checkpoint",
    "export": "turn a checkpoint into a model of another program",
    "evaluate": "score vectors, rankings or texts",
}


def main(argv=None) -> int:
    """Run one sub-command; the exit status: 0 good, 1 failed or something is wrong, 2 usage."""
    parser = build_parser()
    options = parser.parse_args(argv)
    try:
        with terminated_as_interrupted():
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


@contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """SIGTERM ends the command as Ctrl-C does, so that what is half-written is taken away; the status is 143.

    Where a caller ignores it or has a handler of its own, nothing changes.
    """
    main_thread = threading.current_thread() is threading.main_thread()  # which alone has signals
    if not main_thread or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return

    def leave(number, frame):
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="mass-plugins", description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    groups = {}
    for module in COMMANDS:
        first, _, second = module.__name__.rpartition(".")[2].partition("_")
        if first in GROUPS:
            if first not in groups:
                group = commands.add_parser(first, help=GROUPS[first], description=GROUPS[first])
                groups[first] = group.add_subparsers(required=True, metavar="KIND")
            command = groups[first].add_parser(second.replace("_", "-"), help=module.HELP, description=module.HELP)
        else:
            name = f"{first}-{second}".replace("_", "-").rstrip("-")
            command = commands.add_parser(name, help=module.HELP, description=module.HELP)
        command.set_defaults(run=module.run)
        module.add_flags(command)
    return parser


if __name__ == "__main__":
    sys.exit(main())
