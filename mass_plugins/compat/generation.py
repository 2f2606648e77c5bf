"""Workarounds for fairseq's beam search."""

import math

from torch import Tensor


def block_repeated_ngrams(ngram_repeat_block) -> None:
    """Make ``--no-repeat-ngram-size`` work without fairseq's CUDA extension, which a pip install doesn't build.

    fairseq compares the end of the tokens' whole buffer, which is padding until the last step, so that nothing is ever
    blocked.

    Remove when ``NGramRepeatBlock._no_repeat_ngram`` looks at the tokens up to ``step`` alone.
    """
    ngram_repeat_block.NGramRepeatBlock._no_repeat_ngram = _no_repeat_ngram


def _no_repeat_ngram(self, tokens: Tensor, lprobs: Tensor, bsz: int, beam_size: int, step: int) -> Tensor:
    """Forbid, in each row, the tokens that would make an n-gram for the second time.

    Args:
        tokens: (R, W) int64, ``</s>`` and ``step`` tokens are written so far, the rest is padding.
        lprobs: (R, V) log-probabilities of the next token; changed in place.
    """
    size, written = self.no_repeat_ngram_size, tokens[:, 1 : step + 1]
    if written.shape[1] < size:
        return lprobs
    grams = written.unfold(1, size, 1)  # (R, N, size)
    last = written[:, written.shape[1] - size + 1 :].unsqueeze(1)
    rows, places = (grams[:, :, :-1] == last).all(dim=2).nonzero(as_tuple=True)
    lprobs[rows, grams[rows, places, -1]] = -math.inf
    return lprobs
