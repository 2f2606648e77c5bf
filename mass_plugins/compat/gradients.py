"""Workarounds for what fairseq does about gradients that are no numbers."""

import functools
from typing import Any

import torch


def watch_gradients_of_any_output(nan_detector) -> None:
    """A training whose gradients become NaN ends in fairseq's ``FloatingPointError: gradients are Nan/Inf``, after
    the first module where one shows has been named.

    Why: fairseq takes the update again with a backward hook at each module. torch can't place one at a module
    whose output is a dictionary of lists, as every encoder's is: the run ended in an unrelated ``StopIteration``.
    Hooks at the output's tensors see the same gradients.
    Remove when fairseq's ``NanDetector`` doesn't use ``register_backward_hook``.
    """

    def add_hooks(self, module) -> None:
        if self.forward:
            self.fhooks.append(module.register_forward_hook(self.fhook_fn))
        if self.backward:
            self.bhooks.append(module.register_forward_hook(functools.partial(_watch, self)))

    nan_detector.add_hooks = add_hooks


def _watch(detector, module, inputs, output: Any) -> None:
    """A forward hook: show the detector the gradient of each tensor of an output."""
    if torch.is_tensor(output):
        if output.requires_grad:
            output.register_hook(lambda gradient: detector.bhook_fn(module, None, gradient))
    elif isinstance(output, (dict, list, tuple)):
        for part in output.values() if isinstance(output, dict) else output:
            _watch(detector, module, inputs, part)
