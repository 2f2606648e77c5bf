"""Two languages whose words keep the same company are brought together by a few words that they share."""

import numpy as np
import pytest
import torch

from mass_plugins.alignment.joint import JointSpace, seeds_of
from mass_plugins.alignment.mapping import csls, find_rotation
from mass_plugins.alignment.neighbours import (
    TokenVectors,
    count_neighbours,
    decompose,
    positive_information,
    token_vectors,
    unit,
)
from mass_plugins.errors import InputError
from tests.two_languages import EOS, FIRST, SHARED, SIZE, WORDS, write_text

DIM = 32
ORDINARY = np.arange(SIZE) >= FIRST


def vectors_of(language, seed, grammar=0):
    return token_vectors(write_text(language, seed, grammar), ORDINARY, DIM, window=2, min_count=3)


@pytest.fixture(scope="module")
def languages():
    return vectors_of(0, seed=1), vectors_of(1, seed=2)


def right_share(alignment):
    return sum(token - WORDS == other for token, other in alignment.translations) / (WORDS - SHARED)


def test_words_find_their_translations(languages):
    one, two = languages
    alignment = JointSpace(one).add(two)
    assert alignment.tokens == WORDS and SHARED - 5 <= alignment.seeds <= SHARED
    assert right_share(alignment) > 0.95 and alignment.agreement > 0.95


@pytest.mark.parametrize("grammar", [7, 8])
def test_a_language_of_another_grammar_is_refused(languages, grammar):
    """The control: the translations come from what is said, not from the shared words or frequencies."""
    with pytest.raises(InputError, match="agree on only [0-9]% of the translations"):
        JointSpace(languages[0]).add(vectors_of(1, seed=2, grammar=grammar))


def test_vectors_too_poor_to_trust_show_in_the_agreement():
    """More dimensions than the text carries: few translations are right, and few are found twice."""
    one, two = (
        token_vectors(write_text(language, language + 1), ORDINARY, 200, window=2, min_count=1) for language in (0, 1)
    )
    alignment = JointSpace(one).add(two)
    assert alignment.agreement < 0.3 and right_share(alignment) < 0.3


def test_a_token_has_the_mean_of_its_languages_by_its_share_of_each():
    generator = torch.Generator().manual_seed(1)
    base = unit(torch.randn(60, 12, generator=generator))
    rotation = torch.linalg.qr(torch.randn(12, 12, generator=generator)).Q
    shares = np.linspace(0.9, 0.1, 60)
    one = TokenVectors(np.arange(60) + FIRST, base, shares)
    other = base.clone()
    other[0] = -base[0] + 0.1 * base[1]  # the first token means something else there
    other = torch.nn.functional.normalize(other, dim=1)
    two = TokenVectors(np.append(np.arange(59), 80) + FIRST, other @ rotation.T, shares / 3)
    space = JointSpace(one)
    space.add(two)
    tokens, vectors = space.joint()
    assert tokens.tolist() == [*range(FIRST, FIRST + 60), FIRST + 80]
    expected = torch.nn.functional.normalize(0.9 * base[:1] + 0.3 * other[:1], dim=1)
    torch.testing.assert_close(vectors[:1], expected, atol=0.02, rtol=0)
    torch.testing.assert_close(vectors[59], base[59])  # a token of the pivot alone stays where it is
    torch.testing.assert_close(vectors[60], base[59], atol=0.02, rtol=0)
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(61))


def test_few_seeds_of_which_most_are_wrong_lead_to_the_rotation(languages):
    one, two = languages
    rows = {token: row for row, token in enumerate(one.tokens.tolist())}
    shared = [(row, rows[token]) for row, token in enumerate(two.tokens.tolist()) if token < FIRST + SHARED]
    wrong = [(shared[i][0], shared[i - 1][1]) for i in range(14)]
    found = find_rotation(two.vectors, one.vectors, torch.tensor(shared[-8:] + wrong))
    assert sum(two.tokens[row] - WORDS == one.tokens[column] for row, column in found.pairs.tolist()) > 150


def test_tokens_without_company_have_no_vector():
    """They would all have one and the same."""
    text = write_text(0, seed=1)
    alone = np.tile([SIZE, EOS], 200)
    found = token_vectors(np.concatenate([text, alone]), np.append(ORDINARY, True), DIM, window=2, min_count=3)
    assert SIZE not in found.tokens and len(found.vectors) == len(found.tokens) == len(found.shares)
    torch.testing.assert_close(found.vectors.norm(dim=1), torch.ones(len(found.tokens)))
    distinct = torch.unique((found.vectors * 1e4).round(), dim=0)
    assert len(distinct) == len(found.tokens)


