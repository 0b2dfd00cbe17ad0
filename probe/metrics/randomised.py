"""Shared by metrics that randomise a network: copies with random weights, and how alike two explanations are."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from itertools import count
from typing import Any

import numpy as np
import torch
from torch import nn

from probe.errors import Unsupported
from probe.internals import sealed_as
from probe.model import Model
from probe.shapes import Inputs, PerExample, PerFeature
from probe.statistics import rank_correlation
from probe.tensors import generator, spans, to_numpy


def cascade(model: Model, inputs: Inputs, stages: int, seed: int, what: str) -> Iterator[Model]:
    """Copies of a model with random weights in more and more layers, from the last one called to the first.

    Layers are taken in at most `stages` groups, and the last copy is random as a whole. Weights are drawn from a normal
    distribution with the mean and the standard deviation of the parameter that they replace; one with a single number
    keeps it. The user's network is only copied.

    Raises:
        Unsupported: if the model is a function, is edited, cannot be copied or has no weights to randomise.
    """
    if not isinstance(model.forward, nn.Module) or sealed_as(model.forward):
        model.layers()  # which says why there is nothing inside
    if model.edits:
        raise Unsupported(f"{what} randomises the weights of a copy, and edits are of one network; give it unedited")
    try:
        network = deepcopy(model.forward)
    except (RuntimeError, TypeError) as error:
        raise Unsupported(
            f"{what} randomises the weights of a copy, and {model.name} cannot be copied: {error}"
        ) from error
    assert isinstance(network, nn.Module)
    copied = replace(model, forward=network)
    ordered = _top_down(copied, network, inputs[:1])
    if not ordered:
        raise Unsupported(f"{what} randomises weights, and {model.name} has none that vary; leave this metric out")
    source = generator(seed, torch.device("cpu"))
    for group in spans(len(ordered), -(-len(ordered) // stages)):
        for parameters in ordered[group]:
            for each in parameters:
                _randomise(each, source)
        yield copied


def alike(one: PerFeature, other: PerFeature) -> PerExample:
    """Spearman's rank correlation of two explanations of each example, over features that either gives a value.

    It is 1 where both are constant, as they say the same, and 0 where one is.
    """
    both = zip(to_numpy(one).astype(np.float64), to_numpy(other).astype(np.float64), strict=True)
    found = [_alike(mine, theirs) for mine, theirs in both]
    return torch.tensor(found, dtype=torch.get_default_dtype()).to(one.device)


def _alike(one: Any, other: Any) -> float:
    shown = (one != 0) | (other != 0)
    one, other = one[shown], other[shown]
    varied = [len(np.unique(each)) > 1 for each in (one, other)]
    return rank_correlation(one, other) if all(varied) else float(not any(varied))


def _top_down(model: Model, network: nn.Module, inputs: Inputs) -> list[list[nn.Parameter]]:
    """The parameters of each layer that vary, last called first; each parameter once."""
    calls: dict[str, int] = {}
    numbers = count()
    named = dict(network.named_modules())
    handles = [
        layer.register_forward_pre_hook(lambda *_, name=name: calls.update({name: next(numbers)}))
        for name, layer in named.items()
        if not isinstance(layer, torch.jit.ScriptModule)
    ]
    try:
        model.logits(inputs)
    finally:
        for handle in handles:
            handle.remove()

    def last_called(name: str) -> int:
        """When its last call began; of a layer that is not called itself, such as in attention, that around it."""
        while name and name not in calls:
            name = name.rpartition(".")[0]
        return calls.get(name, -1)

    seen: set[int] = set()
    found = []
    for name in sorted(named, key=last_called, reverse=True):
        own = [each for each in named[name].parameters(recurse=False) if id(each) not in seen and _varies(each)]
        seen |= {id(each) for each in own}
        found += [own] if own else []
    return found


def _varies(parameter: nn.Parameter) -> bool:
    # A bias that is 0 throughout stays so in any case.
    return parameter.is_floating_point() and bool((parameter != parameter.flatten()[:1]).any())


@torch.no_grad()
def _randomise(parameter: nn.Parameter, source: torch.Generator) -> None:
    numbers = parameter.detach().double().cpu()
    drawn = torch.randn(numbers.shape, generator=source, dtype=torch.float64)
    parameter.copy_((numbers.mean() + numbers.std(correction=0) * drawn).to(parameter))
