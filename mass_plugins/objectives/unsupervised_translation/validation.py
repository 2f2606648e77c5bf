"""A validation's translations: round trips of text, pairs, and some to look at."""

import logging
import zlib
from dataclasses import dataclass, field
from typing import Callable, NamedTuple, Sequence

from torch import Tensor

from mass_plugins.data.languages import Direction
from mass_plugins.data.vocabulary import Vocabulary
from mass_plugins.objectives.unsupervised_translation.back_translation import BackTranslator
from mass_plugins.objectives.unsupervised_translation.round_trip import TranslationCounts, copies, foreign_tokens
from mass_plugins.scoring.bleu import BleuStatistics

logger = logging.getLogger(__name__)


class RoundTrip(NamedTuple):
    """Text of a batch, its forward translation, and the backward translation of that.

    Attributes:
        pairs: the batch with the forward translation as its source.
        forward: the direction of the forward translation.
        bleu: of the backward translation against the text; empty if nobody asked for it.
    """

    pairs: dict
    forward: Direction
    counts: TranslationCounts
    bleu: BleuStatistics


@dataclass
class Samples:
    """Sentences to log with their translations: drawn from all that this process sees, the same in each validation.

    Attributes:
        number: of each kind and direction.
    """

    number: int
    seed: int
    kept: dict[tuple[str, Direction], dict[int, dict[str, str]]] = field(default_factory=dict)

    def offer(self, kind: str, direction: Direction, ids: Sequence[int], columns: dict[str, list[str]]) -> None:
        """Sentences by their numbers, and columns of as many texts; those that were drawn are kept."""
        kept = self.kept.setdefault((kind, direction), {})
        kept.update({one: {name: texts[row] for name, texts in columns.items()} for row, one in enumerate(ids)})
        drawn = sorted(kept, key=lambda one: zlib.crc32(f"{self.seed} {one}".encode()))[: self.number]
        self.kept[kind, direction] = {one: kept[one] for one in drawn}

    def log(self) -> None:
        """Show what was kept, and forget it."""
        for rows in self.kept.values():
            for _, row in sorted(rows.items()):
                logger.info("%s", " | ".join(f"{name}: {text}" for name, text in row.items()))
        self.kept.clear()


@dataclass
class ValidationTranslator:
    """Translates validation batches, a direction each, greedily.

    Attributes:
        languages: all of the model.
        texts: rows of tokens, their language, whether ``<unk>`` is to be told from a translation's -> raw text;
            None: no BLEU.
    """

    languages: Sequence[str]
    vocabulary: Vocabulary
    translator: BackTranslator
    texts: Callable[[Tensor, str, bool], list[str]] | None
    samples: Samples

    def direction(self, batch) -> Direction:
        net_input = batch["net_input"]
        return Direction(*(self.languages[int(net_input[f"{side}_language"][0])] for side in ("source", "target")))

    def round_trip(self, batch, model, token_counts: Tensor) -> RoundTrip:
        """Translate a batch of text forward, and its translation backward.

        Where the forward translation is a copy, the backward one counts as empty: a model that copies makes perfect
        round trips.

        Args:
            token_counts: (L, V) int64, how often each token occurs in each language's text.
        """
        net_input, text = batch["net_input"], batch["target"]
        forward = self.direction(batch).reverse
        pairs = self.translator.synthetic_pairs(model, batch)
        translation = pairs["net_input"]["src_tokens"]
        foreign = foreign_tokens(*(token_counts[self.languages.index(language)] for language in forward))
        counts = TranslationCounts.of(text, translation, foreign, (self.vocabulary.pad, self.vocabulary.eos))
        if self.texts is None:
            return RoundTrip(pairs, forward, counts, BleuStatistics.empty())
        backward, _ = self.translator.translate(
            model, translation, net_input["source_language"], net_input["target_language"]
        )
        found, real = self.texts(backward, forward.source, False), self.texts(text, forward.source, True)
        shown = {
            forward.source: real,
            forward.target: self.texts(translation, forward.target, False),
            "and back": found,
        }
        self.samples.offer("round trip", forward, batch["id"].tolist(), shown)
        copied = copies(text, translation, self.vocabulary.pad).tolist()
        bleu = BleuStatistics.from_sentences(["" if copy else line for copy, line in zip(copied, found)], real)
        return RoundTrip(pairs, forward, counts, bleu)

    def translate_pairs(self, batch, model) -> tuple[Direction, BleuStatistics]:
        assert self.texts is not None
        direction, net_input = self.direction(batch), batch["net_input"]
        tokens, _ = self.translator.translate(
            model, net_input["src_tokens"], net_input["source_language"], net_input["target_language"]
        )
        found, real = self.texts(tokens, direction.target, False), self.texts(batch["target"], direction.target, True)
        source = self.texts(net_input["src_tokens"], direction.source, True)
        shown = {direction.source: source, direction.target: found, "reference": real}
        self.samples.offer("pairs", direction, batch["id"].tolist(), shown)
        return direction, BleuStatistics.from_sentences(found, real)
