"""distinct-n (Li et al. 2016, section 5.2): how varied responses are; a system that always says the same has little."""

from typing import NamedTuple, Sequence

from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a

from mass_plugins.doctor import version_of


class DistinctScore(NamedTuple):
    """``score``: different n-grams by all n-grams of all responses, in percent."""

    score: float
    different: int
    total: int
    signature: str


def distinct(responses: Sequence[str], order: int, lowercase: bool = True) -> DistinctScore:
    """distinct-``order`` of detokenized responses, whose words are those of sacreBLEU's 13a.

    It falls with the number of responses, so only corpora of one size can be compared. Without any n-gram, 0.

    Raises:
        ValueError: ``order`` is below 1.
    """
    if order < 1:
        raise ValueError(f"order {order} is not 1 or more")
    tokenize, total, different = Tokenizer13a(), 0, set()
    for response in responses:
        words = tokenize(response.lower() if lowercase else response).split()
        grams = [tuple(words[start : start + order]) for start in range(len(words) - order + 1)]
        total += len(grams)
        different.update(grams)
    case = "lc" if lowercase else "mixed"
    signature = f"n:{order}|level:corpus|case:{case}|tok:13a|sacrebleu:{version_of('sacrebleu')}"
    return DistinctScore(100 * len(different) / total if total else 0.0, len(different), total, signature)
