"""Signs that an attack was misled, each a function of what was asked: which rows have it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple, cast

import torch
from torch import Tensor

from probe.ball import place, room
from probe.contracts import Aim, Attack
from probe.goals import Goal
from probe.model import Model
from probe.registry import build, discover
from probe.shapes import Inputs, Labels
from probe.space import Space
from probe.task import Regression, Task
from probe.tensors import column, generator, parted, wide
from probe.threats import Ball

CPU = torch.device("cpu")
STEPS = (0.01, 0.03, 0.1)  # of finite differences, in radii
APART = 0.5  # difference of a finite difference and the gradient, as a share of the larger, that is more than curvature
NOISE = 1e-4  # difference of two outputs, as a share of the largest, that is more than rounding
NEAR = 0.25  # of the radius: an answer that the gradient puts within it should be found
FEW = 5  # random points at which the loss is compared, and random directions of finite differences
SEVERAL = 2  # of these directions, as one alone may cross a boundary of linear pieces
REACHED = 0.9  # of the way to a planted answer that counts as there
TIMES = 4  # that each input is asked again
JUMP = 12  # times that the largest of a few gradients is above their median; of 14 honest networks it was at most 9.7


class Asked(NamedTuple):
    """The attack, the rows that it had to attack, and its result."""

    attack: Attack
    model: Model
    aim: Aim
    inputs: Inputs
    labels: Labels
    loss: Tensor  # of the inputs
    slope: Tensor  # 0 at coordinates that may not change
    open: Tensor  # whether the goal was not reached before the attack
    found: Inputs  # the inputs after the attack
    left: Tensor  # whether the attack did not reach the goal
    draws: int
    queries: int
    seed: int

    @property
    def p(self) -> float:
        return cast(Ball, self.attack.threat).p

    def reached(self, points: Inputs) -> Tensor:
        return self.aim.ask(points)[1]

    def finds(self, other: Attack) -> Tensor:
        """Which of the rows that the attack left another attack finds."""
        found, (_, rows) = torch.zeros_like(self.left), parted(self.left)
        if len(rows):
            found[rows] = other(self.model, self.inputs[rows], self.labels[rows]).success
        return found


def _zero(asked: Asked) -> Tensor:
    return asked.open & (asked.slope == 0).flatten(1).all(1)


def _still(asked: Asked) -> Tensor:
    """Whether the loss is the same number at random points of the ball that differ from the input."""
    moved, same, before = torch.zeros_like(asked.open), asked.open.clone(), asked.aim.ask(asked.inputs)[0]
    for point in _edge(asked.model.space, asked.inputs, asked.aim, asked.p, FEW, asked.seed):
        differs = (point != asked.inputs).flatten(1).any(1)
        moved |= differs
        same &= ~differs | (asked.aim.ask(point)[0] == before)
    return moved & same


def _disagree(asked: Asked) -> Tensor:
    """Whether finite differences contradict the gradient along its signs, or along several random ones.

    Along its own signs a gradient that leaves out part of the inputs, or of the layers, looks right.
    """
    own = torch.where(asked.slope == 0, _signs(asked.inputs, asked.seed), asked.slope.sign())
    random = [_contradicted(asked, _signs(asked.inputs, asked.seed + at)) for at in range(FEW)]
    return _contradicted(asked, own) | (torch.stack(random).sum(0) >= SEVERAL)


def _contradicted(asked: Asked, signs: Tensor) -> Tensor:
    """Whether central differences along a direction contradict the gradient at every one of several steps.

    Where an input lies on a kink, as whole numbers often do, the gradient is the slope of one side: then it is right.
    """
    signs = signs.to(wide(asked.inputs))
    radius = column(asked.aim.budget.to(signs.dtype), signs)
    apart, size = asked.open.clone(), _size(asked, asked.model.logits(asked.inputs)).to(asked.loss)
    here = wide(asked.inputs), asked.aim.ask(asked.inputs)[0]
    for share in STEPS:
        points = [
            place(asked.model.space, asked.inputs, way * share * radius * signs, torch.inf, asked.aim.budget)
            for way in (1, -1)
        ]
        up, down = ((wide(point), asked.aim.ask(point)[0]) for point in points)
        off, most = _off(asked, up, down)
        apart &= off > torch.maximum(most, NOISE * (size + asked.loss.abs()))
        for ends in ((up, here), (here, down)):
            off, most = _off(asked, *ends)
            apart &= (off > most) | (most == 0)
    return apart


def _jumps(asked: Asked) -> Tensor:
    """Whether the gradient is almost nothing at most points of the ball, and large at some: a staircase.

    Gradients at a few random points are compared for each coordinate, as stairs are where each lies.
    """
    source, inputs = generator(asked.seed, CPU), asked.inputs
    fixed = ~asked.model.space.mutable_mask(inputs)
    slopes = [asked.slope]
    for _ in range(FEW):
        drawn = torch.randn(1, *inputs.shape[1:], generator=source).to(wide(inputs))
        length = torch.linalg.vector_norm(drawn.flatten(1), ord=asked.p)
        way = drawn / length * column(asked.aim.budget.to(drawn.dtype), inputs)
        point = place(asked.model.space, inputs, way, asked.p, asked.aim.budget)
        slopes.append(asked.aim.slope(point)[2].masked_fill(fixed, 0))
    sizes = torch.stack(slopes).abs().flatten(2).double()
    return asked.open & (sizes.amax(0).sum(1) > JUMP * sizes.median(0).values.sum(1))


def _off(asked: Asked, one: tuple[Tensor, Tensor], other: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """By how much a difference of the loss is not what the gradient says, and how much curvature would explain."""
    rise = one[1] - other[1]
    expected = (asked.slope.to(rise) * (one[0] - other[0]).to(rise)).flatten(1).sum(1)
    return (rise - expected).abs(), APART * torch.maximum(rise.abs(), expected.abs())


def _near(asked: Asked) -> Tensor:
    """Whether the slope of the margin says that a small part of the radius suffices, and the attack found nothing."""
    margin, _, slope = replace(asked.aim, loss=_margin).slope(asked.inputs)
    free = slope * asked.model.space.scale_of(asked.inputs) * asked.model.space.mutable_mask(asked.inputs)
    dual = torch.inf if asked.p == 1 else 1.0 if asked.p == torch.inf else asked.p / (asked.p - 1)
    length = torch.linalg.vector_norm(free.flatten(1).double(), ord=dual, dim=1)
    return asked.left & (-margin.double() < NEAR * asked.aim.budget.double() * length)


def _margin(task: Any, logits: Any, labels: Any, targets: Any) -> Any:
    return task.margin(logits, labels)


def _varies(asked: Asked) -> Tensor:
    first = asked.model.logits(asked.inputs)
    return torch.stack([_apart(asked, first, asked.model.logits(asked.inputs)) for _ in range(TIMES)]).any(0)


def _batched(asked: Asked) -> Tensor:
    """Whether the answer to a row depends on the other rows that are asked with it."""
    together = asked.model.logits(asked.inputs)
    other = together.clone()
    for rows in (slice(0, None, 2), slice(1, None, 2)):
        if len(part := asked.inputs[rows]):
            other[rows] = asked.model.logits(part.flip(0)).flip(0)
    return _apart(asked, together, other)


def _apart(asked: Asked, one: Tensor, other: Tensor) -> Tensor:
    return asked.open & ((one - other).abs().flatten(1).amax(1) > NOISE * _size(asked, one))


def _size(asked: Asked, outputs: Tensor) -> Tensor:
    """The largest output of each row, or 1; that of a regression may be in any unit."""
    return outputs.abs().flatten(1).amax(1).clamp(min=0 if isinstance(asked.model.task, Regression) else 1)


def _one_step(asked: Asked) -> Tensor:
    return asked.finds(replace(cast(Any, asked.attack), steps=1))


def _more_steps(asked: Asked) -> Tensor:
    attack = cast(Any, asked.attack)
    return asked.finds(replace(attack, steps=2 * attack.steps))


def _noise(asked: Asked) -> Tensor:
    """Whether random points at the edge of the ball reach the goal."""
    found, (_, rows) = torch.zeros_like(asked.left), parted(asked.left)
    part = asked.aim[rows]
    for point in _edge(asked.model.space, asked.inputs[rows], part, asked.p, asked.draws, asked.seed):
        found[rows] |= part.ask(point)[1]
    return found


def _edge(space: Space, origin: Inputs, aim: Aim, p: float, draws: int, seed: int) -> Iterator[Inputs]:
    """Random points at the edge of the ball; all rows get the same directions."""
    source = generator(seed, CPU)
    for _ in range(draws if len(origin) else 0):
        drawn = torch.randn(1, *origin.shape[1:], generator=source).to(wide(origin))
        length = drawn.abs() if p == torch.inf else torch.linalg.vector_norm(drawn.flatten(1), ord=p)
        yield place(space, origin, drawn / length * column(aim.budget.to(drawn.dtype), origin), p, aim.budget)


def _queries(asked: Asked) -> Tensor:
    config = {"method": "square", "eps": asked.attack.amount(), "max_queries": asked.queries, "seed": asked.seed}
    return asked.finds(replace(cast(Attack, build(discover("attack"), config)), goal=asked.attack.goal))


@dataclass(frozen=True, kw_only=True)
class _Planted(Goal):
    """An answer on the far side of a hyperplane through that of a point of the ball; both are in `targets`."""

    errs: ClassVar[bool] = False

    def loss(self, task: Task, logits: Any, labels: Any, targets: Any) -> Any:
        before, change = targets.unbind(1)
        return ((logits.flatten(1).to(change) - before) * change).sum(1) - REACHED * change.square().sum(1)

    def reached(self, task: Task, logits: Any, labels: Any, targets: Any) -> Any:
        return self.loss(task, logits, labels, targets) >= 0


def _planted(asked: Asked) -> Tensor:
    """Whether the attack does not move the answers as far as the farthest of a few random points does, its way."""
    before = asked.model.logits(asked.inputs).flatten(1).double()
    change = torch.zeros_like(before)
    for point in _edge(asked.model.space, asked.inputs, asked.aim, asked.p, FEW, asked.seed):
        other = asked.model.logits(point).flatten(1).double() - before
        change = torch.where((other.square().sum(1) > change.square().sum(1))[:, None], other, change)
    there = asked.open & (change.abs().amax(1) > NOISE * _size(asked, before))
    missed, (_, rows) = torch.zeros_like(there), parted(there)
    if len(rows):
        goal = _Planted()
        part = replace(asked.aim[rows], goal=goal, targets=torch.stack([before, change], 1)[rows])
        moved = replace(asked.attack, goal=goal).perturb(asked.model, asked.inputs[rows], part)
        missed[rows] = ~part.ask(moved)[1]
    return missed


def _anywhere(asked: Asked) -> Tensor:
    """Whether the attack leaves a row although it may change every number to any other."""
    rooms = torch.stack([room(asked.model.space, asked.inputs, way * torch.ones_like(asked.inputs)) for way in (1, -1)])
    allowed = torch.where(asked.model.space.mutable_mask(asked.inputs), rooms.amax(0), 0).flatten(1)
    reach = float(torch.linalg.vector_norm(allowed, ord=asked.p, dim=1).max()) if len(allowed) else 0.0
    found, (_, rows) = torch.zeros_like(asked.left), parted(asked.left)
    if len(rows):
        found[rows] = ~asked.attack.at(max(reach, asked.attack.amount()))(
            asked.model, asked.inputs[rows], asked.labels[rows]
        ).success
    return found


def _rounded(asked: Asked) -> Tensor:
    """Whether rounding to 8 bits, as a file of an image does, undoes what the attack found."""
    succeeded = asked.open & ~asked.left
    return succeeded & ~asked.reached((asked.found * 255).round() / 255)


def _signs(like: Inputs, seed: int) -> Tensor:
    source = generator(seed, CPU)
    return (torch.randint(2, (1, *like.shape[1:]), generator=source) * 2 - 1).to(like.device)


class Sign(NamedTuple):
    """A sign: how it is looked for, and whether it can be."""

    ask: Callable[[Asked], Tensor]
    suits: Callable[[Attack, Model, Inputs], bool] = lambda attack, model, inputs: True


def _one_class(attack: Attack, model: Model, inputs: Inputs) -> bool:
    return attack.goal.answer == "wrong" and model.task.one_class


def _steps(attack: Attack, model: Model, inputs: Inputs) -> bool:
    return getattr(attack, "steps", 0) > 1


def _linf(attack: Attack, model: Model, inputs: Inputs) -> bool:
    return cast(Ball, attack.threat).p == torch.inf


def _free(attack: Attack, model: Model, inputs: Inputs) -> bool:
    """Whether every number can become any other; fixed columns of a table may well decide an answer."""
    if not model.space.form_of(inputs).near or not bool(model.space.mutable_mask(inputs).all()):
        return False
    return all(bool(room(model.space, inputs, way * torch.ones_like(inputs)).isfinite().all()) for way in (1, -1))


def _photo(attack: Attack, model: Model, inputs: Inputs) -> bool:
    return inputs.ndim == 4 and model.space.bounds == (0.0, 1.0)


SIGNS: Mapping[str, Sign] = {
    "the gradient is zero": Sign(_zero),
    "the loss does not move": Sign(_still),
    "finite differences disagree": Sign(_disagree),
    "the gradient jumps": Sign(_jumps),
    "near by gradient, not found": Sign(_near, _one_class),
    "outputs vary": Sign(_varies),
    "outputs depend on the batch": Sign(_batched),
    "one step finds more": Sign(_one_step, _steps),
    "twice the steps find more": Sign(_more_steps, _steps),
    "noise finds more": Sign(_noise),
    "queries alone find more": Sign(_queries, _linf),
    "a planted answer is not found": Sign(_planted),
    "any change is not enough": Sign(_anywhere, _free),
    "rounding to 8 bits undoes it": Sign(_rounded, _photo),
}
