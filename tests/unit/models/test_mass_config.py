"""What doesn't fit is named; that each option arrives is tested in tests/unit/test_flags.py."""

from dataclasses import asdict

import pytest

from mass_plugins.errors import InputError
from mass_plugins.models.mass_config import MassTinyConfig, check_same_shape, fairseq_config


@pytest.mark.parametrize(
    "changes, flag",
    [
        (dict(encoder_attention_heads=3), "--encoder-attention-heads"),
        (dict(decoder_embed_dim=32), "--decoder-embed-dim"),
        (dict(language_projections="all", checkpoint_activations=True), "--language-projections"),
    ],
)
def test_sizes_that_do_not_fit_name_the_flag(changes, flag):
    with pytest.raises(InputError, match=flag):
        fairseq_config(MassTinyConfig(**changes))


@pytest.mark.parametrize("option, value", [("encoder_layers", 4), ("layer_norm", "post"), ("source_start", "bos")])
def test_a_checkpoint_of_another_shape_is_named(option, value):
    mine = asdict(MassTinyConfig())
    check_same_shape("x.pt", mine, mine)
    with pytest.raises(InputError, match=rf"x\.pt was trained with --{option.replace('_', '-')} {value}"):
        check_same_shape("x.pt", {**mine, option: value}, mine)


def test_a_checkpoint_from_before_an_option_had_its_default():
    mine = asdict(MassTinyConfig())
    older = {name: value for name, value in mine.items() if name != "source_start"}
    check_same_shape("x.pt", older, mine)
    with pytest.raises(InputError, match="--source-start none"):
        check_same_shape("x.pt", older, {**mine, "source_start": "eos"})
