"""Minimal changes by steps along the boundary and back towards the input."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

from probe.attacks.ascent import loss_and_gradient
from probe.attacks.losses import towards
from probe.attacks.minimal import Shortest, crossing
from probe.attacks.shortest import size, to_boundary
from probe.ball import place
from probe.contracts import Aim, Attack, Need
from probe.method import param
from probe.model import Model
from probe.norms import NORMS
from probe.shapes import Inputs
from probe.space import Space
from probe.task.arrays import rivals
from probe.tensors import parted, wide
from probe.threats import Ball, Threat


@dataclass(frozen=True, kw_only=True)
class FAB(Attack):
    """Minimal change by steps to the boundary, biased towards the input (Croce and Hein 2020, arXiv:1907.02044).

    It is the targeted form, FAB-T: for each of the likeliest wrong classes in turn, each step projects the point and
    the input on the boundary where the linearised margin of that class over the label is 0, within the space, and goes
    to a mean of both, a little beyond. Where the goal is reached, the point is drawn in towards the input by the factor
    `beta`. The shortest change that reached the goal is kept, and shortened by a bisection. A goal with a target, or
    one of no class, has one boundary.

    >>> import torch
    >>> from probe import Model, Space
    >>> from probe.attacks import FAB
    >>> weight = torch.tensor([[3.0, -3.0], [4.0, -4.0]])
    >>> model = Model(forward=lambda x: x @ weight, space=Space(bounds=(-9.0, 9.0)))
    >>> x, y = torch.tensor([[0.3, 0.4]]), torch.tensor([0])
    >>> [round(float(FAB(norm=norm, steps=8)(model, x, y).length), 2) for norm in ("linf", "l2", "l1")]
    [0.36, 0.5, 0.63]
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"gradients"})
    budget: ClassVar[str] = ""

    norm: Literal["linf", "l2", "l1"] = param("l2", "norm of the change")
    steps: int = param(100, "steps towards each class", low=1)
    candidates: int = param(9, "likeliest wrong classes that it steps towards", low=1)
    bias: float = param(0.1, "largest weight of the projected input in a step", low=0.0, high=1.0)
    overshoot: float = param(0.05, "share by which steps go beyond the boundary", low=0.0)
    beta: float = param(0.9, "factor by which a change that reaches the goal is shortened", above=0.0, below=1.0)
    halvings: int = param(5, "steps of the final bisection, one query each", low=0)

    @property
    def threat(self) -> Threat:
        return Ball(NORMS[self.norm].p)

    def perturb(self, model: Model, inputs: Inputs, aim: Aim) -> Inputs:
        shortest = Shortest(self.threat, model.space, inputs, aim)
        many = boundaries(inputs, aim, self.candidates)
        # Side by side: many rows at once take less time than few rows often.
        each = Shortest(self.threat, model.space, inputs.repeat_interleave(len(many) // len(aim), 0), many)
        self.walk(model.space, each, many)
        nearest = each.length.view(len(aim), -1).argmin(1)
        nearest = nearest + torch.arange(len(aim), device=nearest.device) * (len(many) // len(aim))
        shortest.found, shortest.length = each.found[nearest], each.length[nearest]
        return shortest.draw_in(aim, self.halvings)

    def walk(self, space: Space, shortest: Shortest, aim: Aim) -> None:
        """Steps from the inputs to the boundary of one loss; what reaches the goal goes to `shortest`."""
        p, origin = NORMS[self.norm].p, wide(shortest.inputs)
        point, change = shortest.inputs, torch.zeros_like(origin)
        for _ in range(self.steps):
            loss, reached, gradient = loss_and_gradient(space, point, aim)
            shortest.seen(point, reached)
            rows = parted(reached)[1]
            if len(rows):
                drawn = place(space, shortest.inputs[rows], self.beta * change[rows], p, torch.inf)
                point, change = point.clone(), change.clone()
                point[rows], change[rows] = drawn, space.scaled_change(wide(drawn), origin[rows])
                loss[rows], there, gradient[rows] = loss_and_gradient(space, drawn, aim[rows])
                reached[rows] = there
                shortest.seen(point, reached)
            missing = -loss.to(origin.dtype)
            here = to_boundary(space, p, point, gradient, missing)
            there_from_input = to_boundary(
                space, p, shortest.inputs, gradient, missing + (gradient * change).flatten(1).sum(1)
            )
            near, far = size(p, here).clamp(min=1e-8), size(p, there_from_input).clamp(min=1e-8)
            weight = (near / (near + far)).clamp(max=self.bias)
            beyond = 1 + self.overshoot
            change = (1 - weight) * (change + beyond * here) + weight * beyond * there_from_input
            point = place(space, shortest.inputs, change, p, torch.inf)
            change = space.scaled_change(wide(point), origin)
        _, reached = aim.ask(point)
        shortest.seen(point, reached)


def boundaries(inputs: Inputs, aim: Aim, candidates: int) -> Aim:
    """The aim whose loss is 0 at a boundary; where there are several, with as many rows of each example in a row.

    They are those of the likeliest wrong classes, or the only one.
    """
    if not aim.model.task.one_class or aim.goal.answer != "wrong":
        return crossing(aim)
    likely = rivals(aim.model.logits(inputs, rows=aim.rows), aim.labels, candidates)
    return towards(aim.repeated(likely.shape[1]), likely.flatten())
