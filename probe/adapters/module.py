"""A torch module as a Model."""

from torch import nn

from probe.model import Model
from probe.space import Space


def from_module(module: nn.Module, space: Space, classes: tuple[str, ...], name: str = "model") -> Model:
    """A Model from an nn.Module in eval mode that returns logits."""
    return Model(forward=module, space=space, classes=classes, name=name)
