import numpy as np
import pytest
import torch
from fairseq.criterions.label_smoothed_cross_entropy import LabelSmoothedCrossEntropyCriterion
from fairseq.data import Dictionary
from fairseq.models import build_model
from fairseq.sequence_generator import SequenceGenerator
from omegaconf import OmegaConf

import mass_plugins  # noqa: F401  registers
from mass_plugins.data.masker import Masker
from mass_plugins.data.mixture import MixtureDataset
from mass_plugins.data.replacement import Replacement
from mass_plugins.data.streams import MonolingualStream
from mass_plugins.data.vocabulary import Vocabulary
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
    @pytest.mark.parametrize("layer_norm", ["post", "pre"])
    def test_loss_equals_an_independent_numpy_forward_pass(self, layer_norm, ratio, cross_attend_masked):
        model = make(cross_attend_masked=cross_attend_masked, layer_norm=layer_norm).double()
        for weight in model.parameters():  # norms and biases, too, are then more than ones and zeros
            torch.nn.init.normal_(weight, mean=0.1, std=0.2)
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

    def test_projections_start_small_and_everything_else_as_it_was(self):
        """The authors' uniform weights within 1 / sqrt(inputs), in each linear layer of both sides."""
        widths = dict(encoder_embed_dim=64, decoder_embed_dim=64, encoder_ffn_embed_dim=256, decoder_ffn_embed_dim=256)
        model = make(**widths)
        sides = {side: getattr(model, side).layers for side in ("encoder", "decoder")}
        linear = {
            f"{side}.{name}": module
            for side, layers in sides.items()
            for name, module in layers.named_modules()
            if isinstance(module, torch.nn.Linear)
        }
        # q, k, v and output of each attention, and two feed-forward layers: 6 in the encoder, 10 in the decoder
        assert len(linear) == 2 * 6 + 2 * 10
        for name, module in linear.items():
            weight, bound = module.weight.detach(), module.in_features**-0.5
            assert float(weight.abs().max()) <= bound, name
            assert float(weight.abs().max()) > 0.95 * bound, name
            assert float(weight.std()) == pytest.approx(bound / 3**0.5, rel=0.05), name
            assert float(weight.mean()) == pytest.approx(0, abs=0.05 * bound), name
            assert not module.bias.detach().any(), name
        others = [p for layers in sides.values() for n, p in layers.named_parameters() if "layer_norm" in n]
        assert len(others) == 2 * (2 * 2 + 2 * 3)
        assert all((p == p.new_ones(())).all() or not p.any() for p in others)

    def test_two_models_differ_by_their_seed_alone(self):
        first, again = make().encoder.layers[0].fc1.weight, make().encoder.layers[0].fc1.weight
        assert first.equal(again)
        assert not first.equal(make().encoder.layers[1].fc1.weight)

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


def test_bert_and_a_language_model_on_one_model():
    """The encoder's logits come first, the decoder's are without a source, and cross-attention gets no gradient."""
    model, ids = make().train(False), special()
    draw = torch.Generator().manual_seed(2)
    source, other = torch.randint(5, 45, (2, 3, 6), generator=draw)
    slots = torch.tensor([[1, 4], [0, 2], [3, 5]])
    shared = dict(
        src_lengths=torch.full((3,), 6), prev_output_tokens=torch.full((3, 4), ids["eos"]),
        source_language=torch.zeros(3, dtype=torch.long), target_language=torch.ones(3, dtype=torch.long),
    )  # fmt: skip
    logits, _ = model(source, encoder_slots=slots, **shared)
    changed, _ = model(other, encoder_slots=slots, **shared)
    assert logits.shape == (3, 2 + 4, 45)
    assert logits[:, 2:].equal(changed[:, 2:]) and not torch.allclose(logits[:, :2], changed[:, :2])
    states = model.encoder(source, shared["src_lengths"], shared["source_language"], shared["target_language"])
    hidden = states["encoder_out"][0].transpose(0, 1)
    expected = hidden[torch.arange(3)[:, None], slots] @ model.encoder.embed_tokens.weight.T
    torch.testing.assert_close(logits[:, :2], expected)
    logits.sum().backward()
    idle = {name for name, value in model.named_parameters() if value.grad is None}
    assert idle and all("encoder_attn" in name for name in idle)
