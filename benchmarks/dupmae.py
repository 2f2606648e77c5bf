"""DupMAE's masks and updates against a loop over examples, and hybrid search against a brute-force product.

    python benchmarks/dupmae.py [--output benchmarks/dupmae.json]

masking    Both sides turn a batch's texts into masked tokens and the decoder's visibility. The loop goes example by
           example, word by word and row by row, as the releases' collators do; given the same draws its arrays are
           equal to ours, which is checked before anything is timed.
update     Whole updates of pre-training (collation, forward, backward, Adam), the loop's collation against ours.
search     Queries a second of the exact hybrid search against a product with dense rows; a thousand sets of entries,
           drawn as unevenly as words are, serve all documents.
memory     What the peak of each loss is more than before, forward and backward.
"""

import argparse
import platform
import random
import sys
from pathlib import Path
from typing import Callable

import numpy as np
import torch
import torch.nn.functional as F

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # runs from a clone, installed or not

from benchmarks.harness.pairs import (  # noqa: E402
    Comparison,
    add_common_options,
    alternate,
    positive,
    processor,
    report,
)
from mass_plugins.data import dupmae_masking, token_masking, word_masking  # noqa: E402
from mass_plugins.data.collate import pad_right  # noqa: E402
from mass_plugins.data.dupmae_masking import PATTERNS, HiddenText, Patterns, TextHider, visible  # noqa: E402
from mass_plugins.data.masker import Vocabulary  # noqa: E402
from mass_plugins.data.noise import WordMarks  # noqa: E402
from mass_plugins.data.random_state import (  # noqa: E402
    derive_keys,
    hash_at,
    integers_at,
    sentence_keys,
    uniform_at,
)
from mass_plugins.data.token_masking import Replacement  # noqa: E402
from mass_plugins.losses.vocabulary import projected_cross_entropy  # noqa: E402
from mass_plugins.modules.vocabulary_maximum import max_over_positions  # noqa: E402
from mass_plugins.retrieval.exact import Block, Scorer, search_exactly  # noqa: E402
from mass_plugins.retrieval.representations import Parts  # noqa: E402

PAD, CLS, SEP, MASK, FIRST = 0, 1, 2, 3, 5
VOCABULARY = 30522
CONTINUES = 0.3  # share of entries that continue a word


def make_hider(seed: int = 0) -> TextHider:
    begins = np.random.default_rng(seed).random(VOCABULARY) >= CONTINUES
    vocabulary = Vocabulary(MASK, PAD, SEP, np.arange(FIRST, VOCABULARY))
    marks = WordMarks(begins, np.zeros(VOCABULARY, dtype=bool))
    return TextHider(0.3, 0.5, Replacement(0.8, 0.1, 0.1), vocabulary, marks)


