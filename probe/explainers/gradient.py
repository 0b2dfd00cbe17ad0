"""Explainers that use the gradient of the output with respect to the input."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from probe.contracts import Explainer, Need
from probe.errors import Unsupported
from probe.explainers.path import Paths, gradients, integrate
from probe.method import param
from probe.model import Model
from probe.numbers import Number
from probe.shapes import Inputs, Labels


@dataclass(frozen=True, kw_only=True)
class Saliency(Explainer):
    """The signed gradient of the output with respect to the input (arXiv:1312.6034).

    Values are in output units per input unit. They do not sum to the output.

    Raises:
        Unsupported: if the space has a category, since no step along a one-hot column leads to a real input.

    >>> import torch
    >>> from probe import Model
    >>> from probe.explainers import Saliency
    >>> weights = torch.tensor([[2.0, 0.0], [-1.0, 0.0]])
    >>> model = Model(forward=lambda x: x @ weights, classes=("yes", "no"))
    >>> Saliency()(model, torch.tensor([[0.5, 0.5]]), torch.tensor([0])).values
    tensor([[ 2., -1.]])
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"gradients"})
    reads_as: ClassVar[str] = (
        "The gradient: increasing what is red raises the {output} of the answer, increasing what is blue lowers it."
    )

    @property
    def slopes(self) -> bool:
        return True

    def attribute(self, model: Model, inputs: Inputs, targets: Labels) -> Inputs:
        if "category" in model.space.kinds:
            raise Unsupported(
                "saliency is the effect of a small step along a coordinate, and a category has none; "
                "use InputXGradient or IntegratedGradients, whose values add up over a category's columns"
            )
        return gradients(model, inputs, targets, self.output)


@dataclass(frozen=True, kw_only=True)
class InputXGradient(Explainer):
    """The gradient times the input, which is exact for a linear model (arXiv:1605.01713).

    Values are in output units. They add up to the output only where the model is linear and has no bias.

    >>> import torch
    >>> from probe import Model
    >>> from probe.explainers import InputXGradient
    >>> weights = torch.tensor([[2.0, 0.0], [-1.0, 0.0]])
    >>> model = Model(forward=lambda x: x @ weights, classes=("yes", "no"))
    >>> InputXGradient()(model, torch.tensor([[0.5, 0.25]]), torch.tensor([0])).values
    tensor([[ 1.0000, -0.2500]])
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"gradients"})

    def attribute(self, model: Model, inputs: Inputs, targets: Labels) -> Inputs:
        return inputs * gradients(model, inputs, targets, self.output)


@dataclass(frozen=True, kw_only=True)
class IntegratedGradients(Explainer):
    """The gradient averaged along the straight path from the mean reference, times its length (arXiv:1703.01365).

    Values are in output units and sum to output(input) - output(mean reference), up to the error of the quadrature.
    The path has four pieces of `steps` / 4 points each. Where the values of an example do not sum to that difference,
    its pieces with the largest residuals are halved, until the others together are within the tolerance. Each half has
    half as many points as a piece, and as many on a path of many pieces, but at most 3. Gauss-Legendre
    quadrature is exact where the gradient is a polynomial of degree 2 * points - 1 on a piece.

    >>> import torch
    >>> from probe import Model, Space
    >>> from probe.explainers import IntegratedGradients
    >>> forward = lambda x: torch.stack([4 * x[:, 0] * x[:, 1], torch.zeros(len(x))], 1)
    >>> model = Model(forward=forward, space=Space(reference=torch.zeros(1, 2)))
    >>> found = IntegratedGradients()(model, torch.tensor([[1.0, 0.5]]), torch.tensor([0]))
    >>> found.values  # their sum is 4 * 1.0 * 0.5, the output here minus that at the reference
    tensor([[1., 1.]])
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"gradients", "reference"})
    completeness: ClassVar[Literal["baseline", "references"] | None] = "baseline"

    steps: int = param(50, "quadrature points on the path, before it is divided further", low=1)
    pieces: int = param(512, "maximum number of pieces of a path; 1 never divides it", low=1)
    tolerance: Number = param(0.01, "relative residual above which a path is divided", low=0)

    def attribute(self, model: Model, inputs: Inputs, targets: Labels) -> Inputs:
        paths = Paths(model, model.space.baseline(inputs), inputs, targets, self.output)
        return integrate(paths, self.steps, self.pieces, self.tolerance).to(inputs.dtype)
