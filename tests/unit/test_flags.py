"""Every option, from the command line, a script's Namespace or a partial configuration, to the module it names.

fairseq loses some silently: presets, overrides, and what a configuration leaves out. The tables below are
compared with the fields of the dataclasses: an option without a row here fails.
"""

import argparse
import functools
import shutil
from unittest import mock

import numpy as np
import pytest
import torch
from fairseq import models, options, tasks
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from omegaconf import OmegaConf
from torch import nn

import mass_plugins  # noqa: F401  registers
from mass_plugins.data.random_state import sentence_keys
from mass_plugins.errors import InputError
from mass_plugins.modules.language_projections import LanguageLinear
from mass_plugins.objectives.mass_pretraining.task import MassPretrainingConfig
from mass_plugins.objectives.seq2seq_finetuning.task import Seq2SeqFinetuningConfig
from mass_plugins.objectives.seq2seq_task import DirectedCodec
from tests import tiny


def parsed(*flags, parser=options.get_training_parser):
    """fairseq's whole configuration, as its commands make it of their flags."""
    arguments = [*map(str, flags), *tiny.PLUGIN_FLAGS]
    return convert_namespace_to_omegaconf(options.parse_args_and_arch(parser(), arguments))


def fields(dataclass):
    return {name for name in dataclass.__dataclass_fields__ if not name.startswith("_")}


def as_flags(values):
    """``{"encoder_layers": 2, "cross_attend_masked": True}`` → the command line's words."""
    words = []
    for name, value in values.items():
        words += ["--" + name.replace("_", "-")] + ([] if value is True else [str(value)])
    return words


# --- the model ----------------------------------------------------------------------------------


def every_layer(model, side):
    return getattr(model, side).layers


def only(values):
    """The one value that all layers have."""
    (value,) = set(values)
    return value


def sizes(side):
    """Field → (an unusual value, how the model shows it), of the encoder or the decoder."""
    return {
        f"{side}_layers": (1 if side == "encoder" else 5, lambda m: len(every_layer(m, side))),
        f"{side}_embed_dim": (
            32, lambda m: only([layer.self_attn.embed_dim for layer in every_layer(m, side)]
                               + [layer.fc2.out_features for layer in every_layer(m, side)]
                               + [getattr(m, side).embed_tokens.embedding_dim]
                               + [getattr(m, side).embed_positions.embedding_dim])
        ),
        f"{side}_ffn_embed_dim": (
            24 if side == "encoder" else 28, lambda m: only(layer.fc1.out_features for layer in every_layer(m, side))
        ),
        f"{side}_attention_heads": (
            2 if side == "encoder" else 32, lambda m: only(heads_of(layer) for layer in every_layer(m, side))
        ),
    }  # fmt: skip


def heads_of(layer):
    cross = getattr(layer, "encoder_attn", None)
    return only(attention.num_heads for attention in (layer.self_attn, cross) if attention is not None)


def all_layers(model):
    return [*model.encoder.layers, *model.decoder.layers]


def attentions(model):
    return [m for m in model.modules() if type(m).__name__.endswith("MultiheadAttention")]


def layer_norm_of(model):
    """Before each sub-layer, with another one at the end of each side, or after it."""
    ends = [side.layer_norm is not None for side in (model.encoder, model.decoder)]
    return "pre" if only([layer.normalize_before for layer in all_layers(model)] + ends) else "post"


def projections_of(attention):
    """Which of the projections are a language's own."""
    own = [name for name in "qkv" if isinstance(getattr(attention, f"{name}_proj"), LanguageLinear)]
    return ("all" if len(own) == 3 else "output") if isinstance(attention.out_proj, LanguageLinear) else "none"


