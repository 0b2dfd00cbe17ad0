"""Threat models: what an attacker may change, how changes are measured, and the projection onto a budget."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from probe.ball import place
from probe.errors import ContractError
from probe.norms import Radius
from probe.shapes import Inputs, PerExample
from probe.space import Space
from probe.tensors import column, wide
from probe.things import THINGS, best_square, check_image, extent


@dataclass(frozen=True)
class Threat(ABC):
    """A set of allowed changes around each input, which grows with a budget.

    The texts describe a budget in reports: `unit` names it, `counted` tells whether it is a count, `axis` labels an
    axis, and `note` is a caveat about such changes.
    """

    moves: ClassVar[str] = "numbers"  # what a form of inputs says that an attacker changes
    counted: ClassVar[bool] = False

    @property
    @abstractmethod
    def unit(self) -> str:
        """The unit of a budget, such as radius or word; empty if there is no budget."""

    @property
    def axis(self) -> str:
        """The label of an axis of budgets."""
        return self.unit

    @property
    def note(self) -> str:
        """A caveat about such changes."""
        return ""

    @abstractmethod
    def length(self, space: Space, moved: Inputs, origin: Inputs) -> PerExample:
        """The size of each change, in the unit of the budget."""

    @abstractmethod
    def project(self, space: Space, moved: Inputs, origin: Inputs, amount: Radius) -> Inputs:
        """Project onto the budget and the space; for counted units, the largest changes are kept.

        `amount` is one budget, or one per example, (batch,).
        """

    def could_move(self, space: Space, inputs: Inputs, amount: Radius) -> Tensor:
        """Whether the budget allows any valid change of each example, (batch,)."""
        allowed = space.mutable_mask(inputs).flatten(1).any(1)
        return allowed & (torch.as_tensor(amount, device=inputs.device) > 0)

    def tolerance(self, space: Space, origin: Inputs, amount: Tensor) -> Tensor:
        """By how much rounding may exceed each budget, (batch,)."""
        return torch.zeros_like(amount)

    def check(self, name: str, space: Space, moved: Inputs, origin: Inputs, amount: Radius) -> None:
        """Raise ContractError if a change exceeds the budget or alters immutable coordinates."""
        space.check(moved)
        if bool(((moved != origin) & ~(space.mutable_mask(origin) & space.is_word(moved))).any()):
            raise ContractError(f"{name} changed coordinates that the space keeps fixed, or inserted special tokens")
        length = self.length(space, moved, origin)
        most = torch.as_tensor(amount, dtype=length.dtype, device=length.device).expand(len(length))
        beyond = length > most + self.tolerance(space, origin, most)
        if bool(beyond.any()):
            row = int(beyond.nonzero()[0])
            found, allowed = f"{float(length[row]):.6g}", f"{float(most[row]):.6g}"
            raise ContractError(
                f"{name} exceeded its budget: changed {found} {self.unit}s, {allowed} allowed"
                if self.counted
                else f"{name} left its ball: moved by {found}, {self.unit} {allowed}"
            )

    def to_json(self) -> dict[str, Any]:
        """The description for readers of an audit, as JSON."""
        return {"unit": self.unit, "counted": self.counted, "axis": self.axis, "note": self.note}


@dataclass(frozen=True)
class Ball(Threat):
    """Changes bounded in an L_p norm, p = 1, 2 or infinity, in units of the space's scale."""

    p: float = torch.inf

    unit = "radius"

    @property
    def axis(self) -> str:
        return "linf" if self.p == torch.inf else f"l{self.p:g}"

    def length(self, space: Space, moved: Inputs, origin: Inputs) -> PerExample:
        change = space.scaled_change(wide(moved), wide(origin)).flatten(1)
        length: Tensor = torch.linalg.vector_norm(change, ord=self.p, dim=1)
        return length

    def project(self, space: Space, moved: Inputs, origin: Inputs, amount: Radius) -> Inputs:
        return place(space, origin, space.scaled_change(wide(moved), wide(origin)), self.p, amount)

    def could_move(self, space: Space, inputs: Inputs, amount: Radius) -> Tensor:
        each = torch.as_tensor(amount, device=inputs.device).expand(len(inputs))
        step = column(each, inputs).to(wide(inputs).dtype).expand_as(inputs)
        # Computed as attacks do: a change that the dtype rounds to 0 is no change.
        points = [place(space, inputs, change, torch.inf, each) for change in (step, -step)]
        allowed = (
            torch.stack([point != inputs for point in points]).any(0) & ~inputs.isnan() & space.mutable_mask(inputs)
        )
        return allowed.flatten(1).any(1) & (each > 0)

    def tolerance(self, space: Space, origin: Inputs, amount: Tensor) -> Tensor:
        # The dtype rounds each x + radius with an error relative to x.
        start = wide(origin)
        size = (start / space.scale_of(start)).abs().flatten(1).amax(1).to(amount.dtype) + amount
        rounding = torch.finfo(origin.dtype).eps if origin.is_floating_point() else 0.0
        return 1e-5 * amount + rounding * size * start[0].numel() ** (1 / self.p)


