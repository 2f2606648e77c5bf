"""ROUGE of summaries by Google's rouge-score: F1 of ROUGE-1, -2 and -L, bootstrap intervals, and a signature.

ROUGE is the mean over summaries of a score of each (Lin 2004), so sums of a corpus's parts add up, and resampling
the summaries' scores resamples the corpus. With several references a summary has the best score of them.
"""

import re
from dataclasses import dataclass
from typing import NamedTuple, Sequence, Union

import numpy as np

from mass_plugins.doctor import version_of
from mass_plugins.errors import InputError

METRICS = {"ROUGE-1": "rouge1", "ROUGE-2": "rouge2", "ROUGE-L": "rougeL"}  # the name in tables -> rouge-score's
TOKENIZERS = ("ascii", "unicode")
_NO_SPACES = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"  # scripts without spaces
_UNICODE_WORD = re.compile(f"[{_NO_SPACES}]|[^\\W_{_NO_SPACES}]+")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")

References = Sequence[Union[str, Sequence[str]]]


@dataclass(frozen=True)
class RougeSettings:
    """What a score depends on besides the texts.

    Attributes:
        stem: compare English word stems (Porter), as ROUGE-1.5.5 ``-m`` does; the papers' setting.
        tokenize: ``ascii``, rouge-score's own, drops every letter but a to z and is for English; ``unicode`` keeps
            the letters of all scripts and takes each character of scripts without spaces for a word.
        summary_level: ROUGE-L of texts of several sentences by the union of their sentences' subsequences
            (rouge-score's ``rougeLsum``, what papers on CNN/DailyMail report); a sentence ends at ``.``, ``!`` or ``?``
            before a space.
        samples: resamples of the bootstrap.
        confidence: of its interval, by percentiles.
        seed: of its draws.
    """

    stem: bool = True
    tokenize: str = "ascii"
    summary_level: bool = False
    samples: int = 1000
    confidence: float = 0.95
    seed: int = 12345

    def __post_init__(self):
        if self.tokenize not in TOKENIZERS:
            raise InputError(f"tokenize={self.tokenize!r} is unknown; choose from {', '.join(TOKENIZERS)}")
        if self.stem and self.tokenize != "ascii":
            raise InputError("stems are those of English; leave out stemming with tokenize='unicode'")
        if self.samples < 1 or not 0 < self.confidence < 1:
            raise InputError(f"{self.samples} samples, confidence {self.confidence}: need 1 or more, in (0, 1)")
        if self.seed < 0:
            raise InputError(f"the seed {self.seed} is below 0; choose another")

    def signature(self, references: int = 1) -> str:
        """In sacreBLEU's manner."""
        sentences = "summary" if self.summary_level else "text"
        return (
            f"nrefs:{references or 'var'}|f:1|case:lc|stem:{'porter' if self.stem else 'no'}|tok:{self.tokenize}"
            f"|L:{sentences}|bs:{self.samples}|seed:{self.seed}|ci:{self.confidence:g}"
            f"|rouge_score:{version_of('rouge-score')}"
        )


DEFAULT = RougeSettings()


class RougeScore(NamedTuple):
    """F1 in percent, with the bounds of its bootstrap interval."""

    score: float
    low: float
    high: float
    signature: str


class _UnicodeTokenizer:
    """In the place of rouge-score's own."""

    def tokenize(self, text: str) -> list[str]:
        return _UNICODE_WORD.findall(text.lower())


def make_scorer(settings: RougeSettings = DEFAULT):
    """rouge-score's scorer of the settings.

    Raises:
        InputError: the package isn't installed.
    """
    tokenizer = make_tokenizer(settings)
    from rouge_score import rouge_scorer

    kinds = ["rouge1", "rouge2", "rougeLsum" if settings.summary_level else "rougeL"]
    return rouge_scorer.RougeScorer(kinds, tokenizer=tokenizer)


def make_tokenizer(settings: RougeSettings = DEFAULT):
    """What splits a text into the words of the settings.

    Raises:
        InputError: the package isn't installed.
    """
    try:
        from rouge_score import tokenizers
    except ImportError:
        raise InputError(
            "ROUGE needs the package rouge-score; pip install rouge-score, or mass_plugins[rouge]"
        ) from None
    return tokenizers.DefaultTokenizer(settings.stem) if settings.tokenize == "ascii" else _UnicodeTokenizer()


