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
from probe.shapes import Inputs, Labels, References
from probe.tensors import column, rows_per_pass, spans


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
    That is Gauss-Legendre, exact where the gradient is a polynomial of degree 2 * steps - 1 along the path. Where the
    values of an example do not add up, its path is divided into 4, 16, ... pieces and each is integrated alone.
    """

    differentiates: ClassVar[bool] = True
    adds_up_to: ClassVar[Literal["", "baseline", "references"]] = "baseline"

    steps: int = param(50, "points on each piece of the path at which the gradient is taken", low=1, high=10**4)
    pieces: int = param(256, "most pieces that a path is divided into; 1 never divides it", low=1)
    tolerance: float = param(0.01, "residual, as a share of the change in output, above which a path is divided", low=0)

    def attribute(self, model: Model, inputs: Inputs, targets: Labels) -> Inputs:
        baseline = model.space.baseline(inputs)
        promised = model.answers(inputs, targets, self.output)
        promised = promised - model.answers(baseline.expand_as(inputs), targets, self.output)
        # Below a ten-thousandth in output units no division is worth its time.
        allowed = (self.tolerance * promised.abs()).clamp(min=1e-4)
        values, pieces = self._integrate(model, inputs, targets, baseline, 1), 4
        while pieces <= self.pieces:
            wrong = (values.flatten(1).sum(1) - promised).abs() > allowed
            if not bool(wrong.any()):
                break
            values[wrong] = self._integrate(model, inputs[wrong], targets[wrong], baseline, pieces)
            pieces *= 4
        return values

    def _integrate(self, model: Model, inputs: Inputs, targets: Labels, baseline: References, pieces: int) -> Inputs:
        """The integral over a path cut into pieces of equal length: the sum of theirs, which go through together."""
        size = rows_per_pass(inputs)
        method = captum.attr.IntegratedGradients(model.output(self.output))
        stride, total = (inputs - baseline) / pieces, torch.zeros_like(inputs)
        for span in spans(len(inputs) * pieces, size):
            place = torch.arange(span.start, span.stop, device=inputs.device)
            row, piece = place // pieces, column((place % pieces).to(inputs.dtype), inputs)
            start = baseline + piece * stride[row]
            part = method.attribute(
                start + stride[row],
                baselines=start,
                target=targets[row],
                n_steps=self.steps,
                method="gausslegendre",
                internal_batch_size=size,
            )
            total.index_add_(0, row, part.to(inputs.dtype))
        return total


def _gradient(output: str, model: Model, inputs: Inputs, targets: Labels) -> Inputs:
    """The gradient of each example's own output by its input."""

    def objective(logits: Tensor) -> Tensor:
        outputs = logits if output == "logit" else logits.softmax(-1)
        return outputs.gather(1, targets[:, None])

    return model.gradient(inputs, objective)[1]