MODEL = {
    **sizes("encoder"),
    **sizes("decoder"),
    "max_source_positions": (
        70, lambda m: only([m.max_positions()[0] + (m.encoder.first_idx is not None),
                            m.encoder.embed_positions.max_positions])
    ),
    "max_target_positions": (80, lambda m: only([m.max_positions()[1], m.decoder.embed_positions.max_positions])),
    "activation_fn": ("relu", lambda m: only(layer.activation_fn.__name__ for layer in all_layers(m))),
    "dropout": (0.23, lambda m: only(x.dropout_module.p for x in [m.encoder, m.decoder, *all_layers(m)])),
    "attention_dropout": (0.24, lambda m: only(attention.dropout_module.p for attention in attentions(m))),
    "activation_dropout": (0.25, lambda m: only(layer.activation_dropout_module.p for layer in all_layers(m))),
    "layer_norm": ("pre", lambda m: layer_norm_of(m)),
    "cross_attend_masked": (True, lambda m: m.encoder.mask_idx is None),
    "checkpoint_activations": (
        True, lambda m: only(isinstance(layer.forward, functools.partial) for layer in all_layers(m))
    ),
    "layer_norm_eps": (1e-12, lambda m: only(x.eps for x in m.modules() if isinstance(x, nn.LayerNorm))),
    "output_bias": (True, lambda m: m.decoder.output_projection.bias is not None),
    "scale_embedding": (True, lambda m: only(side.embed_scale != 1 for side in (m.encoder, m.decoder))),
    "separate_embeddings": (True, lambda m: m.encoder.embed_tokens is not m.decoder.embed_tokens),
    "source_start": ("bos", lambda m: {None: "none", 0: "bos", 2: "eos"}[m.encoder.first_idx]),
    "language_projections": (
        "output", lambda m: only(projections_of(layer.encoder_attn) for layer in m.decoder.layers)
    ),
}  # fmt: skip
COMMON = dict(
    max_source_positions=512, max_target_positions=512, activation_fn="gelu", dropout=0.1, attention_dropout=0.1,
    activation_dropout=0.0, layer_norm="post", cross_attend_masked=False, checkpoint_activations=False,
    layer_norm_eps=1e-5, output_bias=False, scale_embedding=False, separate_embeddings=False, source_start="none",
    language_projections="none",
)  # fmt: skip


def preset(layers, width, inner, heads):
    names = {"layers": layers, "embed_dim": width, "ffn_embed_dim": inner, "attention_heads": heads}
    return {f"{side}_{name}": value for side in ("encoder", "decoder") for name, value in names.items()} | COMMON


PRESETS = {
    "mass_unmt": preset(6, 1024, 4096, 8),
    "mass_base": preset(6, 768, 3072, 12),
    "mass_middle": preset(6, 1024, 4096, 16),
    "mass_tiny": preset(3, 256, 1024, 4) | {"layer_norm": "pre"},
}
OURS = {name for name, cls in models.MODEL_REGISTRY.items() if cls.__module__ == "mass_plugins.models.mass_transformer"}


@pytest.fixture(scope="module")
def task(tiny_data_bin):
    return tasks.setup_task(parsed(tiny_data_bin, "--task", "mass_pretraining", "--arch", "mass_tiny").task)


def shown(task, cfg):
    """Each option as the model built of ``cfg`` shows it; its weights are never filled: no time."""
    fill = [name for name in dir(nn.init) if name.endswith("_") and not name.startswith("_")]
    with mock.patch.multiple(nn.init, **dict.fromkeys(fill, lambda tensor, *_, **__: tensor)):
        model = models.build_model(cfg, task)
    return {name: read(model) for name, (_, read) in MODEL.items()}


UNUSUAL = {name: value for name, (value, _) in MODEL.items()}


def unusual(name):
    """For each option a value that isn't the preset's."""
    return {**UNUSUAL, "layer_norm": "pre" if PRESETS[name]["layer_norm"] == "post" else "post"}


