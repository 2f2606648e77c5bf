"""Flags of the task that no other test sets reach what they are for."""

import logging

import pytest
from fairseq import options, tasks
from fairseq.dataclass.utils import convert_namespace_to_omegaconf

from mass_plugins.data.languages import Direction
from mass_plugins.errors import InputError
from mass_plugins.generation.batch_decoder import Sampling
from tests import tiny


def set_up(data, *flags):
    words = [*map(str, [data, *tiny.UNSUPERVISED, *flags]), *tiny.PLUGIN_FLAGS]
    arguments = options.parse_args_and_arch(options.get_training_parser(), words)
    return tasks.setup_task(convert_namespace_to_omegaconf(arguments).task)


def test_length_and_sampling_of_back_translations(tiny_data_bin):
    lengths = ["--back-translation-max-len-a", "0.7", "--back-translation-max-len-b", "9"]
    task = set_up(tiny_data_bin, *lengths, "--back-translation-sampling", "--back-translation-topk", "12")
    greedy = task.validation.translator
    for translator in (greedy, task.back_translator):
        assert (translator.max_len_a, translator.max_len_b) == (0.7, 9)
    assert greedy.sampling is None and task.back_translator.sampling == Sampling(1.0, 12, 1.0)


@pytest.mark.parametrize("a, b", [("-1", "5"), ("nan", "5"), ("inf", "5"), ("0", "0"), ("1", "-100")])
def test_a_length_without_a_token_is_refused(a, b, tiny_data_bin):
    with pytest.raises(InputError, match="--back-translation-max-len-a .* --back-translation-max-len-b"):
        set_up(tiny_data_bin, "--back-translation-max-len-a", a, "--back-translation-max-len-b", b)


@pytest.mark.parametrize("number", (0, 2))
def test_translations_to_print(number, tiny_data_bin, caplog):
    samples = set_up(tiny_data_bin, "--print-translations", number).validation.samples
    samples.offer("pairs", Direction("de", "en"), [1, 2, 3], {"de": ["eins", "zwei", "drei"], "en": ["1", "2", "3"]})
    with caplog.at_level(logging.INFO):
        samples.log()
    assert len([record for record in caplog.records if record.message.startswith("de: ")]) == number


def test_the_first_validation_set_alone_decides_on_the_vocabulary(tiny_data_bin):
    task = set_up(tiny_data_bin)

    def after(*copy_rates):
        task.begin_valid_epoch(1, None)
        for rate in copy_rates:
            task.post_validate(None, {"copy_rate": rate}, None)
        return task.state.restrict_vocabulary

    assert task.state.restrict_vocabulary
    assert not after(0.0, 1.0)
    assert after(1.0, 0.0)


def test_the_order_of_languages_is_the_checkpoints(tiny_data_bin):
    task = set_up(tiny_data_bin)
    task.load_state_dict({**task.state.state_dict, "languages": task.languages[::-1]})
    task.load_dataset("train")
    for stream in task.datasets["train"].parts["back_translation"].streams:
        assert stream.name.endswith(f" {task.languages[stream.target_language]}")
    assert task.validation.languages == task.languages
