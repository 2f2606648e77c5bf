"""Mirror-BERT's second view of a string: one random span of characters gives way to ``[MASK]``.

Liu et al. 2021, section 2.1. Whose tokenizer writes ``[MASK]`` in which way isn't known here: a view is a
string's left and right part, and the mask's token goes between the two when they are tokens.
"""

from typing import NamedTuple, Optional, Sequence

import numpy as np

from mass_plugins.data.random_state import Draw, derive_keys, uniform

SHORTEST = 30  # characters; shorter strings have no second view but dropout's (the paper's and the release's limit)


class Cut(NamedTuple):
    """A string without its masked span."""

    left: str
    right: str


def cut_spans(strings: Sequence[str], span: int, keys: np.ndarray) -> list[Optional[Cut]]:
    """Cut one span of ``span`` characters out of each string that has 30 or more, at any place alike.

    Args:
        strings: B of them; characters are Unicode code points.
        span: characters; 0: every view is the string itself.
        keys: (B,) uint64, one a string (:func:`mass_plugins.data.random_state.sentence_keys`).

    Returns:
        for each string its two parts, None where it is left alone: it is too short, or all of it would go.

    The release cuts at the first occurrence of the text that stands at the drawn place, which may be another
    place, and never cuts off a string's end; here the place drawn is the place cut.
    """
    lengths = np.fromiter(map(len, strings), dtype=np.int64, count=len(strings))
    cut = (lengths >= SHORTEST) & (lengths > span) & (span > 0)
    last = np.maximum(lengths - span, 0)
    places = uniform(derive_keys(keys, Draw.STRING_SPAN), 1)[:, 0]
    starts = np.minimum((places * (last + 1)).astype(np.int64), last)
    return [
        Cut(string[:start], string[start + span :]) if wanted else None
        for string, start, wanted in zip(strings, starts.tolist(), cut.tolist())
    ]
