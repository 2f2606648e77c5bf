"""The sides of the back-translation benchmark: a coded language, a model that knows some of it, the same batches."""

import logging
import multiprocessing
import os
import resource
from dataclasses import dataclass, replace
from typing import Any, Iterator

import numpy as np
import torch
from fairseq.data import Dictionary
from fairseq.sequence_generator import SequenceGenerator
from fairseq.tasks import FairseqTask
from torch import Tensor

from benchmarks.harness.training_sides import SOURCE, TARGET, Setup, Side, build, flags, write_binarized
from mass_plugins.data.binarized import MASK
from mass_plugins.data.collate import pad_right
from mass_plugins.objectives.unsupervised_translation.back_translation import BackTranslator

OURS = ["--arch", "mass_tiny"]
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
    trainer = _teach(setup, precision, updates)
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
    """Our task's update; ``by_fairseq``: its translations by ``SequenceGenerator``."""
    task_and_model = ["--task", "unsupervised_translation", "--directions", DIRECTIONS, *OURS]
    task_and_model += ["--no-eval-bleu", "--restrict-vocabulary", "never"]
    trainer, task, _ = build(flags(setup, task_and_model, 0.0, precision))
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


def peak_memory(setup: Setup, precision: str, weights: dict[str, Tensor], by_fairseq: bool) -> float:
    """GiB that one update takes at most, model and optimizer included: on a GPU what torch allocates there, on a CPU
    the resident memory of a process of its own."""
    context = multiprocessing.get_context("spawn")
    receive, send = context.Pipe(duplex=False)
    worker = context.Process(target=_report_peak, args=(send, setup, precision, weights, by_fairseq))
    worker.start()
    send.close()
    try:
        return receive.recv()
    finally:
        worker.join()


def _report_peak(send: Any, setup: Setup, precision: str, weights: dict[str, Tensor], by_fairseq: bool) -> None:
    logging.disable(logging.INFO)
    side = unsupervised(setup, precision, weights, 1, by_fairseq)
    side.update(0)
    if setup.cuda:
        send.send(torch.cuda.max_memory_allocated() / 2**30)
    else:
        send.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)


def sentences(side: Side) -> int:
    return sum(batch["back_translation"]["nsentences"] for batch in side.batches)


class StockSide(Side):
    """fairseq's ``online_backtranslation``: an update translates a batch of each language."""

    def update(self, number: int) -> Any:
        # the task writes its translations into the batch that it is given
        batch = {name: {**part, "net_input": dict(part["net_input"])} for name, part in self.batches[number].items()}
        return self.trainer.train_step([batch])

    @property
    def sentences(self) -> int:
        return sum(part["nsentences"] for batch in self.batches for name, part in batch.items() if name.endswith("-BT"))


def stock(setup: Setup, precision: str, updates: int, count: int) -> StockSide:
    """``online_backtranslation`` without its denoising, its model taught on the same pairs as ours was."""
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
    half = replace(setup, max_tokens=setup.max_tokens // 2)  # it takes a batch of each language
    trainer, task, _ = build([*flags(half, task_and_model, 0.0, precision), "--lr", "1e-3"])
    _teach_stock(trainer, task, setup, updates)
    task.datasets["train"] = task.load_train_dataset(setup.data)
    return StockSide(trainer, list(_batches(task, half, count)))


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
