import argparse
import functools

import numpy as np
import pytest
import torch
from fairseq import options
from fairseq.criterions.label_smoothed_cross_entropy import LabelSmoothedCrossEntropyCriterion
from fairseq.data import Dictionary
from fairseq.models import MODEL_REGISTRY, build_model
from fairseq.sequence_generator import SequenceGenerator
from omegaconf import OmegaConf

import mass_plugins  # noqa: F401  registers
from mass_plugins.data.masker import Masker, Vocabulary
from mass_plugins.data.mixture import MixtureDataset
from mass_plugins.data.streams import MonolingualStream
from mass_plugins.data.token_masking import Replacement
from mass_plugins.errors import InputError
from mass_plugins.models.mass_transformer import MassTinyConfig
from tests.unit.models import numpy_mass

SIZES = dict(
    encoder_layers=2,
    decoder_layers=2,
    encoder_embed_dim=16,
    decoder_embed_dim=16,
    encoder_ffn_embed_dim=24,
    decoder_ffn_embed_dim=24,
    encoder_attention_heads=2,
    decoder_attention_heads=2,
    max_source_positions=64,
    max_target_positions=64,
)


class FakeTask:
    """What a model needs of its task."""

    def __init__(self, words=40, languages=("de", "en")):
        self.source_dictionary = self.target_dictionary = Dictionary()
        for symbol in ["[MASK]"] + [f"w{n}" for n in range(words)]:
            self.source_dictionary.add_symbol(symbol)
        self.languages = list(languages)


def make(name="mass_tiny", task=None, **changes):
    torch.manual_seed(0)
    cfg = OmegaConf.create({"_name": name, **SIZES, **changes})
    return build_model(cfg, task or FakeTask()).eval()


def special(task=None):
    voc = (task or FakeTask()).source_dictionary
    return dict(pad=voc.pad(), eos=voc.eos(), mask=voc.index("[MASK]"))


def masked_batch(ratio=0.5, count=7, seed=3):
    ids = special()
    voc = Vocabulary(**ids, ordinary=np.arange(5, 45))
    rng = np.random.default_rng(seed)
    rows = [np.append(rng.integers(5, 45, n), ids["eos"]) for n in [0, 1, 2] + rng.integers(3, 15, count).tolist()]
    stream = MonolingualStream(
        "x",
        [torch.from_numpy(row) for row in rows],
        np.array([len(row) for row in rows]),
        1,
        Masker("span", ratio, Replacement(0.8, 0.1, 0.1), voc),
    )
    dataset = MixtureDataset([stream], seed=1)
    return rows, dataset.collater([dataset[i] for i in range(len(rows))])


