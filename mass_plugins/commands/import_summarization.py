"""``mass-plugins import summarization``: the authors' models for summarization."""

from mass_plugins.commands.flags import add_import_flags, save_imported

HELP = "a .pt of the authors' MASS for summarization, with BERT's vocabulary"


def add_flags(command):
    command.add_argument("model", help="the .pt (weights alone, or a fine-tuned checkpoint), or a .safetensors")
    command.add_argument("--vocab", required=True, metavar="FILE", help="the dict.txt beside it, or BERT's vocab.txt")
    command.add_argument("--lang", default="en", help="language of source and target (default en)")
    command.add_argument("--cased", action="store_true", help="the vocabulary keeps upper case")
    add_import_flags(command)


def run(options):
    from mass_plugins.interop.mass_summarization import read_summarization

    save_imported(read_summarization(options.model, options.vocab, options.lang, options.heads, options.cased), options)
