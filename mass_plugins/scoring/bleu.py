"""Corpus BLEU by sacreBLEU: with its signature, with sums that add up over batches, of Moses-tokenized text
as older papers report it, and the paired bootstrap."""

from dataclasses import dataclass
from typing import Mapping, NamedTuple, Sequence, cast

from sacrebleu.metrics import BLEU
from sacrebleu.significance import PairedTest, Result

from mass_plugins.data.text import TextSettings, WordPipeline
from mass_plugins.doctor import version_of

ORDER = 4


def metric(tokenize: str = "13a", lowercase: bool = False) -> BLEU:
    """sacreBLEU's BLEU (mixed case, 13a, exponential smoothing unless told otherwise).

    ``force``: text that looks tokenized is scored without a warning; what we hand in is detokenized.
    """
    return BLEU(tokenize=tokenize, lowercase=lowercase, force=True)


@dataclass(frozen=True)
class BleuStatistics:
    """The n-gram counts that corpus BLEU is made of; those of two halves of a corpus add up.

    ``counts[n - 1]`` n-grams of the hypotheses are matched out of ``totals[n - 1]``; lengths in words.
    """

    counts: tuple[float, ...]
    totals: tuple[float, ...]
    sys_len: float
    ref_len: float

    @classmethod
    def empty(cls) -> "BleuStatistics":
        return cls((0,) * ORDER, (0,) * ORDER, 0, 0)

    @classmethod
    def from_sentences(cls, hypotheses: Sequence[str], references: Sequence[str]) -> "BleuStatistics":
        """Statistics of detokenized lines, one reference each."""
        if not hypotheses:
            return cls.empty()
        score = metric().corpus_score(list(hypotheses), [list(references)])
        return cls(tuple(score.counts), tuple(score.totals), score.sys_len, score.ref_len)

    @classmethod
    def from_items(cls, items: Mapping[str, float]) -> "BleuStatistics":
        """The inverse of ``dict(statistics.items())``."""
        return cls(
            tuple(items[f"counts_{n}"] for n in range(ORDER)),
            tuple(items[f"totals_{n}"] for n in range(ORDER)),
            items["sys_len"],
            items["ref_len"],
        )

    def items(self) -> list[tuple[str, float]]:
        """Flat (name, number) pairs, as logs carry them."""
        return [
            *((f"counts_{n}", count) for n, count in enumerate(self.counts)),
            *((f"totals_{n}", total) for n, total in enumerate(self.totals)),
            ("sys_len", self.sys_len),
            ("ref_len", self.ref_len),
        ]

    def keys(self) -> list[str]:
        return [name for name, _ in self.items()]

    def __add__(self, other: "BleuStatistics") -> "BleuStatistics":
        mine, theirs = dict(self.items()), dict(other.items())
        return BleuStatistics.from_items({key: mine[key] + theirs[key] for key in mine})

    def score(self) -> float:
        """BLEU in percent; 0 where nothing was counted."""
        if not self.sys_len:
            return 0.0
        return BLEU.compute_bleu(
            [int(count) for count in self.counts],
            [int(total) for total in self.totals],
            int(self.sys_len),
            int(self.ref_len),
            smooth_method="exp",
        ).score


def signature() -> str:
    """The signature of the scores of ``BleuStatistics``: one reference, sacreBLEU's defaults."""
    scorer = metric()
    scorer.corpus_score(["a"], [["a"]])
    return str(scorer.get_signature())


class CorpusScore(NamedTuple):
    score: float  # percent
    signature: str


def corpus_bleu(
    hypotheses: Sequence[str], references: Sequence[str], tokenize: str = "13a", lowercase: bool = False
) -> CorpusScore:
    """BLEU of detokenized lines against one reference each, with its signature.

    Raises:
        ValueError: another number of hypotheses than of references.
    """
    if len(hypotheses) != len(references):
        raise ValueError(f"{len(hypotheses)} hypotheses, {len(references)} references; there must be as many of each")
    scorer = metric(tokenize, lowercase)
    score = scorer.corpus_score(list(hypotheses), [list(references)])
    return CorpusScore(score.score, str(scorer.get_signature()))


def tokenized_bleu(
    hypotheses: Sequence[str], references: Sequence[str], language: str, lowercase: bool = False
) -> CorpusScore:
    """BLEU of Moses-tokenized lines, counted as multi-bleu.perl does: words between spaces, no smoothing.

    Both sides are detokenized lines of ``language``. Their punctuation is normalized, they are tokenized by
    Moses' rules for the language, and with ``lowercase`` lower-cased (multi-bleu.perl ``-lc``); the signature
    names that after sacreBLEU's part. Comparable with published "tokenized BLEU" only as far as their
    tokenization is this one.

    Raises:
        ValueError: another number of hypotheses than of references.
    """
    if len(hypotheses) != len(references):
        raise ValueError(f"{len(hypotheses)} hypotheses, {len(references)} references; there must be as many of each")
    pipeline = WordPipeline(TextSettings(lowercase=lowercase))
    found, real = ([pipeline.words(line, language) for line in lines] for lines in (hypotheses, references))
    scorer = BLEU(tokenize="none", lowercase=lowercase, smooth_method="none", force=True)
    score = scorer.corpus_score(found, [real])
    moses = f"moses:{language}|sacremoses:{version_of('sacremoses')}"
    return CorpusScore(score.score, f"{scorer.get_signature()}|{moses}")


class Comparison(NamedTuple):
    """One system against the baseline, both on the same lines."""

    system: str
    baseline: str
    difference: float  # BLEU of the system less that of the baseline
    p_value: float  # that chance makes a difference as large
    signature: str


def paired_bootstrap(
    systems: Mapping[str, Sequence[str]], references: Sequence[str], samples: int = 1000
) -> list[Comparison]:
    """Paired bootstrap resampling (Koehn 2004) by sacreBLEU; the first system is the baseline.

    Its seed is sacreBLEU's own (12345, or ``SACREBLEU_SEED``), so the same lines give the same p-values.
    Of two systems with the same score the p-value is 1; sacreBLEU's is its smallest if the samples don't differ either.
    """
    named: list[tuple[str, Sequence[str]]] = [(name, list(lines)) for name, lines in systems.items()]
    test = PairedTest(named, {"BLEU": metric()}, references=[list(references)], test_type="bs", n_samples=samples)
    signatures, results = test()
    baseline, *others = cast(list[Result], results["BLEU"])
    return [
        Comparison(
            name,
            named[0][0],
            result.score - baseline.score,
            1.0 if result.score == baseline.score else cast(float, result.p_value),
            str(signatures["BLEU"]),
        )
        for (name, _), result in zip(named[1:], others)
    ]
