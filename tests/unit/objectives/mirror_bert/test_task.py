"""The task's settings and its text pipeline."""

import pytest
from fairseq import checkpoint_utils
from omegaconf import OmegaConf

from mass_plugins.errors import InputError
from mass_plugins.models.text_encoder import TextEncoder, TextEncoderConfig
from mass_plugins.objectives.mirror_bert.task import MirrorBertConfig, MirrorBertTask
from tests import tiny_encoder


def test_a_language_means_nothing_to_a_tokenizer_file():
    text = tiny_encoder.make_text()
    MirrorBertTask(MirrorBertConfig(), text)
    with pytest.raises(InputError, match="leave --language out"):
        MirrorBertTask(MirrorBertConfig(language="en"), text)


CLS = {"pooling": "cls", "normalize": True, "max_tokens": 9}
PADDED = {"pooling": "mean_with_padding", "normalize": False, "max_tokens": 40}
PLAIN = {"pooling": "mean", "normalize": False, "max_tokens": None}


@pytest.mark.parametrize(
    "before, options, after, told",
    [
        (None, {}, PLAIN, False),
        (CLS, {"pooling": "cls"}, CLS, False),
        (CLS, {"mode": "word"}, CLS, False),
        (CLS, {}, {**CLS, "pooling": "mean"}, True),
        (CLS, {"pooling": "mean_with_padding"}, {**PADDED, "normalize": True}, True),
        (PADDED, {"pooling": "mean_with_padding"}, PADDED, False),
        (PADDED, {}, PLAIN, True),
    ],
    ids=str,
)
def test_vectors_are_made_as_before_but_for_the_pooling_that_is_trained(before, options, after, told, tmp_path, caplog):
    """What `mass-plugins encode` goes by, from a checkpoint that says how its vectors are made or doesn't."""
    text = tiny_encoder.make_text()
    sizes = {"encoder_layers": 1, "encoder_embed_dim": 8, "encoder_ffn_embed_dim": 8, "encoder_attention_heads": 2}
    cfg = OmegaConf.create({**vars(TextEncoderConfig(**sizes, max_positions=40)), "_name": "text_encoder"})
    start = MirrorBertTask(MirrorBertConfig(), text)
    state = {**start.state_dict(), **({"vectors": before} if before else {})}
    model = TextEncoder(cfg, len(text.dictionary), text.vocabulary.pad)
    saved = {"cfg": {"model": {**cfg}}, "model": model.state_dict(), "task_state": state}
    options = {"max_string_tokens": 20, **options}
    task = MirrorBertTask(MirrorBertConfig(**options, pretrained_checkpoint=str(tmp_path / "c.pt")), text)
    with pytest.MonkeyPatch.context() as patch, caplog.at_level("WARNING", "mass_plugins"):
        (tmp_path / "c.pt").touch()
        patch.setattr(checkpoint_utils, "load_checkpoint_to_cpu", lambda path: saved)
        task.build_model(cfg)
    assert task.state_dict()["vectors"] == after
    line = "makes vectors by {0}; they are trained, and will be made, by {1} (--pooling {0} stays with the former)"
    poolings = [found["pooling"] for found in (before or after, after)]
    assert caplog.messages == [f"the pretrained checkpoint {line.format(*poolings)}"] * told
