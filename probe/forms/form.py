"""What a form of input says: what an attacker moves, how a change is measured, how inputs are put in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from math import isnan
from typing import Any, ClassVar, Literal, NamedTuple, TypeVar, get_args

import torch
from jaxtyping import Bool, Int, Shaped
from torch import Tensor

from probe.arrays import brief
from probe.errors import DataError, RangeError
from probe.tensors import constant

F = TypeVar("F", bound="Form")

Kind = Literal["continuous", "integer", "category"]
Owner = Int[Tensor, "#batch coordinates"]  # the feature of each coordinate; one row where it is the same for all inputs
Coordinates = Shaped[Tensor, "batch *shape"]
Allowed = Bool[Tensor, "batch *shape"]
Flags = Bool[Tensor, "#batch *shape"]  # of one row where they are the same for all inputs


class Defaults(NamedTuple):
    """What an audit runs where its plan names nothing."""

    explainers: tuple[str, ...] = ("input_x_gradient", "integrated_gradients", "kernel_shap", "lime")
    attacks: tuple[dict[str, Any], ...] = ({"method": "fgsm"}, {"method": "pgd", "steps": 40})
    eps: tuple[str, ...] = (
        "0.02",
        "0.05",
        "0.1",
        "0.2",
        "0.5",
    )  # in the unit of the space's scale, or how many changes
    sample: int = 0  # rows that are audited; 0 is all


@dataclass(frozen=True, kw_only=True, repr=False)
class Form:
    """Numbers, which a subclass says more about.

    A form is a value: two that say the same are equal. `name` is what plans, bundles and `Space(form="name")` call it,
    and what `probe.plots` finds its drawer by. Inputs are (batch, *shape).
    """

    name: ClassVar[str] = ""
    moves: ClassVar[str] = "numbers"  # what an attacker changes; a threat has the same word for what it moves
    read_as: ClassVar[str] = "arrays"  # what people call such inputs
    brought_as: ClassVar[tuple[str, ...]] = ()  # how people may write one, beside an array: csv, text, image
    told: ClassVar[bool] = False  # whether a bundle keeps inputs in words beside their numbers
    feature: ClassVar[str] = "feature {}"  # what a feature without a name is called
    defaults: ClassVar[Defaults] = Defaults()
    # The lengths of a change that a table of results has, by name: the p of their norm.
    lengths: ClassVar[Mapping[str, float]] = {"linf": torch.inf, "l2": 2.0}
    # What each field has an entry for: features, coordinates, or channels, the first axis of an example.
    one_per: ClassVar[Mapping[str, str]] = {"names": "features", "kinds": "features", "missing": "features"}

    names: tuple[str, ...] = ()  # one per feature
    kinds: tuple[str, ...] = ()  # continuous, integer or category, one per feature; () means all continuous
    # One per feature: whether it may be missing, which is NaN in a number and the last coordinate of a category.
    missing: tuple[bool, ...] = ()

    def __post_init__(self) -> None:
        for field in (f for f in fields(self) if str(f.type).startswith("tuple")):
            value = getattr(self, field.name)
            if isinstance(value, str):
                raise DataError(f"Space.{field.name} is one text, {value!r}; give a tuple of texts")
            entries = map(str, value) if field.type == tuple[str, ...] else value
            object.__setattr__(self, field.name, tuple(entries))
        if unknown := set(self.kinds) - set(get_args(Kind)):
            raise RangeError(f"Space.kinds knows {', '.join(get_args(Kind))}; got {', '.join(sorted(unknown))}")

    def __repr__(self) -> str:
        """What differs from the plain form."""
        return f"{type(self).__name__}({', '.join(f'{name}={brief(value)}' for name, value in self.said().items())})"

    def said(self) -> dict[str, Any]:
        """The fields that differ from the plain form."""
        return {f.name: value for f in fields(self) if (value := getattr(self, f.name)) != f.default}

    def entries(self) -> dict[str, tuple[int, str]]:
        """How many entries each field has that has any, and what it should have one for."""
        return {name: (len(held), each) for name, each in self.one_per.items() if (held := getattr(self, name))}

    def of(self, like: Coordinates) -> "Form":
        """The form of these inputs: this one, unless it goes by their shape."""
        return self

    def turned(self, kind: type[F]) -> F:
        """Another form with the same names."""
        return kind(**{name: value for name, value in self.said().items() if name in _fields(kind)})

    def record(self) -> Mapping[str, Any]:
        """What a bundle keeps of it, as plain data: its name, and the settings of its drawer."""
        return {"name": self.name}

    def check(self, low: float, high: float) -> None:
        """Raise RangeError where inputs of this form cannot have these bounds."""

    def check_shape(self, shape: Sequence[int]) -> None:
        """Raise ShapeError where an example of this form cannot have this shape."""

    def strange(self, rows: Coordinates, owner: Owner) -> Allowed:
        """Where rows hold infinity, or NaN in a feature that is never missing."""
        strange = ~rows.isfinite()
        if not any(self.missing) or not bool(strange.any()):
            return strange
        may = constant(self.missing, torch.bool, rows.device)[owner].view(-1, *rows.shape[1:])
        return strange & ~(rows.isnan() & may)

    def mutable(self, like: Coordinates, owner: Owner) -> Flags:
        """True where an attacker may change a coordinate: everywhere but in a category."""
        return ~self._of_kind("category", like, owner)

    def project(self, moved: Coordinates, origin: Coordinates, owner: Owner) -> Coordinates:
        """The nearest inputs of this form to moved numbers: integers are whole, rounded towards where they started."""
        if "integer" not in self.kinds:
            return moved
        return torch.where(self._of_kind("integer", origin, owner), origin + (moved - origin).trunc(), moved)

    def is_word(self, like: Tensor) -> Bool[Tensor, "*shape"]:
        """True where a token id stands for a word, and everywhere in other inputs; shaped as `like`."""
        return torch.ones_like(like, dtype=torch.bool)

    def scaled_change(self, moved: Coordinates, origin: Coordinates, scale: Tensor) -> Coordinates:
        """How far each coordinate moved, divided by the scale of attack radii."""
        return (moved - origin) / scale

    def feature_names(self, count: int, like: Coordinates, owner: Owner) -> tuple[str, ...]:
        """The names of the features, or their numbers where none were given."""
        return self.names or tuple(self.feature.format(i) for i in range(count))

    def describe(self, row: Sequence[float], feature: int, places: Sequence[int]) -> str:
        """One feature of an input in words: numbers as they are, a category by its level.

        Args:
            row: all numbers of the input.
            feature: its number.
            places: the coordinates that it has.
        """
        if self.kinds and self.kinds[feature] == "category":
            chosen = max(places, key=row.__getitem__)
            if self.missing and self.missing[feature] and chosen == places[-1]:
                return "missing"
            return self.level(chosen) or f"{places.index(chosen) + 1} of {len(places)}"
        return ", ".join("missing" if isnan(row[at]) else written(row[at]) for at in places)

    def level(self, coordinate: int) -> str:
        """The value that a category's coordinate stands for; empty where it has no name."""
        return ""

    def _of_kind(self, kind: Kind, like: Coordinates, owner: Owner) -> Flags:
        if kind not in self.kinds:
            return torch.zeros(1, *like.shape[1:], dtype=torch.bool, device=like.device)
        chosen = constant(tuple(k == kind for k in self.kinds), torch.bool, like.device)
        return chosen[owner].view(-1, *like.shape[1:])


def written(value: float) -> str:
    """Six digits; all of a whole number, such as a date."""
    return f"{value:.0f}" if value.is_integer() and 1e6 <= abs(value) <= 2.0**53 else f"{value:.6g}"


def _fields(kind: type[Form]) -> list[str]:
    return [f.name for f in fields(kind)]
