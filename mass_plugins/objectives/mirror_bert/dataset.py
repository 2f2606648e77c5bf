"""Raw strings → batches of two views of each."""

import logging
from typing import Sequence

import numpy as np
import torch
from fairseq.data import FairseqDataset

from mass_plugins.data.collate import pad_right
from mass_plugins.data.encoder_text import EncoderText
from mass_plugins.data.random_state import sentence_keys
from mass_plugins.data.streams import cut
from mass_plugins.data.string_augmentation import cut_spans
from mass_plugins.errors import InputError

logger = logging.getLogger(__name__)


class MirrorDataset(FairseqDataset):
    """Strings, each with its second view of the epoch; a batch of B strings has 2B rows.

    Everything is tokenized at once, as an array of strings: the first views when it is made, the second ones at the
    beginning of an epoch. Where a string has no span to mask both views have the same tokens, and dropout alone
    tells them apart.

    Strings whose tokens are the same are kept once: as each other's negatives they would be pushed apart and
    drawn together at once. Those without a token are left out.

    Args:
        strings: raw text.
        text: the encoder's text pipeline.
        span: characters masked in the second view.
        max_tokens: of a view, CLS and SEP included.
        seed: of the spans.
        language: of the strings, where the pipeline cleans text by language.
        random_batches: batches of strings of all lengths, as the paper's, instead of similar ones.
        pad_to: at least so many slots a batch (``mean_with_padding`` sees them).

    Raises:
        InputError: fewer than two different strings.
    """

    # fairseq would keep its workers, and with them the first epoch's spans, for all epochs.
    can_reuse_epoch_itr_across_epochs = False

    def __init__(
        self,
        strings: Sequence[str],
        text: EncoderText,
        span: int,
        max_tokens: int,
        seed: int,
        language: str | None = None,
        random_batches: bool = False,
        pad_to: int = 0,
    ):
        self.text, self.span, self.max_tokens, self.seed = text, span, max_tokens, seed
        self.language, self.random_batches, self.pad_to = language, random_batches, pad_to
        whole = text.encode(strings, language=language)
        self.cut = sum(len(row) > max_tokens for row in whole)
        tokens = [cut(row, max_tokens) for row in whole]
        kept = _first_of_equals(tokens)
        self.strings = [strings[place] for place in kept]
        self.first = [tokens[place] for place in kept]
        if len(kept) < 2:
            longer = f", or a --max-string-tokens above {max_tokens}, which cut {self.cut}" if self.cut else ""
            raise InputError(
                f"{len(strings)} strings, {len(kept)} of them different in tokens: "
                f"a contrastive loss needs others to tell a string from; give more, different strings{longer}"
            )
        self._log_lengths(len(strings))
        self.epoch = 0
        self.set_epoch(1)

    def _log_lengths(self, given: int) -> None:
        lengths = np.array(list(map(len, self.first)))
        logger.info(
            "%d strings of %.1f tokens on average (with their ends), %d cut to %d tokens, %d empty or repeated ones "
            "left out",
            len(self.first), lengths.mean(), self.cut, self.max_tokens, given - len(self.first),
        )  # fmt: skip
        if warning := self.text.count(self.first).warning:
            logger.warning(warning)

    def set_epoch(self, epoch: int) -> None:
        """Draw and tokenize the epoch's second views."""
        if epoch == self.epoch:
            return
        self.epoch = epoch
        self.second = list(self.first)
        cuts = cut_spans(self.strings, self.span, sentence_keys(self.seed, epoch, np.arange(len(self.strings))))
        places = [place for place, parts in enumerate(cuts) if parts is not None]
        lefts, rights = (
            self.text.pieces([parts[side] for parts in cuts if parts is not None], self.language) for side in (0, 1)
        )
        begin, mask, end = ([self.text.cls], [self.text.mask], [self.text.dictionary.eos()])
        for place, left, right in zip(places, lefts, rights):
            middle = np.concatenate([left, mask, right])[: self.max_tokens - 2]
            self.second[place] = np.concatenate([begin, middle, end])
        self.sizes = np.array([max(len(a), len(b)) for a, b in zip(self.first, self.second)], dtype=np.int64)

    def equal_views(self) -> int:
        """How many strings' views have the same tokens: too short to be cut, or cut behind the last token kept."""
        return sum(map(np.array_equal, self.first, self.second))

    def __len__(self) -> int:
        return len(self.first)

    def __getitem__(self, index: int) -> tuple[int, np.ndarray, np.ndarray]:
        return int(index), self.first[index], self.second[index]

    def collater(self, samples) -> dict:
        """Items → a batch; no items → ``{}``.

        ``net_input.src_tokens`` (2B, S) int64, right-padded: rows i and B + i are the views of string i.
        """
        if len(samples) == 0:
            return {}
        ids, first, second = zip(*samples)
        tokens, lengths = pad_right([*first, *second], self.text.dictionary.pad(), self.pad_to)
        return {
            "id": torch.tensor(ids),
            "nsentences": len(ids),
            "ntokens": int(lengths.sum()),
            "net_input": {"src_tokens": torch.from_numpy(tokens), "src_lengths": torch.from_numpy(lengths)},
        }

    def num_tokens(self, index: int) -> int:
        """Of both views: what --max-tokens counts."""
        return 2 * max(int(self.sizes[index]), self.pad_to)

    def num_tokens_vec(self, indices: np.ndarray) -> np.ndarray:
        return 2 * np.maximum(self.sizes[indices], self.pad_to)

    def size(self, index: int) -> int:
        return int(self.sizes[index])

    def ordered_indices(self) -> np.ndarray:
        """All strings in random order (fairseq seeds it by epoch), then by length unless ``random_batches``."""
        order = np.random.permutation(len(self))  # noqa: NPY002
        return order if self.random_batches else order[np.argsort(self.sizes[order], kind="stable")]

    def filter_indices_by_size(self, indices, max_sizes):
        """Nothing is too long: strings are cut to ``max_tokens``, which the model has positions for."""
        return indices, []

    def batch_by_size(self, indices, max_tokens=None, max_sentences=None, required_batch_size_multiple=1):
        """Batches of exactly ``max_sentences`` strings where ``max_tokens`` allows; none of a single string.

        ``required_batch_size_multiple`` would make 96 of a batch of 100; it is left alone.

        Raises:
            InputError: a limit that leaves room for one string.
        """
        if max_tokens is None and max_sentences is None:
            raise InputError("no size of a batch; set --batch-size 200 (the paper's), or --max-tokens")
        longest = int(self.num_tokens_vec(indices).max(initial=0))
        if max_tokens is not None and longest > max_tokens:
            raise InputError(
                f"--max-tokens {max_tokens} has no room for the {longest} tokens of a string's two views; raise it, or "
                "lower --max-string-tokens"
            )
        batches = super().batch_by_size(indices, max_tokens, max_sentences, required_batch_size_multiple=1)
        if len(batches) > 1 and len(batches[-1]) == 1:
            *batches, last = batches
            batches[-1] = np.concatenate([batches[-1], last])
        if any(len(batch) == 1 for batch in batches):
            raise InputError(
                "a batch would hold one string, which has nothing to be told from; raise --batch-size or --max-tokens"
            )
        return batches


def _first_of_equals(rows: Sequence[np.ndarray]) -> list[int]:
    """Places of the rows that hold more than CLS and SEP and are not equal to an earlier one."""
    seen: dict[bytes, int] = {}
    for place, row in enumerate(rows):
        if len(row) > 2:
            seen.setdefault(row.tobytes(), place)
    return list(seen.values())
