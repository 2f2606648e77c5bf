"""What every task of ours refuses before it trains."""

import pytest
from fairseq import metrics, tasks

from mass_plugins.errors import InputError
from tests import mirror, tiny, tiny_encoder
from tests import retrieval_flow as flow
from tests.unit.test_flags import parsed

TORCHRUN = {"WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "2"}


@pytest.mark.parametrize("flags", [tiny.PRETRAIN, tiny_encoder.MLM, flow.RETRIEVER], ids=lambda flags: flags[1])
def test_processes_of_torchrun_that_would_train_alone(flags, tiny_data_bin, monkeypatch):
    """fairseq-hydra-train asks fairseq for its processes before it imports plugins."""
    cfg = parsed(tiny_data_bin, *flags)
    task = tasks.setup_task(cfg.task)
    for name, value in TORCHRUN.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match="start fairseq-train with torchrun, fairseq-hydra-train without it"):
        task.build_criterion(cfg.criterion)
    monkeypatch.setenv("WORLD_SIZE", "1")
    task.build_criterion(cfg.criterion)


MSM = ["--task", "msm_pretraining", "--arch", "msm_tiny", *flow.ENCODER, "--criterion", "msm", *flow.TRAINING]
CMLM = ["--task", "cmlm_pretraining", "--arch", "cmlm_tiny", *flow.ENCODER, "--criterion", "masked_tokens"]
RETRIEVER = ["--task", "retrieval_finetuning", "--arch", "retriever_tiny", "--criterion", "retrieval"]
MORE = "--maximize-best-checkpoint-metric"
BLEU = ("--eval-bleu",)
# of each task: flags, scores, losses, what it never logs
METRICS = {
    "mass": (tiny.PRETRAIN, [], ["loss", "nll_loss", "ppl"], ["bleu", "accuracy"]),
    "mass, cross-entropy": (
        [*tiny.PRETRAIN, "--criterion", "cross_entropy"], [], ["loss", "ppl"], ["nll_loss", "accuracy"]
    ),
    "mass, cross-entropy of a sentence": (
        [*tiny.PRETRAIN, "--criterion", "cross_entropy", "--sentence-avg"], [], ["loss", "nll_loss", "ppl"], ["bleu"]
    ),
    "mass, with accuracy": ([*tiny.PRETRAIN, "--report-accuracy"], ["accuracy"], ["loss"], ["rouge1"]),
    "finetuning": ([*tiny.FINETUNE, *BLEU], ["bleu", "bleu_en-de"], ["nll_loss"], ["bleu_de-fr", "round_trip_bleu"]),
    "unsupervised": (
        tiny.UNSUPERVISED, ["bleu", "round_trip_bleu_de-en"], ["loss", "copy_rate"], ["rouge1", "length_ratio"]
    ),
    "mlm": (tiny_encoder.MLM, ["accuracy"], ["loss", "ppl"], ["bleu"]),
    "cmlm": (CMLM, ["accuracy"], ["loss", "ppl"], ["mlm_accuracy"]),
    "msm": (MSM, ["unit_accuracy", "mlm_accuracy"], ["loss", "unit_loss", "mlm_loss", "mlm_ppl"], ["accuracy"]),
    "msm, documents alone": ([*MSM, "--text-share", "0"], ["unit_accuracy"], ["loss"], ["mlm_accuracy", "mlm_loss"]),
    "dupmae": (
        flow.PRETRAIN, ["encoder_accuracy", "decoder_accuracy"], ["loss", "bow_loss", "decoder_loss"], ["accuracy"]
    ),
    "dupmae without its decoder": (
        [*flow.PRETRAIN, "--decoder-weight", "0"], ["encoder_accuracy"], ["bow_loss"], ["decoder_loss"]
    ),
    "mirror": (mirror.MIRROR, ["spearman"], ["loss"], ["accuracy"]),
    "retriever": (flow.RETRIEVER, ["accuracy"], ["loss", "contrast", "distilled"], ["spearman"]),
    "relevance": (flow.TEACHER, ["accuracy"], ["loss"], ["contrast"]),
}  # fmt: skip


