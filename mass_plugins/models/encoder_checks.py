"""What a checkpoint must have in common with the encoder that starts from it, or is trained on."""

from typing import Iterable

from mass_plugins.errors import InputError

_SHAPE = (
    "encoder_layers",
    "encoder_embed_dim",
    "encoder_ffn_embed_dim",
    "encoder_attention_heads",
    "max_positions",
    "position_style",
    "token_types",
    "layer_norm_epsilon",
    "activation_fn",
)


def check_same_encoder(path: str, trained, cfg) -> None:
    """Compare the options of a checkpoint's encoder with those of the one that is to take its weights.

    Raises:
        InputError: one differs; names it.
    """
    for option in _SHAPE:
        if option not in trained:
            raise InputError(f"{path} is not a text encoder; give a checkpoint of one (mass-plugins import makes them)")
        if trained[option] != cfg[option]:
            raise InputError(
                f"{path} was trained with --{option.replace('_', '-')} {trained[option]}, "
                f"not {cfg[option]}; set it, or the --arch, as it was"
            )
    # DupMAE's and the retrievers'
    learnt, wanted = (str(options.get("bow_projection") or "tied") for options in (trained, cfg))
    if learnt not in ("tied", wanted) and cfg.get("bow_projection") and cfg.get("representation") != "cls":
        raise InputError(
            f"{path} was trained with --bow-projection {learnt}, which {wanted} would leave out; set "
            f"--bow-projection {learnt}"
        )
    # another retriever's W_cls
    if all(options.get("cls_dim") and str(options.get("representation")) != "ot" for options in (trained, cfg)):
        if trained["cls_dim"] != cfg["cls_dim"]:
            raise InputError(
                f"{path} was trained with --cls-dim {trained['cls_dim']}, not {cfg['cls_dim']}; set it as it was"
            )


def check_same_extras(path: str, trained, cfg, names: Iterable[str]) -> None:
    """Compare what an objective keeps beside the encoder, where a training is resumed from a checkpoint.

    Args:
        names: of the options that fix it.

    Raises:
        InputError: one differs, or the checkpoint hasn't got it.
    """
    for name in names:
        flag = f"--{name.replace('_', '-')}"
        if name not in trained:
            raise InputError(
                f"{path} has no modules of {flag}, so training can't be resumed from it; start from it with "
                "--pretrained-checkpoint and another --save-dir"
            )
        if str(trained[name]) != str(cfg[name]):
            raise InputError(f"{path} was trained with {flag} {trained[name]}, not {cfg[name]}; set it as it was")
