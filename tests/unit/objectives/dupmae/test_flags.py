"""Every flag of pre-training and fine-tuning reaches what it is for."""

import numpy as np
import pytest
from fairseq import criterions, options, tasks
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from fairseq.models import MODEL_DATACLASS_REGISTRY

from mass_plugins.errors import InputError
from mass_plugins.models.dupmae import DupMaeOptions
from mass_plugins.models.encoder_checks import check_same_encoder
from mass_plugins.models.retriever import RetrieverOptions
from mass_plugins.objectives.dupmae.criterion import DupMaeCriterionConfig
from mass_plugins.objectives.dupmae.task import DupMaePretrainingConfig
from mass_plugins.objectives.encoder_task import EncoderTaskConfig
from mass_plugins.objectives.retrieval.criterion import RetrievalCriterionConfig
from mass_plugins.objectives.retrieval.task import RetrievalConfig
from tests import retrieval_flow as flow
from tests.tiny import PLUGIN_FLAGS


def set_up(data, *flags):
    """(task, its criterion, the configuration) of fairseq-train's flags."""
    arguments = [str(data), *map(str, flags), *PLUGIN_FLAGS]
    cfg = convert_namespace_to_omegaconf(options.parse_args_and_arch(options.get_training_parser(), arguments))
    task = tasks.setup_task(cfg.task)
    return task, criterions.build_criterion(cfg.criterion, task), cfg


def own(config, base=EncoderTaskConfig):
    return set(config.__dataclass_fields__) - set(base.__dataclass_fields__)


def test_no_flag_without_a_test():
    assert own(DupMaePretrainingConfig) == {
        "langs", "language_alpha", "mask_ratio", "decoder_mask_ratio", "mask_keep_rand", "bow_positions", "bow_targets",
        "tokens_per_sample", "long_lines",
    }  # fmt: skip
    assert own(RetrievalConfig) == {
        "train_groups", "valid_groups", "group_size", "query_tokens", "passage_tokens", "cache_texts"
    }  # fmt: skip
    assert set(DupMaeOptions.__dataclass_fields__) - {"_name"} == {"bow_projection", "decoder_queries"}
    names = {"bow_projection", "representation", "vector_pooling", "cls_dim", "ot_top", "ot_activation"}
    assert set(RetrieverOptions.__dataclass_fields__) - {"_name"} == names


def test_pretraining(tiny_data_bin):
    task, criterion, cfg = set_up(
        tiny_data_bin, *flow.PRETRAIN, "--mask-ratio", 0.4, "--decoder-mask-ratio", 0.7, "--mask-keep-rand", "1,0,0",
        "--bow-positions", "all_but_cls", "--bow-targets", "counts", "--tokens-per-sample", 40, "--bow-weight", 0.3,
        "--decoder-weight", 0.6, "--decoder-queries", "plain", "--bow-projection", "own", "--no-save",
    )  # fmt: skip
    task.load_dataset("train")
    dataset = task.datasets["train"]
    masker = dataset.streams[0].masker
    assert (masker.ratio, masker.decoder_ratio, masker.replacement) == (0.4, 0.7, (1, 0, 0))
    assert (dataset.bow_positions, dataset.bow_targets, len(dataset.streams)) == ("all_but_cls", "counts", 1)
    assert dataset.sizes.max() <= 40 and dataset.sizes.mean() > 20
    assert (criterion.decoder_weight, criterion.bow_weight) == (0.6, 0.3)
    model = task.build_model(cfg.model)
    assert model.plain_queries and model.bow_projection is not None
    items = [dataset[0], dataset[1]]
    batch = dataset.collater(items)
    positions = batch["bow_positions"].numpy()
    real = np.arange(positions.shape[1]) < batch["net_input"]["src_lengths"].numpy()[:, None]
    real[:, 0] = False
    assert (positions == real).all()
    masked = batch["net_input"]["src_tokens"].flatten()[batch["masked_slots"]]
    assert (masked == task.text.mask).all()
    dataset.set_epoch(2)
    later = dataset.collater(items)
    assert (later["text"] == batch["text"]).all() and (later["seen"] != batch["seen"]).any()
    assert (later["net_input"]["src_tokens"] != batch["net_input"]["src_tokens"]).any()


@pytest.mark.parametrize("flags, words", [
    (("--bow-weight", -1), "--bow-weight -1"),
    (("--bow-weight", "nan"), "--bow-weight nan is not a number of 0 or more"),
    (("--decoder-weight", "inf"), "--decoder-weight inf is not a number of 0 or more"),
    (("--mask-ratio", 0), "--mask-ratio 0"),
    (("--tokens-per-sample", 2), "--tokens-per-sample 2"),
    (("--mask-keep-rand", "1,1,1"), "--mask-keep-rand"),
])  # fmt: skip
def test_pretraining_refuses(tiny_data_bin, flags, words):
    with pytest.raises(InputError, match=words):
        set_up(tiny_data_bin, *flow.PRETRAIN, *flags)[0].load_dataset("train")


