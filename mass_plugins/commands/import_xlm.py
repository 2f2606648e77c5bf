"""``mass-plugins import xlm``: models of XLM's code, the authors' translation models among them."""

from mass_plugins.commands.flags import add_import_flags, save_imported, seed
from mass_plugins.errors import InputError

HELP = "a .pth of the authors' MASS for translation, or of XLM (encoder and decoder of its language models)"


def add_flags(command):
    command.add_argument("model", help="the .pth; a language model becomes the encoder, and the decoder, too")
    command.add_argument("--decoder", metavar="FILE", help="a .pth to take the decoder from")
    command.add_argument("--langs", help="languages, where the file doesn't name them, by the order of their codes")
    command.add_argument("--vocab", metavar="FILE", help="XLM's vocabulary, where the file doesn't hold it")
    command.add_argument("--codes", metavar="FILE", help="BPE codes (fastBPE's), for raw text")
    command.add_argument("--lowercase", action="store_true", help="with --codes: the text was in lower case")
    command.add_argument("--seed", type=seed, default=1, help="of cross-attention that the file lacks (default 1)")
    add_import_flags(command)


def run(options):
    from mass_plugins.data.languages import parse_languages
    from mass_plugins.interop.xlm import read_xlm

    if options.lowercase and not options.codes:
        raise InputError("--lowercase has no effect without --codes; give both or none")
    model = read_xlm(
        options.model,
        decoder=options.decoder,
        vocabulary=options.vocab,
        codes=options.codes,
        languages=parse_languages(options.langs) if options.langs else None,
        heads=options.heads,
        lowercase=options.lowercase,
    )
    save_imported(model, options, options.seed)
