"""What an attacker may change, how long a change is, and which the nearest allowed one is."""

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
    """A set of changes around each input, which grows with a budget.

    The texts are what a report says of a budget, without torch: `unit` names it, `counted` says that it is a number of
    such things, `axis` is written on an axis, and `note` is to be known of what the change may do.
    """

    moves: ClassVar[str] = "numbers"  # what a form of inputs says that an attacker changes
    counted: ClassVar[bool] = False

    @property
    @abstractmethod
    def unit(self) -> str:
        """What a budget is a number of, such as radius or word; empty where there is no budget."""

    @property
    def axis(self) -> str:
        """What an axis of budgets says."""
        return self.unit

    @property
    def note(self) -> str:
        """What is to be known of inputs that were changed so."""
        return ""

    @abstractmethod
    def length(self, space: Space, moved: Inputs, origin: Inputs) -> PerExample:
        """How large each change is, in the unit of the budget."""

    @abstractmethod
    def project(self, space: Space, moved: Inputs, origin: Inputs, amount: Radius) -> Inputs:
        """The nearest inputs within the budget that the space admits; of whole things, with the largest changes kept.

        `amount` is one budget, or one for each example, (batch,).
        """

    def could_move(self, space: Space, inputs: Inputs, amount: Radius) -> Tensor:
        """Whether the budget holds another input than each example itself that the space admits, (batch,)."""
        allowed = space.mutable_mask(inputs).flatten(1).any(1)
        return allowed & (torch.as_tensor(amount, device=inputs.device) > 0)

    def tolerance(self, space: Space, origin: Inputs, amount: Tensor) -> Tensor:
        """How far rounding may bring each length beyond its budget, (batch,)."""
        return torch.zeros_like(amount)

    def check(self, name: str, space: Space, moved: Inputs, origin: Inputs, amount: Radius) -> None:
        """Raise ContractError where inputs were moved by more than the budget, or where the space holds them fixed."""
        space.check(moved)
        if bool(((moved != origin) & ~(space.mutable_mask(origin) & space.is_word(moved))).any()):
            raise ContractError(f"{name} moved coordinates that the space holds fixed, or put in special tokens")
        length = self.length(space, moved, origin)
        most = torch.as_tensor(amount, dtype=length.dtype, device=length.device).expand(len(length))
        beyond = length > most + self.tolerance(space, origin, most)
        if bool(beyond.any()):
            row = int(beyond.nonzero()[0])
            found, allowed = f"{float(length[row]):.6g}", f"{float(most[row]):.6g}"
            raise ContractError(
                f"{name} left its budget: changed {found} {self.unit}s, {allowed} allowed"
                if self.counted
                else f"{name} left its ball: moved by {found}, {self.unit} {allowed}"
            )

    def to_json(self) -> dict[str, Any]:
        """What readers of an audit need to know of it."""
        return {"unit": self.unit, "counted": self.counted, "axis": self.axis, "note": self.note}


@dataclass(frozen=True)
class Ball(Threat):
    """Changes of at most a length in an L_p norm, p = 1, 2 or infinity, in the unit of the space's scale."""

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
        # As attacks place their points: what the precision of the inputs rounds back to its origin has not moved.
        points = [place(space, inputs, change, torch.inf, each) for change in (step, -step)]
        allowed = (
            torch.stack([point != inputs for point in points]).any(0) & ~inputs.isnan() & space.mutable_mask(inputs)
        )
        return allowed.flatten(1).any(1) & (each > 0)

    def tolerance(self, space: Space, origin: Inputs, amount: Tensor) -> Tensor:
        # The dtype of the inputs rounds each x + radius, by an error that is relative to x: it is measured in its size.
        start = wide(origin)
        size = (start / space.scale_of(start)).abs().flatten(1).amax(1).to(amount.dtype) + amount
        rounding = torch.finfo(origin.dtype).eps if origin.is_floating_point() else 0.0
        return 1e-5 * amount + rounding * size * start[0].numel() ** (1 / self.p)


@dataclass(frozen=True)
class Edits(Threat):
    """Changes of a number of whole things: words of a text, edges of a graph, pixels of an image.

    An edge is a pair of nodes, whose two places in the adjacency count once; a pixel is a place of an image with all
    its channels, and in other inputs each coordinate.
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
        """How many things were changed; infinity where something else was."""
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
    """Any change within one square of an image; the budget is the length of its side in pixels."""

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
    """Changes such as noise, blur or weather that grow with a severity. Nothing measures it from the inputs alone."""

    unit = "severity"

    def length(self, space: Space, moved: Inputs, origin: Inputs) -> PerExample:
        """NaN: a severity is set, and cannot be told from what it did."""
        return torch.full((len(moved),), torch.nan, device=moved.device)

    def project(self, space: Space, moved: Inputs, origin: Inputs, amount: Radius) -> Inputs:
        return space.project(moved, origin)


@dataclass(frozen=True)
class Anywhere(Threat):
    """Any input that the space admits, however far away."""

    unit = ""

    def length(self, space: Space, moved: Inputs, origin: Inputs) -> PerExample:
        """0: no change is too large."""
        return torch.zeros(len(moved), device=moved.device)

    def project(self, space: Space, moved: Inputs, origin: Inputs, amount: Radius) -> Inputs:
        return space.project(moved, origin)
