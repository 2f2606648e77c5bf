"""Sums of logging entries, as every criterion logs them: losses in bits, shares in percent."""

import math
from typing import Iterable, Sequence

from fairseq import metrics


def total(logging_outputs: Sequence[dict], key: str):
    """The sum over batches and processes; 0 where none has it."""
    return sum(log.get(key, 0) for log in logging_outputs)


def log_sums(logging_outputs: Sequence[dict], keys: Iterable[str]) -> None:
    """Keep the sums of these entries for metrics that are derived from them."""
    for key in keys:
        metrics.log_scalar(key, float(total(logging_outputs, key)))


def log_bits(logging_outputs: Sequence[dict], name: str, loss: str, count: str) -> None:
    """Log ``name``, the mean of a loss in bits, if anything counts.

    Args:
        loss: entry with the loss's sum, in nats.
        count: entry with its denominator.
    """
    if size := total(logging_outputs, count):
        metrics.log_scalar(name, total(logging_outputs, loss) / size / math.log(2), size, round=3)


def log_share(logging_outputs: Sequence[dict], name: str, part: str, count: str) -> None:
    """Log ``name``, 100 times the sum of the entry ``part`` over that of ``count``, if anything counts."""
    if size := total(logging_outputs, count):
        metrics.log_scalar(name, 100 * total(logging_outputs, part) / size, size, round=2)
