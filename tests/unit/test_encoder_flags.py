"""Every option of the text encoders and of MLM pre-training, from the command line to the module it names."""

import pytest
import torch
from fairseq import models, tasks
from omegaconf import OmegaConf
from torch.nn import functional

from mass_plugins.models.text_encoder import TextEncoderConfig
from mass_plugins.modules.positions import Positions
from mass_plugins.objectives.mlm_pretraining.task import MlmPretrainingConfig
from tests import tiny_encoder
from tests.unit.test_flags import as_flags, dtype_of_a_step, fields, parsed, train_set

# option: a value that no preset has, and where it shows
MODEL = {
    "encoder_layers": (2, lambda m: len(m.layers)),
    "encoder_embed_dim": (40, lambda m: m.output_weight.shape[1]),
    "encoder_ffn_embed_dim": (24, lambda m: m.layers[0].fc1.out_features),
    "encoder_attention_heads": (5, lambda m: m.layers[-1].self_attn.heads),
    "max_positions": (33, lambda m: m.max_positions()),
    "position_style": ("roberta", lambda m: "roberta" if isinstance(m.embed_positions, Positions) else "bert"),
    "token_types": (3, lambda m: 0 if m.embed_types is None else len(m.embed_types.weight)),
    "layer_norm_epsilon": (0.1, lambda m: m.layers[-1].final_layer_norm.eps),
    "activation_fn": ("relu", lambda m: "gelu" if m.layers[0].activation_fn is functional.gelu else "relu"),
    "dropout": (0.2, lambda m: m.dropout.p),
    "attention_dropout": (0.3, lambda m: m.layers[0].self_attn.dropout),
    "activation_dropout": (0.4, lambda m: m.layers[0].activation_dropout_module.p),
    "drop_head": (0.5, lambda m: m.layers[0].self_attn.drop_head),
    "checkpoint_activations": (True, lambda m: "forward" in vars(m.layers[0])),
}  # fmt: skip
COMMON = {"max_positions": 512, "activation_fn": "gelu", "dropout": 0.1, "attention_dropout": 0.1,
          "activation_dropout": 0.0, "drop_head": 0.0, "checkpoint_activations": False}  # fmt: skip


def preset(layers, width, inner, heads, style="bert"):
    kind = {"position_style": style, "token_types": 2, "layer_norm_epsilon": 1e-12}
    if style == "roberta":
        kind |= {"token_types": 0, "layer_norm_epsilon": 1e-5}
    sizes = {"encoder_layers": layers, "encoder_embed_dim": width, "encoder_ffn_embed_dim": inner}
    return {**sizes, "encoder_attention_heads": heads, **kind, **COMMON}


PRESETS = {
    "text_encoder": preset(12, 768, 3072, 12),
    "text_encoder_tiny": preset(3, 256, 1024, 4),
    "text_encoder_bert_base": preset(12, 768, 3072, 12),
    "text_encoder_bert_large": preset(24, 1024, 4096, 16),
    "text_encoder_roberta_base": preset(12, 768, 3072, 12, "roberta"),
    "text_encoder_xlmr_base": preset(12, 768, 3072, 12, "roberta"),
    "text_encoder_xlmr_large": preset(24, 1024, 4096, 16, "roberta"),
    "text_encoder_minilm": preset(6, 384, 1536, 12),
}


@pytest.fixture(scope="module")
def data_bin(once):
    return once("encoder-flags", tiny_encoder.make_data_bin)


@pytest.fixture(scope="module")
def task(data_bin):
    return tasks.setup_task(parsed(data_bin, "--task", "mlm_pretraining", "--arch", "text_encoder_tiny").task)


def shown(task, cfg):
    """Each option as the model built of ``cfg`` shows it; its weights are never filled: no time."""
    with torch.device("meta"):
        model = models.build_model(cfg, task)
    return {name: read(model) for name, (_, read) in MODEL.items()}


def test_every_architecture_and_option_is_in_the_tables():
    ours = {name for name, cls in models.MODEL_REGISTRY.items() if cls.__module__ == "mass_plugins.models.text_encoder"}
    assert set(PRESETS) == ours
    for name in ours:
        assert fields(models.MODEL_DATACLASS_REGISTRY[name]) == set(MODEL) == fields(TextEncoderConfig)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset(name, task):
    assert shown(task, OmegaConf.create({"_name": name})) == PRESETS[name]
    changed = {"encoder_layers": 2, "dropout": 0.2}
    assert shown(task, OmegaConf.create({"_name": name, **changed})) == {**PRESETS[name], **changed}


