"""Task ``seq2seq_finetuning``: supervised training of any set of directions of one model."""

import logging
import math
from dataclasses import dataclass, field
from typing import Optional

from fairseq.dataclass.configs import GenerationConfig
from fairseq.tasks import register_task

from mass_plugins.data.dialogue import DialogueSettings
from mass_plugins.data.languages import Direction, parse_directions
from mass_plugins.errors import InputError
from mass_plugins.generation.batch_decoder import check_lengths
from mass_plugins.objectives.pretrained import build_from
from mass_plugins.objectives.seq2seq_task import Seq2SeqTask, Seq2SeqTaskConfig, metric_names
from mass_plugins.objectives.training_task import refuse_idle
from mass_plugins.objectives.validation_bleu import Detokenizer, bleu_logs, log_bleu
from mass_plugins.objectives.validation_rouge import log_rouge, rouge_logs, settings_for
from mass_plugins.scoring.bleu import BleuStatistics, signature
from mass_plugins.scoring.rouge import RougeSums, make_scorer

logger = logging.getLogger(__name__)


@dataclass
class Seq2SeqFinetuningConfig(Seq2SeqTaskConfig):
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
    eval_bleu_beam: int = field(default=1, metadata={"help": "beam of --eval-bleu and --eval-rouge"})
    eval_rouge: bool = field(
        default=False,
        metadata={
            "help": "log rouge1, rouge2 and rougeL in validation: F1 by rouge-score on detokenized text, against the "
            "decoded binarized references; means over directions"
        },
    )
    eval_max_len_a: float = field(
        default=1.5, metadata={"help": "texts of --eval-bleu and --eval-rouge have at most A times the source's length"}
    )
    eval_max_len_b: int = field(default=20, metadata={"help": "plus B sub-words (for summaries: A 0, B their longest)"})
    eval_min_len: int = field(default=1, metadata={"help": "and at least so many, as far as A and B allow"})
    truncate_source: Optional[int] = field(
        default=None,
        metadata={
            "help": "cut sources to this many sub-words, </s> included (default: none, see --long-lines); of "
            "dialogues, whose data-bin has dialogue.json, the beginning goes"
        },
    )


