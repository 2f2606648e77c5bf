"""Task ``seq2seq_finetuning``: supervised training of any set of directions of one model."""

import logging
from dataclasses import dataclass, field
from typing import Optional

from fairseq.dataclass.configs import GenerationConfig
from fairseq.tasks import register_task
from omegaconf import II

from mass_plugins.data.binarized import open_parallel
from mass_plugins.data.languages import Direction, parse_directions
from mass_plugins.data.mixture import MixtureDataset
from mass_plugins.data.streams import ParallelStream
from mass_plugins.errors import InputError
from mass_plugins.objectives.multilingual import MultilingualConfig, MultilingualTask
from mass_plugins.objectives.pretrained import build_from
from mass_plugins.objectives.validation_bleu import Detokenizer, bleu_logs, log_bleu
from mass_plugins.scoring.bleu import BleuStatistics, signature

logger = logging.getLogger(__name__)


@dataclass
class Seq2SeqFinetuningConfig(MultilingualConfig):
    directions: Optional[str] = field(
        default=None,
        metadata={
            "help": "directions to train, like de-en,en-de (one language for summarization: en-en); "
            "default --source-lang to --target-lang"
        },
    )
    pretrained_checkpoint: Optional[str] = field(
        default=None, metadata={"help": "start from this checkpoint of mass_plugins (default: from scratch)"}
    )
    eval_bleu: bool = field(
        default=False,
        metadata={
            "help": "log BLEU in validation: sacreBLEU on detokenized text, against the decoded binarized "
            "references; bleu is the mean over directions"
        },
    )
    eval_bleu_beam: int = field(default=1, metadata={"help": "beam of --eval-bleu"})
    best_checkpoint_metric: str = II("checkpoint.best_checkpoint_metric")


@register_task("seq2seq_finetuning", dataclass=Seq2SeqFinetuningConfig)
class Seq2SeqFinetuningTask(MultilingualTask):
    """Pairs of one or more directions, mixed within batches; BLEU in validation by direction."""

    cfg: Seq2SeqFinetuningConfig

    def build_model(self, cfg, from_checkpoint=False):
        if self.cfg.best_checkpoint_metric.startswith("bleu") and not self.cfg.eval_bleu and not from_checkpoint:
            raise InputError(f"--best-checkpoint-metric {self.cfg.best_checkpoint_metric} needs --eval-bleu")
        start = None if from_checkpoint else self.cfg.pretrained_checkpoint
        model = build_from(
            start, self, cfg, lambda: super(Seq2SeqFinetuningTask, self).build_model(cfg, from_checkpoint)
        )
        if self.cfg.eval_bleu and not from_checkpoint:
            if self.codec is None:
                raise InputError(
                    f"--eval-bleu needs the text pipeline text.json in {self.cfg.data}; "
                    "prepare the data with preprocess/prepare.py or drop the flag"
                )
            self.detokenize = Detokenizer(self.dictionary, self.codec)
            limits = GenerationConfig(beam=self.cfg.eval_bleu_beam, max_len_a=1.5, max_len_b=20)
            self.eval_generator = self.build_generator([model], limits)
            logger.info("validation BLEU: %s", signature())
        return model

    def directions(self, split: str) -> list[Direction]:
        """Training directions; for other splits ``--source-lang``/``--target-lang`` where given."""
        if self.cfg.directions and not (self.cfg.source_lang and split != self.cfg.train_subset):
            return parse_directions(self.cfg.directions, self.languages)
        if not (self.cfg.source_lang and self.cfg.target_lang):
            raise InputError("no direction to train; set --directions, like de-en,en-de")
        return [Direction(*self.generation_direction())]

    def load_dataset(self, split: str, epoch: int = 1, combine: bool = False, **kwargs) -> None:
        folder, shards = self.shard(split, epoch)
        self.datasets[split] = MixtureDataset(
            [self._stream(folder, split, direction) for direction in self.directions(split)],
            seed=self.cfg.seed,
            alpha=self.cfg.language_alpha,
            long_lines=str(self.cfg.long_lines),
            separate=self.cfg.separate_languages,
            fixed=split != self.cfg.train_subset,
            shards=shards,
        )

    def _stream(self, folder: str, split: str, direction: Direction) -> ParallelStream:
        source, target = open_parallel(folder, split, *direction, self.dictionary)
        return ParallelStream(
            f"{folder}, {split} {direction}",
            source,
            target,
            source.sizes,
            target.sizes,
            self.language_index(direction.source, "--directions"),
            self.language_index(direction.target, "--directions"),
            self.vocabulary,
        )

    # -- BLEU in validation

    def valid_step(self, sample, model, criterion):
        loss, sample_size, logging_output = super().valid_step(sample, model, criterion)
        if self.cfg.eval_bleu:
            logging_output.update(bleu_logs("bleu", self._translate(sample, model), self.directions("valid")))
        return loss, sample_size, logging_output

    def _translate(self, sample, model) -> dict[Direction, BleuStatistics]:
        """BLEU statistics of the batch's sentences, by direction."""
        rows = [sample["net_input"][f"{side}_language"].tolist() for side in ("source", "target")]
        texts: dict[Direction, tuple[list[str], list[str]]] = {}
        beams = self.inference_step(self.eval_generator, [model], sample)
        for source, target, found, reference in zip(*rows, beams, sample["target"]):
            direction = Direction(self.languages[source], self.languages[target])
            hypotheses, references = texts.setdefault(direction, ([], []))
            hypotheses.append(self.detokenize(found[0]["tokens"], direction.target))
            references.append(self.detokenize(reference, direction.target, escape_unk=True))
        return {direction: BleuStatistics.from_sentences(*lines) for direction, lines in texts.items()}

    def reduce_metrics(self, logging_outputs, criterion):
        super().reduce_metrics(logging_outputs, criterion)
        if any(key.startswith("_bleu_") for log in logging_outputs for key in log):
            log_bleu("bleu", logging_outputs, self.directions("valid"))
