"""``mass-plugins export bart``: one direction in Hugging Face's format."""

from mass_plugins.commands.flags import add_translation_model

HELP = "one direction of a model as a BART of Hugging Face's transformers, with its tokenizer"


def add_flags(command):
    add_translation_model(command)
    command.add_argument("--destdir", required=True, metavar="DIR", help="folder to write, which must not exist")


def run(options):
    from mass_plugins import load
    from mass_plugins.interop.huggingface_bart import export_bart

    translator = load(options.checkpoint, data=options.data, device="cpu")
    made = export_bart(translator, options.source, options.target, options.destdir)
    print(f"{options.destdir}: {made.says()}")
