"""What a string is — a sentence, a phrase, a word — sets the defaults of everything else."""

import math
from typing import NamedTuple, Optional

from mass_plugins.errors import InputError

COLDEST = 0.001  # temperature; the gradient of a cosine is divided by it


class MirrorSettings(NamedTuple):
    """Attributes:
    span: characters that give way to ``[MASK]`` in the second view.
    temperature: of InfoNCE.
    max_tokens: of a string, CLS and SEP included; longer ones lose their ends.
    pooling: a name of ``modules/pooling.py``.
    """

    span: int
    temperature: float
    max_tokens: int
    pooling: str


# Liu et al. 2021, section 3; lengths and pooling from the release's scripts.
MODES = {
    "sentence": MirrorSettings(span=5, temperature=0.04, max_tokens=50, pooling="mean"),
    "phrase": MirrorSettings(span=2, temperature=0.04, max_tokens=25, pooling="cls"),
    "word": MirrorSettings(span=0, temperature=0.2, max_tokens=25, pooling="cls"),
}


def resolve(
    mode: str, span: Optional[int], temperature: Optional[float], max_tokens: Optional[int], pooling: Optional[str]
) -> MirrorSettings:
    """The settings of ``mode`` but where one is given.

    Raises:
        InputError: one that is out of its range.
    """
    default = MODES[mode]
    settings = MirrorSettings(
        span=default.span if span is None else span,
        temperature=default.temperature if temperature is None else temperature,
        max_tokens=default.max_tokens if max_tokens is None else max_tokens,
        pooling=pooling or default.pooling,
    )
    if settings.span < 0:
        raise InputError(f"--span-characters {settings.span} is not 0 or more; 0 leaves strings as they are")
    if not COLDEST <= settings.temperature < math.inf:
        raise InputError(
            f"--contrast-temperature {settings.temperature} is not a number of {COLDEST} or more; the paper's are 0.04 "
            "and 0.2"
        )
    if settings.max_tokens < 3:
        raise InputError(f"--max-string-tokens {settings.max_tokens} has no room for a token between [CLS] and [SEP]")
    return settings
