"""What every task of a text encoder shares: text pipeline, start from a checkpoint, what a checkpoint says of it."""

import logging
import os
from dataclasses import dataclass, field
from typing import Any, Optional

from fairseq import utils
from fairseq.data import Dictionary
from fairseq.distributed import utils as distributed_utils
from fairseq.models import MODEL_REGISTRY
from omegaconf import II, MISSING

from mass_plugins.data.dictionary_hash import dictionary_hash
from mass_plugins.data.encoder_text import EncoderText
from mass_plugins.errors import InputError
from mass_plugins.models.encoder_checks import check_same_encoder, check_same_extras
from mass_plugins.models.text_encoder import TextEncoder
from mass_plugins.modules.pooling import POOLINGS
from mass_plugins.objectives.pretrained import build_from
from mass_plugins.objectives.training_task import Metrics, TrainingConfig, TrainingTask, with_values_of_other_groups

logger = logging.getLogger(__name__)


@dataclass
class EncoderTaskConfig(TrainingConfig):
    data: str = field(
        default=MISSING,
        metadata={
            "help": "folder of the text pipeline and of binarized text, as preprocess/prepare_encoder.py writes it, or "
            "several shards data-bin/0:data-bin/1, one per epoch"
        },
    )
    pretrained_checkpoint: Optional[str] = field(
        default=None,
        metadata={"help": "start from this checkpoint of a text encoder, trained here or imported (default: scratch)"},
    )
    no_save: bool = II("checkpoint.no_save")


class EncoderTask(TrainingTask):
    """A text pipeline and its dictionary, whose fingerprints every checkpoint holds as the task's state.

    The pipeline's files are put beside the checkpoints, so that a checkpoint's folder is all that encoding needs.
    """

    cfg: EncoderTaskConfig
    CRITERION: str  # the one that reads its batches
    MODEL: type[TextEncoder] = TextEncoder  # what the criterion needs
    METRICS: Metrics  # what it logs in validation
    POSITIONS_FLAG = "--max-positions"

    def __init__(self, cfg: EncoderTaskConfig, text: EncoderText):
        super().__init__(cfg)
        self.text = text
        self.state.merge_state_dict({"dictionary": dictionary_hash(text.dictionary), "text": text.fingerprint()})

    @classmethod
    def setup_task(cls, cfg: EncoderTaskConfig, **kwargs):
        cfg = with_values_of_other_groups(cfg)
        text = EncoderText.load_shards(utils.split_paths(cfg.data))
        logger.info("dictionary: %d", len(text.dictionary))
        return cls(cfg, text)

    @property
    def source_dictionary(self) -> Dictionary:
        return self.text.dictionary

    @property
    def target_dictionary(self) -> Dictionary:
        return self.text.dictionary

    # -- model and checkpoints

    def build_model(self, cfg, from_checkpoint=False):
        start = None if from_checkpoint else self.cfg.pretrained_checkpoint
        model = build_from(start, self, cfg, lambda: self._build(cfg, from_checkpoint), check_same_encoder)
        pooling = self.vector_pooling(cfg)
        if pooling is not None:
            self.describe_vectors(pooling)
        return model

    def vector_pooling(self, cfg) -> Optional[str]:
        """How this objective trains the vector of a text, one of ``POOLINGS``; None: not here."""
        return None

    def begin_training(self) -> None:
        """Put the text pipeline where the checkpoints will be.

        Raises:
            InputError: the folder holds another one, which its checkpoints need. One that has none there is left from a
                training that was refused, and is replaced.
        """
        folder = self.cfg.save_dir
        if not folder or self.cfg.no_save or distributed_utils.get_global_rank() != 0:
            return
        needed = EncoderText.is_in(folder) and any(name.endswith(".pt") for name in os.listdir(folder))
        if needed and not self.text.equals(EncoderText.load(folder)):
            raise InputError(
                f"--save-dir {folder} holds another text pipeline than {self.cfg.data}, and what was trained with it "
                "needs it; set another --save-dir"
            )
        os.makedirs(folder, exist_ok=True)
        self.text.save(folder)

    def _build(self, cfg, from_checkpoint: bool) -> TextEncoder:
        model = super().build_model(cfg, from_checkpoint)
        if not isinstance(model, self.MODEL):
            reason = "lacks the modules that this task trains"
        elif model.GIVES_STATES != self.MODEL.GIVES_STATES:
            reason = "gives no states of tokens, which this task trains"
        else:
            return model
        home = self.MODEL.__module__  # a model's shapes are beside it, its subclasses for other tasks are not
        fitting = [n for n, kind in MODEL_REGISTRY.items() if issubclass(kind, self.MODEL) and kind.__module__ == home]
        raise InputError(f"--arch {cfg._name} {reason}; set --arch {', '.join(fitting)}")

    def build_criterion(self, cfg, from_checkpoint=False):
        if cfg._name != self.CRITERION:
            raise InputError(
                f"--criterion {cfg._name} can't read this task's batches; set --criterion {self.CRITERION}"
            )
        return super().build_criterion(cfg, from_checkpoint)

    def metrics(self, criterion) -> Metrics:
        return self.METRICS

    def describe_vectors(self, pooling: str, normalize: bool = False, max_tokens: Optional[int] = None) -> None:
        """Tell checkpoints how a text's vector is meant to be made; ``mass-plugins encode`` goes by it.

        Args:
            pooling: one of ``POOLINGS``.
            normalize: to unit length.
            max_tokens: longer texts are cut, CLS and SEP counted; None: at the model's positions.
        """
        assert pooling in POOLINGS
        vectors = {"pooling": pooling, "normalize": normalize, "max_tokens": max_tokens}
        self.state.merge_state_dict({"vectors": vectors})

    def adopt(self, state: dict[str, Any], origin: str) -> None:
        """Check that a checkpoint's dictionary and text pipeline are those of the data.

        Raises:
            InputError: not a checkpoint of an encoder, one of another dictionary, or of another text pipeline.
        """
        if not {"dictionary", "text"} <= set(state):
            raise InputError(
                f"{origin} is not a text encoder of mass_plugins; give one, or import it (mass-plugins import)"
            )
        if state["dictionary"] != dictionary_hash(self.text.dictionary):
            raise InputError(
                f"{origin} was trained with another dictionary than the one in {self.cfg.data}; prepare the text with "
                "that model's tokenizer (prepare_encoder.py --like)"
            )
        if state["text"] != self.text.fingerprint():
            raise InputError(
                f"{origin} was trained with a tokenizer of the same vocabulary as that in {self.cfg.data} and other "
                "rules or settings; prepare the text with that model's (prepare_encoder.py --like)"
            )

    # -- steps

    def mark_dummy(self, sample: dict[str, Any]) -> dict[str, Any]:
        """A batch that only keeps this process in step with the others says so: it gives them no negatives."""
        return {**sample, "dummy": True}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.adopt(state_dict, "the checkpoint")
        self.state.merge_state_dict(state_dict)

    def check_resumed(self, state: dict[str, Any], path: str, model_cfg) -> None:
        """Before a training goes on from ``path``: the same dictionary and model as so far.

        Raises:
            InputError: one of them differs.
        """
        self.adopt(state.get("task_state", {}), path)
        check_same_encoder(path, state["cfg"]["model"], model_cfg)
        check_same_extras(path, state["cfg"]["model"], model_cfg, self.MODEL.FIXED)
