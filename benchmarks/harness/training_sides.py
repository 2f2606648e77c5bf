"""The sides of the training benchmark: a generated corpus, fairseq trainers, the same batches for all."""

import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Iterator

import numpy as np
import torch
from fairseq import options, tasks
from fairseq.data import Dictionary, indexed_dataset
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from fairseq.trainer import Trainer

import mass_plugins  # noqa: F401  registers
from mass_plugins.data.mixture import MixtureDataset
from mass_plugins.data.streams import MonolingualStream
from mass_plugins.data.symbols import MASK
from mass_plugins.errors import InputError

SOURCE, TARGET = "xx", "yy"  # of the generated corpus


@dataclass(frozen=True)
class ModelSize:
    layers: int
    width: int
    ffn: int
    heads: int

    def flags(self) -> list[str]:
        """Of both sides of the model; the same names in fairseq's architecture and in ours."""
        return [
            word
            for side in ("encoder", "decoder")
            for flag, value in (
                ("layers", self.layers),
                ("embed-dim", self.width),
                ("ffn-embed-dim", self.ffn),
                ("attention-heads", self.heads),
            )
            for word in (f"--{side}-{flag}", str(value))
        ]


@dataclass(frozen=True)
class Setup:
    """What all sides share."""

    data: str
    source: str
    target: str
    size: ModelSize
    max_tokens: int
    cuda: bool
    seed: int


# -- text


@contextmanager
def generated_corpus(sentences: int, vocabulary: int, seed: int) -> Iterator[str]:
    """A data-bin in a temporary folder: pairs of random words, as long as Multi30k's de-en.

    Lengths in pieces (6 000 of sentencepiece) are log-normal there: medians 17 and 16, the logarithms'
    deviation 0.35 and 0.31. Words follow Zipf's law. A long source has a long target.
    """
    rng = np.random.default_rng(seed)
    dictionary = Dictionary()
    for symbol in [MASK] + [f"w{number}" for number in range(vocabulary - 5)]:
        dictionary.add_symbol(symbol)
    chances = 1 / np.arange(1, vocabulary - 4)
    common = rng.normal(size=sentences)
    with tempfile.TemporaryDirectory() as folder:
        for language, median, deviation in ((SOURCE, 17, 0.35), (TARGET, 16, 0.31)):
            dictionary.save(f"{folder}/dict.{language}.txt")
            scatter = 0.9 * common + (1 - 0.9**2) ** 0.5 * rng.normal(size=sentences)
            lengths = np.clip(np.exp(np.log(median) + deviation * scatter), 2, 200).astype(int)
            words = rng.choice(len(chances), size=lengths.sum(), p=chances / chances.sum()) + 5
            rows = np.split(words, np.cumsum(lengths)[:-1])
            write_binarized(f"{folder}/train.{SOURCE}-{TARGET}.{language}", rows, dictionary)
        yield folder


def write_binarized(prefix: str, rows: list[np.ndarray], dictionary: Dictionary) -> None:
    builder = indexed_dataset.make_builder(f"{prefix}.bin", "mmap", len(dictionary))
    for row in rows:
        row[-1] = dictionary.eos()
        builder.add_item(torch.from_numpy(row))
    builder.finalize(f"{prefix}.idx")


# -- sides


class Side:
    """A trainer and its batches; ``update(n)`` is fairseq's whole training step on batch ``n``."""

    def __init__(self, trainer: Trainer, batches: list[dict]):
        self.trainer, self.batches = trainer, batches

    def update(self, number: int) -> Any:
        return self.trainer.train_step([self.batches[number]])

    @property
    def source_tokens(self) -> int:
        return sum(int(batch["net_input"]["src_lengths"].sum()) for batch in self.batches)

    @property
    def parameters(self) -> int:
        return sum(parameter.numel() for parameter in self.trainer.model.parameters())


# Beside its size: what makes fairseq's transformer the same model as ours but for language vectors.
_STOCK = (
    "--arch transformer --share-all-embeddings --encoder-learned-pos --decoder-learned-pos "
    "--layernorm-embedding --no-scale-embedding --activation-fn gelu "
    "--max-source-positions 512 --max-target-positions 512"
).split()
_OURS = ["--arch", "mass_tiny", "--layer-norm", "post"]


