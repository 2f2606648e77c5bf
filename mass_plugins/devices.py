"""Where a model computes, and how much at once."""

from typing import Optional

import torch

from mass_plugins.errors import InputError


def choose_device(name: Optional[str] = None, dtype: Optional[torch.dtype] = None) -> torch.device:
    """The device of this name; default a GPU if there is one, else the CPU.

    Args:
        dtype: precision that is wanted there.

    Raises:
        InputError: it is none, torch can't use it, or it has no such precision.
    """
    try:
        device = torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = (str(error).splitlines() or ["it has no such device"])[0]
        raise InputError(f"--device {name}: torch can't use it ({reason}); take cpu, or leave it out") from None
    if dtype == torch.float16 and device.type == "cpu":
        raise InputError("float16 is for GPUs; on a CPU take bfloat16")
    return device


def tokens_at_once(device: torch.device) -> int:
    """Tokens of a batch, padding included: a CPU is fastest while a layer's values stay in its cache."""
    return 1000 if device.type == "cpu" else 8000
