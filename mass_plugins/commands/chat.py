"""``mass-plugins chat``: a person talks to a model in a terminal."""

import dataclasses
import io
import sys

from mass_plugins.commands.flags import (
    add_running_flags,
    load_translator,
    natural,
    positive,
    refuse_idle,
    seed,
    set_only,
)
from mass_plugins.errors import InputError

HELP = "talk to a model that was fine-tuned on dialogues; it remembers the last turns"
_OF_DRAWS = ("temperature", "sampling_topk", "sampling_topp")
COMMANDS = """/reset         forget what was said
/history       show what was said
/temperature T draw more (above 1) or less freely
/help          this list
/quit          leave; so do end of input (Ctrl-D) and Ctrl-C"""


def add_flags(command):
    command.add_argument("checkpoint", help="a checkpoint_*.pt of seq2seq_finetuning with a direction like en-en")
    command.add_argument("--language", help="of the talk (default: the model's only one)")
    command.add_argument(
        "--data", help="data-bin with dictionary and text.json (default: where the checkpoint is, or was trained)"
    )
    add = command.add_argument_group("context (default: dialogue.json of the data-bin)").add_argument
    add("--turns", type=positive, metavar="N", help="turns that an answer is based on, as in the training text")
    add("--separator", metavar="WORD", help="between them, as in the training text")
    add = command.add_argument_group("answers").add_argument
    add("--temperature", type=float, metavar="T", help="divides the logits (default 1)")
    add(
        "--sampling-topk",
        type=natural,
        metavar="K",
        help="draw from the K likeliest tokens (default 0: all)",
    )
    add(
        "--sampling-topp",
        type=float,
        metavar="P",
        help="draw from this share of probability (default 0.9; 0: all)",
    )
    add("--beam", type=positive, metavar="N", help="search with this width instead of drawing")
    add(
        "--no-repeat-ngram",
        type=natural,
        metavar="N",
        help="of --beam: no n-gram of this length comes twice (default 3)",
    )
    add("--min-len", type=natural, default=1, metavar="N", help="fewest sub-words of an answer (default 1)")
    add("--max-len", type=positive, default=60, metavar="N", help="most sub-words of an answer (default 60)")
    add("--seed", type=seed, help="of the draws: equal conversations get equal answers (default: none)")
    add_running_flags(command)


def run(options):
    from mass_plugins.data.dialogue import DialogueSettings
    from mass_plugins.generation.chat import Conversation, Generation

    if options.beam is None:
        refuse_idle(options, ["no_repeat_ngram"], "without --beam")
    else:
        refuse_idle(options, [*_OF_DRAWS, "seed"], "with --beam, which draws nothing")
    given = set_only(options, *_OF_DRAWS, "beam", "no_repeat_ngram", "min_len", "max_len")
    generation = Generation(sampling=options.beam is None, **given)
    model = load_translator(options)
    language = model.only_language(options.language)
    context = set_only(options, "turns", "separator")
    settings = dataclasses.replace(DialogueSettings.load(model.data_folder), **context)
    talk(Conversation(model, language, settings, generation, options.seed))


def talk(conversation) -> None:
    """Read turns from stdin and print answers until the input ends, or somebody has had enough."""
    if sys.stdin is None:  # closed
        return
    terminal = sys.stdin.isatty()
    if terminal:
        import readline  # noqa: F401  input() then has a history and can be edited

        print(f"{conversation.settings.turns} turns are remembered; /help lists the commands.")
    for stream, errors in ((sys.stdin, "replace"), (sys.stdout, "strict")):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors=errors)  # whatever the locale
    while True:
        try:
            line = input("> " if terminal else "").strip()
            if line == "/quit":
                return
            if line.startswith("/"):
                print(_command(conversation, line), flush=True)
            elif line:
                print(conversation.answer(line), flush=True)
        except (EOFError, KeyboardInterrupt):
            if terminal:
                print()
            return
        except InputError as error:  # of one turn, not of the talk
            print(f"({error})", flush=True)


def _command(conversation, line: str) -> str:
    name, _, value = line.partition(" ")
    if name == "/reset":
        conversation.reset()
        return "(all is forgotten)"
    if name == "/history":
        return "\n".join(conversation.turns) or "(nothing was said)"
    if name == "/temperature":
        if not conversation.generation.sampling:
            raise InputError("answers are searched for with --beam, not drawn, so a temperature has no effect")
        try:
            temperature = float(value)
        except ValueError:
            raise InputError(f"{value!r} is not a number; say, for example, /temperature 0.7") from None
        conversation.generation = dataclasses.replace(conversation.generation, temperature=temperature)
        return f"(temperature {temperature:g})"
    if name == "/help":
        return COMMANDS
    raise InputError(f"there is no command {name}; /help lists the commands")