def flags(setup: Setup, task_and_model: list[str], label_smoothing: float, precision: str) -> list[str]:
    return [
        setup.data,
        *task_and_model,
        *setup.size.flags(),
        *"--dropout 0.1 --attention-dropout 0.1 --criterion label_smoothed_cross_entropy".split(),
        *f"--label-smoothing {label_smoothing} --optimizer adam --clip-norm 1.0 --lr 1e-4".split(),
        *["--adam-betas", "(0.9, 0.98)", "--distributed-world-size", "1"],
        *f"--max-tokens {setup.max_tokens} --seed {setup.seed} --log-interval 1000000".split(),
        *(["--bf16"] if precision == "bf16" else []),
        *(["--autocast-bfloat16"] if precision == "autocast" else []),
        *([] if setup.cuda else ["--cpu"]),
    ]


def build(flags: list[str]) -> tuple[Trainer, Any, Any]:
    """(trainer, task, configuration), as fairseq-train builds them."""
    arguments = options.parse_args_and_arch(options.get_training_parser(), flags)
    cfg = convert_namespace_to_omegaconf(arguments)
    cfg.common.tpu = False  # on the command line --bf16 implies it, whatever the device
    task = tasks.setup_task(cfg.task)
    model, criterion = task.build_model(cfg.model), task.build_criterion(cfg.criterion)
    return Trainer(cfg, task, model, criterion), task, cfg


def stock(setup: Setup, precision: str, count: int) -> tuple[Side, list[list[int]]]:
    """fairseq's ``translation`` with ``transformer``, and the places of the sentences of its batches."""
    direction = ["--task", "translation", "--source-lang", setup.source, "--target-lang", setup.target]
    trainer, task, cfg = build(flags(setup, direction + _STOCK, 0.1, precision))
    task.load_dataset("train")
    dataset = task.dataset("train")
    iterator = task.get_batch_iterator(
        dataset, max_tokens=setup.max_tokens, max_positions=(512, 512), ignore_invalid_inputs=True,
        required_batch_size_multiple=cfg.dataset.required_batch_size_multiple, seed=setup.seed,
    )  # fmt: skip
    places = [list(map(int, batch)) for batch in iterator.frozen_batches]
    if len(places) < count:
        raise InputError(f"the text makes only {len(places)} batches, not {count}; set --batches or --max-tokens lower")
    chosen = np.random.default_rng(setup.seed).permutation(len(places))[:count]
    places = [places[number] for number in chosen]
    return Side(trainer, _collate(dataset, places)), places


def finetuning(setup: Setup, precision: str, places: list[list[int]]) -> Side:
    """Our fine-tuning on the same pairs."""
    task_and_model = ["--task", "seq2seq_finetuning", "--directions", f"{setup.source}-{setup.target}"]
    trainer, task, _ = build(flags(setup, [*task_and_model, *_OURS], 0.1, precision))
    task.load_dataset("train")
    return Side(trainer, _collate(task.dataset("train"), places))


def pretraining(setup: Setup, precision: str, places: list[list[int]], pairs: Any) -> Side:
    """MASS on the source sentences of the same pairs (``pairs``: the stock dataset that holds them)."""
    task_and_model = ["--task", "mass_pretraining", *_OURS]
    trainer, task, _ = build(flags(setup, task_and_model, 0.0, precision))
    language = task.language_index(setup.source, "--source-lang")
    stream = MonolingualStream(setup.source, pairs.src, pairs.src_sizes, language, task.build_masker())
    return Side(trainer, _collate(MixtureDataset([stream], seed=setup.seed), places))


def _collate(dataset: Any, places: list[list[int]]) -> list[dict]:
    return [dataset.collater([dataset[place] for place in batch]) for batch in places]


def check_same_sentences(first: Side, second: Side) -> None:
    """Raise unless both sides' batches hold sources of the same lengths, batch by batch."""
    for one, other in zip(first.batches, second.batches, strict=True):
        lengths = [batch["net_input"]["src_lengths"].sort().values for batch in (one, other)]
        if not torch.equal(*lengths):
            raise AssertionError("the batches of the two sides hold different sentences")
