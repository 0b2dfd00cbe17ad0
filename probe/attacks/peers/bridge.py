"""What attacks of other packages share: each example alone, within its ball and space, every query counted.

They run one example at a time from random numbers that follow from the example and the seed, so that a result does not
depend on its batch, and the global random numbers that they draw are put back afterwards. A point that they return is
projected onto ball and space; what it reaches is what the model answers to it, not what they report.
"""

import ast
from abc import ABC, abstractmethod
from dataclasses import dataclass
from inspect import isclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from probe.contracts import Aim, Attack
from probe.draws import keys, seeded
from probe.errors import RangeError, Unsupported
from probe.extras import imported, running
from probe.method import param
from probe.model import Model
from probe.names import nearest
from probe.norms import NORMS
from probe.numbers import Number, written
from probe.shapes import Inputs
from probe.tensors import wide
from probe.threats import Ball, Threat


@dataclass(frozen=True, kw_only=True)
class PeerAttack(Attack, ABC):
    """An attack of another package, by its name there."""

    package: ClassVar[str]  # what is imported, of the extra `peers`

    eps: Number = param(written("8/255"), "radius of the ball, in units of the space's scale", low=0.0)
    norm: Literal["linf", "l2", "l1"] = param("linf", "norm of the ball")
    settings: tuple[str, ...] = param((), 'settings of that attack, each as "name=value"')
    seed: int = param(0, "seed of what is drawn", low=0)

    @property
    def threat(self) -> Threat:
        return Ball(NORMS[self.norm].p)

    @abstractmethod
    def run(self, package: Any, asked: "Asked") -> Tensor:
        """A point for one example, by the imported package, (1, *shape), in units of the space's scale."""

    def perturb(self, model: Model, inputs: Inputs, aim: Aim) -> Inputs:
        package = imported(self.package, "peers")
        if not (aim.goal.answer and model.task.one_class):
            raise Unsupported(
                f"attacks of {self.package.partition('.')[0]} look for a wrong class or a target, and the goal is "
                f"{aim.goal} of {type(model.task).__name__}; choose an attack of probe, such as PGD"
            )
        found, seeds = inputs.clone(), keys(inputs, self.seed).cpu() % 2**31
        for at in range(len(inputs)):
            row = slice(at, at + 1)
            if float(aim.budget[at]) > 0:
                found[row] = self._moved(package, Asked(model, inputs[row], aim[row], self.threat), int(seeds[at]))
        return found

    def _moved(self, package: Any, asked: "Asked", seed: int) -> Inputs:
        cannot = f"{self} cannot attack {asked.model.name}"
        with (
            seeded(seed, asked.origin.device),
            asked.model.backward(),
            torch.enable_grad(),
            running(self.package, cannot, "change `settings`, or choose an attack of probe, such as PGD"),
        ):
            point = self.run(package, asked)
        return asked.within(point)

    def chosen(self, name: str, known: dict[str, Any], where: str) -> Any:
        """The class of that name.

        Raises:
            RangeError: if there is none.
        """
        if name not in known:
            raise RangeError(
                f"{where} has no attack {name!r}{nearest(name, known)}; there are {', '.join(sorted(known))}"
            )
        return known[name]

    def keywords(self) -> dict[str, Any]:
        """The settings, read as Python writes numbers, texts and tuples.

        Raises:
            RangeError: if one is not of the form name=value.
        """
        read: dict[str, Any] = {}
        for each in self.settings:
            name, _, value = each.partition("=")
            try:
                read[name.strip()] = ast.literal_eval(value.strip())
            except (ValueError, SyntaxError):
                raise RangeError(
                    f'settings = {each!r:.60}, expected name=value, such as "steps=20" or "kind=\'fast\'"'
                ) from None
        return read


class Asked:
    """One example for a package that knows arrays and networks only; points are in units of the space's scale."""

    def __init__(self, model: Model, origin: Inputs, aim: Aim, threat: Threat) -> None:
        self.model, self.origin, self.aim, self.threat = model, origin, aim, threat
        space = model.space
        self.unit = space.scale_of(wide(origin))
        self.start = (wide(origin) / self.unit).to(torch.float32)
        ends = [
            space.project(torch.full_like(wide(origin), end), origin) / self.unit for end in (-torch.inf, torch.inf)
        ]
        self.low, self.high = float(ends[0].min()), float(ends[1].max())
        if not (abs(self.low) < torch.inf and abs(self.high) < torch.inf):
            raise Unsupported(
                "attacks of other packages need finite bounds, and some of the space are not; set "
                "Space(bounds=(low, high)), or choose an attack of probe, such as PGD"
            )
        self.radius = float(aim.budget[0])
        self.network = _Network(self).eval()

    def within(self, point: Tensor) -> Inputs:
        """A point as an input, within ball and space."""
        change = (point.to(self.start) - self.start).nan_to_num() * self.unit
        moved = wide(self.origin) + change.view_as(self.origin)
        return self.threat.project(self.model.space, moved.to(self.origin.dtype), self.origin, self.aim.budget)

    def logits(self, points: Tensor) -> Tensor:
        """Of the nearest valid inputs; the gradient is that of the coordinates that may move."""
        model, count = self.model, len(points)
        origin = self.origin.expand(count, *self.origin.shape[1:])
        moved = points.view(origin.shape).to(wide(origin).dtype) * self.unit
        valid = model.space.project(moved.detach(), origin)
        inputs = (moved + (valid - moved).detach()) if moved.requires_grad else valid
        inputs = torch.where(model.space.mutable_mask(origin), inputs, wide(origin)).to(origin.dtype)
        answer: Tensor = model(inputs, rows=self.aim.rows.expand(count))
        return answer.to(torch.float32)


class _Network(nn.Module):
    def __init__(self, asked: Asked) -> None:
        super().__init__()
        self.asked = [asked]  # in a list, as a module would look for parameters

    def forward(self, points: Tensor) -> Tensor:
        return self.asked[0].logits(points)


def attacks(module: Any, base: type) -> dict[str, Any]:
    """The attacks of a module, by name."""
    return {name: kind for name, kind in vars(module).items() if isclass(kind) and issubclass(kind, base)}
