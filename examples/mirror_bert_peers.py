"""The peers of the Mirror-BERT recipes, by sentence-transformers on the same encoder and strings.

    python mirror_bert_peers.py train simcse FOLDER STRINGS OUT --seconds 60
    python mirror_bert_peers.py train tsdae FOLDER STRINGS OUT --seconds 60
    python mirror_bert_peers.py evaluate FOLDER RUN.json --folders SETS --system simcse --seed 1

FOLDER is one of sentence-transformers (``mass-plugins export sentence-transformers``). The losses and the encoder are
theirs; the loop is plain, for their trainer needs two more packages. A training ends with its epochs or with its
time, whichever comes first: the time is what Mirror-BERT took.

simcse   Gao et al. 2021, unsupervised: a sentence with itself, dropout makes the difference; the other
         sentences of the batch are the negatives
tsdae    Wang et al. 2021: a decoder writes the sentence from the vector of one that lost 60 % of its words
"""

import argparse
import json
import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch  # noqa: E402

from mass_plugins.data.text_files import read_text  # noqa: E402
from mass_plugins.errors import InputError  # noqa: E402

DELETED = 0.6  # of a sentence's words, in TSDAE's noise


def features_of(model, texts):
    """Token ids and masks of texts, where the model is; its method's name depends on sentence-transformers' version."""
    features = model.preprocess(texts) if hasattr(model, "preprocess") else model.tokenize(texts)
    return {name: value.to(model.device) if hasattr(value, "to") else value for name, value in features.items()}


def update(model, loss_model, optimizer, first, second):
    """An update by two views of a batch, a list of texts each; returns the loss, ()."""
    value = loss_model([features_of(model, texts) for texts in (first, second)], torch.zeros(len(first)))
    optimizer.zero_grad()
    value.backward()
    optimizer.step()
    return value


def loss_of(method, model, temperature):
    from sentence_transformers import losses

    if method == "simcse":
        return losses.MultipleNegativesRankingLoss(model, scale=1 / temperature)
    folder = model[0].auto_model.config._name_or_path
    return losses.DenoisingAutoEncoderLoss(model, decoder_name_or_path=folder, tie_encoder_decoder=False)


def damaged(text, draw):
    """A sentence without 60 % of its words, at least one left."""
    words = text.split()
    kept = [word for word in words if draw.random() >= DELETED]
    return " ".join(kept or [draw.choice(words)])


def batches(lines, epochs, size, draw):
    """Full batches of the lines, anew shuffled for each epoch when its first is asked for."""
    for _ in range(epochs):
        draw.shuffle(lines)
        for begin in range(0, len(lines) - size + 1, size):
            yield lines[begin : begin + size]


def train(options):
    from sentence_transformers import SentenceTransformer

    torch.manual_seed(options.seed)
    draw = random.Random(options.seed)
    lines = [line for line in read_text(options.strings, "STRINGS") if line.strip()]
    if len(lines) < options.batch_size:
        raise InputError(
            f"{options.strings} has {len(lines)} strings, less than a batch; set --batch-size {len(lines)} or less"
        )
    model = SentenceTransformer(str(options.folder), device="cuda" if torch.cuda.is_available() else "cpu")
    longest, model.max_seq_length = model.max_seq_length, options.max_tokens
    loss_model = loss_of(options.method, model, options.temperature).to(model.device)
    optimizer = torch.optim.AdamW(loss_model.parameters(), lr=options.lr, weight_decay=0.01)
    loss_model.train()
    started, updates, value = time.perf_counter(), 0, torch.zeros(())
    for batch in batches(lines, options.epochs, options.batch_size, draw):
        if time.perf_counter() - started > options.seconds:
            break
        first = [damaged(line, draw) for line in batch] if options.method == "tsdae" else batch
        value = update(model, loss_model, optimizer, first, batch)
        updates += 1
    seconds = time.perf_counter() - started
    model.max_seq_length = longest  # texts to be scored are cut where ours are
    model.save(str(options.out))
    (options.out / "seconds").write_text(f"{seconds:.1f}\n")
    print(json.dumps({"method": options.method, "updates": updates, "seconds": seconds, "loss": value.item()}))


def evaluate(options):
    """The same scores as ``mass-plugins evaluate sts``, of a folder of sentence-transformers."""
    from sentence_transformers import SentenceTransformer

    from mass_plugins.data.json_file import write_json
    from mass_plugins.scoring.similarity import evaluate as evaluate_encoder
    from mass_plugins.scoring.similarity import table
    from mass_plugins.scoring.similarity_runs import run_record
    from mass_plugins.scoring.similarity_sets import load_sets

    model = SentenceTransformer(str(options.folder))
    sets = load_sets(options.folders, options.sets)
    found = evaluate_encoder(lambda texts: model.encode(texts, show_progress_bar=False), sets)
    seconds = options.folder / "seconds"
    spent = float(seconds.read_text()) if seconds.exists() else None
    write_json(options.output, run_record(options.system, options.seed, found, sets, spent))
    print(table(found.scores))


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("train")
    command.add_argument("method", choices=("simcse", "tsdae"))
    for name in ("folder", "strings", "out"):
        command.add_argument(name, type=Path)
    command.add_argument("--seconds", type=float, default=float("inf"))
    command.add_argument("--epochs", type=int, default=1)
    command.add_argument("--batch-size", type=int, default=200)
    command.add_argument("--lr", type=float, default=2e-5)
    command.add_argument("--temperature", type=float, default=0.05)
    command.add_argument("--max-tokens", type=int, default=50)
    command.add_argument("--seed", type=int, default=1)
    command.set_defaults(function=train)
    command = commands.add_parser("evaluate")
    command.add_argument("folder", type=Path)
    command.add_argument("output", type=Path)
    command.add_argument("--folders", nargs="+", type=Path, required=True)
    command.add_argument("--sets", default="sentences")
    command.add_argument("--system", required=True)
    command.add_argument("--seed", type=int, default=1)
    command.set_defaults(function=evaluate)
    options = parser.parse_args(argv)
    try:
        options.function(options)
    except InputError as error:
        print(f"mass_plugins: error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