def test_every_group_is_in_a_batch(tiny_data_bin, tmp_path):
    """Whatever fairseq's multiple of 8 is; batches have the size that is asked for."""
    group = '{"query_id": "q%d", "query": "sight", "positive_passages": [{"docid": "a", "text": "sight"}]}\n'
    (tmp_path / "groups").write_text("".join(group % number for number in range(29)))
    given = ("--train-groups", tmp_path / "groups", "--group-size", 1, "--no-save")
    task = set_up(tiny_data_bin, *flow.RETRIEVER, *given)[0]
    task.load_dataset("train")
    dataset = task.datasets["train"]
    batches = dataset.batch_by_size(np.arange(29), max_sentences=12, required_batch_size_multiple=8)
    assert [len(batch) for batch in batches] == [12, 12, 5]
    with pytest.raises(InputError, match="set --batch-size, its queries"):
        dataset.batch_by_size(np.arange(29), max_tokens=1000)
    with pytest.raises(InputError, match="--max-tokens 30 has no room for the 64 tokens of a query and its passages"):
        dataset.batch_by_size(np.arange(29), max_tokens=30, max_sentences=12)


def test_finetuning(tiny_data_bin, tmp_path):
    flow.write_collection(tmp_path)
    group = '{"query_id": "q", "query": "sight", "positive_passages": [{"docid": "a", "text": "sight"}]}\n'
    (tmp_path / "groups").write_text(group * 3)
    given = ("--train-groups", tmp_path / "groups", "--group-size", 1, "--cache-texts", 2)
    task, criterion, cfg = set_up(
        tiny_data_bin, *flow.RETRIEVER, *given, "--representation", "ot", "--cls-dim", 384, "--no-save",
        "--ot-activation", "log1p_relu",
        "--bow-projection", "mlm_head", "--temperature", 0.5, "--contrastive-weight", 0.3, "--distillation-weight", 0.2,
        "--distillation-temperature", 2,
    )  # fmt: skip
    task.load_dataset("train")
    dataset = task.datasets["train"]
    assert (dataset.group_size, dataset.query_tokens, dataset.passage_tokens) == (1, 16, 48)
    model = task.build_model(cfg.model)
    assert (model.representation, model.activation, model.ot_top, model.cls_width) == ("ot", "log1p_relu", 6, 0)
    assert model.lm_head.bias.requires_grad and task.cfg.cache_texts == 2
    assert (criterion.temperature, criterion.contrastive_weight) == (0.5, 0.3)
    assert (criterion.distillation_weight, criterion.distillation_temperature) == (0.2, 2)
    with pytest.raises(InputError, match="--valid-groups is missing"):
        task.load_dataset("valid")
    for flags, words in (
        (("--temperature", 0), "--temperature 0"),
        (("--contrastive-weight", 0), "--contrastive-weight and --distillation-weight are 0"),
        (("--contrastive-weight", "inf"), "--contrastive-weight inf is not a number of 0 or more"),
        (("--distillation-weight", "nan"), "--distillation-weight nan is not a number of 0 or more"),
    ):
        with pytest.raises(InputError, match=words):
            set_up(tiny_data_bin, *flow.RETRIEVER, *given, *flags)


def test_another_kind_of_criterion_is_refused(tiny_data_bin):
    task, _, _ = set_up(tiny_data_bin, *flow.RETRIEVER, "--no-save")
    cfg = set_up(tiny_data_bin, *flow.PRETRAIN)[2].criterion
    with pytest.raises(
        InputError, match="--criterion dupmae can't read this task's batches; set --criterion retrieval"
    ):
        task.build_criterion(cfg)


def test_distillation_without_scores(tiny_data_bin, tmp_path):
    """Told when the groups are read, not at the first update."""
    scored, plain = '{"docid": "a", "text": "sight", "score": 1}', '{"docid": "b", "text": "night"}'
    start = '{"query_id": "q", "query": "sight", "positive_passages": [%s], "negative_passages": [%s]}\n'
    (tmp_path / "groups").write_text(start % (scored, scored) + start % (scored, plain))
    flags = ("--train-groups", tmp_path / "groups", "--group-size", 2, "--no-save")
    task, _, cfg = set_up(tiny_data_bin, *flow.RETRIEVER, *flags, "--distillation-weight", 1)
    task.build_criterion(cfg.criterion)
    with pytest.raises(InputError, match="groups, line 2: --distillation-weight .*make them with mass-plugins teach"):
        task.load_dataset("train")
    task, _, cfg = set_up(tiny_data_bin, *flow.RETRIEVER, *flags)
    task.build_criterion(cfg.criterion)
    task.load_dataset("train")


@pytest.mark.parametrize("start, flags, said", [
    (flow.RETRIEVER, ("--passage-tokens", 144), "--passage-tokens 144 is not between 3 and the model's 64 positions"),
    (flow.RETRIEVER, ("--query-tokens", 2), "--query-tokens 2 is not between 3"),
    (flow.RETRIEVER, ("--cache-texts", -3), r"--cache-texts -3 is not 0 \(all at once\) or more"),
    (flow.TEACHER, ("--passage-tokens", 60), "--query-tokens 16 and --passage-tokens 60 make pairs of 75 tokens, more"),
])  # fmt: skip
def test_lengths_that_the_model_has_no_positions_for(tiny_data_bin, start, flags, said):
    task, _, cfg = set_up(tiny_data_bin, *start, *flags, "--train-groups", "x", "--no-save")
    with pytest.raises(InputError, match=said):
        task.build_model(cfg.model)


