"""The gradient of an update is the weighted sum of its steps' losses over the number of their targets, however the work
is cut into micro-batches, parts and processes."""

import pytest
import torch
from fairseq import options, tasks
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from fairseq.trainer import Trainer

from mass_plugins.objectives.unsupervised_translation.back_translation import split_rows
from mass_plugins.objectives.unsupervised_translation.task import _unwrap
from tests import tiny
from tests.ranks import run_ranks

# With plain descent at rate 1 the weights move by the gradient itself.
EXACT = (
    "--optimizer sgd --lr 1 --clip-norm 0 --dropout 0 --attention-dropout 0 --no-eval-bleu --restrict-vocabulary never "
    "--max-tokens 40 --cpu --denoising-weight 0.5 --ddp-backend legacy_ddp"
).split()
WEIGHTS = {"back_translation": 1.0, "denoising": 0.5}
PAD = 1


def build(data, rank=0, world=1):
    words = [str(data), *tiny.UNSUPERVISED, *EXACT, "--distributed-world-size", str(world)]
    cfg = convert_namespace_to_omegaconf(options.parse_args_and_arch(options.get_training_parser(), words))
    cfg.distributed_training.distributed_rank = rank
    torch.manual_seed(1)
    task = tasks.setup_task(cfg.task)
    model, criterion = task.build_model(cfg.model), task.build_criterion(cfg.criterion)
    task.load_dataset("train")
    return Trainer(cfg, task, model, criterion), task


def two_batches(task):
    """Of different sizes, and larger than --max-tokens: all are cut."""
    dataset = task.dataset("train")
    batches = dataset.batch_by_size(dataset.ordered_indices(), max_tokens=150)
    first, *_, last = (dataset.collater([dataset[index] for index in batch]) for batch in batches)
    return first, last


def expected(data, batches):
    """The gradient by definition, each step of each batch in one piece."""
    trainer, task = build(data)
    model, total, targets = trainer.model, 0, 0
    for step, batch in (item for steps in batches for item in steps.items()):
        assert len(list(split_rows(batch, 40, PAD))) > 1
        if step == "back_translation":
            batch = task.validation.translator.synthetic_pairs(model, batch)
        logits, _ = model.train()(**batch["net_input"])
        loss = torch.nn.functional.cross_entropy(logits.mT, batch["target"], ignore_index=PAD, reduction="sum")
        total, targets = total + WEIGHTS[step] * loss, targets + int(batch["target"].ne(PAD).sum())
    (total / targets).backward()
    return {name: parameter.grad for name, parameter in model.named_parameters() if parameter.grad is not None}


def parameters(trainer):
    return _unwrap(trainer.model).named_parameters()


def moved(rank, data, micro_batches):
    """What one update takes off the weights; a rank whose micro-batch is empty has none left."""
    trainer, _ = build(data, rank, len(micro_batches))
    before = {name: parameter.detach().clone() for name, parameter in parameters(trainer)}
    trainer.reset_dummy_batch(micro_batches[0][0])
    trainer.train_step(micro_batches[rank])
    return {name: before[name] - parameter.detach() for name, parameter in parameters(trainer)}


@pytest.mark.parametrize(
    "places",
    [[[0]], [[0, 1]], [[0], [1]], [[1], [None]]],
    ids=["a batch", "two micro-batches", "two ranks", "a rank without a batch"],
)
def test_the_scale_of_the_gradient(places, tiny_data_bin):
    batches = two_batches(build(tiny_data_bin)[1])
    micro_batches = [[{} if place is None else batches[place] for place in rank] for rank in places]
    right = expected(tiny_data_bin, [batch for rank in micro_batches for batch in rank if batch])
    for found in run_ranks(moved, len(places), tiny_data_bin, micro_batches):
        for name, gradient in right.items():
            torch.testing.assert_close(
                found[name], gradient, rtol=1e-4, atol=1e-6, msg=lambda text, n=name: f"{n}: {text}"
            )
