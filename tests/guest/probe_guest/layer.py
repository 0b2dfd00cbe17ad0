"""An explainer that reads a layer."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from probe.contracts import Explainer, Need
from probe.method import param
from probe.model import Model
from probe.shapes import Inputs, Labels


@dataclass(frozen=True, kw_only=True)
class ThroughLayer(Explainer):
    """The input times the part of the gradient that passes through the active units of one layer."""

    needs: ClassVar[frozenset[Need]] = frozenset({"gradients", "layers"})

    layer: str = param("", "name of the layer; the first that has no others inside where none is named")

    def attribute(self, model: Model, inputs: Inputs, targets: Labels) -> Inputs:
        inside = model.layers()
        layer = self.layer or next(name for name, module in inside.items() if not list(module.children()))

        def active(output: torch.Tensor) -> torch.Tensor:
            return torch.where(output > 0, output, output.detach())

        with model.edited({layer: active}) as other:
            task = other.task
            _, gradient = other.gradient(inputs, lambda z: task.pick(task.explained(z, self.output), targets))
        return inputs * gradient
