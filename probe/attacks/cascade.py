"""A cascade of gradient runs, each on the examples that withstood those before it."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import cycle
from typing import NamedTuple

import torch
from torch import Tensor

from probe.attacks.ascent import Ascent, Begin, GradientAttack, Momentum, Run, Search, loss_and_gradient
from probe.attacks.losses import climbing, towards
from probe.ball import Reach
from probe.contracts import Aim
from probe.method import param
from probe.model import Model
from probe.norms import NORMS, Norm
from probe.shapes import Inputs
from probe.space import Space
from probe.task.arrays import rivals
from probe.tensors import parted, wide


class Leg(NamedTuple):
    """One of the runs: how long, from where and up what."""

    steps: int
    first: float  # the length of its first step, in radii; the last ones are short
    anew: bool = True  # whether it starts at a random point
    place: int | None = None  # of the class that it aims at, from the nearest; None: it climbs the goal's own loss

    def begun(self, nearest: "Nearest") -> Begin:
        """The leg from any start."""

        def begin(start: Tensor, reach: Reach, aim: Aim) -> Ascent:
            own = aim if self.place is None else nearest.aim(reach.origin, aim, self.place)
            length = (self.first * own.budget).to(wide(start).dtype)
            return _Cosine.at(start, reach, own, before=start, length=length, steps=self.steps)

        return begin


START = Leg(40, 2.0, anew=False)
# Shares of the way to the goal from which an example gets the long run, and further rounds. On `fashion-certified` none
# of 422 that withstood the first runs fell to either; on `fashion-robust` the six of 300 that did had come all the way.
HALF, NEAR = 0.5, 0.75
ROUND = (Leg(30, 2.0, place=0), Leg(30, 2.0, place=1), Leg(100, 1.0))


@dataclass(frozen=True, kw_only=True)
class Cascade(GradientAttack):
    """Runs of different losses, targets and starts, each on the examples that withstood those before it.

    1. From the input, 40 steps up the goal's loss: the log-odds of an error.
    2. From random points, 30 steps up the margin of each of the two classes that are the nearest to first order: the
       logit to gain, divided by the norm of its gradient at the input (MALT, Melamed et al. 2024, arXiv:2407.02240).
    3. From another random point, 100 steps up the goal's loss, with shorter steps, for the examples whose loss did
       not rise, or came half of the way from its value at the input to 0, where an error is likelier than the label.
    4. 2 and 3 again from other points, while steps are left, for those whose loss came three quarters of the way.

    The first step of a run is two radii long, in 3 one; the next ones shrink to zero along a cosine, and each continues
    a quarter of the last. With two classes both runs of 2 aim at the other class, and a goal with a target at that
    target. For other tasks and goals, such as a Shift of a regression, every run climbs the goal's own loss.

    >>> import torch
    >>> from probe import Model, Space
    >>> from probe.attacks import Cascade
    >>> weights = torch.tensor([[0.0, 0.45, -20.0]])  # the third class is far down, and steep
    >>> model = Model(forward=lambda x: x @ weights + torch.tensor([0.5, 0.4, -3.45]), space=Space(bounds=(-1, 1)))
    >>> x, y = torch.tensor([[0.0]]), torch.tensor([0])
    >>> Cascade(eps=0.2)(model, x, y).success, Cascade(eps=0.2, steps=40)(model, x, y).success
    (tensor([True]), tensor([False]))
    """

    steps: int = param(
        680, "gradient steps of an example that withstands; those beyond 100 only where it came near the goal", low=1
    )
    candidates: int = param(9, "most likely classes among which the nearest are looked for", low=1)
    seed: int = param(0, "seed of the random starts", low=0)

    def perturb(self, model: Model, inputs: Inputs, aim: Aim) -> Inputs:
        search = Search(model.space, NORMS[self.norm], inputs, aim, self.seed)
        nearest = Nearest(search.space, search.norm, self.candidates)

        def climb(legs: Iterable[Leg], steps: int) -> None:
            search.climb(Run(leg.begun(nearest), leg.steps, anew=leg.anew) for leg in _within(steps, legs))

        first, last = (START, *ROUND[:-1]), ROUND[-1:]
        climb(first, self.steps)
        rows, further = search.remaining, self.steps - sum(leg.steps for leg in first)
        if further > 0 and len(rows):
            before = torch.zeros_like(search.loss)
            before[rows], _ = aim[rows].ask(inputs[rows])
            # Where the loss did not rise, its gradient may be none, and another start may find one.
            hopeful = (search.loss >= (1 - HALF) * before) | (search.loss <= before)
            search.remaining = rows[parted(hopeful[rows])[1]]
            climb(last, further)
            rows = search.remaining
            search.remaining = rows[parted(search.loss[rows] >= (1 - NEAR) * before[rows])[1]]
            climb(cycle(ROUND), further - sum(leg.steps for leg in last))
        return search.best


def _within(steps: int, legs: Iterable[Leg]) -> Iterator[Leg]:
    """Legs until the steps are spent; the last may be cut short."""
    for leg in legs:
        if steps <= 0:
            return
        yield leg._replace(steps=min(leg.steps, steps))
        steps -= leg.steps


class Nearest:
    """The classes that are the nearest to each example, found once, when the first run asks for them."""

    def __init__(self, space: Space, norm: Norm, candidates: int) -> None:
        self.space, self.norm, self.candidates = space, norm, candidates
        self.known: tuple[Tensor, Tensor] | None = None  # the rows that were asked for, and their classes

    def aim(self, origin: Inputs, aim: Aim, place: int) -> Aim:
        """The aim at the class at this place, from the nearest; at the only one, if there is one."""
        goal, task = aim.goal, aim.model.task
        if not task.one_class or not goal.answer:
            return aim
        if aim.targets is not None:
            return climbing(aim, "margin")
        if self.known is None:
            self.known = aim.rows, by_distance(self.space, self.norm, origin, aim, self.candidates)
        rows, classes = self.known
        if classes.shape[1] == 1:  # the goal's own loss is that of the other class
            return aim
        chosen = classes[torch.searchsorted(rows, aim.rows)]
        return towards(aim, chosen[:, place % classes.shape[1]])


def by_distance(space: Space, norm: Norm, inputs: Inputs, aim: Aim, candidates: int) -> Tensor:
    """The most likely classes besides the label, by their distance to first order, (batch, classes), nearest first."""
    logits = wide(aim.model.logits(inputs, rows=aim.rows))
    likely = rivals(logits, aim.labels, candidates)
    distances = []
    for target in likely.unbind(1) if likely.shape[1] > 1 else ():
        gained, _, slope = loss_and_gradient(space, inputs, towards(aim, target))
        steepness = (norm.steepest(slope) * slope).flatten(1).sum(1)  # the dual norm of the gradient
        distances.append(torch.where(steepness > 0, -gained / steepness, torch.inf))
    return likely.gather(1, torch.stack(distances, 1).argsort(dim=1, stable=True)) if distances else likely


@dataclass(kw_only=True)
class _Cosine(Momentum):
    """Steps that shrink to zero along a cosine."""

    length: Tensor  # of the first step, in units of the space's scale
    steps: int

    def ascend(self, gradient: Tensor) -> None:
        share = (1 + math.cos(math.pi * self.step / self.steps)) / 2
        self.move(gradient, share * self.length)