def sentence_scores(hypotheses: Sequence[str], references: References, settings: RougeSettings = DEFAULT) -> np.ndarray:
    """F1 in percent of each summary, (N, 3) float64, columns as in ``METRICS``.

    Args:
        references: of each summary one text, or several.

    Raises:
        ValueError: another number of hypotheses than of references.
    """
    if len(hypotheses) != len(references):
        raise ValueError(f"{len(hypotheses)} hypotheses, {len(references)} references; there must be as many of each")
    scorer = make_scorer(settings)
    scores = np.zeros((len(hypotheses), len(METRICS)))
    for row, hypothesis, reference in zip(scores, hypotheses, references):
        texts = [reference] if isinstance(reference, str) else list(reference)
        if settings.summary_level:
            hypothesis, texts = split_sentences(hypothesis), [split_sentences(text) for text in texts]
        found = scorer.score_multi(texts, hypothesis)
        row[:] = [100 * found[kind].fmeasure for kind in scorer.rouge_types]
    return scores


def split_sentences(text: str) -> str:
    """A sentence a line, as rouge-score's summary level wants them."""
    return _SENTENCE_END.sub("\n", text.strip())


def corpus_rouge(
    hypotheses: Sequence[str], references: References, settings: RougeSettings = DEFAULT
) -> dict[str, RougeScore]:
    """Each of ``METRICS`` with its interval and its signature.

    Raises:
        ValueError: nothing to score, or another number of hypotheses than of references.
    """
    scores = sentence_scores(hypotheses, references, settings)
    if not len(scores):
        raise ValueError("there is no summary to score")
    means = resampled_means(scores, settings)
    tail = (1 - settings.confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail], axis=0)
    signature = settings.signature(number_of_references(references))
    return {
        name: RougeScore(float(mean), float(low[i]), float(high[i]), signature)
        for i, (name, mean) in enumerate(zip(METRICS, scores.mean(axis=0)))
    }


def resampled_means(scores: np.ndarray, settings: RougeSettings = DEFAULT) -> np.ndarray:
    """Means of as many rows drawn with replacement: (N, M) -> (samples, M). Equal N and seed draw equal rows."""
    draw = np.random.default_rng(settings.seed)
    rows = len(scores)
    counts = np.stack([np.bincount(draw.integers(rows, size=rows), minlength=rows) for _ in range(settings.samples)])
    return counts @ scores / rows


class Comparison(NamedTuple):
    """Of one metric: how far a system is ahead of the baseline on the same texts."""

    metric: str
    difference: float
    p_value: float  # that chance makes a difference as large
    signature: str


def paired_bootstrap(
    baseline: Sequence[str], system: Sequence[str], references: References, settings: RougeSettings = DEFAULT
) -> list[Comparison]:
    """Paired bootstrap resampling (Koehn 2004), two-sided, for each of ``METRICS``.

    The p-value is the share of resamples whose difference strays from the mean one by at least the difference that
    was seen, as sacreBLEU counts it for BLEU.
    """
    gains = sentence_scores(system, references, settings) - sentence_scores(baseline, references, settings)
    means = resampled_means(gains, settings)
    difference = gains.mean(axis=0)
    strays = (np.abs(means - means.mean(axis=0)) >= np.abs(difference)).sum(axis=0)
    p_values = np.where(difference == 0, 1.0, (strays + 1) / (settings.samples + 1))
    signature = settings.signature(number_of_references(references))
    return [Comparison(name, float(difference[i]), float(p_values[i]), signature) for i, name in enumerate(METRICS)]


def number_of_references(references: References) -> int:
    """Of each summary; 0 if it varies."""
    counts = {1 if isinstance(reference, str) else len(reference) for reference in references}
    return counts.pop() if len(counts) == 1 else 0


def without_a_word(references: References, settings: RougeSettings = DEFAULT) -> int:
    """How many summaries have no reference with a word for the tokenizer: their score is 0 whatever they are."""
    tokenize = make_tokenizer(settings).tokenize
    return sum(
        not any(tokenize(text) for text in ([reference] if isinstance(reference, str) else reference))
        for reference in references
    )


@dataclass(frozen=True)
class RougeSums:
    """Sums over summaries, which add up over batches and processes."""

    sums: tuple[float, ...] = (0.0,) * len(METRICS)
    count: int = 0

    @classmethod
    def of(cls, hypotheses: Sequence[str], references: References, settings: RougeSettings = DEFAULT) -> "RougeSums":
        scores = sentence_scores(hypotheses, references, settings)
        return cls(tuple(map(float, scores.sum(axis=0))), len(scores))

    def items(self) -> list[tuple[str, float]]:
        """Flat (name, number) pairs, as logs carry them."""
        return [*zip(METRICS.values(), self.sums), ("count", self.count)]