class TestNumbers:
    @pytest.mark.parametrize("cross_attend_masked", [False, True])
    @pytest.mark.parametrize("ratio", [0.5, 1.0])
    def test_loss_equals_an_independent_numpy_forward_pass(self, ratio, cross_attend_masked):
        model = make(cross_attend_masked=cross_attend_masked).double()
        rows, batch = masked_batch(ratio)
        criterion = LabelSmoothedCrossEntropyCriterion(FakeTask(), sentence_avg=False, label_smoothing=0.0)
        criterion.padding_idx = special()["pad"]
        total, sample_size, _ = criterion(model, batch)

        weights = {key: value.numpy() for key, value in model.state_dict().items()}
        expected, predicted = 0.0, 0
        for number, sentence in enumerate(rows):
            real = batch["target"][number] != special()["pad"]
            positions = batch["net_input"]["positions"][number][real].numpy()
            span = (positions[0], positions[-1] + 1)
            source = batch["net_input"]["src_tokens"][number][: len(sentence)].numpy()
            expected += numpy_mass.loss(
                sentence, span, source, 1, 1, weights, 2, 2, special(), hide=not cross_attend_masked
            )
            predicted += len(positions)
        assert sample_size == predicted
        assert float(total) == pytest.approx(expected, rel=1e-6)

    def test_padding_changes_nothing(self):
        model = make()
        _, batch = masked_batch()
        net = batch["net_input"]
        longer = {
            key: torch.nn.functional.pad(value, (0, 5), value=1 if key != "positions" else 0)
            if value.dim() == 2
            else value
            for key, value in net.items()
        }
        width = batch["target"].shape[1]
        real = batch["target"] != 1
        assert torch.allclose(model(**net)[0][real], model(**longer)[0][:, :width][real], atol=1e-5)

    def test_positions_matter_and_default_to_the_slots(self):
        model = make()
        _, batch = masked_batch()
        net = {k: v for k, v in batch["net_input"].items() if k != "positions"}
        slots = torch.arange(net["prev_output_tokens"].shape[1]).expand_as(net["prev_output_tokens"])
        real = batch["target"] != 1
        assert torch.allclose(model(**net)[0][real], model(**net, positions=slots)[0][real], atol=1e-6)
        assert not torch.allclose(model(**net)[0][real], model(**net, positions=slots + 1)[0][real], atol=1e-3)

    def test_hidden_masks_do_not_reach_the_decoder(self):
        """Only cross-attention is cut: the encoder's states of other slots still know the masked one."""
        model = make()
        ids = special()
        source = torch.tensor([[7, ids["mask"], 9, ids["eos"]], [ids["mask"]] * 3 + [ids["pad"]]])
        languages = torch.tensor([0, 0])
        out = model.encoder(source, None, languages, languages)
        assert out["encoder_padding_mask"][0].tolist() == [
            [False, True, False, False],
            [False, False, False, True],  # nothing else is visible: real slots stay
        ]

    def test_each_language_has_its_own_vector_on_both_sides(self):
        model = make()
        _, batch = masked_batch()
        net = batch["net_input"]
        base = model(**net)[0]
        for side in ("source_language", "target_language"):
            assert not torch.allclose(model(**{**net, side: 1 - net[side]})[0], base, atol=1e-3)

    def test_embeddings_start_at_one_scale(self):
        model = make(encoder_embed_dim=64, decoder_embed_dim=64)
        for side in (model.encoder, model.decoder):
            for table in (side.embed_tokens, side.embed_positions, side.embed_languages):
                rows = table.weight[2:] if table.weight.shape[0] > 2 else table.weight
                assert float(rows.detach().std()) == pytest.approx(64**-0.5, rel=0.25)

    def test_incremental_decoding_equals_teacher_forcing(self):
        model = make()
        _, batch = masked_batch()
        net = {k: v for k, v in batch["net_input"].items() if k != "positions"}
        encoded = model.encoder(*(net[k] for k in ("src_tokens", "src_lengths", "source_language", "target_language")))
        whole, _ = model.decoder(net["prev_output_tokens"], encoded)
        state: dict = {}
        for step in range(1, whole.shape[1] + 1):
            last, _ = model.decoder(net["prev_output_tokens"][:, :step], encoded, incremental_state=state)
            real = net["prev_output_tokens"][:, step - 1] != special()["pad"]
            assert torch.allclose(last[real, 0], whole[real, step - 1], atol=1e-5)

    def test_beam_search_keeps_each_rows_language(self):
        """Reordering must carry the target language: a mixed batch equals its rows alone."""
        task = FakeTask()
        model = make(task=task)
        generator = SequenceGenerator([model], task.target_dictionary, beam_size=3, max_len_b=8)
        source = torch.tensor([[7, 8, 9, 2], [7, 8, 9, 2], [10, 11, 2, 1]])
        languages = torch.tensor([0, 1, 1])

        def translate(rows):
            net = {
                "src_tokens": source[rows],
                "src_lengths": (source[rows] != 1).sum(1),
                "source_language": torch.zeros(len(rows), dtype=torch.long),
                "target_language": languages[rows],
            }
            return [b[0]["tokens"].tolist() for b in generator.generate([model], {"net_input": net})]

        assert translate([0, 1, 2]) == [translate([row])[0] for row in range(3)]

    def test_attention_is_returned_where_asked_for(self):
        model = make()
        _, batch = masked_batch()
        net = {k: v for k, v in batch["net_input"].items() if k != "positions"}
        encoded = model.encoder(*(net[k] for k in ("src_tokens", "src_lengths", "source_language", "target_language")))
        _, extra = model.decoder(net["prev_output_tokens"], encoded, alignment_layer=1)
        assert torch.allclose(extra["attn"][0].sum(-1), torch.ones(1), atol=1e-5)
        assert model.decoder(net["prev_output_tokens"], encoded)[1]["attn"] == [None]


PRESETS = {  # layers, width, inner width, heads
    "mass_unmt": (6, 1024, 4096, 8),
    "mass_base": (6, 768, 3072, 12),
    "mass_middle": (6, 1024, 4096, 16),
    "mass_tiny": (3, 256, 1024, 4),
}


