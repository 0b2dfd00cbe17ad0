"""Explainers that follow the gradient of the explained output by the input."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import captum.attr
import torch
from torch import Tensor

from probe.contracts import Explainer
from probe.errors import Unsupported
from probe.method import param
from probe.model import Model
from probe.shapes import Inputs, Labels
from probe.tensors import rows_per_pass, spans


@dataclass(frozen=True, kw_only=True)
class Saliency(Explainer):
    """The gradient, with its sign: how fast the output rises with each coordinate (arXiv:1312.6034).

    Values are in output units per input unit. They do not add up to anything.

    Raises:
        Unsupported: if the space has a category, since no step along a one-hot column leads to a real input.
    """

    differentiates: ClassVar[bool] = True

    def attribute(self, model: Model, inputs: Inputs, targets: Labels) -> Inputs:
        if "category" in model.space.kinds:
            raise Unsupported(
                "saliency asks what a small step along a coordinate does, and a category cannot take one; "
                "use InputXGradient or IntegratedGradients, whose values add up over a category's columns"
            )
        return _gradient(self.output, model, inputs, targets)


@dataclass(frozen=True, kw_only=True)
class InputXGradient(Explainer):
    """The gradient times the input, which for a linear model is each coordinate's share (arXiv:1605.01713).

    Values are in output units. They add up to the output only where the model is linear and has no bias.
    """

    differentiates: ClassVar[bool] = True

    def attribute(self, model: Model, inputs: Inputs, targets: Labels) -> Inputs:
        return inputs * _gradient(self.output, model, inputs, targets)


@dataclass(frozen=True, kw_only=True)
class IntegratedGradients(Explainer):
    """The gradient averaged along the straight path from the mean reference, times its length (arXiv:1703.01365).

    Values are in output units and sum to output(input) - output(mean reference), up to the error of the quadrature.
    That is Gauss-Legendre, exact where the gradient is a polynomial of degree 2 * steps - 1 along the path.
    """

    differentiates: ClassVar[bool] = True
    adds_up_to: ClassVar[Literal["", "baseline", "references"]] = "baseline"

    steps: int = param(50, "points on the path at which the gradient is taken", low=1)

    def attribute(self, model: Model, inputs: Inputs, targets: Labels) -> Inputs:
        size = rows_per_pass(inputs)
        parts = [self._integrate(model, inputs[rows], targets[rows], size) for rows in spans(len(inputs), size)]
        return torch.cat(parts)

    def _integrate(self, model: Model, inputs: Inputs, targets: Labels, size: int) -> Inputs:
        integral: Tensor = captum.attr.IntegratedGradients(model.output(self.output)).attribute(
            inputs,
            baselines=model.space.baseline(inputs),
            target=targets,
            n_steps=self.steps,
            method="gausslegendre",
            internal_batch_size=size,
        )
        return integral.to(inputs.dtype)


def _gradient(output: str, model: Model, inputs: Inputs, targets: Labels) -> Inputs:
    """The gradient of each example's own output by its input."""

    def objective(logits: Tensor) -> Tensor:
        outputs = logits if output == "logit" else logits.softmax(-1)
        return outputs.gather(1, targets[:, None])

    return model.gradient(inputs, objective)[1]