@dataclass(frozen=True)
class Edits(Threat):
    """Changes of a number of units: words of a text, edges of a graph, pixels of an image.

    An edge is a pair of nodes, whose two adjacency entries count once; a pixel counts once for all its channels; in
    other inputs each coordinate counts.
    """

    thing: Literal["word", "edge", "pixel"] = "pixel"

    counted = True

    @property
    def moves(self) -> str:  # type: ignore[override]  # of other threats it is the same for all
        return THINGS[self.thing].moves

    @property
    def unit(self) -> str:
        return self.thing

    @property
    def axis(self) -> str:
        return THINGS[self.thing].axis

    @property
    def note(self) -> str:
        return THINGS[self.thing].note

    def length(self, space: Space, moved: Inputs, origin: Inputs) -> PerExample:
        """The number of changed units; infinity if anything else changed."""
        thing, change = THINGS[self.thing], space.scaled_change(wide(moved), wide(origin))
        sizes = thing.sizes(change)
        other = change.masked_fill(thing.spread(torch.ones_like(sizes, dtype=torch.bool), change), 0)
        number = (sizes != 0).sum(1).to(torch.get_default_dtype())
        return torch.where(other.flatten(1).any(1), torch.inf, number)

    def project(self, space: Space, moved: Inputs, origin: Inputs, amount: Radius) -> Inputs:
        thing = THINGS[self.thing]
        moved = torch.where(space.is_word(moved), space.project(moved, origin), origin)
        sizes = thing.sizes(space.scaled_change(wide(moved), wide(origin)))
        order = sizes.argsort(stable=True, dim=1, descending=True).argsort(1)
        most = torch.as_tensor(amount, device=origin.device).reshape(-1, 1)
        return torch.where(thing.spread(order < most, origin), moved, origin)

    def could_move(self, space: Space, inputs: Inputs, amount: Radius) -> Tensor:
        thing, allowed = THINGS[self.thing], space.mutable_mask(inputs).to(torch.get_default_dtype())
        free = thing.sizes(allowed)
        free = free == thing.sizes(torch.ones_like(allowed)) if thing.whole else free > 0
        if self.moves == "tokens" and int(space.is_word(space.tokens(inputs)).sum()) < 2:
            free = torch.zeros_like(free)
        return free.any(1) & (torch.as_tensor(amount, device=inputs.device) > 0)


@dataclass(frozen=True)
class Patch(Threat):
    """Any change within one square of an image; the budget is its side in pixels."""

    unit = "patch side"
    axis = "side of the patch in pixels"

    def length(self, space: Space, moved: Inputs, origin: Inputs) -> PerExample:
        check_image(origin)
        changed = (moved != origin).any(1)
        return torch.maximum(extent(changed.any(1)), extent(changed.any(2)))

    def project(self, space: Space, moved: Inputs, origin: Inputs, amount: Radius) -> Inputs:
        check_image(origin)
        moved = space.project(moved, origin)
        height, width = origin.shape[2:]
        sides = torch.as_tensor(amount, device=origin.device).long().clamp(max=max(height, width)).expand(len(origin))
        kept = torch.zeros_like(origin[:, 0], dtype=torch.bool)
        sizes = space.scaled_change(wide(moved), wide(origin)).abs().sum(1)
        for side in set(sides.tolist()):
            rows = (sides == side).nonzero()[:, 0]
            kept[rows] = best_square(sizes[rows], side)
        return torch.where(kept[:, None], moved, origin)


@dataclass(frozen=True)
class Severity(Threat):
    """Corruptions such as noise, blur or weather with a severity, which cannot be measured from the inputs."""

    unit = "severity"

    def length(self, space: Space, moved: Inputs, origin: Inputs) -> PerExample:
        """NaN: a severity cannot be measured from its effect."""
        return torch.full((len(moved),), torch.nan, device=moved.device)

    def project(self, space: Space, moved: Inputs, origin: Inputs, amount: Radius) -> Inputs:
        return space.project(moved, origin)


@dataclass(frozen=True)
class Anywhere(Threat):
    """Any valid input of the space, at any distance."""

    unit = ""

    def length(self, space: Space, moved: Inputs, origin: Inputs) -> PerExample:
        """0: changes are not limited."""
        return torch.zeros(len(moved), device=moved.device)

    def project(self, space: Space, moved: Inputs, origin: Inputs, amount: Radius) -> Inputs:
        return space.project(moved, origin)
