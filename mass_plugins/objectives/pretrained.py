"""Starting from a pre-trained checkpoint or vectors, with a reason in one line where they don't fit."""

import logging
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Iterable, Optional

import torch
from fairseq import checkpoint_utils
from fairseq.dataclass import FairseqDataclass
from omegaconf import II
from torch import nn

from mass_plugins.data.checkpoint_files import find_checkpoint
from mass_plugins.data.vectors_text import read_vectors
from mass_plugins.data.vocabulary import Vocabulary
from mass_plugins.errors import InputError
from mass_plugins.models.mass_config import check_same_shape

logger = logging.getLogger(__name__)


@dataclass
class PretrainedEmbeddingsConfig(FairseqDataclass):
    """Options of a task whose models can start from vectors, and fairseq's options that exclude them."""

    pretrained_embeddings: Optional[str] = field(
        default=None,
        metadata={
            "help": "vectors that token embeddings start from, in word2vec's text format, scaled to a mean length of "
            "1; those of mass-plugins align have all languages in one space"
        },
    )
    restore_file: Optional[str] = II("checkpoint.restore_file")
    finetune_from_model: Optional[str] = II("checkpoint.finetune_from_model")


@dataclass
class PretrainedModel:
    """Weights, options and task state of a checkpoint; its optimizer is left behind."""

    path: str
    weights: dict[str, Any]
    options: Any
    task_state: dict[str, Any]

    @classmethod
    def read(cls, path: str) -> "PretrainedModel":
        """Read a ``checkpoint*.pt``, or the one in a folder.

        Raises:
            InputError: there is none, or it is not one of fairseq-train.
        """
        path = _file_of(path)
        state = checkpoint_utils.load_checkpoint_to_cpu(path)
        if not state.get("cfg") or "model" not in state:
            raise InputError(f"{path} is not a checkpoint of fairseq-train; give a checkpoint_*.pt")
        return cls(path, state["model"], state["cfg"]["model"], state.get("task_state", {}))

    def copy_into(self, model, cfg, check_shape=check_same_shape) -> None:
        """Load the weights into a new model.

        Args:
            check_shape: ``(path, trained options, cfg)``, complains of options that differ.

        Raises:
            InputError: the architectures differ, naming the option that differs.
        """
        check_shape(self.path, self.options, cfg)
        own, extra = model.state_dict(), getattr(model, "EXTRA_WEIGHTS", ())
        different = {key for key in set(own) ^ set(self.weights) if not key.startswith(extra)}
        different |= {k for k in set(own) & set(self.weights) if own[k].shape != self.weights[k].shape}
        if different:
            raise InputError(
                f"{self.path} is of another architecture ({len(different)} parameters don't fit, "
                f"e.g. {sorted(different)[0]}); set --arch as in pre-training"
            )
        model.load_state_dict({**own, **{key: value for key, value in self.weights.items() if key in own}}, strict=True)
        if extra:
            model.start_new_weights(set(own) - set(self.weights))


def build_from(path: Optional[str], task, cfg, build: Callable[[], Any], check_shape=check_same_shape):
    """``build()``'s model with the weights of the checkpoint at ``path``, whose languages ``task`` takes over.

    Without a path, the model as it is. A training that goes on doesn't need the file any more that it started from.
    """
    if not path:
        return build()
    try:
        path = _file_of(path)
    except InputError:
        path = last_checkpoint(task)
        if not path:
            raise
    pretrained = PretrainedModel.read(path)
    task.adopt(pretrained.task_state, pretrained.path)
    model = build()
    pretrained.copy_into(model, cfg, check_shape)
    return model


def _file_of(path: str) -> str:
    try:
        return str(find_checkpoint(Path(path)))
    except InputError as error:
        raise InputError(f"--pretrained-checkpoint {error}") from None


def last_checkpoint(task) -> str:
    """That of a training which goes on; empty for a new one."""
    folder = task.cfg.get("save_dir")
    last = os.path.join(folder, "checkpoint_last.pt") if folder else ""
    return last if os.path.isfile(last) else ""


def resumes(task) -> bool:
    """Whether fairseq will load a checkpoint before the first update, chosen as its ``load_checkpoint`` does.

    Raises:
        InputError: ``--finetune-from-model`` would have its weights in the place of ``--pretrained-embeddings``.
    """
    named = task.cfg.get("restore_file") or "checkpoint_last.pt"
    if named != "checkpoint_last.pt":
        return os.path.exists(named)
    if last_checkpoint(task):
        return True
    if task.cfg.get("finetune_from_model"):
        raise InputError("--pretrained-embeddings has no effect beside --finetune-from-model; leave one of them out")
    return False


def load_pretrained_embeddings(path: str, task, vocabulary: Vocabulary, tables: Iterable[nn.Embedding]) -> None:
    """Put the vectors of a file in the place of the token embeddings that it has; the others stay random.

    They are scaled to a mean length of 1, that of fairseq's embeddings at their start. A training that goes on has its
    embeddings in its checkpoint, and doesn't need the file any more.

    Args:
        vocabulary: of the dictionary ``task.source_dictionary``; vectors of what is special in it are left out.
        tables: of token embeddings; one that is shared may come more than once.

    Raises:
        InputError: no such file, of other dimensions, or of another vocabulary.
    """
    flag = "--pretrained-embeddings"
    if resumes(task):
        return
    found = read_vectors(Path(path), flag)
    tables = {id(table): table for table in tables}.values()
    for table in tables:
        if found.vectors.shape[1] != table.embedding_dim:
            raise InputError(
                f"{flag}: the vectors of {path} have {found.vectors.shape[1]} dimensions and the model's embeddings "
                f"{table.embedding_dim}; make them with --dim {table.embedding_dim}"
            )
    dictionary = task.source_dictionary
    indices = torch.tensor([dictionary.indices.get(token, -1) for token in found.tokens])
    known = torch.isin(indices, torch.from_numpy(vocabulary.ordinary))
    if not known.any():
        raise InputError(f"{flag}: {path} has no token of the dictionary in {task.cfg.data}; make it from that folder")
    vectors = torch.from_numpy(found.vectors)[known]
    vectors = vectors / vectors.norm(dim=1).mean().clamp(min=torch.finfo(vectors.dtype).tiny)
    for table in tables:
        with torch.no_grad():
            table.weight[indices[known]] = vectors.to(table.weight)
    logger.info("%d of %d token embeddings start from %s", len(vectors), len(dictionary), path)
