"""``mass-plugins export sentence-transformers``."""

from mass_plugins.commands.encoder_flags import add_export_flags, add_vector_flags, vector_flags

HELP = "a text encoder with its pooling as a folder that SentenceTransformer(folder) reads"


def add_flags(command):
    add_export_flags(command)
    add_vector_flags(command)
    command.add_argument(
        "--mlm-head", action="store_true", help="with the MLM head, for a decoder that starts from the folder (TSDAE)"
    )


def run(options):
    from mass_plugins.encoding.loading import load_model
    from mass_plugins.errors import InputError
    from mass_plugins.interop.folders import whole_folder
    from mass_plugins.interop.sentence_transformers import write_sentence_transformer

    encoder = load_model(options.checkpoint, options.data)
    if encoder.representation:
        raise InputError(f"{encoder.path} is a retriever; export it with mass-plugins export retriever")
    vectors = encoder.vector_settings(**vector_flags(options))
    with whole_folder(options.destdir) as folder:
        write_sentence_transformer(encoder, vectors, folder, options.mlm_head)
    print(f"{options.destdir}: {vectors.pooling} pooling{', unit length' if vectors.normalize else ''}")
