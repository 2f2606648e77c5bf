"""Settings in a file that somebody else wrote: of the right type and size, or one clear line."""

import numbers
from typing import Any

from fairseq import utils

from mass_plugins.errors import InputError


def activation(path: str, value: Any) -> str:
    """An activation that our models have.

    Raises:
        InputError: another one, or none at all.
    """
    known = utils.get_available_activation_fns()
    if not isinstance(value, str) or value not in known:
        raise InputError(f"{path}: activation_fn is {shown(value)}; our models have {', '.join(known)}")
    return value


def dropout(path: str, name: str, value: Any) -> float:
    """A share in [0, 1).

    Raises:
        InputError: anything else.
    """
    try:
        share = float(value) if isinstance(value, numbers.Real) and not isinstance(value, bool) else -1.0
    except OverflowError:
        share = -1.0
    if not 0 <= share < 1:
        raise InputError(f"{path}: {name} is {shown(value)}, not a number in [0, 1); fix the file's settings")
    return share


def whole_number(path: str, name: str, value: Any, least: int = 1) -> int:
    """A whole number of ``least`` or more.

    Raises:
        InputError: anything else.
    """
    whole = isinstance(value, numbers.Integral) or (isinstance(value, float) and value.is_integer())
    if isinstance(value, bool) or not whole or value < least:
        raise InputError(f"{path}: {name} is {shown(value)}, no whole number of {least} or more; fetch the file again")
    return int(value)


def epsilon(path: str, name: str, value: Any) -> float:
    """A positive number, as a layer-norm adds it to a variance.

    Raises:
        InputError: anything else.
    """
    known = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not known or not 0 < value < 1:
        raise InputError(f"{path}: {name} is {shown(value)}, no number between 0 and 1; fetch the file again")
    return float(value)


def flag(path: str, name: str, value: Any) -> bool:
    """Yes or no.

    Raises:
        InputError: anything else.
    """
    if not isinstance(value, (bool, int)) or value not in (0, 1):
        raise InputError(f"{path}: {name} is {shown(value)}, neither true nor false; fix the file's settings")
    return bool(value)


def attention_heads(path: str, value: Any, width: int) -> int:
    """Heads of attention that divide the width.

    Raises:
        InputError: no such number; ``--heads`` gives one.
    """
    if value is None:
        raise InputError(f"{path} doesn't say how many attention heads it has; set --heads")
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 1:
        raise InputError(f"{path}: the attention heads are {shown(value)}, not a whole number above 0; set --heads")
    if width % int(value):
        raise InputError(f"{path}: {value} attention heads don't divide the width {width}; set --heads")
    return int(value)


def count_positions(path: str, name: str, number: int, padding: int = 0) -> int:
    """How many positions a table of ``number`` rows has, of which ``padding`` are for padding.

    Raises:
        InputError: none.
    """
    if number <= padding:
        raise InputError(f"{path}: {name} has {number} rows, so not one position; the file is cut down")
    return number - padding


def shown(value: Any, longest: int = 40) -> str:
    """A value of any kind in a message of one line."""
    text = f"a {type(value).__name__}" if hasattr(value, "shape") else repr(value)
    return text if len(text) <= longest else text[: longest - 3] + "..."