def begin(data, flags):
    """A training's task up to its model, which takes longer and has no part in this, and the criterion's options."""
    documents = ["--documents", data] if "msm_pretraining" in flags else []
    cfg = parsed(data, *flags, *documents, "--no-save")
    task = tasks.setup_task(cfg.task)
    task.model_options = cfg.model
    return task, cfg.criterion


@pytest.mark.parametrize("name", METRICS)
def test_the_best_checkpoint_is_the_best(name, tiny_data_bin):
    flags, scores, losses, unknown = METRICS[name]
    task, criterion = begin(tiny_data_bin, flags)

    def choose(metric, more):
        task.cfg.best_checkpoint_metric, task.cfg.maximize_best_checkpoint_metric = metric, more
        return task.build_criterion(criterion)

    for score in scores:
        choose(score, True)
        with pytest.raises(InputError, match=f"{score} would keep .* the lowest; add {MORE}"):
            choose(score, False)
    for loss in losses:
        choose(loss, False)
        with pytest.raises(InputError, match=f"{MORE} would keep .* the highest {loss}; leave it out"):
            choose(loss, True)
    for metric in unknown:
        with pytest.raises(InputError, match=f"{metric} is not logged; choose one of .*{losses[0]}"):
            choose(metric, True)


class Ones(dict):
    """A batch's log in which everything is 1, but for the two sizes, which may be equal or not."""

    def get(self, key, default=None):
        return self[key] if key in self else 1


@pytest.mark.parametrize("name", sorted(set(METRICS) - {"finetuning", "unsupervised", "mirror"}))
def test_what_a_task_says_it_logs_is_logged(name, tiny_data_bin):
    flags = METRICS[name][0]
    task, options = begin(tiny_data_bin, flags)
    with metrics.aggregate(new_root=True) as found:
        task.build_criterion(options).reduce_metrics(
            [Ones(sample_size=1 if "--sentence-avg" in flags else 2, ntokens=2)]
        )
    scores, losses, _ = task.metrics(options)
    assert {*scores, *losses} <= set(found.get_smoothed_values())


def test_a_criterion_of_fairseqs_may_log_what_it_likes(tiny_data_bin):
    flags = [*tiny.PRETRAIN, "--criterion", "label_smoothed_cross_entropy_with_alignment", "--alignment-lambda", 0.1]
    task, criterion = begin(tiny_data_bin, [*flags, "--best-checkpoint-metric", "alignment_loss"])
    task.build_criterion(criterion)


def test_a_checkpoints_own_settings_are_as_they_are(tiny_data_bin):
    """fairseq-validate builds the criterion of a checkpoint, whoever chose its metric."""
    cfg = parsed(tiny_data_bin, *tiny_encoder.MLM, "--best-checkpoint-metric", "accuracy")
    task = tasks.setup_task(cfg.task)
    task.build_model(cfg.model, from_checkpoint=True)
    task.build_criterion(cfg.criterion)


