"""``mass-plugins export ctranslate2``: one direction for CTranslate2."""

from mass_plugins.commands.flags import add_translation_model

HELP = "one direction of a model for CTranslate2, with its tokenizer"
QUANTIZATIONS = ("float32", "int8", "int8_float32", "float16", "int8_float16", "bfloat16", "int8_bfloat16")


def add_flags(command):
    add_translation_model(command)
    command.add_argument("--destdir", required=True, metavar="DIR", help="folder to write, which must not exist")
    command.add_argument(
        "--quantization", choices=QUANTIZATIONS, default="float32", help="of weights (default float32)"
    )


def run(options):
    from mass_plugins import load
    from mass_plugins.interop.ctranslate2 import export_ctranslate2

    translator = load(options.checkpoint, data=options.data, device="cpu")
    made = export_ctranslate2(translator, options.source, options.target, options.destdir, options.quantization)
    print(f"{options.destdir}: {made.says()}")