@pytest.mark.parametrize("name", ["text_encoder_minilm", "text_encoder_roberta_base"])
def test_the_command_line(name, task, data_bin):
    words = [data_bin, "--task", "mlm_pretraining", "--arch", name]
    assert shown(task, parsed(*words).model) == PRESETS[name]
    unusual = {option: value for option, (value, _) in MODEL.items()}
    if PRESETS[name]["position_style"] == "roberta":
        unusual["position_style"] = "bert"
    assert shown(task, parsed(*words, *as_flags(unusual)).model) == unusual


def masker_of(task):
    return train_set(task).streams[0].masker


# option: flags, what the task shows, with them and without
TASK = {
    "langs": (["--langs", "en"], lambda t: len(train_set(t).streams), 1, 2),
    "language_alpha": (["--language-alpha", 0], lambda t: train_set(t).quotas.tolist(), [110, 110], [150, 70]),
    "separate_languages": (["--separate-languages"], lambda t: train_set(t).separate, True, False),
    "mask_ratio": (["--mask-ratio", 0.3], lambda t: masker_of(t).ratio, 0.3, 0.15),
    "whole_words": (["--whole-words"], lambda t: masker_of(t).whole_words, True, False),
    "mask_keep_rand": (["--mask-keep-rand", "1,0,0"], lambda t: masker_of(t).replacement[0], 1.0, 0.8),
    "mask_sets": (["--mask-sets", 4], lambda t: getattr(masker_of(t), "sets", 0), 4, 0),
    "sample_break_mode": (["--sample-break-mode", "none", "--tokens-per-sample", 20],
                          lambda t: set(train_set(t).source_sizes[:50]) == {20}, True, False),
    "tokens_per_sample": (["--sample-break-mode", "complete", "--tokens-per-sample", 40],
                          lambda t: 30 < max(train_set(t).source_sizes) <= 40, True, False),
    "long_lines": (["--long-lines", "skip"], lambda t: train_set(t).long_lines, "skip", "error"),
    "pretrained_checkpoint": (["--pretrained-checkpoint", "a.pt"], lambda t: t.cfg.pretrained_checkpoint, "a.pt", None),
    "autocast_bfloat16": (["--autocast-bfloat16"], dtype_of_a_step, torch.bfloat16, torch.float32),
    "seed": (["--seed", 7], lambda t: train_set(t).seed, 7, 1),
    "train_subset": (["--train-subset", "valid"], lambda t: train_set(t, "valid").fixed, False, True),
    "save_dir": (["--save-dir", "here"], lambda t: t.cfg.save_dir, "here", "checkpoints"),
    "no_save": (["--no-save"], lambda t: t.cfg.no_save, True, False),
}  # fmt: skip


def test_every_option_of_the_task_is_in_the_table():
    metric = {"best_checkpoint_metric", "maximize_best_checkpoint_metric"}  # in objectives/test_training_task.py
    vectors = {"pretrained_embeddings", "restore_file", "finetune_from_model"}  # in end_to_end/test_align.py
    assert fields(MlmPretrainingConfig) == {*TASK, "data"} | metric | vectors


@pytest.fixture(scope="module")
def uneven(once):
    """German has more lines than English."""

    def make(folder):
        tiny_encoder.make_data_bin(folder, lines=150)
        short = once("encoder-flags-short", lambda other: tiny_encoder.make_data_bin(other, lines=70))
        for end in ("bin", "idx"):
            (folder / f"train.en-None.en.{end}").write_bytes((short / f"train.en-None.en.{end}").read_bytes())

    return once("encoder-flags-uneven", make)


@pytest.mark.parametrize("option", TASK)
def test_a_flag_of_the_task(option, uneven):
    flags, read, expected, default = TASK[option]

    def set_up(*words):
        cfg = parsed(uneven, "--task", "mlm_pretraining", "--arch", "text_encoder_tiny", *words)
        return tasks.setup_task(cfg.task)

    assert read(set_up()) == default != expected
    assert read(set_up(*flags)) == expected
