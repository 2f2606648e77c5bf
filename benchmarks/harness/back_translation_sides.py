"""The sides of the back-translation benchmark: a coded language, a model that knows some of it, the same batches."""

import logging
import multiprocessing
import os
import resource
from dataclasses import dataclass, replace
from typing import Any, Callable, Iterator, NamedTuple

import numpy as np
import torch
from fairseq import utils
from fairseq.data import Dictionary
from fairseq.sequence_generator import SequenceGenerator
from fairseq.tasks import FairseqTask
from torch import Tensor

from benchmarks.harness.training_sides import SOURCE, TARGET, Setup, Side, build, flags, write_binarized
from mass_plugins.data.collate import pad_right
from mass_plugins.data.symbols import MASK
from mass_plugins.objectives.unsupervised_translation.back_translation import BackTranslator

OURS = ["--arch", "mass_tiny"]
PAD = 1  # of all dictionaries here
# A timed update leaves the weights as they are: a model that were taught on one batch again and again would soon write
# sentences of half their length.
_TIMED = ["--lr", "0"]
DIRECTIONS = f"{SOURCE}-{TARGET},{TARGET}-{SOURCE}"


def coded_corpus(folder: str, sentences: int, vocabulary: int, seed: int) -> None:
    """Fill a data-bin: text of two languages, the second a code of the first, word by word; pairs to train on.

    Sentences are as long as Multi30k's, log-normal with median 16, words follow Zipf's law. The text that
    is back-translated is not of the pairs. Beside it lies what fairseq's ``online_backtranslation`` reads:
    ``dict.txt`` and ``<language>/train.{bin,idx}``.
    """
    rng = np.random.default_rng(seed)
    dictionary = Dictionary()
    for symbol in [MASK] + [f"w{number}" for number in range(vocabulary - 5)]:
        dictionary.add_symbol(symbol)
    words = np.arange(5, vocabulary)
    code = np.concatenate([np.arange(5), rng.permutation(words)])
    chances = 1 / np.arange(1, len(words) + 1)

    def text() -> list[np.ndarray]:
        lengths = np.clip(np.exp(np.log(16) + 0.35 * rng.normal(size=sentences)), 2, 200).astype(int)
        drawn = rng.choice(words, size=lengths.sum(), p=chances / chances.sum())
        return [np.append(row[:-1], dictionary.eos()) for row in np.split(drawn, np.cumsum(lengths)[:-1])]

    pairs = text()
    dictionary.save(f"{folder}/dict.txt")
    for language, rows in ((SOURCE, text()), (TARGET, [code[row] for row in text()])):
        dictionary.save(f"{folder}/dict.{language}.txt")
        os.mkdir(f"{folder}/{language}")
        for prefix in (f"{folder}/train.{language}-None.{language}", f"{folder}/{language}/train"):
            write_binarized(prefix, rows, dictionary)
        sides = pairs if language == SOURCE else [code[row] for row in pairs]
        write_binarized(f"{folder}/train.{SOURCE}-{TARGET}.{language}", sides, dictionary)


def taught(setup: Setup, precision: str, updates: int) -> dict[str, Tensor]:
    """Weights of a model after some updates on the pairs, so that its sentences end as they should."""
    return _weights(_teach(setup, precision, updates))


def _weights(trainer: Any) -> dict[str, Tensor]:
    return {name: value.detach().cpu().clone() for name, value in trainer.model.state_dict().items()}


def save_taught(setup: Setup, updates: int, path: str) -> str:
    """The like of :func:`taught` as a checkpoint; returns ``path``."""
    trainer = _teach(setup, "fp32", updates)
    trainer.consolidate_optimizer()  # what fairseq's own saving does first
    trainer.save_checkpoint(path, {"train_iterator": {}})
    return path


def _teach(setup: Setup, precision: str, updates: int) -> Any:
    task_and_model = ["--task", "seq2seq_finetuning", "--directions", DIRECTIONS, *OURS]
    trainer, task, _ = build([*flags(setup, task_and_model, 0.1, precision), "--lr", "1e-3"])
    task.load_dataset("train")
    for batch in _batches(task, setup, updates):
        trainer.train_step([batch])
    return trainer


def _batches(task: Any, setup: Setup, count: int) -> Iterator[dict]:
    dataset, epoch = task.dataset("train"), 0
    while True:
        epoch += 1
        iterator = task.get_batch_iterator(
            dataset, max_tokens=setup.max_tokens, max_positions=(512, 512), seed=setup.seed, epoch=epoch
        ).next_epoch_itr(shuffle=True)
        for batch in iterator:
            if count == 0:
                return
            count -= 1
            yield batch


