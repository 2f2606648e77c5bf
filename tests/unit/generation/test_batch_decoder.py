"""Greedy decoding and sampling against fairseq's SequenceGenerator, and properties of what they write."""

import numpy as np
import pytest
import torch
from fairseq.dataclass.configs import GenerationConfig
from fairseq.sequence_generator import SequenceGenerator

from mass_plugins.data.collate import pad_right
from mass_plugins.errors import InputError
from mass_plugins.generation.batch_decoder import BatchDecoder, Sampling
from mass_plugins.generation.single_hypothesis import SingleHypothesisGenerator
from tests.unit.models.test_mass_transformer import FakeTask, make

PAD, EOS, FIRST_WORD, WORDS = 1, 2, 5, 40


def batch(lengths, seed=0, target=None) -> dict[str, torch.Tensor]:
    """Random sentences; the target language, 0 or 1, is drawn for each unless given."""
    rng = np.random.default_rng(seed)
    rows = [np.append(rng.integers(FIRST_WORD, FIRST_WORD + WORDS, n), EOS) for n in lengths]
    tokens, sizes = map(torch.from_numpy, pad_right(rows, PAD))
    targets = rng.integers(0, 2, len(rows)) if target is None else np.full(len(rows), target)
    return {
        "src_tokens": tokens,
        "src_lengths": sizes,
        "source_language": torch.from_numpy(1 - targets),
        "target_language": torch.from_numpy(targets),
    }


@pytest.fixture(scope="module", params=["pre", "post"])
def trained(request):
    """A model that has begun to learn to copy into language 0 and to reverse into language 1."""
    model = make(layer_norm=request.param, dropout=0.0, attention_dropout=0.0).train()
    adam = torch.optim.Adam(model.parameters(), lr=0.01)
    for step in range(60):
        net = batch([1 + n % 8 for n in range(32)], seed=step)
        target = net["src_tokens"].clone()
        for row, (length, language) in enumerate(zip(net["src_lengths"], net["target_language"])):
            if language:
                target[row, : length - 1] = target[row, : length - 1].flip(0)
        previous = torch.cat([torch.full_like(target[:, :1], EOS), target[:, :-1]], dim=1)
        logits, _ = model(prev_output_tokens=previous, **net)
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), target.flatten(), ignore_index=PAD)
        adam.zero_grad()
        loss.backward()
        adam.step()
    return model.eval()


def with_weights(change, **settings):
    model = make(**settings)
    with torch.no_grad():
        change(model)
    return model


def prefer(token):
    """Weights with which ``token`` is the likeliest everywhere."""

    def change(model):
        model.decoder.layer_norm.weight.zero_()
        model.decoder.layer_norm.bias.copy_(
            torch.nn.functional.normalize(model.decoder.embed_tokens.weight[token], dim=0)
        )
        model.decoder.embed_tokens.weight.mul_(0.01)
        model.decoder.embed_tokens.weight[token] = 30 * model.decoder.layer_norm.bias

    return change


def rows(found):
    return [tokens[:length].tolist() for tokens, length in zip(found.tokens, found.lengths)]


