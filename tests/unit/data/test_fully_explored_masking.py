"""Fully-explored masking: every maskable token once, sizes, and the variance of the gradient that it is for."""

import numpy as np
import pytest
import torch

from mass_plugins.data.fully_explored_masking import FullyExploredMasker, disjoint_masks
from mass_plugins.data.masked_text import to_masked_batch
from mass_plugins.data.random_state import sentence_keys
from mass_plugins.data.replacement import Replacement
from mass_plugins.data.vocabulary import Vocabulary, WordMarks
from mass_plugins.data.word_masking import BertMasker
from mass_plugins.errors import InputError
from mass_plugins.models.text_encoder import TextEncoder, TextEncoderTinyConfig
from mass_plugins.objectives.masked_tokens import masked_token_loss

PAD, CLS, SEP, MASK, SIZE = 0, 1, 2, 3, 30
VOCABULARY = Vocabulary(mask=MASK, pad=PAD, eos=SEP, ordinary=np.arange(4, SIZE))
MARKS = WordMarks(np.ones(SIZE, dtype=bool), np.zeros(SIZE, dtype=bool))


def texts(count, longest=40, seed=0):
    chance = np.random.default_rng(seed)
    lengths = chance.integers(2, longest, size=count)
    tokens = np.full((count, int(lengths.max())), PAD)
    for row, length in zip(tokens, lengths):
        row[:length] = [CLS, *chance.integers(4, SIZE, size=length - 2), SEP]
    return tokens, lengths


def masker(sets, keep="1,0,0"):
    return FullyExploredMasker(1 / sets, False, Replacement.parse(keep), VOCABULARY, MARKS, sets=sets)


@pytest.mark.parametrize("sets", (1, 2, 7))
def test_each_token_once(sets):
    tokens, lengths = texts(300)
    maskable = tokens > MASK
    masks = disjoint_masks(maskable, sets, sentence_keys(1, 1, np.arange(300)))
    np.testing.assert_array_equal(masks.sum(axis=1), maskable)
    sizes = masks.sum(axis=2)
    assert (sizes.max(axis=1) - sizes.min(axis=1) <= 1).all()


def test_masks_are_drawn_by_key_alone():
    tokens, _ = texts(50)
    keys = sentence_keys(1, 1, np.arange(50))
    whole = disjoint_masks(tokens > MASK, 3, keys)
    alone = disjoint_masks(tokens[7:8] > MASK, 3, keys[7:8])
    np.testing.assert_array_equal(alone[0], whole[7])
    assert (whole != disjoint_masks(tokens > MASK, 3, sentence_keys(1, 2, np.arange(50)))).any()


def test_rows_of_a_batch():
    """K rows of a text; its tokens put back are the text; each predicts, and all predict each token once."""
    tokens, lengths = texts(60)
    found = masker(4, "0.5,0.2,0.3")(tokens, lengths, sentence_keys(2, 1, np.arange(60)))
    predicts = found.target != PAD
    assert predicts.any(axis=1).all()
    restored = np.where(predicts, found.target, found.source)
    row = 0
    for text, length in zip(tokens, lengths):
        copies = min(4, length - 2)
        own = slice(row, row + copies)
        np.testing.assert_array_equal(restored[own], np.repeat(text[None], copies, axis=0))
        np.testing.assert_array_equal(predicts[own].sum(axis=0), text > MASK)
        row += copies
    assert row == len(found.source)


def test_nothing_to_mask():
    found = masker(3)(np.array([[CLS, SEP]]), np.array([2]), sentence_keys(1, 1, np.arange(1)))
    assert found.source.tolist() == [[CLS, SEP]] and (found.target == PAD).all()


def test_bad_options():
    with pytest.raises(InputError, match="--mask-sets"):
        FullyExploredMasker(0.5, False, Replacement.parse("1,0,0"), VOCABULARY, MARKS, sets=0)
    with pytest.raises(InputError, match="--whole-words"):
        FullyExploredMasker(0.5, True, Replacement.parse("1,0,0"), VOCABULARY, MARKS, sets=2)


@pytest.mark.parametrize("sets, share", ((2, 0.05), (4, 0.02), (8, 0.01)))
def test_lower_variance_than_independent_masks(sets, share):
    """The paper's claim: an encoder's gradient over K masks of a text varies less when they share no token."""
    draws = 150
    torch.manual_seed(0)
    shape = {"encoder_layers": 1, "encoder_embed_dim": 16, "encoder_ffn_embed_dim": 32, "encoder_attention_heads": 2}
    options = {**shape, "max_positions": 32, "dropout": 0.0, "attention_dropout": 0.0}
    model = TextEncoder(TextEncoderTinyConfig(**options), SIZE, PAD).train()
    with torch.no_grad():  # away from the start, whose layers hardly mix tokens
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    text, length = np.array([[CLS, *np.random.default_rng(1).integers(4, SIZE, size=24), SEP]]), np.array([26])
    parts = {name: getattr(masker(sets), name) for name in ("whole_words", "replacement", "vocabulary", "marks")}
    independent = BertMasker(ratio=1 / sets, **parts)

    def gradient(masked):
        batch = to_masked_batch(masked, np.arange(len(masked.source)), PAD)
        found = masked_token_loss(model, model(**batch["net_input"]), batch)
        assert found.tokens == 24
        gradients = torch.autograd.grad(found.loss / found.tokens, list(model.parameters()), allow_unused=True)
        return torch.cat([part.flatten() for part in gradients if part is not None])

    disjoint = [gradient(masker(sets)(text, length, sentence_keys(3, 1 + n, np.arange(1)))) for n in range(draws)]
    copies, lengths = text.repeat(sets, axis=0), length.repeat(sets)
    others = [gradient(independent(copies, lengths, sentence_keys(3, 1 + n, np.arange(sets)))) for n in range(draws)]
    spread = [torch.stack(found).var(dim=0).sum().item() for found in (disjoint, others)]
    assert spread[0] < share * spread[1]