# a training's flags, one that nothing reads beside them, why, and what would read it
IDLE = [
    (tiny.PRETRAIN, "--tokens-per-block 99", "on --masking span", "--masking block"),
    (tiny.FINETUNE, "--eval-bleu-beam 3", "without --eval-bleu and --eval-rouge", "--eval-bleu"),
    (tiny.FINETUNE, "--eval-max-len-a 3", "without --eval-bleu and --eval-rouge", "--eval-rouge"),
    (tiny.FINETUNE, "--eval-max-len-b 3", "without --eval-bleu and --eval-rouge", "--eval-rouge"),
    (tiny.FINETUNE, "--eval-min-len 3", "without --eval-bleu and --eval-rouge", "--eval-rouge"),
    (tiny.UNSUPERVISED, "--word-drop 0.3", "on --denoising-weight 0", "--denoising-weight 0:1,9:0"),
    (tiny.UNSUPERVISED, "--span-ratio 0.3", "on --mass-weight 0", "--mass-weight 1"),
    (tiny.UNSUPERVISED, "--mask-keep-rand 1,0,0", "on --mass-weight 0", "--mass-weight 1"),
    ([*tiny.UNSUPERVISED, "--pairs-weight", "1"], "--restrict-vocabulary never --back-translation-weight 0",
     "on --back-translation-weight 0", "--back-translation-weight 1"),
    ([*tiny.UNSUPERVISED, "--pairs-weight", "1"], "--back-translation-sampling --back-translation-weight 0",
     "on --back-translation-weight 0", "--back-translation-weight 1"),
    (tiny_encoder.MLM, "--mask-ratio 0.4 --mask-sets 4", "beside --mask-sets 4", "--mask-sets 0"),
    (tiny_encoder.MLM, "--tokens-per-sample 100", "on --sample-break-mode eos", "--sample-break-mode complete"),
    (MSM, "--mask-ratio 0.4 --mask-sets 4", "beside --mask-sets 4", "--mask-sets 0"),
    *((MSM, f"{flag} --text-share 0", "on --text-share 0", "--text-share 0.5") for flag in (
        "--mask-ratio 0.4", "--whole-words", "--mask-keep-rand 1,0,0", "--mask-sets 4", "--sample-break-mode none",
        "--long-lines skip", "--separate-languages")),
    (MSM, "--hierarchical-alpha 0 --without-intra-negatives", "beside --without-intra-negatives", None),
    (MSM, "--hierarchical-alpha 0 --without-cross-negatives", "beside --without-cross-negatives", None),
    (MSM, "--negatives-across-ranks --without-cross-negatives", "beside --without-cross-negatives", None),
    (flow.PRETRAIN, "--decoder-mask-ratio 0.7 --decoder-weight 0", "on --decoder-weight 0", "--decoder-weight 0.1"),
    (flow.PRETRAIN, "--decoder-queries plain --decoder-weight 0", "on --decoder-weight 0", "--decoder-weight 0.1"),
    *((flow.PRETRAIN, f"{flag} --bow-weight 0", "on --bow-weight 0", "--bow-weight 0.1") for flag in (
        "--bow-positions all_but_cls", "--bow-targets sum", "--bow-projection own")),
    (RETRIEVER, "--ot-top 6 --representation cls", "on --representation cls", "--representation ot"),
    (RETRIEVER, "--ot-activation relu --representation cls", "on --representation cls", "--representation both"),
    (RETRIEVER, "--cls-dim 8 --representation ot", "on --representation ot", "--representation cls"),
    (RETRIEVER, "--vector-pooling mean --representation ot", "on --representation ot", "--representation both"),
    (RETRIEVER, "--temperature 0.1 --contrastive-weight 0 --distillation-weight 1", "on --contrastive-weight 0",
     "--contrastive-weight 0.1"),
    (RETRIEVER, "--distillation-temperature 2", "on --distillation-weight 0", "--distillation-weight 1"),
    (RETRIEVER, "--distillation-weight 1 --group-size 1", "on --group-size 1: a teacher ranks", "--group-size 2"),
]  # fmt: skip


@pytest.mark.parametrize("flags, idle, where, unless", IDLE, ids=[row[1] for row in IDLE])
def test_a_flag_that_nothing_reads(flags, idle, where, unless, tiny_data_bin):
    def check(*more):
        task, criterion = begin(tiny_data_bin, [*flags, *idle.split(), *more])
        task.check_flags(task.model_options)
        task.build_criterion(criterion)

    with pytest.raises(InputError, match=f"^{idle.split()[0]} has no effect {where}.*; leave it out$"):
        check()
    if unless:
        check(*unless.split())


def test_a_model_that_is_to_be_trained_has_its_flags_checked(tiny_data_bin):
    cfg = parsed(tiny_data_bin, *tiny_encoder.MLM, "--tokens-per-sample", 9, "--no-save")
    with pytest.raises(InputError, match="--tokens-per-sample has no effect"):
        tasks.setup_task(cfg.task).build_model(cfg.model)
    tasks.setup_task(cfg.task).build_model(cfg.model, from_checkpoint=True)


def test_a_cross_encoder_needs_a_negative(tiny_data_bin):
    task, _ = begin(tiny_data_bin, [*flow.TEACHER, "--train-groups", "x", "--group-size", 1])
    with pytest.raises(InputError, match="--group-size 1 leaves a query no negative .* set 2 or more"):
        task.load_dataset("train")
