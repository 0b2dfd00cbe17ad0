"""Recurrent layers on an accelerator: in eval mode cuDNN has no backward pass, but torch's own kernels do."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from inspect import getclosurevars
from itertools import chain
from types import FunctionType, MethodType

import torch
from torch import nn

REFUSED = "cudnn RNN backward"  # as torch says it
REMEDY = (
    "the forward hides its recurrent layers, which cuDNN has no gradient of in eval mode; give Model the nn.Module "
    "itself, call the network within torch.backends.cudnn.flags(enabled=False), or use a method that needs no "
    "gradients, such as KernelShap or Lime"
)


def differentiable(*forwards: object) -> AbstractContextManager[None]:
    """A context for calls with gradients, in which recurrent layers on an accelerator use torch's kernels.

    Nothing changes for other networks, or without gradients. The process-wide setting is restored; the network is
    unchanged.
    """
    asked = {id(forward): forward for forward in forwards}.values()
    if not torch.is_grad_enabled() or not any(_is_recurrent(part) for each in asked for part in _modules(each)):
        return nullcontext()
    return torch.backends.cudnn.flags(enabled=False)


def _is_recurrent(module: nn.Module) -> bool:
    return isinstance(module, nn.RNNBase) and any(weight.device.type != "cpu" for weight in module.parameters())


def _modules(forward: object) -> Iterator[nn.Module]:
    """The modules of a forward: itself, or those that a function refers to."""
    if isinstance(forward, nn.Module):
        return _parts(forward)
    return chain.from_iterable(_parts(held) for held in _named(forward) if isinstance(held, nn.Module))


def _parts(module: nn.Module) -> Iterator[nn.Module]:
    """A module and all within it. Each pass with gradients looks at them, and torch's own walk is slow."""
    yield module
    for part in module._modules.values():
        if part is not None:
            yield from _parts(part)


def _named(forward: object) -> Iterator[object]:
    if isinstance(forward, partial):
        yield from (forward.func, *forward.args, *forward.keywords.values(), *_named(forward.func))
    elif isinstance(forward, MethodType):
        yield forward.__self__
        yield from getattr(forward.__self__, "__dict__", {}).values()
    elif isinstance(forward, FunctionType):
        names = getclosurevars(forward)
        yield from (*names.nonlocals.values(), *names.globals.values())
    else:
        yield from getattr(forward, "__dict__", {}).values()
