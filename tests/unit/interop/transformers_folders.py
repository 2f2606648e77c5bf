"""Folders as transformers saves them, of small random models, and what is said of a bad one."""

import json

import torch

from mass_plugins.cli import main
from tests import tiny_encoder

LINES = ["thight whound seed.", "schlau", "", "brein stung glerz schlade mink " * 3, "[MASK] sore",
         "A [PAD] or <pad> fills a batch. [PAD] <pad>"]  # fmt: skip
FAMILIES = {"bert": "wordpiece", "roberta": "bpe", "xlm-roberta": "unigram"}


def make_folder(folder, family: str):
    """What transformers saves of a random model of a family, with every weight far from its start."""
    import transformers

    text = tiny_encoder.make_text(FAMILIES[family], 400)
    name = {"bert": "Bert", "roberta": "Roberta", "xlm-roberta": "XLMRoberta"}[family]
    bert = family == "bert"
    config = getattr(transformers, f"{name}Config")(
        vocab_size=len(text.dictionary), hidden_size=24, num_hidden_layers=2, num_attention_heads=3,
        intermediate_size=40, max_position_embeddings=64 if bert else 66, type_vocab_size=2 if bert else 1,
        layer_norm_eps=1e-12 if bert else 1e-5, pad_token_id=text.vocabulary.pad,
    )  # fmt: skip
    torch.manual_seed(1)
    model = getattr(transformers, f"{name}ForMaskedLM")(config).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    model.save_pretrained(folder)
    specials = {f"{role}_token": symbol for role, symbol in text.specials.items()}
    transformers.PreTrainedTokenizerFast(tokenizer_object=text.tokenizer, **specials).save_pretrained(folder)
    return model


def error_of(folder, capfd) -> str:
    """The one line that the command ends with, having written nothing."""
    capfd.readouterr()
    assert main(["import", "huggingface-encoder", str(folder), "--destdir", str(folder.parent / "out")]) == 1
    lines = [line for line in capfd.readouterr().err.splitlines() if "error:" in line]
    assert len(lines) == 1 and not list(folder.parent.glob("out*"))
    return lines[0]


def change_json(path, **values):
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))