def make_texts(count: int, length: int, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    rows = [rng.integers(FIRST, VOCABULARY, length - 2) for _ in range(count)]
    return [np.concatenate([[CLS], row, [SEP]]) for row in rows]


# -- the peer: one example after the other


class KeyedDraws:
    """Our own numbers of one text, for the check of equality."""

    def __init__(self, key: np.ndarray, words: int, length: int, batch_words: int):
        slots = np.arange(length)
        self.words = uniform_at(derive_keys(key, word_masking._WORDS), np.arange(batch_words)).tolist()[:words]
        self.actions = uniform_at(derive_keys(key, token_masking._ACTION), slots).tolist()
        bound = VOCABULARY - FIRST
        self.tokens = integers_at(derive_keys(key, token_masking._TOKEN), slots, bound).tolist()
        self.rows = integers_at(derive_keys(key, dupmae_masking._ROWS), slots, 1 << 30).tolist()
        counters = dupmae_masking._STRIDE * np.arange(min(length, PATTERNS))[:, None] + np.arange(-(-length // 4))
        bits = hash_at(derive_keys(key, dupmae_masking._PATTERNS), counters).view(np.uint16)[:, :length]
        self.positions = (bits.astype(np.int64) << 16 | slots).tolist()

    def shuffle(self, words: list[int]) -> list[int]:
        return sorted(words, key=lambda word: self.words[word])

    def action(self, slot: int) -> float:
        return self.actions[slot]

    def token(self, slot: int) -> int:
        return self.tokens[slot]

    def pattern(self, row: int, count: int) -> int:
        return self.rows[row] % count

    def hidden(self, pattern: int, length: int, count: int) -> list[int]:
        order = sorted(range(1, length), key=lambda slot: self.positions[pattern][slot])
        return order[:count]


class PythonDraws:
    """Python's generator, in the order in which the loop asks; a generator a text, as our masks are a text's own."""

    def __init__(self, key: int):
        self.random = random.Random(key)

    def shuffle(self, words: list[int]) -> list[int]:
        return self.random.sample(words, len(words))

    def action(self, slot: int) -> float:
        return self.random.random()

    def token(self, slot: int) -> int:
        return int(self.random.random() * (VOCABULARY - FIRST))

    def pattern(self, row: int, count: int) -> int:
        return int(self.random.random() * count)

    def hidden(self, pattern: int, length: int, count: int) -> list[int]:
        return self.random.sample(range(1, length), count)


def mask_text(tokens: list[int], begins: list[bool], draws) -> tuple[list[int], list[int]]:
    """(masked tokens, 1 at masked slots): the release's whole-word masking of one text."""
    words: list[list[int]] = []
    for slot in range(1, len(tokens) - 1):
        if not words or begins[tokens[slot]]:
            words.append([slot])
        else:
            words[-1].append(slot)
    budget = min(max(1, int(0.3 * len(tokens) + 0.5)), len(tokens) - 2)
    source, masked, taken = list(tokens), [0] * len(tokens), 0
    order = draws.shuffle(list(range(1, len(words) + 1)))  # word 0 is [CLS]
    chosen = []
    for word in order:
        slots = words[word - 1]
        if taken + len(slots) <= budget:
            taken += len(slots)
            chosen.extend(slots)
    if not chosen and words:
        chosen = words[order[0] - 1][:budget]
    for slot in sorted(chosen):
        masked[slot] = 1
        action = draws.action(slot)
        if action < 0.8:
            source[slot] = MASK
        elif action >= 0.9:
            source[slot] = FIRST + draws.token(slot)
    return source, masked


def visible_to(length: int, draws) -> list[list[int]]:
    """1 where a row sees a position: patterns first, then row by row, as in the release."""
    count = min(length, PATTERNS)
    hidden = int(0.5 * (length - 1) + 0.5)
    patterns = []
    for number in range(count):
        pattern = [1] * length
        for slot in draws.hidden(number, length, hidden):
            pattern[slot] = 0
        patterns.append(pattern)
    rows = []
    for row in range(length):
        seen = list(patterns[draws.pattern(row, count)])
        seen[row] = 0
        seen[0] = 1
        rows.append(seen)
    return rows


def hide_in_a_loop(rows: list[np.ndarray], hider: TextHider, draws) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(source, masked, visible (B, S, S)) of a batch, int64, text after text."""
    begins = hider.marks.begins.tolist()
    width = max(map(len, rows))
    sources, masks, seen = [], [], np.zeros((len(rows), width, width), dtype=np.int64)
    for number, row in enumerate(rows):
        source, masked = mask_text(row.tolist(), begins, draws[number])
        sources.append(np.array(source))
        masks.append(np.array(masked))
        seen[number, : len(row), : len(row)] = visible_to(len(row), draws[number])
    return pad_right(sources, PAD)[0], pad_right(masks, 0)[0], seen


def check_equality(rows: list[np.ndarray], hider: TextHider, seed: int) -> None:
    """The loop with our draws must give our arrays, in two epochs."""
    for epoch in (1, 2):
        keys = sentence_keys(seed, epoch, np.arange(len(rows)))
        ours = hider(*pad_right(rows, PAD), keys)
        width = max(map(len, rows))
        draws = [KeyedDraws(keys[n : n + 1], len(row), len(row), width) for n, row in enumerate(rows)]
        theirs = hide_in_a_loop(rows, hider, draws)
        real = np.arange(width) < ours.lengths[:, None]
        seen = visible(ours.patterns) & real[:, :, None]
        for name, mine, other in zip(
            ("source", "masked", "visible"), (ours.source, ours.masked.astype(int), seen.astype(int)), theirs
        ):
            if not np.array_equal(mine, other):
                raise AssertionError(f"{name} differs between the arrays and the loop in epoch {epoch}")


def compare_masking(texts: int, length: int, arguments) -> Comparison:
    rows, hider = make_texts(texts, length, arguments.seed), make_hider()
    check_equality(rows[:4], hider, arguments.seed)

    def ours(epoch: int):
        hider(*pad_right(rows, PAD), sentence_keys(arguments.seed, epoch, np.arange(texts)))

    def loop(epoch: int):
        keys = sentence_keys(arguments.seed, epoch, np.arange(texts)).tolist()
        hide_in_a_loop(rows, hider, [PythonDraws(key) for key in keys])

    times = alternate({"ours": ours, "loop": loop}, arguments.pairs, 1, arguments.clock)
    name = f"dupmae, masking ({texts} x {length})"
    peer = "a loop over examples, words and rows in Python"
    return Comparison(name, peer, times["ours"], times["loop"], texts, "texts per second and core")


# -- whole updates


def make_trainer(arguments) -> Callable[[dict], None]:
    from mass_plugins.models.dupmae import DupMae, DupMaeTinyConfig
    from mass_plugins.objectives.dupmae.criterion import DupMaeCriterion

    torch.manual_seed(arguments.seed)
    model = DupMae(DupMaeTinyConfig(), VOCABULARY, PAD).train()
    criterion = DupMaeCriterion(None, 1.0, 1.0)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)

    def update(batch: dict) -> None:
        loss, size, _ = criterion(model, batch)
        optimizer.zero_grad()
        (loss / size).backward()
        optimizer.step()

    return update


def compare_update(texts: int, length: int, arguments) -> Comparison:
    """The same model and losses; the peer's batch is made by the loop, its visibility packed into patterns."""
    from mass_plugins.objectives.dupmae.dataset import HiddenTextDataset

    rows, hider, update = make_texts(texts, length, arguments.seed), make_hider(), make_trainer(arguments)
    to_batch = HiddenTextDataset._to_batch
    settings = argparse.Namespace(bow_positions="unmasked", bow_targets="mean")
    tokens, lengths = pad_right(rows, PAD)
    ids = np.arange(texts)

    def ours(epoch: int):
        update(to_batch(settings, hider(tokens, lengths, sentence_keys(arguments.seed, epoch, ids)), ids))

    def loop(epoch: int):
        keys = sentence_keys(arguments.seed, epoch, ids).tolist()
        source, masked, seen = hide_in_a_loop(rows, hider, [PythonDraws(key) for key in keys])
        patterns = Patterns(seen.astype(bool), np.tile(np.arange(length), (texts, 1)))
        hidden = HiddenText(source, tokens, lengths, masked.astype(bool), tokens >= FIRST, patterns)
        update(to_batch(settings, hidden, ids))

    times = alternate({"ours": ours, "loop": loop}, arguments.pairs, 1, arguments.clock)
    name = f"dupmae, update (3 layers of 256, {texts} x {length})"
    peer = "the same update on batches made by the loop"
    return Comparison(name, peer, times["ours"], times["loop"], texts, "texts per second and core")


# -- search


def compare_search(documents: int, queries: int, arguments) -> Comparison:
    """Vectors of 384 and 384 of 30 522 entries a document; entries are as unevenly frequent as words are."""
    rng = np.random.default_rng(arguments.seed)
    k, width = 384, 384
    shares = 1 / np.arange(1, VOCABULARY + 1)
    pool = np.stack([np.sort(rng.choice(VOCABULARY, k, replace=False, p=shares / shares.sum())) for _ in range(1000)])
    entries = pool[rng.integers(0, len(pool), documents)].astype(np.int32)
    values = rng.random((documents, k), dtype=np.float32)
    vectors = rng.standard_normal((documents, width), dtype=np.float32)
    asked = Parts(
        rng.standard_normal((queries, width), dtype=np.float32),
        dense=rng.standard_normal((queries, VOCABULARY), dtype=np.float32),
    )
    block, size = arguments.block, 1000

    def blocks():
        for begin in range(0, documents, block):
            rows = slice(begin, begin + block)
            yield Block(begin, Parts(vectors[rows], entries[rows], values[rows]))

    def ours(_: int):
        return search_exactly(Scorer(asked, "both"), blocks(), size).rows

    def brute_force(_: int):
        """Each document as a dense row of vector and vocabulary, a block at a time, and a sort of the best."""
        scores = np.empty((queries, documents), dtype=np.float32)
        for begin in range(0, documents, block):
            rows = slice(begin, min(begin + block, documents))
            dense = np.zeros((rows.stop - begin, VOCABULARY), dtype=np.float32)
            np.put_along_axis(dense, entries[rows], values[rows], axis=1)
            scores[:, rows] = asked.dense @ dense.T + asked.cls @ vectors[rows].T
        best = np.argpartition(-scores, size, axis=1)[:, :size]
        order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1, kind="stable")
        return np.take_along_axis(best, order, axis=1)

    agreement = (ours(0)[:, :100] == brute_force(0)[:, :100]).mean()
    if agreement < 0.99:  # sums in another order may swap scores that are equal to six digits
        raise AssertionError(f"the rankings agree in {agreement:.3f} of the first 100 ranks only")
    times = alternate({"ours": ours, "brute": brute_force}, arguments.pairs, 1, arguments.clock)
    name = f"hybrid search ({documents} documents, {queries} queries at once, exact)"
    peer = "a product with dense rows"
    return Comparison(name, peer, times["ours"], times["brute"], queries, "queries per second and core")


# -- memory


def peak(work: Callable[[], None]) -> int:
    """Megabytes that the process holds more at its highest than before; Linux."""
    Path("/proc/self/clear_refs").write_text("5")
    before = _memory("VmRSS")
    work()
    return (_memory("VmHWM") - before) // 1024


def _memory(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1])


def memory_records(texts: int, length: int, hardware: str) -> list[dict]:
    """Peak of forward and backward of each projection; the naive side keeps the logits of all positions."""
    records, width = [], 768
    hidden = torch.randn(texts, length, width, requires_grad=True)
    weight = torch.randn(VOCABULARY, width, requires_grad=True)
    target = torch.randint(VOCABULARY, (texts * length,))
    allowed = torch.ones(texts, length, dtype=torch.bool)
    flat = hidden.view(-1, width)
    sides: dict[str, tuple[Callable, Callable]] = {
        "cross-entropy": (
            lambda: projected_cross_entropy(flat, weight, None, target).loss.backward(),
            lambda: F.cross_entropy(flat @ weight.T, target, reduction="sum").backward(),
        ),
        "maximum over positions": (
            lambda: max_over_positions(hidden, weight, None, allowed).sum().backward(),
            lambda: (hidden @ weight.T).max(dim=1).values.sum().backward(),
        ),
    }
    for name, (ours, naive) in sides.items():
        found = []
        for work in (ours, naive):
            hidden.grad = weight.grad = None
            found.append(peak(work))
        print(f"memory of the {name} ({texts} x {length} x {VOCABULARY}): {found[0]} MB against {found[1]} MB")
        records.append(
            {
                "benchmark": f"dupmae, memory of the {name} ({texts} x {length})", "peer": "all positions at once",
                "ours": found[0], "theirs": found[1], "unit": "megabytes at the peak",
                "ratio": round(found[1] / max(1, found[0]), 3), "pairs": 1, "hardware": hardware, "settings": {},
            }
        )  # fmt: skip
    return records


PARTS = ("masking", "update", "search", "memory")


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_common_options(parser)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="which to run (default: all)")
    parser.add_argument("--texts", type=positive, default=32, help="of a batch (default: 32)")
    parser.add_argument("--length", type=positive, default=512, help="tokens of a text (default: 512)")
    parser.add_argument("--update-texts", type=positive, default=8, help="of an update's batch (default: 8)")
    parser.add_argument("--update-length", type=positive, default=128, help="tokens of its texts (default: 128)")
    parser.add_argument("--memory-texts", type=positive, default=16, help="whose logits take memory (default: 16)")
    parser.add_argument("--memory-length", type=positive, default=256, help="tokens of them (default: 256)")
    parser.add_argument("--documents", type=positive, default=100_000, help="searched (default: 100 000)")
    parser.add_argument("--queries", type=positive, default=64, help="at once (default: 64)")
    parser.add_argument("--block", type=positive, default=4096, help="documents at once (default: 4096)")
    parser.add_argument("--seed", type=positive, default=1, help="of texts, masks and weights (default: 1)")
    arguments = parser.parse_args(argv)

    torch.set_num_threads(1)
    hardware = f"{processor()}, 1 core, Python {platform.python_version()}, torch {torch.__version__}"
    work: dict[str, Callable[[], Comparison]] = {
        "masking": lambda: compare_masking(arguments.texts, arguments.length, arguments),
        "update": lambda: compare_update(arguments.update_texts, arguments.update_length, arguments),
        "search": lambda: compare_search(arguments.documents, arguments.queries, arguments),
    }
    records = []
    for part in arguments.parts:
        if part == "memory":
            records += memory_records(arguments.memory_texts, arguments.memory_length, hardware)
        else:
            comparison = work[part]()
            print(comparison.line(), flush=True)
            records.append(comparison.record(hardware, {"seed": arguments.seed, "clock": arguments.clock}))
    report(records, arguments.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
