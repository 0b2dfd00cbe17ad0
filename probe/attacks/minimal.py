"""What attacks that minimise the change share, and DDN: one run gives the result at every budget."""

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from probe.attacks.ascent import loss_and_gradient
from probe.attacks.losses import climbing
from probe.ball import place
from probe.contracts import Aim, Attack, Need
from probe.method import param
from probe.model import Model
from probe.norms import NORMS
from probe.shapes import Inputs
from probe.space import Space
from probe.tensors import column, wide
from probe.threats import Ball, Threat


class Shortest:
    """For each example the shortest change that reached the goal so far; the input itself if none did."""

    def __init__(self, threat: Threat, space: Space, inputs: Inputs, aim: Aim) -> None:
        self.threat, self.space, self.inputs = threat, space, inputs
        self.found, self.length = inputs, torch.full_like(aim.budget, torch.inf)

    def seen(self, points: Inputs, reached: Tensor) -> Tensor:
        """Keep the points that reach the goal nearer than those before; returns their lengths."""
        length = self.threat.length(self.space, points, self.inputs).to(self.length.dtype)
        better = reached & (length < self.length)
        self.found = torch.where(column(better, points), points, self.found)
        self.length = torch.where(better, length, self.length)
        return length

    def draw_in(self, aim: Aim, halvings: int) -> Inputs:
        """The shortest changes, after a bisection of the way from each input to its point; `halvings` queries each."""
        start = wide(self.inputs)
        change, least = wide(self.found) - start, torch.zeros_like(self.length)
        most = torch.ones_like(least)
        for _ in range(halvings):
            share = (least + most) / 2
            point = start + column(share, start).to(start.dtype) * change
            point = self.space.project(point, start).to(self.inputs.dtype)
            _, reached = aim.ask(point)
            self.seen(point, reached)
            least, most = torch.where(reached, least, share), torch.where(reached, share, most)
        return self.found


class Weight(NamedTuple):
    """The weight of the margin against the length, for each example, searched by bisection from round to round."""

    now: Tensor
    least: Tensor  # the largest with which the goal was not reached
    most: Tensor  # the smallest with which it was

    @classmethod
    def of(cls, aim: Aim, first: float) -> "Weight":
        now = torch.full_like(aim.budget, first)
        return cls(now, torch.zeros_like(now), torch.full_like(now, torch.inf))

    def after(self, reached: Tensor) -> "Weight":
        """That of the next round: smaller where the goal was reached, else larger."""
        least, most = torch.where(reached, self.least, self.now), torch.where(reached, self.now, self.most)
        return Weight(torch.where(most.isfinite(), (least + most) / 2, self.now * 10), least, most)


def crossing(aim: Aim) -> Aim:
    """The aim with a loss that is 0 at the boundary: the margin of classes, else the goal's own loss."""
    return climbing(aim, "margin") if aim.goal.answer and aim.model.task.one_class else aim


@dataclass(frozen=True, kw_only=True)
class DDN(Attack):
    """Minimal L2 change, with decoupled direction and norm (Rony et al. 2019, arXiv:1811.09600).

    Each step ascends the loss and projects onto a sphere around the input. The radius shrinks by the factor 1 - gamma
    where the goal is reached, and grows by 1 + gamma where it is not. The shortest change that reached the goal is
    kept, so its length is an upper bound of the distance to the decision boundary. Where the boundary is flat it is
    within gamma of that distance, provided it is within reach: the radius can shrink to (1 - gamma)^steps of the first
    one.

    Example:
        >>> import torch
        >>> from probe import Model, Space
        >>> weight = torch.tensor([[3.0, -3.0], [4.0, -4.0]])
        >>> model = Model(forward=lambda x: x @ weight, space=Space(bounds=(-9.0, 9.0)))
        >>> result = DDN()(model, torch.tensor([[0.3, 0.4]]), torch.tensor([0]))
        >>> round(float(result.length), 1)
        0.5
        >>> result.within(0.4).success.tolist()
        [False]
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"gradients"})
    budget: ClassVar[str] = ""
    threat: ClassVar[Threat] = Ball(2.0)

    steps: int = param(100, "gradient steps", low=1)
    radius: float = param(1.0, "initial radius and step length, in units of the space's scale", above=0.0)
    gamma: float = param(0.05, "relative change of the radius at each step", above=0.0, below=1.0)

    def perturb(self, model: Model, inputs: Inputs, aim: Aim) -> Inputs:
        space, norm, origin = model.space, NORMS["l2"], wide(inputs)
        shortest, current = Shortest(self.threat, space, inputs, aim), inputs
        radius = torch.full((len(inputs),), self.radius, dtype=origin.dtype, device=origin.device)
        for at in range(self.steps):
            _, reached, gradient = loss_and_gradient(space, current, aim)
            shortest.seen(current, reached)
            radius = radius * torch.where(reached, 1 - self.gamma, 1 + self.gamma)
            # Cosine decay from the first length to a hundredth of it.
            share = 0.01 + 0.99 * (1 + math.cos(math.pi * at / self.steps)) / 2
            change = (wide(current) - origin) / space.scale_of(origin) + share * self.radius * norm.steepest(gradient)
            current = place(space, inputs, column(radius, inputs) * norm.steepest(change), norm.p, radius)
        _, reached = aim.ask(current)
        shortest.seen(current, reached)
        return shortest.found