def from_command_line(*flags):
    parser = options.get_training_parser()
    args = options.parse_args_and_arch(parser, ["data", "--task", "mass_pretraining", *flags])
    from fairseq.dataclass.utils import convert_namespace_to_omegaconf

    return convert_namespace_to_omegaconf(args).model


class TestConfiguration:
    """fairseq loses some options silently (presets, overrides, partial configs): each must arrive."""

    @pytest.mark.parametrize("name", PRESETS)
    def test_presets_reach_the_model(self, name):
        layers, width, ffn, heads = PRESETS[name]
        model = build_model(
            from_command_line("--arch", name, "--encoder-layers", "1", "--decoder-layers", "1"), FakeTask()
        )
        for side in (model.encoder, model.decoder):
            layer = side.layers[0]
            assert layer.embed_dim == width and layer.self_attn.num_heads == heads
            assert layer.fc1.out_features == ffn and not layer.normalize_before
            assert side.embed_scale == 1.0 and side.layernorm_embedding is not None
        assert MODEL_REGISTRY[name] is type(model)
        assert from_command_line("--arch", name).encoder_layers == layers
        assert model.encoder.embed_tokens is model.decoder.embed_tokens
        assert model.decoder.output_projection.weight is model.encoder.embed_tokens.weight

    FLAGS = {
        "encoder_layers": (2, lambda m: len(m.encoder.layers)),
        "decoder_layers": (4, lambda m: len(m.decoder.layers)),
        "encoder_ffn_embed_dim": (24, lambda m: m.encoder.layers[0].fc1.out_features),
        "decoder_ffn_embed_dim": (28, lambda m: m.decoder.layers[0].fc1.out_features),
        "encoder_attention_heads": (2, lambda m: m.encoder.layers[0].self_attn.num_heads),
        "decoder_attention_heads": (8, lambda m: m.decoder.layers[0].encoder_attn.num_heads),
        "max_source_positions": (70, lambda m: m.max_positions()[0]),
        "max_target_positions": (80, lambda m: m.max_positions()[1]),
        "activation_fn": ("relu", lambda m: m.decoder.layers[0].activation_fn.__name__),
        "dropout": (0.23, lambda m: m.decoder.layers[0].dropout_module.p),
        "attention_dropout": (0.24, lambda m: m.encoder.layers[0].self_attn.dropout_module.p),
        "activation_dropout": (0.25, lambda m: m.decoder.layers[0].activation_dropout_module.p),
        "cross_attend_masked": (True, lambda m: m.encoder.mask_idx is None),
        "checkpoint_activations": (True, lambda m: isinstance(m.decoder.layers[0].forward, functools.partial)),
    }

    def test_every_flag_reaches_the_module_it_names(self):
        widths = ["--encoder-embed-dim", "32", "--decoder-embed-dim", "32"]
        for name, (value, read) in self.FLAGS.items():
            flag = ["--" + name.replace("_", "-")] + ([] if value is True else [str(value)])
            model = build_model(from_command_line("--arch", "mass_tiny", *widths, *flag), FakeTask())
            assert read(model) == value, name
            assert model.encoder.embed_tokens.embedding_dim == 32
        named = {field for field in MassTinyConfig.__dataclass_fields__ if not field.startswith("_")}
        assert named == set(self.FLAGS) | {"encoder_embed_dim", "decoder_embed_dim"}, "a flag without a test"

    def test_partial_config_keeps_the_preset(self):
        cfg = OmegaConf.create({"_name": "mass_base", "encoder_layers": 1, "decoder_layers": 1})
        model = build_model(cfg, FakeTask())
        assert model.encoder.embed_tokens.embedding_dim == 768 and len(model.encoder.layers) == 1
        assert model.encoder.layers[0].self_attn.num_heads == 12

    def test_namespace_of_an_old_script(self):
        model = build_model(argparse.Namespace(arch="mass_tiny", **SIZES), FakeTask())
        assert model.encoder.embed_tokens.embedding_dim == 16

    @pytest.mark.parametrize(
        "changes, flag",
        [
            (dict(encoder_attention_heads=3), "--encoder-attention-heads"),
            (dict(decoder_embed_dim=32), "--decoder-embed-dim"),
        ],
    )
    def test_sizes_that_do_not_fit_name_the_flag(self, changes, flag):
        with pytest.raises(InputError, match=flag):
            make(**changes)
