"""Pairs: what is cut of a source that is too long."""

import numpy as np
import pytest
import torch

from mass_plugins.data.streams import ParallelStream, cut
from mass_plugins.data.vocabulary import Vocabulary

EOS = 2


@pytest.mark.parametrize("keep_end", [False, True])
@pytest.mark.parametrize("limit", [2, 3, 6, 7, 9])
def test_a_cut_keeps_one_end_and_the_closing_token(limit, keep_end):
    tokens = np.array([5, 6, 7, 8, 9, 10, EOS])
    found = cut(tokens, limit, keep_end).tolist()
    kept = min(limit, 7) - 1
    assert found == [*([5, 6, 7, 8, 9, 10][6 - kept :] if keep_end else [5, 6, 7, 8, 9, 10][:kept]), EOS]


@pytest.mark.parametrize(("longest", "limits"), [(4, None), (None, (4, 4)), (5, (4, 4))])
def test_contexts_lose_their_beginning_and_answers_their_end(longest, limits):
    rows = [torch.arange(5, 12), torch.tensor([5, 6, 7, 8, 9, EOS])]
    rows[0][-1] = EOS
    vocabulary = Vocabulary(mask=4, pad=1, eos=EOS, ordinary=np.arange(5, 12))
    stream = ParallelStream("en-en", [rows[0]], [rows[1]], np.array([7]), np.array([6]), 0, 0, vocabulary,
                            longest_source=longest, keep_end=True)  # fmt: skip
    stream.max_lengths = limits
    source, target = stream.read(0)
    assert source.tolist() == [8, 9, 10, EOS]
    assert target.tolist() == ([5, 6, 7, EOS] if limits else [5, 6, 7, 8, 9, EOS])
