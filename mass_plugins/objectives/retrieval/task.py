"""Tasks ``retrieval_finetuning`` and ``relevance_finetuning``: a retriever and its teacher from groups."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

import torch
from fairseq.tasks import register_task

from mass_plugins.data.retrieval_groups import GroupFile
from mass_plugins.errors import InputError
from mass_plugins.models.retriever import CrossEncoder, Retriever, RetrieverOptions
from mass_plugins.objectives.encoder_task import EncoderTask, EncoderTaskConfig
from mass_plugins.objectives.retrieval.criterion import RetrievalCriterionConfig
from mass_plugins.objectives.retrieval.dataset import RetrievalDataset
from mass_plugins.objectives.retrieval.gradient_cache import backward_in_chunks
from mass_plugins.objectives.training_task import Metrics, refuse_idle


@dataclass
class GroupsConfig(EncoderTaskConfig):
    train_groups: Optional[str] = field(
        default=None, metadata={"help": "groups to train on, JSON lines (mass-plugins mine, or Tevatron's format)"}
    )
    valid_groups: Optional[str] = field(
        default=None, metadata={"help": "groups to validate on; without them give --disable-validation"}
    )
    group_size: int = field(
        default=16, metadata={"help": "passages per query, the positive included; 1: other queries' alone (paper: 16)"}
    )
    query_tokens: int = field(default=32, metadata={"help": "longer queries are cut, [CLS] and [SEP] counted"})
    passage_tokens: int = field(default=144, metadata={"help": "longer passages are cut, [CLS] and [SEP] counted"})


@dataclass
class RetrievalConfig(GroupsConfig):
    cache_texts: int = field(
        default=0,
        metadata={
            "help": "gradient caching for batches larger than memory: texts represented at once (default 0: all)"
        },
    )


class GroupsTask(EncoderTask):
    """``data`` is a folder with the text pipeline, like that of the checkpoint to start from."""

    cfg: GroupsConfig
    PAIRS = False

    @property
    def vocabulary_size(self) -> int:
        return len(self.text.dictionary)

    def build_model(self, cfg, from_checkpoint=False):
        model = super().build_model(cfg, from_checkpoint)
        self._check_lengths(model.max_positions())
        return model

    def _check_lengths(self, positions: int) -> None:
        """Now, not at the first long text.

        Raises:
            InputError: texts that are cut to the lengths of the flags don't fit the model.
        """
        lengths = {"--query-tokens": self.cfg.query_tokens, "--passage-tokens": self.cfg.passage_tokens}
        for flag, tokens in lengths.items():
            if not 3 <= tokens <= positions:
                raise InputError(f"{flag} {tokens} is not between 3 and the model's {positions} positions; set it so")
        if self.PAIRS and sum(lengths.values()) - 1 > positions:
            given = " and ".join(f"{flag} {tokens}" for flag, tokens in lengths.items())
            raise InputError(
                f"{given} make pairs of {sum(lengths.values()) - 1} tokens, more than the model's {positions} "
                "positions; lower one of them"
            )

    def load_dataset(self, split: str, epoch: int = 1, combine: bool = False, **kwargs) -> None:
        training = split == self.cfg.train_subset
        flag = "--train-groups" if training else "--valid-groups"
        path = self.cfg.train_groups if training else self.cfg.valid_groups
        if not path:
            raise InputError(
                f"{flag} is missing; give a file of groups" + ("" if training else ", or --disable-validation")
            )
        size = self.cfg.group_size
        if self.PAIRS and size < 2:
            raise InputError(f"--group-size {size} leaves a query no negative to tell its positive from; set 2 or more")
        if size < 1:
            raise InputError(f"--group-size {size} is not 1 or more")
        groups = GroupFile(Path(path), flag)
        if size > 1 and groups.fewest_negatives == 0:
            otherwise = "" if self.PAIRS else ", or set --group-size 1"
            raise InputError(f"{flag}: {path} has a query without negatives; mine some{otherwise}")
        self.datasets[split] = RetrievalDataset(
            groups, self.text, self.cfg.seed, size, self.cfg.query_tokens, self.cfg.passage_tokens,
            fixed=not training, pairs=self.PAIRS,
        )  # fmt: skip


@register_task("retrieval_finetuning", dataclass=RetrievalConfig)
class RetrievalFinetuningTask(GroupsTask):
    """The criterion is ``retrieval``, the architectures ``retriever*``."""

    cfg: RetrievalConfig
    CRITERION = "retrieval"
    METRICS = Metrics(["accuracy"], ["loss", "contrast", "distilled"])
    MODEL = Retriever
    _distils = False

    def check_flags(self, model) -> None:
        super().check_flags(model)
        if self.cfg.cache_texts < 0:
            raise InputError(f"--cache-texts {self.cfg.cache_texts} is not 0 (all at once) or more")
        idle = {"cls": ["ot_top", "ot_activation"], "ot": ["cls_dim", "vector_pooling"]}
        kind = str(getattr(model, "representation", ""))  # an architecture of others is refused once it is built
        refuse_idle(model, RetrieverOptions, idle.get(kind, []), f"on --representation {kind}")

    def check_objective(self, criterion) -> None:
        for weight, name in (
            ("contrastive_weight", "temperature"),
            ("distillation_weight", "distillation_temperature"),
        ):
            if not criterion[weight]:
                refuse_idle(criterion, RetrievalCriterionConfig, [name], f"on --{weight.replace('_', '-')} 0")
        if self.cfg.group_size == 1:
            where = "on --group-size 1: a teacher ranks a query's own passages"
            refuse_idle(criterion, RetrievalCriterionConfig, ["distillation_weight"], where)

    def build_criterion(self, cfg, from_checkpoint=False):
        criterion = super().build_criterion(cfg, from_checkpoint)  # another kind of criterion is refused there
        self._distils = criterion.distillation_weight > 0
        return criterion

    def load_dataset(self, split: str, epoch: int = 1, combine: bool = False, **kwargs) -> None:
        super().load_dataset(split, epoch, combine, **kwargs)
        place = self.datasets[split].groups.unscored
        if self._distils and place is not None:
            raise InputError(
                f"{place}: --distillation-weight needs a teacher's score for every passage; make them with "
                "mass-plugins teach"
            )

    def train_step(self, sample, model, criterion, optimizer, update_num, ignore_grad=False):
        if not self.cfg.cache_texts:
            return super().train_step(sample, model, criterion, optimizer, update_num, ignore_grad)
        model.train()
        model.set_num_updates(update_num)
        loss, size, logged = backward_in_chunks(
            model, sample, criterion.compare, optimizer.backward, self.cfg.cache_texts, 0.0 if ignore_grad else 1.0,
            lambda: self.autocast(model),
        )  # fmt: skip
        return loss.detach(), size, logged

    def valid_step(self, sample, model, criterion):
        with torch.no_grad():
            return super().valid_step(sample, model, criterion)


@register_task("relevance_finetuning", dataclass=GroupsConfig)
class RelevanceFinetuningTask(GroupsTask):
    """A cross-encoder; the criterion is ``relevance``, the architectures ``cross_encoder*``."""

    CRITERION = "relevance"
    METRICS = Metrics(["accuracy"])
    MODEL = CrossEncoder
    PAIRS = True