class TestModel:
    def test_every_architecture_and_option_is_in_the_tables(self):
        assert set(PRESETS) == OURS
        for name in OURS:
            assert fields(models.MODEL_DATACLASS_REGISTRY[name]) == set(MODEL), "an option without a test"

    def test_values_differ_from_every_preset(self):
        """Else the tests below could not fail."""
        for name in PRESETS:
            assert all(PRESETS[name][option] != unusual(name)[option] for option in MODEL)
        numbers = [value for option, value in UNUSUAL.items() if value is not True and "embed_dim" not in option]
        assert len(set(numbers)) == len(numbers)  # nor can one stand for another

    @pytest.mark.parametrize("name", PRESETS)
    def test_a_preset_by_its_name_alone(self, name, task, tiny_data_bin):
        cfg = parsed(tiny_data_bin, "--task", "mass_pretraining", "--arch", name).model
        assert shown(task, cfg) == PRESETS[name]
        assert shown(task, OmegaConf.create({"_name": name})) == PRESETS[name]
        assert shown(task, argparse.Namespace(arch=name)) == PRESETS[name]

    @pytest.mark.parametrize("name", PRESETS)
    def test_all_flags_at_once(self, name, task, tiny_data_bin):
        """But two that exclude each other."""
        flags = {option: value for option, value in unusual(name).items() if option != "checkpoint_activations"}
        cfg = parsed(tiny_data_bin, "--task", "mass_pretraining", "--arch", name, *as_flags(flags)).model
        assert shown(task, cfg) == {**flags, "checkpoint_activations": False}
        with pytest.raises(InputError, match="--checkpoint-activations"):
            models.build_model(OmegaConf.create({"_name": name, **unusual(name)}), task)

    @pytest.mark.parametrize("option", [name for name in MODEL if not name.endswith("r_embed_dim")])
    def test_a_single_option_changes_nothing_else(self, option, task):
        """The rest keeps the preset, not the base class's values."""
        changed = {option: UNUSUAL[option]}
        plain = {"_name": "mass_base", **changed}
        for cfg in (OmegaConf.create(plain), argparse.Namespace(arch="mass_base", **changed)):
            assert shown(task, cfg) == {**PRESETS["mass_base"], **changed}

    def test_both_widths(self, task):
        widths = {"encoder_embed_dim": 96, "decoder_embed_dim": 96}
        assert shown(task, OmegaConf.create({"_name": "mass_base", **widths})) == {**PRESETS["mass_base"], **widths}

    def test_the_configuration_under_its_models_name(self, task):
        """``model/mass_base.yaml`` without ``_name``, as Hydra nests it."""
        cfg = OmegaConf.create({"mass_base": {"_name": "mass_base", "decoder_layers": 1}})
        assert shown(task, cfg) == {**PRESETS["mass_base"], "decoder_layers": 1}

    def test_what_makes_it_mass_is_no_option(self, task, tiny_data_bin, capsys):
        for flag in ("--no-scale-embedding", "--share-all-embeddings", "--encoder-learned-pos"):
            with pytest.raises(SystemExit):
                parsed(tiny_data_bin, "--task", "mass_pretraining", "--arch", "mass_tiny", flag)
            assert f"unrecognized arguments: {flag}" in capsys.readouterr().err
        model = models.build_model(OmegaConf.create({"_name": "mass_tiny"}), task)
        for side in (model.encoder, model.decoder):
            assert side.layernorm_embedding is not None and side.embed_scale == 1
            assert type(side.embed_positions).__name__ == "Positions"
            assert side.embed_languages.weight.shape == (3, 256)
        assert model.encoder.embed_tokens is model.decoder.embed_tokens
        assert model.decoder.output_projection.weight is model.encoder.embed_tokens.weight
        shapes = [tuple(p.shape) for p in model.parameters()]
        assert shapes.count((len(task.dictionary), 256)) == 1  # one matrix in all

    def test_an_unknown_option_is_refused(self, task):
        with pytest.raises(Exception, match="encoder_layer"):
            models.build_model(OmegaConf.create({"_name": "mass_tiny", "encoder_layer": 2}), task)

    @pytest.mark.parametrize("changes", [{"encoder_attention_heads": 5}, {"decoder_attention_heads": 0}])
    def test_heads_that_do_not_fit(self, changes, task):
        (option,) = changes
        with pytest.raises(InputError, match=f"--{option.replace('_', '-')} "):
            models.build_model(OmegaConf.create({"_name": "mass_tiny", **changes}), task)


# --- the tasks ----------------------------------------------------------------------------------


def set_up(data, name, *flags):
    return tasks.setup_task(parsed(data, "--task", name, "--arch", "mass_tiny", *flags).task)


def train_set(task, split="train"):
    task.load_dataset(split)
    return task.dataset(split)


