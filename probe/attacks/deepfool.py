"""Steps to the nearest linearised boundary."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from probe.attacks.ascent import loss_and_gradient
from probe.attacks.losses import towards
from probe.attacks.minimal import Shortest, crossing
from probe.attacks.shortest import to_boundary
from probe.ball import place, room, uphill
from probe.contracts import Aim, Attack, Need
from probe.method import param
from probe.model import Model
from probe.norms import NORMS
from probe.shapes import Inputs
from probe.space import Space
from probe.task.arrays import rivals
from probe.tensors import column, parted, wide
from probe.threats import Ball, Threat

LONGEST = 100.0  # share by which a change is lengthened at most


@dataclass(frozen=True, kw_only=True)
class DeepFool(Attack):
    """Steps to the nearest boundary of the linearised model (Moosavi-Dezfooli et al. 2016, arXiv:1511.04599).

    Each step linearises the margins of the likeliest classes over the label, and goes to where the nearest of them is
    0. The change is then lengthened by `overshoot`, and the steps end once it reaches the goal. Such a path is no
    straight line, so that shorter changes exist: each of the `returns` projects the input itself onto the boundary as
    it is where it was crossed, or, where that falls short, the point (after arXiv:2303.12481); a bisection shortens the
    shortest. Of a linear model the length before that is the distance to the boundary times 1 + overshoot. Where the
    space leaves a coordinate no room, it does not count as one that could move. Where a step leads nowhere, as at a
    boundary that whole numbers do not cross or within the margin of a goal, the overshoot is doubled.

    >>> import torch
    >>> from probe import Model, Space
    >>> from probe.attacks import DeepFool
    >>> weight = torch.tensor([[3.0, -3.0], [4.0, -4.0]])
    >>> model = Model(forward=lambda x: x @ weight, space=Space(bounds=(-9.0, 9.0)))
    >>> result = DeepFool(halvings=0)(model, torch.tensor([[0.3, 0.4]]), torch.tensor([0]))
    >>> round(float(result.length), 2)
    0.51
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"gradients"})
    budget: ClassVar[str] = ""

    norm: Literal["linf", "l2", "l1"] = param("l2", "norm of the change")
    steps: int = param(50, "linearisations at most", low=1)
    candidates: int = param(9, "likeliest wrong classes that are linearised, a gradient for each", low=1)
    overshoot: float = param(0.02, "share by which the change is lengthened", low=0.0)
    returns: int = param(10, "steps along the boundary once it was crossed, a gradient each", low=0)
    halvings: int = param(8, "steps of the final bisection, one query each", low=0)

    @property
    def threat(self) -> Threat:
        return Ball(NORMS[self.norm].p)

    def perturb(self, model: Model, inputs: Inputs, aim: Aim) -> Inputs:
        space, norm = model.space, NORMS[self.norm]
        classes = self._classes(inputs, aim)
        shortest = Shortest(self.threat, space, inputs, aim)
        found, rows, part = inputs.clone(), torch.arange(len(inputs), device=inputs.device), aim
        origin, change = inputs, torch.zeros_like(wide(inputs))
        point = inputs
        longer = torch.full_like(aim.budget, self.overshoot)
        for _ in range(self.steps):
            distance, slope = self._nearest(model, point, part, classes)
            step = uphill(space, norm, point, slope, distance * (1 + 1e-4))
            base = place(space, origin, change + step, norm.p, torch.inf)
            before, change = change, space.scaled_change(wide(base), wide(origin))
            stays = (change == before).flatten(1).all(1)
            longer = torch.where(stays, (2 * longer).clamp(0.01, LONGEST), longer)
            point = place(space, origin, change * column(1 + longer, change).to(change.dtype), norm.p, torch.inf)
            _, reached = part.ask(point)
            others, there = parted(reached)
            found[rows[there]] = point[there]
            rows, part, longer = rows[others], part[others], longer[others]
            origin, change, point = origin[others], change[others], point[others]
            classes = None if classes is None else classes[others]
            if len(rows) == 0:
                break
        shortest.seen(found, (found != inputs).flatten(1).any(1))
        self._return(space, shortest, aim)
        return shortest.draw_in(aim, self.halvings)

    def _return(self, space: Space, shortest: Shortest, aim: Aim) -> None:
        """Shorter changes: from the inputs to the boundary as it is where it was crossed."""
        rows = shortest.length.isfinite().nonzero()[:, 0]
        origin, part, p = shortest.inputs[rows], crossing(aim[rows]), NORMS[self.norm].p
        here = Shortest(self.threat, space, origin, part)
        point = shortest.found[rows]
        for _ in range(self.returns if len(rows) else 0):
            loss, reached, gradient = loss_and_gradient(space, point, part)
            here.seen(point, reached)
            change = space.scaled_change(wide(point), wide(origin))
            # Where the goal is reached, the input is projected onto the boundary; elsewhere the point itself.
            start, missing = torch.where(column(reached, origin), origin, point), -loss.to(change.dtype)
            missing = torch.where(reached, missing + (gradient * change).flatten(1).sum(1), missing)
            step = to_boundary(space, p, start, gradient, missing)
            change = torch.where(column(reached, change), 0.0, change) + step
            point = place(space, origin, (1 + self.overshoot) * change, p, torch.inf)
        if self.returns and len(rows):
            here.seen(point, part.ask(point)[1])
            found, reached = shortest.inputs.clone(), torch.zeros_like(shortest.length, dtype=torch.bool)
            found[rows], reached[rows] = here.found, here.length.isfinite()
            shortest.seen(found, reached)

    def _classes(self, inputs: Inputs, aim: Aim) -> Tensor | None:
        """The classes whose boundaries are looked at; None where there is one boundary."""
        task = aim.model.task
        if not task.one_class or aim.goal.answer != "wrong":
            return None
        return rivals(aim.model.logits(inputs, rows=aim.rows), aim.labels, self.candidates)

    def _nearest(self, model: Model, point: Inputs, aim: Aim, classes: Tensor | None) -> tuple[Tensor, Tensor]:
        """The distance to the nearest linearised boundary, and the gradient of its margin."""
        aims = [crossing(aim)] if classes is None else [towards(aim, target) for target in classes.unbind(1)]
        nearest: Tensor | None = None
        for each in aims:
            loss, _, gradient = loss_and_gradient(model.space, point, each)
            gradient = gradient * (room(model.space, point, gradient) > 0)
            steepness = (NORMS[self.norm].steepest(gradient) * gradient).flatten(1).sum(1)
            distance = torch.where(steepness > 0, (-loss).clamp(min=0).to(steepness.dtype) / steepness, torch.inf)
            if nearest is None:
                nearest, slope = distance, gradient
            else:
                slope = torch.where(column(distance < nearest, gradient), gradient, slope)
                nearest = torch.minimum(distance, nearest)
        assert nearest is not None, "there is at least one boundary"
        return nearest.nan_to_num(posinf=0.0), slope


@dataclass(frozen=True, kw_only=True)
class SuperDeepFool(DeepFool):
    """DeepFool that goes on along the boundary to where it is nearer (Abdollahpour et al. 2024, arXiv:2303.12481).

    DeepFool ends where it has crossed the boundary. SuperDeepFool projects the input on the boundary as it is there,
    and again where that leads, so that the change becomes orthogonal to the boundary: that of the least length.
    `DeepFool` does so too unless its `returns` are 0; this is that by its own name.

    >>> import torch
    >>> from probe import Model, Space
    >>> from probe.attacks import DeepFool, SuperDeepFool
    >>> model = Model(  # its boundary is a parabola
    ...     forward=lambda x: torch.stack([3 * x[:, 0] + x[:, 1] ** 2, 0 * x[:, 0] + 4], 1), space=Space(bounds=(-9, 9))
    ... )
    >>> x, y = torch.tensor([[0.1, 1.0]]), torch.tensor([1])
    >>> [round(float(attack(model, x, y).length), 3) for attack in (DeepFool(returns=0), SuperDeepFool())]
    [0.707, 0.695]
    """

    returns: int = param(10, "steps along the boundary once it was crossed, a gradient each", low=1)