@pytest.mark.parametrize("learnt, wanted, fits", [
    ("own", (), False), ("mlm_head", ("--bow-projection", "own"), False), ("own", ("--bow-projection", "own"), True),
    ("tied", ("--bow-projection", "own"), True), ("own", ("--representation", "cls"), True),
])  # fmt: skip
def test_a_learnt_projection_is_not_left_out(tiny_data_bin, learnt, wanted, fits):
    trained = set_up(tiny_data_bin, *flow.PRETRAIN, "--bow-projection", learnt)[2].model
    cfg = set_up(tiny_data_bin, *flow.RETRIEVER, *wanted)[2].model
    if fits:
        check_same_encoder("old.pt", trained, cfg)
    else:
        with pytest.raises(InputError, match=f"old.pt was trained with --bow-projection {learnt}, .* set --bow-proj"):
            check_same_encoder("old.pt", trained, cfg)
    check_same_encoder("old.pt", trained, set_up(tiny_data_bin, *flow.TEACHER)[2].model)  # has none


@pytest.mark.parametrize("learnt, wanted, fits", [
    (("--cls-dim", 8), ("--cls-dim", 16), False), (("--cls-dim", 8), ("--cls-dim", 8), True),
    (("--cls-dim", 0), ("--cls-dim", 8), True), (("--representation", "ot"), ("--cls-dim", 8), True),
    (("--cls-dim", 8), ("--representation", "ot"), True),
])  # fmt: skip
def test_the_width_of_another_retriever_is_named(tiny_data_bin, learnt, wanted, fits):
    trained = set_up(tiny_data_bin, *flow.RETRIEVER, *learnt)[2].model
    cfg = set_up(tiny_data_bin, *flow.RETRIEVER, *wanted)[2].model
    if fits:
        check_same_encoder("old.pt", trained, cfg)
    else:
        with pytest.raises(InputError, match="old.pt was trained with --cls-dim 8, not 16; set it as it was"):
            check_same_encoder("old.pt", trained, cfg)
    pretrained = set_up(tiny_data_bin, *flow.PRETRAIN)[2].model
    check_same_encoder("old.pt", pretrained, cfg)


@pytest.mark.parametrize("start, flag, value", [
    (flow.PRETRAIN, "--decoder-queries", "plain"), (flow.PRETRAIN, "--bow-projection", "own"),
    (flow.RETRIEVER, "--representation", "cls"), (flow.RETRIEVER, "--vector-pooling", "mean"),
    (flow.RETRIEVER, "--ot-activation", "relu"), (flow.RETRIEVER, "--ot-top", 7), (flow.RETRIEVER, "--cls-dim", 9),
])  # fmt: skip
def test_a_training_is_resumed_with_the_same_model(tiny_data_bin, start, flag, value):
    task, _, cfg = set_up(tiny_data_bin, *start)
    state = {"task_state": task.state_dict(), "cfg": {"model": cfg.model}}
    task.check_resumed(state, "last.pt", cfg.model)
    other = set_up(tiny_data_bin, *start, flag, value)[2].model
    with pytest.raises(InputError, match=f"last.pt was trained with {flag} .*, not {value}; set it as it was"):
        task.check_resumed(state, "last.pt", other)


def test_defaults_are_the_papers():
    """But for the mean over a text's words, which is a setting of ours."""
    cfg = DupMaePretrainingConfig()
    assert (cfg.mask_ratio, cfg.decoder_mask_ratio, cfg.mask_keep_rand) == (0.3, 0.5, "0.8,0.1,0.1")
    assert (str(cfg.bow_positions), str(cfg.bow_targets)) == ("unmasked", "mean")
    assert (str(DupMaeOptions().bow_projection), str(DupMaeOptions().decoder_queries)) == ("tied", "embedded")
    weights = DupMaeCriterionConfig()
    assert (weights.decoder_weight, weights.bow_weight) == (1, 1)
    shape = RetrieverOptions()
    assert (str(shape.representation), str(shape.vector_pooling), str(shape.ot_activation)) == ("both", "cls", "none")
    assert (shape.cls_dim, shape.ot_top) == (384, 384)
    losses = RetrievalCriterionConfig()
    assert (losses.temperature, losses.distillation_temperature) == (1, 1)
    assert (losses.contrastive_weight, losses.distillation_weight) == (1, 0)
    groups = RetrievalConfig()
    assert (groups.group_size, groups.query_tokens, groups.passage_tokens, groups.cache_texts) == (16, 32, 144, 0)


def test_presets():
    base = MODEL_DATACLASS_REGISTRY["dupmae_bert_base"]()
    assert (base.encoder_layers, base.bow_projection) == (12, "tied")