def pretraining(data, *flags):
    return set_up(data, "mass_pretraining", *flags)


def masker_of(task, split="train"):
    return train_set(task, split).streams[0].masker


# flag and the task it belongs to: what the task shows with the flag, and without it
PRETRAINING = {
    "langs": (["--langs", "fr,de"], lambda t: t.languages, ["fr", "de"], ["de", "en", "fr"]),
    "long_lines": (["--long-lines", "truncate"], lambda t: train_set(t).long_lines, "truncate", "error"),
    "separate_languages": (["--separate-languages"], lambda t: max(train_set(t).group_of), 2, 0),
    "autocast_bfloat16": (["--autocast-bfloat16"], lambda t: dtype_of_a_step(t), torch.bfloat16, torch.float32),
    "source_lang": (["-s", "de"], lambda t: t.cfg.source_lang, "de", None),
    "target_lang": (["-t", "en"], lambda t: t.cfg.target_lang, "en", None),
    "seed": (["--seed", 7], lambda t: train_set(t).seed, 7, 1),
    "train_subset": (["--train-subset", "valid"], lambda t: train_set(t, "valid").fixed, False, True),
    "mono_langs": (["--mono-langs", "fr"], lambda t: [s.source_language for s in train_set(t).streams], [2], [0, 1, 2]),
    "parallel_directions": (
        ["--parallel-directions", "fr-en"],
        lambda t: [(s.source_language, s.target_language) for s in train_set(t).streams[3:]], [(2, 1)], [],
    ),
    "masking": (["--masking", "discrete"], lambda t: masker_of(t).masking, "discrete", "span"),
    "span_ratio": (["--span-ratio", 0.3], lambda t: masker_of(t).ratio, 0.3, 0.5),
    "mask_keep_rand": (
        ["--mask-keep-rand", "0.5,0.3,0.2"], lambda t: tuple(masker_of(t).replacement), (0.5, 0.3, 0.2), (0.8, 0.1, 0.1)
    ),
    "feed_whole_sentence": (["--feed-whole-sentence"], lambda t: masker_of(t).feed_whole_sentence, True, False),
    "tokens_per_block": (
        ["--masking", "block", "--tokens-per-block", 48], lambda t: 48 in train_set(t).source_sizes, True, False
    ),
    "tokens_per_window": (["--masking", "block", "--tokens-per-window", 16], lambda t: masker_of(t).window, 16, 64),
}  # fmt: skip


def dtype_of_a_step(task):
    """What a forward pass inside of the task's autocast computes in."""
    linear = torch.nn.Linear(2, 2)
    with task.autocast(linear):
        return linear(torch.ones(1, 2)).dtype