@dataclass(frozen=True)
class ByFairseq(BackTranslator):
    """The same translations by fairseq's ``SequenceGenerator`` at beam 1."""

    dictionary: Any = None

    def translate(self, model, tokens, source, target, allowed=None, generator=None) -> tuple[Tensor, Tensor]:
        model.eval()
        search = SequenceGenerator(
            [model], self.dictionary, beam_size=1, max_len_a=self.max_len_a, max_len_b=self.max_len_b
        )
        net_input = {
            "src_tokens": tokens,
            "src_lengths": tokens.ne(self.vocabulary.pad).sum(dim=1),
            "source_language": source,
            "target_language": target,
        }
        found = search.generate([model], {"net_input": net_input})
        rows, lengths = pad_right([best[0]["tokens"].cpu().numpy() for best in found], self.vocabulary.pad)
        return torch.from_numpy(rows).to(tokens.device), torch.from_numpy(lengths).to(tokens.device)


def unsupervised(setup: Setup, precision: str, weights: dict[str, Tensor], count: int, by_fairseq: bool) -> Side:
    """Our task's update, at a learning rate of 0; ``by_fairseq``: its translations by ``SequenceGenerator``."""
    task_and_model = ["--task", "unsupervised_translation", "--directions", DIRECTIONS, *OURS]
    task_and_model += ["--no-eval-bleu", "--restrict-vocabulary", "never"]
    trainer, task, _ = build([*flags(setup, task_and_model, 0.0, precision), *_TIMED])
    trainer.model.load_state_dict(weights)
    task.load_dataset("train")
    if by_fairseq:
        ours = task.back_translator
        task.back_translator = ByFairseq(ours.vocabulary, ours.max_len_a, ours.max_len_b, dictionary=task.dictionary)
    return Side(trainer, list(_batches(task, setup, count)))


class Generation:
    """The translations of an update alone, of a model that stays as it is."""

    def __init__(self, side: Side):
        self.task, self.model = side.trainer.task, side.trainer.model
        self.batches = [side.trainer._prepare_sample(batch)[0]["back_translation"] for batch in side.batches]

    def update(self, number: int) -> Tensor:
        batch = self.batches[number]
        net_input = batch["net_input"]
        with torch.no_grad(), self.task.autocast(self.model):
            return self.task.back_translator.translate(
                self.model, batch["target"], net_input["target_language"], net_input["source_language"]
            )[0]


class Stopwatch:
    """Adds up the seconds that a function takes: those that an update generates in."""

    def __init__(self, function: Callable, clock: Callable[[], float], settle: Callable[[], Any]):
        self.function, self.clock, self.settle, self.seconds = function, clock, settle, 0.0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.settle()
        start = self.clock()
        try:
            return self.function(*args, **kwargs)
        finally:
            self.settle()
            self.seconds += self.clock() - start


def seconds_of_parts(
    side: Side, setup: Setup, clock: Callable[[], float], settle: Callable[[], Any]
) -> dict[str, float]:
    """Where the time of an update of our task goes, in seconds an update: data (sentences -> a batch), generation, and
    training, which is the rest."""
    task, count = side.trainer.task, len(side.batches)
    batches = _batches(task, setup, count + 1)
    next(batches)  # after the epoch's batches are planned
    whole, data = Stopwatch(side.update, clock, settle), Stopwatch(lambda: list(batches), clock, settle)
    generation = Stopwatch(task._back_translate, clock, settle)
    data()
    task._back_translate = generation
    for number in range(count):
        whole(number)
    del task._back_translate  # the class's own
    parts = {"data": data.seconds, "generation": generation.seconds, "training": whole.seconds - generation.seconds}
    return {name: round(seconds / count, 4) for name, seconds in parts.items()}


_PRODUCTS = ("aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm", "aten::matmul", "aten::linear")
_PRODUCTS += ("mkldnn", "aten::_scaled_dot_product", "aten::_flash_attention", "aten::_efficient_attention")


def share_of_products(update: Callable[[int], Any], cuda: bool) -> float:
    """The share of matrix products, attention's included, in the time of ``update(0)``, as torch's profiler sees it."""
    activities = [torch.profiler.ProfilerActivity.CPU, *([torch.profiler.ProfilerActivity.CUDA] if cuda else [])]
    with torch.profiler.profile(activities=activities) as profile:
        update(0)
    attribute = "self_device_time_total" if cuda else "self_cpu_time_total"
    times = [(event.key, getattr(event, attribute)) for event in profile.key_averages()]
    products = sum(time for name, time in times if name.startswith(_PRODUCTS))
    return products / sum(time for _, time in times)


def peak_memory(setup: Setup, precision: str, weights: dict[str, Tensor], who: str) -> float:
    """GiB that one update takes at most, model and optimizer included: on a GPU what torch allocates there, on a CPU
    the resident memory of a process of its own.

    Args:
        who: ``ours``, ``fairseq`` (ours with ``SequenceGenerator``) or ``stock``.
    """
    context = multiprocessing.get_context("forkserver")  # which imports once for all
    context.set_forkserver_preload([__name__])
    receive, send = context.Pipe(duplex=False)
    worker = context.Process(target=_report_peak, args=(send, setup, precision, weights, who, torch.get_num_threads()))
    worker.start()
    send.close()
    try:
        return receive.recv()
    finally:
        worker.join()


