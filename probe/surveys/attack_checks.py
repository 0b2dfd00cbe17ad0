"""Signs that an attack was misled, so that what withstood it may not be robust."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, NamedTuple, cast

import torch
from torch import Tensor

from probe.ball import place, room
from probe.contracts import Aim, Attack, Need, Survey
from probe.errors import Unsupported
from probe.finding import About, Aspect
from probe.formatting import Unit
from probe.method import param
from probe.model import Model
from probe.registry import build, discover
from probe.results import Prediction
from probe.shapes import Evidence, Inputs, Labels
from probe.space import Space
from probe.tensors import column, generator, parted, wide
from probe.threats import Ball

CPU = torch.device("cpu")
USUAL = {"method": "pgd", "eps": "8/255", "steps": 40}
STEPS = (0.01, 0.03, 0.1)  # of finite differences, in radii
APART = 0.5  # difference of a finite difference and the gradient, as a share of the larger, that is more than curvature
NOISE = 1e-4  # difference of two outputs, as a share of the largest, that is more than rounding
NEAR = 0.25  # of the radius: an answer that the gradient puts within it should be found
FEW = 5  # random points at which the loss is compared
TIMES = 4  # that each input is asked again


class _Asked(NamedTuple):
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


@dataclass(frozen=True, kw_only=True)
class AttackChecks(Survey):
    """Signs that an attack was misled, such as by gradients that are hidden (arXiv:1802.00420, arXiv:1902.06705).

    Each sign is the share of the rows that have it, in [0, 1]; of an honest model and a strong attack, all are near 0.
    An audit names each whose interval is above the threshold beside the figures of robustness, which are then in
    doubt. A sign that cannot be looked for, such as rounding of a table, is left out.

    - The gradient: it is zero; central differences contradict it at each of three steps; or it puts the boundary within
      a quarter of the radius, and the attack did not find it there.
    - The model: the loss is the same number at random points of the ball; outputs vary when asked again, or depend on
      the batch.
    - The attack: one of its steps, twice its steps, noise at the edge of the ball, or queries alone (Square) find more;
      it leaves rows right though any change is allowed; rounding to 8 bits undoes what it found.

    `attack` is one inside a ball; unless given, PGD with 40 steps at eps 8/255. Its goal must need no targets.

    Raises:
        Unsupported: if the attack is not one by a radius inside a ball.

    Example:
        >>> import torch
        >>> from probe import Dataset, Model, Space
        >>> from probe.attacks import PGD
        >>> def rounded(x):  # its gradient is 0 everywhere
        ...     score = (8 * x.sum(1)).round() - 8.5
        ...     return torch.stack([-score, score], 1)
        >>> model = Model(forward=rounded, space=Space(bounds=(0.0, 1.0)))
        >>> x = torch.rand(100, 2, generator=torch.Generator().manual_seed(0))
        >>> data = Dataset(x, model.predict(x), space=model.space)
        >>> found = AttackChecks(attack=PGD(eps=0.2, steps=10))(model, data).to_frame().set_index("item")["value"]
        >>> float(found["the gradient is zero"]), bool(found["noise finds more"] > 0.1)
        (1.0, True)
    """

    aspect: ClassVar[Aspect] = "robustness"
    about: ClassVar[About] = "attack"
    needs: ClassVar[frozenset[Need]] = frozenset({"gradients"})
    unit: ClassVar[Unit] = "share"
    better: ClassVar[Literal["higher", "lower"]] = "lower"
    reduction: ClassVar[str] = "proportion"
    threshold: ClassVar[float | None] = 0.05
    item: ClassVar[str] = "sign"
    asks: ClassVar[str] = "signs of a misled attack"

    attack: Attack | None = param(None, "the attack inside a ball; none: PGD with 40 steps at eps 8/255")
    draws: int = param(100, "points of noise at the edge of the ball", low=1, high=10**6)
    queries: int = param(500, "queries of the attack without gradients", low=1, high=10**6)
    seed: int = param(0, "seed of the noise and of the queries", low=0)

    def items(self, model: Model, inputs: Inputs) -> tuple[str, ...]:
        attack = self._attack()
        attack.check_threat(model, inputs)
        return tuple(name for name, sign in SIGNS.items() if sign.suits(attack, model, inputs))

    def examine(self, model: Model, inputs: Inputs, labels: Labels) -> Evidence:
        attack = self._attack()
        aim = Aim.of(attack, model, Prediction.of(model, inputs, labels), None, attack.budgets(None, inputs))
        loss, met, slope = aim.slope(inputs)
        result = attack(model, inputs, labels)
        asked = _Asked(
            attack=attack,
            model=model,
            aim=aim,
            inputs=inputs,
            labels=labels,
            loss=loss,
            slope=slope.masked_fill(~model.space.mutable_mask(inputs), 0),
            open=~met & attack.could_move(model.space, inputs),
            found=result.perturbed,
            left=~met & ~result.success,
            draws=self.draws,
            queries=self.queries,
            seed=self.seed,
        )
        asked = asked._replace(left=asked.left & asked.open)
        flags = [SIGNS[name].ask(asked) for name in self.items(model, inputs)]
        return torch.stack(flags, 1).to(torch.get_default_dtype())

    def _attack(self) -> Attack:
        attack = self.attack or cast(Attack, build(discover("attack"), USUAL))
        if not isinstance(attack.threat, Ball) or not attack.budget or "gradients" not in attack.needs:
            raise Unsupported(
                f"attack_checks asks about an attack by gradients with a radius, got {attack}; write for example "
                'AttackChecks(attack=PGD(eps="8/255"))'
            )
        return attack


def _zero(asked: _Asked) -> Tensor:
    return asked.open & (asked.slope == 0).flatten(1).all(1)


def _still(asked: _Asked) -> Tensor:
    """Whether the loss is the same number at random points of the ball that differ from the input."""
    moved, same, before = torch.zeros_like(asked.open), asked.open.clone(), asked.aim.ask(asked.inputs)[0]
    for point in _edge(asked.model.space, asked.inputs, asked.aim, asked.p, FEW, asked.seed):
        differs = (point != asked.inputs).flatten(1).any(1)
        moved |= differs
        same &= ~differs | (asked.aim.ask(point)[0] == before)
    return moved & same


def _disagree(asked: _Asked) -> Tensor:
    """Whether finite differences contradict the gradient at every one of several steps."""
    signs = torch.where(asked.slope == 0, _signs(asked.inputs, asked.seed), asked.slope.sign()).to(wide(asked.inputs))
    radius = column(asked.aim.budget.to(signs.dtype), signs)
    apart = asked.open.clone()
    for share in STEPS:
        ends = [
            place(asked.model.space, asked.inputs, way * share * radius * signs, torch.inf, asked.aim.budget)
            for way in (1, -1)
        ]
        rise = asked.aim.ask(ends[0])[0] - asked.aim.ask(ends[1])[0]
        expected = (asked.slope.to(rise) * (wide(ends[0]) - wide(ends[1])).to(rise)).flatten(1).sum(1)
        most = torch.maximum(rise.abs(), expected.abs())
        rounding = NOISE * (1 + asked.loss.abs())
        apart &= (rise - expected).abs() > torch.maximum(APART * most, rounding)
    return apart


def _near(asked: _Asked) -> Tensor:
    """Whether the slope of the margin says that a small part of the radius suffices, and the attack found nothing."""
    margin, _, slope = replace(asked.aim, loss=_margin).slope(asked.inputs)
    free = slope * asked.model.space.scale_of(asked.inputs) * asked.model.space.mutable_mask(asked.inputs)
    dual = torch.inf if asked.p == 1 else 1.0 if asked.p == torch.inf else asked.p / (asked.p - 1)
    length = torch.linalg.vector_norm(free.flatten(1).double(), ord=dual, dim=1)
    return asked.left & (-margin.double() < NEAR * asked.aim.budget.double() * length)


def _margin(task: Any, logits: Any, labels: Any, targets: Any) -> Any:
    return task.margin(logits, labels)


def _varies(asked: _Asked) -> Tensor:
    first = asked.model.logits(asked.inputs)
    return torch.stack([_apart(asked, first, asked.model.logits(asked.inputs)) for _ in range(TIMES)]).any(0)


def _batched(asked: _Asked) -> Tensor:
    """Whether the answer to a row depends on the other rows that are asked with it."""
    together = asked.model.logits(asked.inputs)
    other = together.clone()
    for rows in (slice(0, None, 2), slice(1, None, 2)):
        if len(part := asked.inputs[rows]):
            other[rows] = asked.model.logits(part.flip(0)).flip(0)
    return _apart(asked, together, other)


def _apart(asked: _Asked, one: Tensor, other: Tensor) -> Tensor:
    size = one.abs().flatten(1).amax(1).clamp(min=1)
    return asked.open & ((one - other).abs().flatten(1).amax(1) > NOISE * size)


def _one_step(asked: _Asked) -> Tensor:
    return asked.finds(replace(cast(Any, asked.attack), steps=1))


def _more_steps(asked: _Asked) -> Tensor:
    attack = cast(Any, asked.attack)
    return asked.finds(replace(attack, steps=2 * attack.steps))


def _noise(asked: _Asked) -> Tensor:
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


def _queries(asked: _Asked) -> Tensor:
    config = {"method": "square", "eps": asked.attack.amount(), "max_queries": asked.queries, "seed": asked.seed}
    return asked.finds(replace(cast(Attack, build(discover("attack"), config)), goal=asked.attack.goal))


def _anywhere(asked: _Asked) -> Tensor:
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


def _rounded(asked: _Asked) -> Tensor:
    """Whether rounding to 8 bits, as a file of an image does, undoes what the attack found."""
    succeeded = asked.open & ~asked.left
    return succeeded & ~asked.reached((asked.found * 255).round() / 255)


def _signs(like: Inputs, seed: int) -> Tensor:
    source = generator(seed, CPU)
    return (torch.randint(2, (1, *like.shape[1:]), generator=source) * 2 - 1).to(like.device)


class _Sign(NamedTuple):
    """A sign: how it is looked for, and whether it can be."""

    ask: Callable[[_Asked], Tensor]
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


SIGNS: Mapping[str, _Sign] = {
    "the gradient is zero": _Sign(_zero),
    "the loss does not move": _Sign(_still),
    "finite differences disagree": _Sign(_disagree),
    "near by gradient, not found": _Sign(_near, _one_class),
    "outputs vary": _Sign(_varies),
    "outputs depend on the batch": _Sign(_batched),
    "one step finds more": _Sign(_one_step, _steps),
    "twice the steps find more": _Sign(_more_steps, _steps),
    "noise finds more": _Sign(_noise),
    "queries alone find more": _Sign(_queries, _linf),
    "any change is not enough": _Sign(_anywhere, _free),
    "rounding to 8 bits undoes it": _Sign(_rounded, _photo),
}