class TestPretraining:
    def test_every_option_is_in_the_table(self):
        own_tests = {"data", "language_alpha", "save_dir", "skip_invalid_size_inputs_valid_test"}
        own_tests |= {"pretrained_embeddings", "restore_file", "finetune_from_model"}  # in end_to_end/test_align.py
        own_tests |= {"word_shuffle", "word_drop", "word_blank"}  # in objectives/test_word_denoising.py
        own_tests |= {
            "best_checkpoint_metric",
            "maximize_best_checkpoint_metric",
        }  # in objectives/test_training_task.py
        assert fields(MassPretrainingConfig) == set(PRETRAINING) | own_tests, "an option without a test"

    @pytest.fixture(scope="class")
    def without(self, tiny_data_bin):
        """The task without any flag."""
        return pretraining(tiny_data_bin)

    @pytest.mark.parametrize("option", PRETRAINING)
    def test_flag(self, option, tiny_data_bin, without):
        flags, read, expected, default = PRETRAINING[option]
        assert read(without) == default != expected
        assert read(pretraining(tiny_data_bin, *flags)) == expected

    def test_data_in_shards(self, tiny_shards):
        task = pretraining(f"{tiny_shards}/0:{tiny_shards}/1")
        names = []
        for epoch in (1, 2, 3):
            task.load_dataset("train", epoch=epoch)
            names.append(task.dataset("train").streams[0].name.split(",")[0])
        assert names == [f"{tiny_shards}/0", f"{tiny_shards}/1", f"{tiny_shards}/0"]
        assert task.dataset("train").shards == 2

    @pytest.mark.parametrize("alpha, quotas", [(1, [40, 160]), (0.5, [67, 133]), (0, [100, 100])])
    def test_alpha_changes_the_shares(self, alpha, quotas, tiny_data_bin, tmp_path):
        shutil.copytree(tiny_data_bin, tmp_path, dirs_exist_ok=True)
        for language, lines in (("de", 40), ("en", 160)):
            tiny.write_binarized(tmp_path / f"train.{language}-None.{language}", [[5, 6, 2]] * lines)
        task = pretraining(tmp_path, "--mono-langs", "de,en", *(["--language-alpha", alpha] if alpha != 1 else []))
        assert train_set(task).quotas.tolist() == quotas

    def test_span_ratio_and_replacement_reach_the_batch(self, tiny_data_bin):
        def masked(*flags):
            batch = a_batch(train_set(pretraining(tiny_data_bin, *flags)))
            source, target = batch["net_input"]["src_tokens"], batch["target"]
            return int((source == 4).sum()), batch["ntokens"], int((source != 1).sum()), target

        masks, predicted, total, _ = masked("--span-ratio", 0.2, "--mask-keep-rand", "1,0,0")
        assert masks == predicted and predicted / total == pytest.approx(0.2, abs=0.05)
        masks, predicted, *_ = masked("--mask-keep-rand", "0,1,0")
        assert masks == 0 and predicted > 0

    def test_seed_and_epoch_draw_the_masks(self, tiny_data_bin):
        def batches(*flags):
            dataset = train_set(pretraining(tiny_data_bin, *flags))
            found = [a_batch(dataset)["net_input"]["src_tokens"]]
            dataset.set_epoch(2)
            return [*found, a_batch(dataset)["net_input"]["src_tokens"]]

        first, second, other = batches("--seed", 3), batches("--seed", 3), batches("--seed", 4)
        assert all(a.equal(b) for a, b in zip(first, second))
        assert not first[0].equal(first[1]) and not first[0].equal(other[0])
        assert not np.array_equal(sentence_keys(3, 1, np.arange(4)), sentence_keys(4, 1, np.arange(4)))


def a_batch(dataset, places=range(50)):
    return dataset.collater([dataset[place] for place in places])


@pytest.fixture(scope="module")
def pretrained_file(tiny_data_bin, tmp_path_factory):
    """A checkpoint as fairseq-train would save it before the first update."""
    cfg = parsed(tiny_data_bin, *tiny.PRETRAIN, "--langs", "en,de,fr")
    task = tasks.setup_task(cfg.task)
    path = tmp_path_factory.mktemp("flags") / "checkpoint_last.pt"
    state = {"cfg": OmegaConf.to_container(cfg, enum_to_str=True), "args": None}
    state |= {"optimizer_history": [{"num_updates": 0, "lr_scheduler_state": {}}]}
    state |= {"model": task.build_model(cfg.model).state_dict(), "extra_state": {}, "task_state": task.state_dict()}
    torch.save(state, path)
    return path, state["model"]


ALL_OF_FINETUNING = [
    "--langs", "fr,de,en", "--directions", "fr-en,de-en", "--seed", 7, "--long-lines", "truncate",
    "--autocast-bfloat16", "--train-subset", "valid", "--separate-languages", "--truncate-source", 4,
]  # fmt: skip
# option → what the task shows, with these flags and with --directions de-en alone
FINETUNING = {
    "langs": (lambda t: t.languages, ["fr", "de", "en"], ["de", "en", "fr"]),
    "directions": (
        lambda t: [(s.source_language, s.target_language) for s in train_set(t).streams], [(0, 2), (1, 2)], [(0, 1)]
    ),
    "seed": (lambda t: train_set(t).seed, 7, 1),
    "long_lines": (lambda t: train_set(t).long_lines, "truncate", "error"),
    "separate_languages": (lambda t: train_set(t).separate, True, False),
    "autocast_bfloat16": (lambda t: dtype_of_a_step(t), torch.bfloat16, torch.float32),
    "train_subset": (lambda t: train_set(t, "valid").fixed, False, True),
    "truncate_source": (lambda t: longest_source(t) <= 4, True, False),
}  # fmt: skip


