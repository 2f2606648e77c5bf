"""``mass-plugins summarize``: raw documents in, raw summaries out."""

from mass_plugins.commands.flags import add_running_flags, finite, load_translator, natural, positive
from mass_plugins.commands.lines import convert_stdin
from mass_plugins.errors import InputError

HELP = "summarize documents, one per line, from stdin to stdout"


def add_flags(command):
    command.add_argument("checkpoint", help="a checkpoint_*.pt of seq2seq_finetuning with a direction like en-en")
    command.add_argument("--language", help="of documents and summaries (default: the model's only one)")
    command.add_argument(
        "--data", help="data-bin with dictionary and text.json (default: where the checkpoint is, or was trained)"
    )
    add = command.add_argument_group("generation").add_argument
    add("--beam", type=positive, default=5, help="width of the search; 1 is greedy (default 5)")
    add(
        "--min-len",
        type=natural,
        default=1,
        metavar="N",
        help="fewest sub-words of a summary (default 1; CNN/DailyMail: 50)",
    )
    add("--max-len", type=positive, default=200, metavar="N", help="most sub-words of a summary (default 200)")
    add(
        "--no-repeat-ngram",
        type=natural,
        default=3,
        metavar="N",
        help="no n-gram of this length comes twice; 0: any may (default 3)",
    )
    add(
        "--length-penalty",
        type=finite,
        default=1.0,
        metavar="P",
        help="above 1 longer summaries are preferred (default 1)",
    )
    add("--truncate", type=positive, metavar="N", help="cut documents to N sub-words (default: as in training)")
    add = add_running_flags(command)
    add("--batch-tokens", type=positive, default=4000, help="sub-words times beam summarized at once (default 4000)")
    add("--buffer", type=positive, default=100, help="documents read before they are summarized (default 100)")


def run(options):
    if options.min_len > options.max_len:
        raise InputError(
            f"--min-len {options.min_len} exceeds --max-len {options.max_len}; lower the former or raise the latter"
        )
    summarizer = load_translator(options)
    names = ("beam", "min_len", "max_len", "no_repeat_ngram", "length_penalty", "truncate", "batch_tokens")
    settings = {name: getattr(options, name) for name in names}
    language = summarizer.only_language(options.language)  # before the first line is waited for
    convert_stdin(lambda lines: summarizer.summarize(lines, language, **settings), options.buffer)