def _report_peak(send: Any, setup: Setup, precision: str, weights: dict[str, Tensor], who: str, threads: int) -> None:
    logging.disable(logging.INFO)
    torch.set_num_threads(threads)
    if who == "stock":
        side: Side = stock(setup, precision, weights, 1)
    else:
        side = unsupervised(setup, precision, weights, 1, by_fairseq=who == "fairseq")
    side.update(0)
    if setup.cuda:
        send.send(torch.cuda.max_memory_allocated() / 2**30)
    else:
        send.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)


def mean_length(side: Generation) -> float:
    """Tokens of a translation, ``</s>`` included."""
    found = [side.update(number) for number in range(len(side.batches))]
    return sum(int(rows.ne(PAD).sum()) for rows in found) / sum(map(len, found))


def sentences(side: Side) -> int:
    return sum(batch["back_translation"]["nsentences"] for batch in side.batches)


class Work(NamedTuple):
    """What a side's updates do; tokens include ``</s>``, not the token of a language."""

    sentences: int
    tokens: int
    of_translations: int

    @property
    def all_tokens(self) -> int:
        return self.tokens + self.of_translations


def work_of(side: Side) -> Work:
    """That of our task's updates."""
    found = Generation(side)
    texts = sum(int(batch["target"].ne(PAD).sum()) for batch in found.batches)
    written = sum(int(found.update(number).ne(PAD).sum()) for number in range(len(found.batches)))
    return Work(sentences(side), texts, written)


class StockSide(Side):
    """fairseq's ``online_backtranslation``: an update translates a batch of each language."""

    def update(self, number: int) -> Any:
        return self.trainer.train_step([self._copy(number)])

    def _copy(self, number: int) -> dict:
        """A batch that the task may write its translations into."""
        return {name: {**part, "net_input": dict(part["net_input"])} for name, part in self.batches[number].items()}

    def work(self) -> Work:
        """What the updates do, by translating as they do: without dropout."""
        self.trainer.model.eval()
        count = texts = written = 0
        for number in range(len(self.batches)):
            for name, part in self._copy(number).items():
                if name.endswith("-BT"):
                    part = utils.move_to_cuda(part) if self.trainer.cuda else part
                    count += part["nsentences"]
                    texts += int(part["target"].ne(PAD).sum())
                    other = TARGET if name.startswith(SOURCE) else SOURCE
                    self.trainer.task.backtranslate_sample(part, name.removesuffix("-BT"), other)
                    written += int(part["net_input"]["src_tokens"][:, 1:].ne(PAD).sum())  # after the language
        return Work(count, texts, written)


def stock(setup: Setup, precision: str, weights: dict[str, Tensor], count: int) -> StockSide:
    """fairseq's ``online_backtranslation`` without its denoising, at a learning rate of 0."""
    half = replace(setup, max_tokens=setup.max_tokens // 2)  # it takes a batch of each language
    trainer, task = _build_stock(half, precision, _TIMED)
    trainer.model.load_state_dict(weights)
    task.datasets["train"] = task.load_train_dataset(setup.data)
    return StockSide(trainer, list(_batches(task, half, count)))


def taught_stock(setup: Setup, precision: str, updates: int) -> dict[str, Tensor]:
    """The like of :func:`taught` for :func:`stock`: a model taught on the same pairs as ours was."""
    trainer, task = _build_stock(setup, precision, ["--lr", "1e-3"])
    _teach_stock(trainer, task, setup, updates)
    return _weights(trainer)


def _build_stock(setup: Setup, precision: str, rate: list[str]) -> tuple[Any, Any]:
    task_and_model = ["--task", "online_backtranslation", "--mono-langs", f"{SOURCE},{TARGET}"]
    task_and_model += ["--valid-lang-pairs", f"{SOURCE}-{TARGET}", "--lambda-dae", "0", "--lambda-bt", "1"]
    task_and_model += [
        "--arch",
        "transformer",
        "--share-all-embeddings",
        "--encoder-learned-pos",
        "--decoder-learned-pos",
    ]
    task_and_model += ["--layernorm-embedding", "--no-scale-embedding", "--activation-fn", "gelu"]
    task_and_model += ["--encoder-normalize-before", "--decoder-normalize-before"]
    task_and_model += ["--max-source-positions", "512", "--max-target-positions", "512"]
    trainer, task, _ = build([*flags(setup, task_and_model, 0.0, precision), *rate])
    return trainer, task


def _teach_stock(trainer: Any, task: Any, setup: Setup, updates: int) -> None:
    """fairseq's plain training step on the pairs, of one direction and the other in turn."""
    feeds = []
    for pair in (f"{SOURCE}-{TARGET}", f"{TARGET}-{SOURCE}"):
        task.valid_lang_pairs = [pair]
        task.datasets["train"] = task.load_translation_dataset("train", setup.data)
        feeds.append(list(_batches(task, setup, updates // 2)))
    task.valid_lang_pairs = [f"{SOURCE}-{TARGET}"]
    own_step, task.train_step = task.train_step, lambda *args, **kwargs: FairseqTask.train_step(task, *args, **kwargs)
    for both in zip(*feeds):
        for batch in both:
            trainer.train_step([batch])
    task.train_step = own_step