def longest_source(task):
    """In sizes as in batches."""
    data = train_set(task)
    width = a_batch(data)["net_input"]["src_tokens"].shape[1]
    assert width <= data.source_sizes.max()
    return int(data.source_sizes.max())


def message_of(call):
    with pytest.raises(InputError) as caught:
        call()
    return str(caught.value)


class TestFinetuning:
    def test_every_option_is_in_the_table_or_has_a_test(self):
        own = {"data", "language_alpha", "source_lang", "target_lang"}
        own |= {"pretrained_checkpoint", "eval_bleu", "eval_bleu_beam", "best_checkpoint_metric"}
        own |= {"maximize_best_checkpoint_metric", "save_dir", "skip_invalid_size_inputs_valid_test"}
        own |= {"eval_rouge", "eval_max_len_a", "eval_max_len_b", "eval_min_len"}
        assert fields(Seq2SeqFinetuningConfig) == set(FINETUNING) | own, "an option without a test"

    @pytest.fixture(scope="class")
    def with_all(self, tiny_data_bin):
        return set_up(tiny_data_bin, "seq2seq_finetuning", *ALL_OF_FINETUNING)

    @pytest.fixture(scope="class")
    def without(self, tiny_data_bin):
        return set_up(tiny_data_bin, "seq2seq_finetuning", "--directions", "de-en")

    @pytest.mark.parametrize("option", FINETUNING)
    def test_flag(self, option, with_all, without):
        read, expected, default = FINETUNING[option]
        assert read(with_all) == expected and read(without) == default

    def test_alpha_reaches_the_mixture(self, tiny_data_bin):
        task = set_up(tiny_data_bin, "seq2seq_finetuning", "--directions", "de-en", "--language-alpha", -1)
        assert message_of(lambda: train_set(task)).startswith("--language-alpha -1.0 is not in [0, 1]")

    def test_source_and_target_name_the_direction_where_directions_are_missing(self, tiny_data_bin):
        task = set_up(tiny_data_bin, "seq2seq_finetuning", "-s", "en", "-t", "fr")
        assert [(s.source_language, s.target_language) for s in train_set(task).streams] == [(1, 2)]
        assert "set --directions" in message_of(lambda: train_set(set_up(tiny_data_bin, "seq2seq_finetuning")))

    def test_they_choose_among_the_directions_of_other_splits(self, tiny_data_bin):
        flags = ["--directions", "de-en,en-de", "-s", "en", "-t", "de"]
        task = set_up(tiny_data_bin, "seq2seq_finetuning", *flags)
        assert list(map(str, task.directions("train"))) == ["de-en", "en-de"]
        assert list(map(str, task.directions("valid"))) == ["en-de"]

    def test_pretrained_checkpoint_gives_weights_and_the_order_of_languages(self, tiny_data_bin, pretrained_file):
        path, weights = pretrained_file
        cfg = parsed(tiny_data_bin, *tiny.FINETUNE, "--pretrained-checkpoint", path, "--seed", 5)
        torch.manual_seed(5)
        task = tasks.setup_task(cfg.task)
        model = task.build_model(cfg.model)
        assert task.languages == ["en", "de", "fr"]
        assert all(value.equal(weights[name]) for name, value in model.state_dict().items())
        fresh = tasks.setup_task(cfg.task)
        assert fresh.languages == ["de", "en", "fr"]
        loaded = fresh.build_model(cfg.model, from_checkpoint=True)  # the weights come from elsewhere
        assert not loaded.encoder.embed_tokens.weight.equal(weights["encoder.embed_tokens.weight"])

    def test_bleu_and_its_beam_reach_the_generator(self, tiny_data_bin):
        def built(*flags):
            cfg = parsed(tiny_data_bin, *tiny.FINETUNE, *flags)
            task = tasks.setup_task(cfg.task)
            task.build_model(cfg.model)
            return task

        assert built("--eval-bleu").eval_generator.beam_size == 1
        assert built("--eval-bleu", "--eval-bleu-beam", 3).eval_generator.beam_size == 3
        assert not hasattr(built(), "eval_generator")
        with pytest.raises(InputError, match="--best-checkpoint-metric bleu needs --eval-bleu"):
            built("--best-checkpoint-metric", "bleu")
        with pytest.raises(InputError, match="--best-checkpoint-metric rougeL needs --eval-rouge"):
            built("--best-checkpoint-metric", "rougeL", "--eval-bleu")
        limits = ("--eval-max-len-a", 0, "--eval-max-len-b", 9, "--eval-min-len", 2)
        for generator in (
            built("--eval-rouge", *limits).eval_generator,
            built("--eval-rouge", "--eval-bleu-beam", 2, *limits).eval_generator,
        ):
            assert (generator.max_len_a, generator.max_len_b, generator.min_len) == (0, 9, 2)
        assert built("--eval-bleu", "--eval-min-len", 30).eval_generator.min_len == 30  # a source may be long
        with pytest.raises(InputError, match="^--eval-min-len 30 exceeds --eval-max-len-b 9; lower the former"):
            built("--eval-bleu", *limits[:-1], 30)

    def test_flags_of_generation_reach_the_generator(self, tiny_data_bin):
        flags = ["--beam", 3, "--lenpen", 0.6, "--max-len-a", 1.2, "--max-len-b", 9, "--min-len", 2, "--unkpen", 0.5]
        cfg = parsed(
            tiny_data_bin, "--task", "seq2seq_finetuning", "-s", "de", "-t", "en", "--path", "x.pt", *flags,
            parser=options.get_generation_parser,
        )  # fmt: skip
        task = tasks.setup_task(cfg.task)
        model = task.build_model(OmegaConf.create({"_name": "mass_tiny", "encoder_layers": 1, "decoder_layers": 1}))
        generator = task.build_generator([model], cfg.generation)
        found = generator.beam_size, generator.len_penalty, generator.max_len_a, generator.max_len_b
        assert found == (3, 0.6, 1.2, 9) and (generator.min_len, generator.unk_penalty) == (2, 0.5)
        assert task.generation_direction() == ("de", "en")
        assert isinstance(task.build_bpe(cfg.bpe), DirectedCodec)