class TestGreedy:
    LENGTHS = [1 + n % 13 for n in range(300)]

    def test_finds_what_sequence_generator_finds_at_beam_1(self, trained):
        net = batch(self.LENGTHS, seed=1000)
        dictionary = FakeTask().source_dictionary
        reference = SequenceGenerator([trained], dictionary, beam_size=1, max_len_a=1.3, max_len_b=5)
        expected = [beam[0] for beam in reference.generate([trained], {"net_input": net})]
        max_len = int(1.3 * net["src_tokens"].shape[1] + 5)
        found = BatchDecoder(trained, PAD, EOS).generate(net, max_len, with_scores=True)
        different = 0
        for row, hypothesis in enumerate(expected):
            tokens = hypothesis["tokens"].tolist()
            written, scores = rows(found)[row], found.scores[row]
            if written != tokens:  # the two likeliest tokens may be closer than rounding
                different += 1
                first = next(n for n, (a, b) in enumerate(zip(written, tokens)) if a != b)
                assert abs(scores[first] - hypothesis["positional_scores"][first]) < 1e-4
            else:
                torch.testing.assert_close(scores[: len(tokens)], hypothesis["positional_scores"], atol=1e-4, rtol=0)
        assert different <= 0.001 * len(expected)
        assert len({len(row) for row in rows(found)}) > 5  # else nothing was dropped from the batch on the way

    def test_a_row_does_not_depend_on_its_batch(self, trained):
        net = batch(self.LENGTHS[:40], seed=7)
        decoder = BatchDecoder(trained, PAD, EOS)
        together = rows(decoder.generate(net, 18))
        width = net["src_lengths"].tolist()
        alone = [
            rows(
                decoder.generate(
                    {
                        **{k: v[n : n + 1] for k, v in net.items()},
                        "src_tokens": net["src_tokens"][n : n + 1, : width[n]],
                    },
                    18,
                )
            )[0]
            for n in range(40)
        ]
        assert sum(a == b for a, b in zip(together, alone)) >= 39

    def test_bfloat16_writes_nearly_the_same(self, trained):
        net = batch(self.LENGTHS, seed=3)
        exact = rows(BatchDecoder(trained, PAD, EOS).generate(net, 18))
        rounded = rows(BatchDecoder(trained, PAD, EOS, torch.bfloat16).generate(net, 18))
        assert sum(a == b for a, b in zip(exact, rounded)) > 0.8 * len(exact)

    def test_autocast_sets_the_precision_of_the_decoder(self, trained):
        with torch.autocast("cpu", torch.bfloat16):
            assert BatchDecoder(trained, PAD, EOS).decoder.output.precision.product == torch.bfloat16
        assert BatchDecoder(trained, PAD, EOS).decoder.output.precision.product == torch.float32

    def test_tokens_that_are_not_allowed_in_a_language_are_not_written(self, trained):
        allowed = torch.zeros(2, FIRST_WORD + WORDS, dtype=torch.bool)
        allowed[:, EOS] = True
        allowed[0, 5:20] = allowed[1, 20:40] = True
        net = batch(self.LENGTHS, seed=4)
        found = rows(BatchDecoder(trained, PAD, EOS).generate(net, 18, allowed=allowed))
        for language, row in zip(net["target_language"].tolist(), found):
            assert allowed[language][row].all()

    @pytest.mark.parametrize("dtype", [None, torch.bfloat16])
    def test_a_model_that_only_ends_writes_one_token_first(self, dtype):
        model = with_weights(prefer(EOS))
        found = BatchDecoder(model, PAD, EOS, dtype).generate(batch([3, 9, 1]), 20)
        assert found.lengths.tolist() == [2, 2, 2]
        assert found.tokens[:, 1].tolist() == [EOS] * 3 and PAD not in found.tokens and EOS not in found.tokens[:, 0]

    def test_a_model_that_never_ends_is_cut_off(self):
        found = BatchDecoder(with_weights(prefer(7)), PAD, EOS).generate(batch([3, 9, 1]), 12)
        assert rows(found) == [[7] * 12 + [EOS]] * 3

    def test_a_model_that_only_pads_writes_other_tokens(self):
        found = BatchDecoder(with_weights(prefer(PAD)), PAD, EOS).generate(batch([3, 9, 1]), 12)
        assert all(PAD not in row and row[-1] == EOS and len(row) >= 2 for row in rows(found))

    @pytest.mark.parametrize("sampling", [None, Sampling(topk=3), Sampling(topp=0.5)])
    def test_a_model_that_is_nan_ends(self, sampling):
        model = with_weights(lambda model: model.decoder.embed_tokens.weight.fill_(torch.nan))
        for seed in range(20):
            drawn = torch.Generator().manual_seed(seed)
            found = BatchDecoder(model, PAD, EOS).generate(batch([3, 9]), 12, sampling=sampling, generator=drawn)
            assert all(PAD not in row and row[-1] == EOS and len(row) >= 2 for row in rows(found))

    def test_the_models_positions_bound_the_length(self):
        model = with_weights(prefer(7), max_target_positions=10)
        assert BatchDecoder(model, PAD, EOS).generate(batch([30]), 500).lengths.tolist() == [10]

    def test_no_sentences(self):
        found = BatchDecoder(make(), PAD, EOS).generate(batch([2]) | {"src_tokens": torch.zeros(0, 0).long()}, 5)
        assert found.tokens.shape == (0, 0) and found.lengths.shape == (0,)


