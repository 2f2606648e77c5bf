"""``mass-plugins export huggingface-encoder``."""

from mass_plugins.commands.encoder_flags import add_export_flags

HELP = "a text encoder as a Hugging Face folder, MLM head included: AutoModel.from_pretrained reads it"


def add_flags(command):
    add_export_flags(command)


def run(options):
    from mass_plugins.encoding.loading import load_model
    from mass_plugins.interop.folders import whole_folder
    from mass_plugins.interop.huggingface_encoder import write_folder

    encoder = load_model(options.checkpoint, options.data)
    with whole_folder(options.destdir) as folder:
        write_folder(encoder, folder)
    print(f"{options.destdir}: AutoModelForMaskedLM.from_pretrained and AutoTokenizer.from_pretrained read it")
