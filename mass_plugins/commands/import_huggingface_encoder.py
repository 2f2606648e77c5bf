"""``mass-plugins import huggingface-encoder``: BERT, MiniLM, RoBERTa, XLM-R."""

from pathlib import Path

from mass_plugins.commands.flags import seed

HELP = "a Hugging Face folder of a BERT, MiniLM, RoBERTa or XLM-R, or one of sentence-transformers"


def add_flags(command):
    command.add_argument("folder", type=Path, help="config.json, model.safetensors, tokenizer.json")
    command.add_argument("--destdir", type=Path, required=True, metavar="DIR", help="new folder to write")
    command.add_argument("--seed", type=seed, default=1, help="of weights that the folder doesn't have (default 1)")


def run(options):
    from mass_plugins.interop.encoder_checkpoint import flags_of, save_encoder
    from mass_plugins.interop.huggingface_encoder import read_folder
    from mass_plugins.interop.sentence_transformers import read_vectors

    foreign = read_folder(options.folder)
    read_vectors(options.folder, foreign)
    save_encoder(foreign, options.destdir, options.seed)
    checkpoint = options.destdir / "checkpoint.pt"
    shape = foreign.options
    print(f"{checkpoint}: {shape['encoder_layers']} layers of width {shape['encoder_embed_dim']}, "
          f"{len(foreign.text.dictionary)} tokens")  # fmt: skip
    if foreign.vectors:
        print("vectors: " + ", ".join(f"{name} {value}" for name, value in foreign.vectors.items()))
    for note in foreign.notes:
        print(f"note: {note}")
    flags = [*flags_of(shape, foreign.text), f"--pretrained-checkpoint {checkpoint}"]
    print("continue its training with: " + " ".join(flags))