class TestSampling:
    def draw(self, sampling, seed=0, count=20000, logits=(2.0, 1.0, 0.0, -1.0)):
        generator = torch.Generator().manual_seed(seed)
        drawn = sampling.draw(torch.tensor(logits).expand(count, -1), generator)
        return torch.bincount(drawn, minlength=len(logits)) / count

    @pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
    def test_shares_are_the_softmax_of_the_logits_over_the_temperature(self, temperature):
        expected = torch.softmax(torch.tensor([2.0, 1.0, 0.0, -1.0]) / temperature, 0)
        torch.testing.assert_close(self.draw(Sampling(temperature)), expected, atol=0.015, rtol=0)

    def test_topk_keeps_the_likeliest(self):
        expected = torch.softmax(torch.tensor([2.0, 1.0, -torch.inf, -torch.inf]), 0)
        torch.testing.assert_close(self.draw(Sampling(topk=2)), expected, atol=0.015, rtol=0)

    def test_topp_keeps_the_smallest_set_that_holds_the_share(self):
        # shares are 0.644, 0.237, 0.087, 0.032
        assert self.draw(Sampling(topp=0.64))[0] == 1
        assert (self.draw(Sampling(topp=0.65)) > 0).tolist() == [True, True, False, False]
        assert (self.draw(Sampling(topp=0.9), logits=(0.0, -1.0, 2.0, 1.0)) > 0).tolist() == [True, False, True, True]

    def test_the_likeliest_alone_is_greedy(self, trained):
        net, decoder = batch([1 + n % 9 for n in range(64)], seed=5), BatchDecoder(trained, PAD, EOS)
        assert rows(decoder.generate(net, 15, sampling=Sampling(topk=1))) == rows(decoder.generate(net, 15))

    def test_draws_come_from_the_given_generator_alone(self, trained):
        net, decoder = batch([4] * 16, seed=5), BatchDecoder(trained, PAD, EOS)

        def write(seed):
            return rows(
                decoder.generate(net, 15, sampling=Sampling(2.0), generator=torch.Generator().manual_seed(seed))
            )

        before = torch.random.get_rng_state()
        assert write(1) == write(1) != write(2)
        assert torch.equal(before, torch.random.get_rng_state())

    @pytest.mark.parametrize("settings", [{"temperature": 0}, {"topk": -1}, {"topp": 0.0}, {"topp": 1.5}])
    def test_impossible_settings_are_refused(self, settings):
        with pytest.raises(InputError, match="sampling"):
            Sampling(**settings)


class TestFairseqsInterface:
    def built(self, **options):
        return SingleHypothesisGenerator.from_options(
            [make()], FakeTask().source_dictionary, GenerationConfig(**options)
        )

    def test_plain_greedy_and_sampling_are_ours(self):
        assert self.built(beam=1).sampling is None
        assert self.built(beam=1, sampling=True, sampling_topk=5, temperature=0.7).sampling == Sampling(0.7, 5)
        assert self.built(beam=1, sampling=True, sampling_topp=0.9).sampling == Sampling(topp=0.9)
        assert self.built(beam=1, unnormalized=True).len_penalty == 0

    @pytest.mark.parametrize(
        "options",
        [{}, {"beam": 2}, {"prefix_size": 1}, {"no_repeat_ngram_size": 3}, {"unkpen": 1.0}, {"temperature": 0.5},
         {"match_source_len": True}, {"replace_unk": "x"}, {"constraints": "ordered"}, {"print_alignment": "hard"}],
    )  # fmt: skip
    def test_anything_else_is_left_to_fairseq(self, options):
        assert self.built(**{"beam": 1, **options} if options else {}) is None

    def test_nothing_is_drawn_that_no_text_has(self):
        """Not [MASK], <unk>, <s> or what fills up the dictionary, however likely; greedy decoding is fairseq's."""
        dictionary = FakeTask().source_dictionary
        words = {dictionary.eos(), *range(FIRST_WORD, FIRST_WORD + WORDS)}
        for token in (0, dictionary.unk(), dictionary.index("[MASK]")):
            model = with_weights(prefer(token))
            drawing = SingleHypothesisGenerator(model, dictionary, max_len_b=6, sampling=Sampling())
            found = drawing.generate([model], {"net_input": batch([3, 5, 2])})
            assert {number for (one,) in found for number in one["tokens"].tolist()} <= words
            greedy = SingleHypothesisGenerator(model, dictionary, max_len_b=6)
            assert greedy.generate([model], {"net_input": batch([3])})[0][0]["tokens"][0] == token

    def test_hypotheses_are_those_of_sequence_generator(self, trained):
        net, dictionary = batch([1 + n % 9 for n in range(30)], seed=6), FakeTask().source_dictionary
        ours = SingleHypothesisGenerator(trained, dictionary, 1.2, 3, len_penalty=0.6)
        theirs = SequenceGenerator([trained], dictionary, beam_size=1, max_len_a=1.2, max_len_b=3, len_penalty=0.6)
        for mine, other in zip(
            ours.generate([trained], {"net_input": net}), theirs.generate([trained], {"net_input": net})
        ):
            assert len(mine) == 1 and mine[0].keys() >= other[0].keys()
            assert mine[0]["tokens"].tolist() == other[0]["tokens"].tolist()
            torch.testing.assert_close(mine[0]["score"], other[0]["score"], atol=1e-4, rtol=0)
