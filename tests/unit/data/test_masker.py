"""Masked positions = predicted positions, for every kind of masking."""

import numpy as np
import pytest

from mass_plugins.data.collate import pad_right
from mass_plugins.data.masker import Masker
from mass_plugins.data.random_state import sentence_keys
from mass_plugins.data.replacement import Replacement, mask_independently
from mass_plugins.data.vocabulary import Vocabulary
from mass_plugins.errors import InputError

PAD, EOS, MASK, FIRST, SIZE = 1, 2, 4, 5, 60
VOCABULARY = Vocabulary(mask=MASK, pad=PAD, eos=EOS, ordinary=np.arange(FIRST, SIZE))
ONLY_MASK = Replacement(1, 0, 0)


def sentences(count=300, longest=40, seed=0):
    rng = np.random.default_rng(seed)
    lengths = np.concatenate([[1, 2, 1, 2], rng.integers(1, longest, count)])
    return pad_right([np.append(rng.integers(FIRST, SIZE, n - 1), EOS) for n in lengths], PAD)


def keys(count, epoch=1):
    return sentence_keys(9, epoch, np.arange(count))


def masker(masking="span", ratio=0.5, replacement=ONLY_MASK, **options):
    return Masker(masking, ratio, replacement, VOCABULARY, window=16, **options)


@pytest.mark.parametrize("masking", ["span", "discrete", "block"])
@pytest.mark.parametrize("ratio", [0.1, 0.5, 1.0])
def test_masked_positions_are_the_predicted_positions(masking, ratio):
    tokens, lengths = sentences()
    batch = masker(masking, ratio)(tokens, lengths, keys(len(tokens)))
    for row in range(len(tokens)):
        real = batch.target[row] != PAD
        positions = batch.positions[row][real]
        assert (np.nonzero(batch.source[row] == MASK)[0] == positions).all()
        assert (batch.target[row][real] == tokens[row][positions]).all()
        previous = [tokens[row][p - 1] if p else EOS for p in positions]
        assert batch.prev_output[row][real].tolist() == previous
        outside = np.setdiff1d(np.arange(tokens.shape[1]), positions)
        assert (batch.source[row][outside] == tokens[row][outside]).all()


def test_decoder_is_half_as_wide():
    tokens, lengths = sentences()
    batch = masker()(tokens, lengths, keys(len(tokens)))
    assert batch.target.shape[1] == int(0.5 * lengths.max() + 0.5)


def test_one_case_by_hand():
    tokens, lengths = pad_right([np.array([10, 11, 12, 13, 14, EOS])], PAD)
    for epoch in range(1, 50):
        batch = masker()(tokens, lengths, keys(1, epoch))
        if batch.positions[0, 0] == 2:
            break
    assert batch.source.tolist() == [[10, 11, MASK, MASK, MASK, EOS]]
    assert batch.prev_output.tolist() == [[11, 12, 13]]
    assert batch.target.tolist() == [[12, 13, 14]]
    assert batch.positions.tolist() == [[2, 3, 4]]


def test_k_1_is_masked_language_modelling():
    tokens, lengths = sentences()
    batch = masker(ratio=1e-9)(tokens, lengths, keys(len(tokens)))
    assert batch.target.shape[1] == 1 and ((batch.source == MASK).sum(axis=1) == 1).all()


def test_k_L_is_a_language_model_beside_masks_alone():
    tokens, lengths = sentences()
    batch = masker(ratio=1.0)(tokens, lengths, keys(len(tokens)))
    assert (batch.source[tokens != PAD] == MASK).all()
    assert (batch.target == tokens).all()
    assert (batch.prev_output[:, 0] == EOS).all()
    inner = (tokens != PAD)[:, 1:]
    assert (batch.prev_output[:, 1:][inner] == tokens[:, :-1][inner]).all()
    assert (batch.positions[tokens != PAD] == np.nonzero(tokens != PAD)[1]).all()


def test_feed_gives_the_whole_sentence_and_keeps_the_loss_on_the_span():
    tokens, lengths = sentences()
    span = masker()(tokens, lengths, keys(len(tokens)))
    feed = masker(feed_whole_sentence=True)(tokens, lengths, keys(len(tokens)))
    assert (feed.source == span.source).all() and feed.positions is None
    assert (feed.prev_output[:, 1:] == tokens[:, :-1]).all()
    assert ((feed.target != PAD) == (span.source == MASK)).all()
    assert (feed.target[feed.target != PAD] == tokens[feed.target != PAD]).all()


def test_replacement_shares():
    tokens, lengths = pad_right([np.full(50, 7)] * 2000, PAD)
    voc = Vocabulary(mask=MASK, pad=PAD, eos=EOS, ordinary=np.arange(8, SIZE))
    batch = Masker("span", 1.0, Replacement(0.8, 0.1, 0.1), voc)(tokens, lengths, keys(2000))
    assert abs((batch.source == MASK).mean() - 0.8) < 0.01
    assert abs((batch.source == 7).mean() - 0.1) < 0.01
    drawn = batch.source[(batch.source != MASK) & (batch.source != 7)]
    assert set(drawn.tolist()) == set(range(8, SIZE))


