"""Reading weights that somebody else wrote: the safe loader or safetensors, and one clear line where it fails."""

import os
from typing import Any, Iterator

import torch
from torch import Tensor

from mass_plugins.compat.checkpoints import explained
from mass_plugins.errors import InputError


class _Meter:
    """In the place of the meters that fairseq kept in its checkpoints until 0.9; nothing reads them."""


_OLD_METERS = [(_Meter, f"fairseq.meters.{name}Meter") for name in ("Average", "Time", "Stopwatch")]


def read_weights(path: str) -> dict[str, Any]:
    """The content of a file of torch.save's or of safetensors', on the CPU.

    Raises:
        InputError: no such file, a damaged one, one that holds what could run a command, or no dictionary.
    """
    if not os.path.isfile(path):
        raise InputError(f"{path} doesn't exist; name a file of weights")
    content = _read_safetensors(path) if str(path).endswith(".safetensors") else _read_torch(path)
    if not isinstance(content, dict) or not content:
        raise InputError(f"{path} holds a {type(content).__name__}, not named weights; name a model's file")
    return content


def _read_torch(path: str) -> Any:
    try:
        with explained(path), torch.serialization.safe_globals(_OLD_METERS):
            return torch.load(path, map_location="cpu", weights_only=True)
    except (InputError, OSError, MemoryError):
        raise
    except Exception as error:  # of any kind, where the safe loader reads what was never a pickle
        raise InputError(f"{path} isn't a file of torch.save's ({type(error).__name__})") from None


def _read_safetensors(path: str) -> dict[str, Tensor]:
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError:
        raise InputError("safetensors isn't installed; pip install 'mass_plugins[transformers]'") from None
    try:
        return load_file(path)
    except SafetensorError as error:
        raise InputError(f"{path} is cut off or damaged ({str(error).splitlines()[0]}); copy it again") from None


class Weights:
    """Named tensors that are taken one by one; what is left over at the end was not understood.

    Args:
        path: the file, for messages.
        tensors: name -> tensor.
    """

    def __init__(self, path: str, tensors: Any):
        self.path = path
        if not isinstance(tensors, dict) or not all(isinstance(name, str) for name in tensors):
            raise InputError(f"{path} has no named weights where they are expected; give a model's file")
        others = [name for name, value in tensors.items() if not isinstance(value, Tensor)]
        if others:
            raise InputError(f"{path}: {others[0]!r} is a {type(tensors[others[0]]).__name__}, not a tensor")
        prefix = "module." if tensors and all(name.startswith("module.") for name in tensors) else ""
        self._tensors = {name[len(prefix) :]: tensor for name, tensor in tensors.items()}

    def __contains__(self, name: str) -> bool:
        return name in self._tensors

    def names(self, start: str) -> Iterator[str]:
        """Names that begin with ``start``."""
        return (name for name in [*self._tensors] if name.startswith(start))

    def size(self, name: str) -> int:
        """Rows of a tensor that is taken later; 0 if it is missing."""
        tensor = self._tensors.get(name)
        return len(tensor) if tensor is not None and tensor.dim() else 0

    def take(self, name: str, *shape: int) -> Tensor:
        """A tensor as float32; a size of -1 may be any but 0.

        Raises:
            InputError: it is missing, has another shape, or doesn't hold numbers alone.
        """
        if name not in self._tensors:
            raise InputError(f"{self.path} lacks {name}; it is cut down, or of another kind of model")
        tensor = self._tensors.pop(name)
        if tensor.layout != torch.strided or tensor.device.type == "meta" or tensor.is_nested:
            kind = "meta" if tensor.device.type == "meta" else str(tensor.layout).removeprefix("torch.")
            kind = "nested" if tensor.is_nested else kind
            raise InputError(f"{self.path}: {name} is a {kind} tensor, without all its numbers; save a plain one")
        if tensor.dim() != len(shape) or any(want not in (-1, size) for want, size in zip(shape, tensor.shape)):
            wanted = " x ".join("?" if size < 0 else str(size) for size in shape)
            raise InputError(f"{self.path}: {name} has the shape {tuple(tensor.shape)}, not {wanted}")
        if not tensor.is_floating_point():
            raise InputError(f"{self.path}: {name} holds {tensor.dtype}, not floating-point numbers")
        if 0 in tensor.shape:
            raise InputError(f"{self.path}: {name} is empty; the file is cut down")
        tensor = tensor.float()
        if not torch.isfinite(tensor).all():
            raise InputError(f"{self.path}: {name} holds NaN or infinity; its training failed, take an earlier one")
        return tensor

    def drop(self, *names: str) -> None:
        """Forget tensors that say nothing, where they are there."""
        for name in names:
            self._tensors.pop(name, None)

    def finish(self) -> None:
        """Raises InputError: a tensor was never taken, so the model is of another kind than was thought."""
        if self._tensors:
            first = min(self._tensors)
            raise InputError(f"{self.path} has {len(self._tensors)} weights of no known place, for instance {first}")


def count_layers(weights: Weights, start: str) -> int:
    """How many ``<start>0.``, ``<start>1.``, .. there are.

    Raises:
        InputError: none, or one is missing in between.
    """
    numbers = {name[len(start) :].split(".")[0] for name in weights.names(start)}
    if not numbers or numbers != {str(number) for number in range(len(numbers))}:
        raise InputError(f"{weights.path} has no layers {start}0, {start}1, ..; it is of another kind of model")
    return len(numbers)


def take_norm(source: Weights, theirs: str, weights: dict[str, Tensor], ours: str, width: int) -> None:
    for part in ("weight", "bias"):
        weights[f"{ours}.{part}"] = source.take(f"{theirs}.{part}", width)


def take_linear(source: Weights, theirs: str, weights: dict[str, Tensor], ours: str, rows: int, columns: int) -> int:
    """Take a linear layer; returns its number of outputs."""
    weights[f"{ours}.weight"] = source.take(f"{theirs}.weight", rows, columns)
    weights[f"{ours}.bias"] = source.take(f"{theirs}.bias", len(weights[f"{ours}.weight"]))
    return len(weights[f"{ours}.weight"])