def test_vectors_are_centred():
    vectors = unit(torch.rand(500, 8, generator=torch.Generator().manual_seed(1)))
    assert vectors.mean(0).norm() < 0.05  # 0.9 before


def test_seeds_are_about_as_frequent():
    def language(tokens, shares):
        return TokenVectors(np.array(tokens), torch.zeros(len(tokens), 2), np.array(shares))

    first, second = language([9, 5, 7], [0.5, 0.3, 0.2]), language([7, 8, 9, 5], [0.3, 0.3, 0.25, 0.01])
    assert seeds_of(first, second).tolist() == [[2, 0], [0, 2]]  # 7 and 9; 5 is thirty times as rare


def test_too_few_seeds_are_refused():
    vectors = torch.nn.functional.normalize(torch.randn(50, 8), dim=1)
    with pytest.raises(InputError, match="3 tokens are about as frequent in both"):
        find_rotation(vectors, vectors, torch.zeros(3, 2, dtype=torch.int64))


def test_too_little_text_is_refused():
    with pytest.raises(InputError, match="0 tokens occur 2 times or more beside others, too few for 8 dimensions"):
        token_vectors(np.array([5, 5, 6, EOS]), ORDINARY[:9], 8, min_count=2)


def test_a_rotation_is_found_again():
    generator = torch.Generator().manual_seed(3)
    fixed = unit(torch.randn(300, 20, generator=generator))
    rotation = torch.linalg.qr(torch.randn(20, 20, generator=generator)).Q
    seeds = torch.arange(30).repeat(2, 1).T
    found = find_rotation(fixed @ rotation.T, fixed, seeds)
    torch.testing.assert_close(found.rotation, rotation, atol=1e-4, rtol=0)
    assert found.pairs.tolist() == [[row, row] for row in range(300)]


def test_neighbours_are_counted_within_sentences_by_distance(monkeypatch):
    text = np.array([4, 5, 6, EOS, 4, 4, 3, 5, EOS])
    rows = np.array([-1, -1, -1, -1, 0, 1, 2])
    expected = torch.zeros(3, 3, dtype=torch.float64)
    for one, other, weight in ((0, 1, 1), (1, 2, 1), (0, 2, 0.5), (0, 0, 1)):  # none across </s> or an unknown
        expected[one, other] += weight
        expected[other, one] += weight
    for chunk in (100, 3, 1):
        monkeypatch.setattr("mass_plugins.alignment.neighbours._CHUNK", chunk)
        found = count_neighbours(text, rows, ORDINARY[:7], 2, 3).to_dense()
        torch.testing.assert_close(found, expected)


def test_information_is_that_of_its_definition():
    counts = torch.tensor([[0.0, 4, 1], [4, 0, 2], [1, 2, 6]], dtype=torch.float64)
    totals = counts.sum(1)
    joint, context = counts / counts.sum(), totals**0.75 / (totals**0.75).sum()
    expected = torch.log(joint / ((totals / totals.sum())[:, None] * context)).clamp(min=0)
    found = positive_information(counts.to_sparse().coalesce()).to_dense()
    torch.testing.assert_close(found, expected.float())


def test_decomposition_keeps_what_a_matrix_of_that_rank_holds():
    generator = torch.Generator().manual_seed(1)
    factor = torch.rand(40, 6, generator=generator)
    product = factor @ factor.T
    vectors = decompose(product.to_sparse(), 6)
    torch.testing.assert_close(vectors @ vectors.T, product, atol=1e-3, rtol=1e-3)  # symmetric: left equals right
    assert torch.equal(vectors, decompose(product.to_sparse(), 6))


def test_csls_takes_off_what_is_near_to_everything():
    generator = torch.Generator().manual_seed(0)
    first = unit(torch.randn(30, 8, generator=generator))
    second = torch.cat([first + 0.3 * torch.randn(30, 8, generator=generator), first.sum(0, keepdim=True) + first[:1]])
    scores = csls(first, second)
    assert scores.shape == (30, 31)
    cosine = torch.nn.functional.normalize(first, dim=1) @ torch.nn.functional.normalize(second, dim=1).T
    row, column = 4, 7
    by_hand = 2 * cosine[row, column] - cosine[row].topk(10).values.mean() - cosine[:, column].topk(10).values.mean()
    torch.testing.assert_close(scores[row, column], by_hand)
