"""``mass-plugins import bart``: fairseq's BART."""

from mass_plugins.commands.flags import add_import_flags, save_imported
from mass_plugins.errors import InputError

HELP = "a model.pt of fairseq's BART"


def add_flags(command):
    command.add_argument("model", help="the model.pt, or a .safetensors with the same names")
    command.add_argument("--dict", required=True, metavar="FILE", help="the dict.txt beside it")
    command.add_argument("--encoder-json", metavar="FILE", help="GPT-2's encoder.json, for raw text")
    command.add_argument("--vocab-bpe", metavar="FILE", help="GPT-2's vocab.bpe, for raw text")
    command.add_argument("--lang", default="en", help="language of source and target (default en)")
    add_import_flags(command)


def run(options):
    from mass_plugins.interop.fairseq_bart import read_bart

    if (options.encoder_json is None) != (options.vocab_bpe is None):
        raise InputError("--encoder-json and --vocab-bpe belong together; give both or none")
    model = read_bart(options.model, options.dict, options.encoder_json, options.vocab_bpe, options.lang, options.heads)
    save_imported(model, options)
