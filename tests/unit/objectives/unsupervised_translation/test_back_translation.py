import pytest
import torch

from mass_plugins.data.vocabulary import Vocabulary
from mass_plugins.objectives.unsupervised_translation.back_translation import (
    BackTranslator,
    sampling_generator,
    split_rows,
)
from tests.unit.generation.test_batch_decoder import EOS, PAD, prefer, with_weights
from tests.unit.generation.test_batch_decoder import batch as sentences
from tests.unit.models.test_mass_transformer import make


def batch_of_text(lengths, seed=0):
    """Sentences of language 1 or 0 as both sides, to be translated into the other."""
    net = sentences(lengths, seed)
    tokens = net["src_tokens"]
    previous = torch.cat([torch.full_like(tokens[:, :1], EOS), tokens[:, :-1]], dim=1)
    return {
        "id": torch.arange(len(tokens)),
        "nsentences": len(tokens),
        "ntokens": int(tokens.ne(PAD).sum()),
        "net_input": {**net, "prev_output_tokens": previous},
        "target": tokens,
    }


VOCABULARY = Vocabulary(mask=4, pad=PAD, eos=EOS, ordinary=torch.arange(5, 45).numpy())
TRANSLATOR = BackTranslator(VOCABULARY, 1.3, 5)


class TestSyntheticPairs:
    def test_the_source_is_the_models_translation_of_the_target(self):
        model, batch = make(), batch_of_text([3, 7, 5])
        pairs = TRANSLATOR.synthetic_pairs(model, batch)
        net = batch["net_input"]
        tokens, lengths = TRANSLATOR.translate(model, batch["target"], net["target_language"], net["source_language"])
        assert torch.equal(pairs["net_input"]["src_tokens"], tokens)
        assert torch.equal(pairs["net_input"]["src_lengths"], lengths)
        for name in ("prev_output_tokens", "source_language", "target_language"):
            assert torch.equal(pairs["net_input"][name], net[name])
        assert torch.equal(pairs["target"], batch["target"]) and pairs["ntokens"] == batch["ntokens"]

    def test_the_given_batch_is_not_changed(self):
        batch = batch_of_text([3, 7, 5])
        before = batch["net_input"]["src_tokens"].clone()
        TRANSLATOR.synthetic_pairs(make(), batch)
        assert torch.equal(batch["net_input"]["src_tokens"], before)

    @pytest.mark.parametrize("token", [PAD, EOS, 7])
    def test_a_source_is_never_empty_nor_endless(self, token):
        """Models that write only padding, only </s>, or never </s>."""
        pairs = TRANSLATOR.synthetic_pairs(with_weights(prefer(token)), batch_of_text([3, 7, 5]))
        tokens, lengths = pairs["net_input"]["src_tokens"], pairs["net_input"]["src_lengths"]
        limit = int(1.3 * 8 + 5)
        assert ((lengths >= 2) & (lengths <= limit + 1)).all()
        assert all(row[length - 1] == EOS for row, length in zip(tokens, lengths))
        assert torch.equal(tokens.ne(PAD).sum(dim=1), lengths)

    def test_a_source_is_within_the_encoders_positions(self):
        model = with_weights(prefer(7), max_source_positions=10)
        lengths = TRANSLATOR.synthetic_pairs(model, batch_of_text([3, 7, 5]))["net_input"]["src_lengths"]
        assert lengths.tolist() == [10, 10, 10]


class TestDraws:
    def numbers(self, *key):
        return torch.rand(4, generator=sampling_generator(*key, torch.device("cpu"))).tolist()

    def test_same_key_same_numbers(self):
        assert self.numbers(1, 5, 0, 0) == self.numbers(1, 5, 0, 0)

    def test_seed_update_rank_and_turn_all_count(self):
        keys = [(1, 5, 0, 0), (2, 5, 0, 0), (1, 6, 0, 0), (1, 5, 1, 0), (1, 5, 0, 1)]
        assert len({tuple(self.numbers(*key)) for key in keys}) == len(keys)


class TestSplitRows:
    LENGTHS = [1, 30, 2, 4, 9, 3, 3, 12, 25, 1]

    def test_a_small_batch_stays_whole(self):
        batch = batch_of_text([3, 4])
        assert list(split_rows(batch, 100, PAD)) == [batch] and list(split_rows(batch, None, PAD)) == [batch]

    @pytest.mark.parametrize("max_tokens", [31, 62, 100, 200])
    def test_parts_are_within_the_limit_and_hold_every_row_once(self, max_tokens):
        batch = TRANSLATOR.synthetic_pairs(with_weights(prefer(7)), batch_of_text(self.LENGTHS))
        parts = list(split_rows(batch, max_tokens, PAD))
        assert sorted(sum((part["id"].tolist() for part in parts), [])) == list(range(len(self.LENGTHS)))
        assert sum(part["ntokens"] for part in parts) == batch["ntokens"]
        assert sum(part["nsentences"] for part in parts) == len(self.LENGTHS)
        for part in parts:
            net, rows = part["net_input"], part["id"]
            widest = max(net["src_tokens"].shape[1], part["target"].shape[1])
            assert len(rows) * widest <= max_tokens or len(rows) == 1
            assert net["prev_output_tokens"].shape == part["target"].shape
            # fairseq's criterions take views
            assert all(tensor.is_contiguous() for tensor in (*net.values(), part["target"]))
            for name, pad in (("src_tokens", PAD), ("prev_output_tokens", None)):
                whole = batch["net_input"][name][rows]
                assert torch.equal(net[name], whole[:, : net[name].shape[1]])
                assert pad is None or (whole[:, net[name].shape[1] :] == pad).all()
            assert torch.equal(net["target_language"], batch["net_input"]["target_language"][rows])

    def test_losses_of_the_parts_add_up(self):
        model = make(dropout=0.0, attention_dropout=0.0)
        batch = TRANSLATOR.synthetic_pairs(model, batch_of_text(self.LENGTHS))

        def loss(part):
            logits, _ = model(**part["net_input"])
            return torch.nn.functional.cross_entropy(
                logits.flatten(0, 1), part["target"].flatten(), ignore_index=PAD, reduction="sum"
            )

        parts = sum(loss(part) for part in split_rows(batch, 60, PAD))
        torch.testing.assert_close(parts, loss(batch), rtol=1e-5, atol=1e-4)
