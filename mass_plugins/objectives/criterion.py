"""What the criterions share: how their logs are added up, and the ranges of their numbers."""

import math

from fairseq.criterions import FairseqCriterion

from mass_plugins.errors import InputError


class SummedCriterion(FairseqCriterion):
    """A criterion that logs sums: those of several processes are added up before ``reduce_metrics``."""

    @staticmethod
    def logging_outputs_can_be_summed() -> bool:
        return True


def check_positive(flag: str, value: float, hint: str = "") -> None:
    """Raises InputError: the value of this flag isn't a finite number above 0; ``hint`` follows."""
    if not 0 < value < math.inf:
        raise InputError(f"{flag} {value} is not a positive number{hint}")


def check_not_negative(flag: str, value: float) -> None:
    """Raises InputError: the value of this flag isn't a finite number of 0 or more."""
    if not 0 <= value < math.inf:
        raise InputError(f"{flag} {value} is not a number of 0 or more")