@register_task("seq2seq_finetuning", dataclass=Seq2SeqFinetuningConfig)
class Seq2SeqFinetuningTask(Seq2SeqTask):
    """Pairs of one or more directions, mixed within batches; BLEU and ROUGE in validation by direction."""

    cfg: Seq2SeqFinetuningConfig

    def check_flags(self, model) -> None:
        super().check_flags(model)
        if not (self.cfg.eval_bleu or self.cfg.eval_rouge):
            idle = ["eval_bleu_beam", "eval_max_len_a", "eval_max_len_b", "eval_min_len"]
            refuse_idle(self.cfg, Seq2SeqFinetuningConfig, idle, "without --eval-bleu and --eval-rouge")

    def build_model(self, cfg, from_checkpoint=False):
        if not from_checkpoint:
            self._check_metric()
        start = None if from_checkpoint else self.cfg.pretrained_checkpoint
        model = build_from(
            start, self, cfg, lambda: super(Seq2SeqFinetuningTask, self).build_model(cfg, from_checkpoint)
        )
        if (self.cfg.eval_bleu or self.cfg.eval_rouge) and not from_checkpoint:
            self._prepare_generation(model)
        return model

    def _check_metric(self) -> None:
        """Raises InputError: the best checkpoint goes by a metric that no validation will have."""
        metric = self.cfg.best_checkpoint_metric
        for beginning, flag in (("bleu", "eval_bleu"), ("rouge", "eval_rouge")):
            if metric.startswith(beginning) and not self.cfg[flag]:
                raise InputError(f"--best-checkpoint-metric {metric} needs --{flag.replace('_', '-')}")

    def scores(self) -> list[str]:
        metrics = ["bleu"] * self.cfg.eval_bleu + ["rouge1", "rouge2", "rougeL"] * self.cfg.eval_rouge
        return [name for metric in metrics for name in metric_names(metric, self.directions("valid"))]

    def _prepare_generation(self, model) -> None:
        if self.codec is None:
            flag = "--eval-bleu" if self.cfg.eval_bleu else "--eval-rouge"
            raise InputError(
                f"{flag} needs the text pipeline text.json in {self.cfg.data}; "
                "prepare the data with preprocess/prepare.py or drop the flag"
            )
        self.detokenize = Detokenizer(self.dictionary, self.codec)
        longest = math.inf if self.cfg.eval_max_len_a else self.cfg.eval_max_len_b
        names = ("--eval-min-len ", "--eval-max-len-b ")
        check_lengths(self.cfg.eval_min_len, longest, model.max_positions()[1], names)
        limits = GenerationConfig(
            beam=self.cfg.eval_bleu_beam,
            max_len_a=self.cfg.eval_max_len_a,
            max_len_b=self.cfg.eval_max_len_b,
            min_len=self.cfg.eval_min_len,
        )
        self.eval_generator = self.build_generator([model], limits)
        if self.cfg.eval_bleu:
            logger.info("validation BLEU: %s", signature())
        if self.cfg.eval_rouge:
            for direction in self.directions("valid"):
                settings = settings_for([direction.target])
                make_scorer(settings)  # the package is there
                logger.info("validation ROUGE of %s: %s", direction, settings.signature())

    def directions(self, split: str) -> list[Direction]:
        """Training directions; for other splits ``--source-lang``/``--target-lang`` where given."""
        if self.cfg.directions and not (self.cfg.source_lang and split != self.cfg.train_subset):
            return parse_directions(self.cfg.directions, self.languages)
        if not (self.cfg.source_lang and self.cfg.target_lang):
            raise InputError("no direction to train; set --directions, like de-en,en-de")
        return [Direction(*self.generation_direction())]

    def load_dataset(self, split: str, epoch: int = 1, combine: bool = False, **kwargs) -> None:
        folder, shards = self.shard(split, epoch)
        cuts = {"longest_source": self.cfg.truncate_source, "keep_end": DialogueSettings.are_in(folder)}
        streams = [self.text.pairs(folder, split, direction, **cuts) for direction in self.directions(split)]
        self.datasets[split] = self.mixture(streams, split == self.cfg.train_subset, shards)

    # -- BLEU and ROUGE in validation

    def valid_step(self, sample, model, criterion):
        loss, sample_size, logging_output = super().valid_step(sample, model, criterion)
        if self.cfg.eval_bleu or self.cfg.eval_rouge:
            texts, directions = self._translate(sample, model), self.directions("valid")
        if self.cfg.eval_bleu:
            found = {direction: BleuStatistics.from_sentences(*lines) for direction, lines in texts.items()}
            logging_output.update(bleu_logs("bleu", found, directions))
        if self.cfg.eval_rouge:
            sums = {d: RougeSums.of(*lines, settings=settings_for([d.target])) for d, lines in texts.items()}
            logging_output.update(rouge_logs(sums, directions))
        return loss, sample_size, logging_output

    def _translate(self, sample, model) -> dict[Direction, tuple[list[str], list[str]]]:
        """Hypotheses and references of the batch's sentences, by direction."""
        rows = [sample["net_input"][f"{side}_language"].tolist() for side in ("source", "target")]
        texts: dict[Direction, tuple[list[str], list[str]]] = {}
        width = sample["net_input"]["src_tokens"].shape[1]
        longest = int(self.cfg.eval_max_len_a * width + self.cfg.eval_max_len_b)
        self.eval_generator.min_len = min(self.cfg.eval_min_len, longest)
        beams = self.inference_step(self.eval_generator, [model], sample)
        for source, target, found, reference in zip(*rows, beams, sample["target"]):
            direction = Direction(self.languages[source], self.languages[target])
            hypotheses, references = texts.setdefault(direction, ([], []))
            hypotheses.append(self.detokenize(found[0]["tokens"], direction.target))
            references.append(self.detokenize(reference, direction.target, escape_unk=True))
        return texts

    def reduce_metrics(self, logging_outputs, criterion):
        super().reduce_metrics(logging_outputs, criterion)
        if any(key.startswith("_bleu_") for log in logging_outputs for key in log):
            log_bleu("bleu", logging_outputs, self.directions("valid"))
        if any(key.startswith("_rouge_") for log in logging_outputs for key in log):
            log_rouge(logging_outputs, self.directions("valid"))