class TestPartialConfigurationOfATask:
    """What it leaves out has the default; ``seed`` and ``train_subset`` are in other groups of fairseq's."""

    def test_dict(self, tiny_data_bin):
        task = tasks.setup_task(
            OmegaConf.create({"_name": "mass_pretraining", "data": str(tiny_data_bin), "span_ratio": 0.25})
        )
        self.check(task)

    def test_namespace(self, tiny_data_bin):
        self.check(
            tasks.setup_task(argparse.Namespace(task="mass_pretraining", data=str(tiny_data_bin), span_ratio=0.25))
        )

    def test_the_dataclass_itself(self, tiny_data_bin):
        cfg = MassPretrainingConfig(data=str(tiny_data_bin), span_ratio=0.25)
        self.check(tasks.TASK_REGISTRY["mass_pretraining"].setup_task(cfg))

    @staticmethod
    def check(task):
        train, valid = train_set(task), train_set(task, "valid")
        assert train.streams[0].masker.ratio == 0.25 and train.streams[0].masker.masking == "span"
        assert train.seed == 1 and not train.fixed and valid.fixed
        assert a_batch(train)["ntokens"] > 0

    def test_given_in_a_namespace(self, tiny_data_bin):
        given = argparse.Namespace(task="mass_pretraining", data=str(tiny_data_bin), seed=9, train_subset="valid")
        task = tasks.setup_task(given)
        assert train_set(task).seed == 9 and train_set(task).fixed and not train_set(task, "valid").fixed

    def test_given_in_fairseqs_other_groups(self, tiny_data_bin):
        whole = OmegaConf.create(
            {
                "common": {"seed": 9},
                "dataset": {"train_subset": "valid"},
                "task": {"_name": "seq2seq_finetuning", "data": str(tiny_data_bin), "directions": "de-en"},
            }
        )
        task = tasks.setup_task(whole.task)
        assert train_set(task).seed == 9 and train_set(task).fixed and not train_set(task, "valid").fixed
