"""Devices that torch can't use, and the size of a batch."""

import pytest
import torch

from mass_plugins.devices import choose_device, tokens_at_once
from mass_plugins.errors import InputError


@pytest.mark.parametrize("name", ["nonsense", "cuda:77", "xla"])
def test_devices_that_torch_cannot_use(name):
    with pytest.raises(InputError, match=f"--device {name}: torch can't use it .*take cpu") as error:
        choose_device(name)
    assert "\n" not in str(error.value) and choose_device(None).type in ("cpu", "cuda")


def test_a_gpu_takes_more_at_once():
    assert tokens_at_once(torch.device("cuda:1")) > tokens_at_once(torch.device("cpu")) > 512
