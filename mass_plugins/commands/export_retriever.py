"""``mass-plugins export retriever``."""

from mass_plugins.commands.encoder_flags import add_export_flags

HELP = "a retriever's vectors, not its ordinary tokens, as a folder that SentenceTransformer(folder) reads"


def add_flags(command):
    add_export_flags(command)


def run(options):
    from mass_plugins.encoding.loading import load_model
    from mass_plugins.interop.folders import whole_folder
    from mass_plugins.interop.sentence_transformers_retriever import write_retriever

    encoder = load_model(options.checkpoint, options.data)
    with whole_folder(options.destdir) as folder:
        write_retriever(encoder, folder)
    print(f"{options.destdir}: the vectors, pooled as trained, compared by dot products")
