"""Steps along the accumulated gradient."""

from dataclasses import dataclass

import torch
from torch import Tensor

from probe.attacks.ascent import Ascent, IteratedAttack
from probe.ball import Reach
from probe.contracts import Aim
from probe.method import param
from probe.model import Model
from probe.numbers import Number
from probe.shapes import Inputs
from probe.tensors import column, wide


@dataclass(frozen=True, kw_only=True)
class MIFGSM(IteratedAttack):
    """Steps along the sum of past gradients, each divided by its L1 norm (Dong et al. 2018, arXiv:1710.06081).

    The sum is multiplied by `decay` before each gradient is added: with 0 it is BIM. Momentum makes the changes that it
    finds carry over to other models more often. The best point of each example is kept.

    >>> import torch
    >>> from probe import Model
    >>> from probe.attacks import MIFGSM
    >>> weights = torch.tensor([[2.0, -2.0], [-1.0, 1.0]])
    >>> model = Model(forward=lambda x: x @ weights, classes=("yes", "no"))
    >>> x, y = torch.tensor([[0.5, 0.5], [1.0, 0.0]]), torch.tensor([0, 0])
    >>> found = MIFGSM(eps="1/4")(model, x, y)
    >>> found.success, found.perturbed[1]
    (tensor([ True, False]), tensor([0.7500, 0.2500]))
    """

    steps: int = param(10, "gradient steps in each restart", low=1)
    step: Number | None = param(None, "length of every step, in radii; by default 1/steps", above=0.0)
    decay: float = param(1.0, "decay factor of the sum of past gradients", low=0.0)
    seed: int = param(0, "seed of the random starts", low=0)

    def perturb(self, model: Model, inputs: Inputs, aim: Aim) -> Inputs:
        share = 1 / self.steps if self.step is None else self.step

        def begin(start: Tensor, reach: Reach, part: Aim) -> _Accumulating:
            length = (share * part.budget).to(wide(start).dtype)
            total = torch.zeros_like(wide(start))
            return _Accumulating.at(start, reach, part, length=length, total=total, decay=self.decay)

        return self.climbed(model.space, inputs, aim, begin, self.seed)


@dataclass(kw_only=True)
class _Accumulating(Ascent):
    length: Tensor  # of each step, in units of the space's scale
    total: Tensor  # the decaying sum of gradients
    decay: float

    def ascend(self, gradient: Tensor) -> None:
        # Divided by the largest entry first, so that the sum of a faint gradient does not underflow.
        largest = column(gradient.flatten(1).abs().amax(1), gradient)
        gradient = torch.where(largest > 0, gradient / largest.where(largest > 0, torch.ones_like(largest)), 0.0)
        size = column(gradient.flatten(1).abs().sum(1).clamp(min=1), gradient)
        self.total = self.decay * self.total + gradient / size
        self.x = self.reach.nearest(self.reach.uphill(self.x, self.total, self.length))