def test_same_keys_same_masks_in_any_batch_and_other_epochs_other_masks():
    tokens, lengths = sentences()
    kinds = [masker(), masker("discrete"), masker("block"), masker("infilling", 0.3), masker("bert-lm", 0.15)]
    for one in kinds:
        full = one(tokens, lengths, keys(len(tokens)))
        few = np.array([5, 80, 33])
        width = lengths[few].max()
        part = one(tokens[few][:, :width], lengths[few], keys(len(tokens))[few])
        for row, number in enumerate(few):
            assert (part.source[row] == full.source[number][: part.source.shape[1]]).all()
            targets = [batch.target[n][batch.target[n] != PAD] for batch, n in ((part, row), (full, number))]
            assert (targets[0] == targets[1]).all()
        again = one(tokens, lengths, keys(len(tokens), epoch=2))
        assert again.source.shape != full.source.shape or (again.source != full.source).any()


def test_input_is_not_changed():
    tokens, lengths = sentences()
    before = tokens.copy()
    for one in (masker(), masker("infilling", 0.3), masker(feed_whole_sentence=True)):
        one(tokens, lengths, keys(len(tokens)))
    assert (tokens == before).all()


def test_infilling_masks_its_share_and_keeps_order_and_the_end():
    tokens, lengths = sentences(2000, 60)
    batch = masker("infilling", 0.3)(tokens, lengths, keys(len(tokens)))
    assert (batch.target == tokens).all() and batch.positions is None
    kept = 0
    for row in range(len(tokens)):
        source = batch.source[row][: batch.source_lengths[row]]
        assert source[-1] == EOS and (batch.source[row][batch.source_lengths[row] :] == PAD).all()
        visible = iter(tokens[row][: lengths[row]])
        assert all(token in visible for token in source if token != MASK)  # a subsequence
        kept += (source != MASK).sum() - 1
    assert abs(1 - kept / (lengths - 1).sum() - 0.3) < 0.02


@pytest.mark.parametrize("ratio", [0.15, 0.5, 1.0])
def test_bert_and_a_language_model_predict_on_both_sides(ratio):
    """The encoder what it doesn't see, scattered; the decoder all of the sentence, from what comes before."""
    tokens, lengths = sentences()
    batch = masker("bert-lm", ratio)(tokens, lengths, keys(len(tokens)))
    width = batch.encoder_slots.shape[1]
    assert (batch.target[:, width:] == tokens).all() and batch.positions is None
    for row, length in enumerate(lengths):
        real = batch.target[row, :width] != PAD
        slots = batch.encoder_slots[row][real]
        assert (np.nonzero(batch.source[row] == MASK)[0] == slots).all()
        assert (batch.target[row, :width][real] == tokens[row][slots]).all()
        assert len(slots) == max(1, int(ratio * length + 0.5))
        assert batch.prev_output[row, :length].tolist() == [EOS, *tokens[row, : length - 1]]


def test_infilling_makes_no_row_longer():
    """Empty spans would: with rows at the limit of the model's positions that is an index out of range."""
    tokens = np.full((4000, 6), 7)
    tokens[:, -1] = 2
    lengths = np.full(4000, 6)
    assert (masker("infilling", 0.3)(tokens, lengths, keys(4000)).source_lengths <= 6).all()


def test_infilling_spans_have_poisson_lengths():
    tokens, lengths = pad_right([np.append(np.arange(FIRST, SIZE), EOS)] * 3000, PAD)
    batch = masker("infilling", 0.3)(tokens, lengths, keys(3000))
    spans = []
    for row in range(len(tokens)):
        source = batch.source[row][: batch.source_lengths[row]]
        for place in np.nonzero(source[:-1] == MASK)[0]:
            before = source[place - 1] if place else FIRST - 1
            after = source[place + 1] if source[place + 1] != EOS else None
            if after is not None and before != MASK and after != MASK:
                spans.append(after - before - 1)
    spans = np.array(spans)
    assert abs((spans == 0).mean() - np.exp(-3)) < 0.015
    assert abs(spans.mean() - 3) < 0.2


def test_independent_masks_spare_the_end():
    tokens, lengths = sentences(2000)
    masked = mask_independently(tokens, lengths, 0.5, MASK, keys(len(tokens)))
    last = masked[np.arange(len(tokens)), lengths - 1]
    assert (last == EOS).all() and (masked[tokens == PAD] == PAD).all()
    assert abs((masked == MASK).sum() / (lengths - 1).sum() - 0.5) < 0.02


@pytest.mark.parametrize(
    "options, flag",
    [
        (dict(ratio=1.5), "--span-ratio"),
        (dict(ratio=0.0), "--span-ratio"),
        (dict(masking="infilling", ratio=1.0), "--span-ratio"),
        (dict(masking="words"), "--masking"),
        (dict(masking="infilling", ratio=0.3, feed_whole_sentence=True), "--feed-whole-sentence"),
    ],
)
def test_bad_options_name_the_flag(options, flag):
    with pytest.raises(InputError, match=flag):
        masker(**options)


@pytest.mark.parametrize("text", ["0.8,0.1", "a,b,c", "0.8,0.1,0.2", "1.2,-0.1,-0.1"])
def test_bad_replacement_names_the_flag(text):
    with pytest.raises(InputError, match="--mask-keep-rand"):
        Replacement.parse(text)
