"""Denoising as a pre-training of its own and as a step of unsupervised translation: one noise, three flags."""

import pytest
from fairseq import options, tasks
from fairseq.dataclass.utils import convert_namespace_to_omegaconf

from mass_plugins.data.noise import WordNoise
from mass_plugins.errors import InputError
from mass_plugins.objectives.word_denoising import word_denoiser
from tests import tiny

NOISE = ("--word-shuffle", "0", "--word-drop", "0.5", "--word-blank", "0.25")


def set_up(data, base, *flags):
    words = [*map(str, [data, *base, *flags]), *tiny.PLUGIN_FLAGS]
    arguments = options.parse_args_and_arch(options.get_training_parser(), words)
    return tasks.setup_task(convert_namespace_to_omegaconf(arguments).task)


def training_pairs(task):
    """(source, target) of the first batch, each row without padding."""
    task.load_dataset("train")
    dataset = task.datasets["train"]
    dataset.set_epoch(1)
    batch = dataset.collater([dataset[index] for index in range(60)])
    sources, targets = batch["net_input"]["src_tokens"].tolist(), batch["target"].tolist()
    pad = task.vocabulary.pad
    return [tuple([token for token in row if token != pad] for row in rows) for rows in zip(sources, targets)]


def is_part_of(few, many):
    """Whether ``few`` are some of ``many`` in their order."""
    rest = iter(many)
    return all(token in rest for token in few)


def test_pretraining_writes_the_whole_sentence_from_its_disturbed_words(tiny_data_bin):
    task = set_up(tiny_data_bin, tiny.PRETRAIN, "--masking", "denoising", *NOISE)
    pairs = training_pairs(task)
    assert all(target[-1] == source[-1] == task.vocabulary.eos for source, target in pairs)
    assert all(is_part_of([t for t in source if t != task.vocabulary.mask], target) for source, target in pairs)
    tokens = sum(len(target) - 1 for _, target in pairs)
    kept = sum(len(source) - 1 for source, _ in pairs)
    blank = sum(source.count(task.vocabulary.mask) for source, _ in pairs)
    assert 0.4 < kept / tokens < 0.65 and 0.15 < blank / kept < 0.35


def test_noise_0_gives_the_sentence_itself(tiny_data_bin):
    none = ("--word-shuffle", "0", "--word-drop", "0", "--word-blank", "0")
    assert all(
        source == target
        for source, target in training_pairs(set_up(tiny_data_bin, tiny.PRETRAIN, "--masking", "denoising", *none))
    )


def test_words_move(tiny_data_bin):
    some = ("--word-shuffle", "3", "--word-drop", "0", "--word-blank", "0")
    pairs = training_pairs(set_up(tiny_data_bin, tiny.PRETRAIN, "--masking", "denoising", *some))
    assert all(sorted(source) == sorted(target) for source, target in pairs)
    assert sum(source != target for source, target in pairs) > len(pairs) / 2


@pytest.mark.parametrize("masking, flag", [
    ("span", "--tokens-per-block 9"), ("infilling", "--tokens-per-window 9"), ("discrete", "--word-drop 0.2"),
    ("denoising", "--span-ratio 0.3"), ("denoising", "--mask-keep-rand 1,0,0"), ("infilling", "--mask-keep-rand 1,0,0"),
    ("denoising", "--feed-whole-sentence"), ("bert-lm", "--feed-whole-sentence"),
])  # fmt: skip
def test_flags_that_the_masking_does_not_read(tiny_data_bin, masking, flag):
    task = set_up(tiny_data_bin, tiny.PRETRAIN, "--masking", masking, *flag.split())
    with pytest.raises(InputError, match=f"{flag.split()[0]} has no effect on --masking {masking}; leave it out"):
        task.check_flags(None)


@pytest.mark.parametrize("flags", [("--word-shuffle", "-1"), ("--word-drop", "1"), ("--word-blank", "-0.1")])
@pytest.mark.parametrize(
    "base", [(*tiny.PRETRAIN, "--masking", "denoising"), (*tiny.UNSUPERVISED, "--denoising-weight", "1")]
)
def test_noise_out_of_range_is_refused(base, flags, tiny_data_bin):
    with pytest.raises(InputError, match=f"^{flags[0]} {flags[1]}"):
        set_up(tiny_data_bin, base, *flags).load_dataset("train")


def test_the_step_of_unsupervised_translation_has_the_noise_it_was_given(tiny_data_bin):
    task = set_up(tiny_data_bin, tiny.UNSUPERVISED, *NOISE)
    assert word_denoiser(task.cfg, task).noise == WordNoise(0, 0.5, 0.25)


def test_the_share_of_a_pairs_source_is_checked_beside_denoised_text(tiny_data_bin):
    flags = ("--masking", "denoising", "--parallel-directions", "de-en", "--span-ratio", "2")
    with pytest.raises(InputError, match=r"span_ratio=2.* is not in \(0, 1\]"):
        set_up(tiny_data_bin, tiny.PRETRAIN, *flags).load_dataset("train")
    task = set_up(tiny_data_bin, tiny.PRETRAIN, *flags[:-1], "0.3")
    task.load_dataset("train")
    assert task.datasets["train"].streams[-1].source_mask_ratio == 0.3
