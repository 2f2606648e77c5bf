"""BM25 by bm25s, the baseline of every retriever: Lucene's form, English stop words, Porter's stems."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Iterable, Iterator, Sequence

import numpy as np

from mass_plugins.data.retrieval_files import Passage, Query, Ranking, without_own_id
from mass_plugins.errors import InputError
from mass_plugins.retrieval.top import RunningTop

_WORD = r"(?u)\b\w+\b"  # bm25s' own leaves out words of one letter, which Lucene has


@dataclass(frozen=True)
class Bm25Settings:
    """``k1`` and ``b`` as Anserini sets them, whose numbers BEIR's papers quote.

    ``language`` chooses stop words and stems: ``en``, or ``none`` for neither.
    """

    k1: float = 0.9
    b: float = 0.4
    language: str = "en"

    def __post_init__(self):
        if not 0 <= self.k1 < math.inf:
            raise InputError(f"--k1 {self.k1} is not a number of 0 or more")
        if not 0 <= self.b <= 1:
            raise InputError(f"--b {self.b} is not between 0 and 1")


class Bm25:
    """An index of passages in memory.

    Raises:
        InputError: no passage with a word.
    """

    def __init__(self, passages: Iterable[Passage], settings: Bm25Settings = Bm25Settings()):
        import bm25s

        self._settings, self._stem = settings, _stemmer(settings.language)
        self.ids: list[str] = []
        words = self._tokenize(text for text in self._texts(passages))
        if not words.vocab or not any(words.ids):
            raise InputError("--corpus: no passage has a word to index; give text")
        self._index = bm25s.BM25(method="lucene", k1=settings.k1, b=settings.b)
        self._index.index(words, show_progress=False)

    def _texts(self, passages: Iterable[Passage]) -> Iterator[str]:
        for passage in passages:
            self.ids.append(passage.id)
            yield passage.whole

    def _tokenize(self, texts: Iterable[str]):
        import bm25s

        stopwords = "en" if self._settings.language == "en" else []
        return bm25s.tokenize(
            list(texts), token_pattern=_WORD, stopwords=stopwords, stemmer=self._stem, show_progress=False
        )

    def search(
        self, queries: Sequence[Query], depth: int, ignore_identical_ids: bool = False
    ) -> list[tuple[str, Ranking]]:
        """The best ``depth`` of each query with a score above 0; ties in the order of the passages.

        Args:
            ignore_identical_ids: without the passage that has the query's id.
        """
        found = []
        tokens = self._tokenize(query.text for query in queries)
        words = {number: word for word, number in tokens.vocab.items()}
        for query, ids in zip(queries, tokens.ids):
            known = [word for number in ids if (word := words[number]) in self._index.vocab_dict]
            top = RunningTop(1, depth + ignore_identical_ids)
            if known:
                top.add(np.asarray(self._index.get_scores(known), dtype=np.float32)[None, :], 0)
            rows, scores = top.result().rows[0], top.result().scores[0]
            ranking = [(self.ids[r], float(s)) for r, s in zip(rows, scores) if r >= 0 and s > 0]
            if ignore_identical_ids:
                ranking = without_own_id(query.id, ranking)[:depth]
            found.append((query.id, ranking))
        return found


def _stemmer(language: str):
    """Words -> stems, as bm25s wants them, or None."""
    if language == "none":
        return None
    if language != "en":
        raise InputError(f"--language {language!r} is not en or none")
    from nltk.stem.porter import PorterStemmer

    stem = lru_cache(maxsize=1 << 20)(PorterStemmer().stem)
    return lambda words: [stem(word) for word in words]
