"""Gradient caching (Gao et al. 2021): a contrastive batch of any size in the memory of a few texts.

1. Represent all texts a few at a time without a graph. 2. Compute the loss of the representations and its gradient for
them. 3. Represent the same texts again, a few at a time with a graph, with the same dropout, and pass that gradient on.
The gradients are those of one large batch.
"""

from contextlib import nullcontext
from typing import Callable, ContextManager, Iterator, NamedTuple

import torch
from torch import Tensor

from mass_plugins.models.retriever import Represented


class _Chunk(NamedTuple):
    tokens: Tensor
    role: str
    state: Tensor  # of the generator, before the chunk


def _generator_state(device: torch.device) -> Tensor:
    return torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()


def _set_generator(state: Tensor, device: torch.device) -> None:
    torch.cuda.set_rng_state(state, device) if device.type == "cuda" else torch.set_rng_state(state)


def _join(parts: list[Represented]) -> Represented:
    """Chunks -> one, whose tensors are leaves that a gradient can be asked of."""
    joined = []
    for pieces in zip(*parts):
        joined.append(None if pieces[0] is None else torch.cat(pieces))
    for part in joined[:2]:
        if part is not None:
            part.requires_grad_()
    return Represented(*joined)


def backward_in_chunks(
    model,
    sample: dict,
    compare: Callable,
    backward: Callable[[Tensor], None],
    texts: int,
    scale: float = 1.0,
    autocast: Callable[[], ContextManager] = nullcontext,
):
    """What ``backward(compare(model(queries), model(passages), sample)[0])`` does, in less memory.

    Args:
        model: tokens and role -> :class:`Represented`.
        compare: two :class:`Represented` and the sample -> loss, sample size, what is logged.
        backward: of a loss, as the optimizer wants it.
        texts: represented at once.
        scale: the loss is multiplied by it; 0 for a dummy batch.
        autocast: makes the context in which texts are represented and compared; gradients are computed outside of it,
            as without caching: inside, the float32 products of ``compare`` would go back in bfloat16.

    Returns:
        what ``compare`` returned.
    """
    device = sample["queries"].device
    chunks, sides = [], []
    with torch.no_grad():
        for name, role in (("queries", "queries"), ("passages", "documents")):
            found = []
            for tokens in sample[name].split(texts):
                chunks.append(_Chunk(tokens, role, _generator_state(device)))
                with autocast():
                    found.append(model(tokens, role=role))
            sides.append(_join(found))
    after = _generator_state(device)
    with torch.enable_grad():
        with autocast():
            loss, size, logged = compare(*sides, sample)
        (loss * scale).backward()
    gradients = iter(_split(sides, texts))
    for number, chunk in enumerate(chunks):
        last = number == len(chunks) - 1
        _set_generator(chunk.state, device)
        with nullcontext() if last or not hasattr(model, "no_sync") else model.no_sync():
            with autocast():
                again = model(chunk.tokens, role=chunk.role).differentiable()
            backward(sum((part * wanted).sum() for part, wanted in zip(again, next(gradients))))
    _set_generator(after, device)
    return loss, size, logged


def _split(sides: list[Represented], texts: int) -> Iterator[list[Tensor]]:
    """The gradients of each chunk's parts."""
    for side in sides:
        pieces = [part.grad.split(texts) for part in side.differentiable()]
        yield from (list(parts) for parts in zip(*pieces))
