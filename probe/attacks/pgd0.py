"""Gradient steps that change a number of pixels."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from probe.attacks.ascent import Ascent, Run, Search
from probe.ball import Reach
from probe.contracts import Aim, Attack, Need
from probe.draws import again, keys, uniform
from probe.method import param
from probe.model import Model
from probe.norms import NORMS
from probe.shapes import Inputs
from probe.tensors import column, wide
from probe.things import THINGS
from probe.threats import Edits, Threat


@dataclass(frozen=True, kw_only=True)
class PGD0(Attack):
    """Changes of at most so many pixels or columns, by projected gradient steps (Croce & Hein 2019, arXiv:1909.05040).

    Each step follows the gradient, divided by the mean of its sizes, and projects onto the changes of `eps` pixels
    within the bounds: those stay whose loss in squared distance would be largest, each moved as far as the bounds
    allow. A longer step counts the room of a pixel more, a shorter one its slope. A pixel counts once, whatever its
    channels; elsewhere each coordinate counts. The first restart starts at the input, the others at random values of
    random pixels. The best point of each example is kept.

    >>> import torch
    >>> from probe import Model, Space
    >>> from probe.attacks import PGD0
    >>> weight = torch.tensor([[3.0, -3.0], [4.0, -4.0], [2.0, -2.0]])
    >>> model = Model(forward=lambda x: x @ weight, space=Space(bounds=(-1.0, 1.0)))
    >>> found = PGD0(eps=1, step=2.0)(model, torch.tensor([[0.3, 0.4, 0.9], [0.9, 0.9, 0.9]]), torch.tensor([0, 0]))
    >>> found.success, found.perturbed[0]
    (tensor([ True, False]), tensor([ 0.3000, -1.0000,  0.9000]))
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"gradients"})
    threat: ClassVar[Threat] = Edits("pixel")

    eps: int = param(10, "most pixels to change; coordinates of other inputs", low=0)
    steps: int = param(40, "gradient steps in each restart", low=1)
    step: float = param(0.15, "mean size of the change of a coordinate, in units of the space's scale", above=0.0)
    restarts: int = param(1, "restarts; the first starts at the input, the others at random points", low=1)
    seed: int = param(0, "seed of the random starts", low=0)

    def perturb(self, model: Model, inputs: Inputs, aim: Aim) -> Inputs:
        def begin(restart: int, start: Tensor, reach: Reach, part: Aim) -> _Sparse:
            state = _Sparse.at(start, reach, part, step=self.step)
            if restart:
                origin = wide(reach.origin)
                drawn = uniform(again(keys(reach.origin, self.seed), restart), origin).view_as(origin)
                state.move((2 * drawn - 1) * self.step)
                state.best = state.x
            return state

        def run(restart: int) -> Run:
            return Run(lambda start, reach, part: begin(restart, start, reach, part), self.steps)

        search = Search(model.space, NORMS["linf"], inputs, aim, self.seed)
        search.climb(run(restart) for restart in range(self.restarts))
        return search.best


@dataclass(kw_only=True)
class _Sparse(Ascent):
    step: float

    def ascend(self, gradient: Tensor) -> None:
        # Divided by the largest entry first, so that the mean of a faint gradient does not underflow.
        largest = column(gradient.flatten(1).abs().amax(1), gradient)
        gradient = torch.where(largest > 0, gradient / torch.where(largest > 0, largest, 1.0), 0.0)
        mean = column(gradient.flatten(1).abs().mean(1), gradient)
        self.move(self.reach.change(self.x) + self.step * gradient / torch.where(mean > 0, mean, 1.0))

    def move(self, change: Tensor) -> None:
        """To the nearest valid point with so many changed pixels."""
        space, origin, pixel = self.reach.space, wide(self.reach.origin), THINGS["pixel"]
        valid = space.project(origin + change * space.scale_of(origin), origin)
        moved = space.scaled_change(valid, origin)
        spared = moved * (2 * change - moved)  # how much less of the squared distance to the step is left
        order = pixel.sizes(spared).argsort(dim=1, descending=True, stable=True).argsort(dim=1)
        kept = pixel.spread(order < self.aim.budget[:, None], origin)
        self.x = torch.where(kept, valid.to(self.reach.origin.dtype), self.reach.origin)
