"""The contract of a form: what an attacker may change, how a change is measured, how inputs are described."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from math import isnan
from typing import Any, ClassVar, Literal, NamedTuple, TypeVar, get_args

import torch
from jaxtyping import Bool, Int, Shaped
from torch import Tensor

from probe.arrays import brief
from probe.errors import DataError, RangeError
from probe.names import Passed, entries
from probe.tensors import constant

F = TypeVar("F", bound="Form")

Kind = Literal["continuous", "integer", "category"]
Owner = Int[Tensor, "#batch coordinates"]  # the feature of each coordinate; one row if it is the same for all inputs
Coordinates = Shaped[Tensor, "batch *shape"]
Allowed = Bool[Tensor, "batch *shape"]
Flags = Bool[Tensor, "#batch *shape"]  # one row if they are the same for all inputs
# Fields of these types are given as any sequence, and kept as a tuple such as this one.
SUCH: Mapping[str, tuple[Any, ...]] = {
    "tuple[str, ...]": ("age", "pay"),
    "tuple[bool, ...]": (False, True),
    "tuple[int, ...]": (0, 1),
}


# Fields that say what the numbers of an input mean: one entry, several, and the remedy where two differ.
NAMED: Mapping[str, tuple[str, str, str]] = {
    "names": (
        "feature",
        "features",
        "give the same columns in one order: features = [...] in a plan, or Dataset.from_frame(..., features=[...])",
    ),
    "levels": (
        "the value at coordinate",
        "coordinates",
        "list the values of each category in one order: Dataset.from_frame(..., categories={'town': [...]})",
    ),
    "words": ("token", "tokens", "number the words of both in one way"),
}


class Defaults(NamedTuple):
    """What an audit runs by default."""

    explainers: tuple[str, ...] = ("input_x_gradient", "integrated_gradients", "kernel_shap", "lime")
    attacks: tuple[dict[str, Any], ...] = ({"method": "fgsm"}, {"method": "pgd", "steps": 40})
    without_gradients: tuple[dict[str, Any], ...] = ({"method": "square"},)  # the attacks on a black box
    eps: tuple[str, ...] = (
        "0.02",
        "0.05",
        "0.1",
        "0.2",
        "0.5",
    )  # in units of the space's scale, or a number of changes
    sample: int = 0  # rows to audit; 0 means all


@dataclass(frozen=True, kw_only=True, repr=False)
class Form:
    """Inputs as plain numbers; subclasses add their meaning.

    A form is a value: two with the same settings are equal. `name` identifies it in plans, bundles and
    `Space(form="name")`, and `probe.plots` finds its drawer by it. Inputs are (batch, *shape).
    """

    name: ClassVar[str] = ""
    moves: ClassVar[str] = "numbers"  # what an attacker changes, in the words of `Threat.moves`
    read_as: ClassVar[str] = "arrays"  # the plural noun for such inputs
    brought_as: ClassVar[tuple[str, ...]] = ()  # how an input can be given other than as an array: csv, text, image
    told: ClassVar[bool] = False  # whether a bundle stores inputs as text too
    near: ClassVar[int] = 0  # along how many of the last axes neighbours belong together
    feature: ClassVar[str] = "feature {}"  # the noun for a feature without a name
    defaults: ClassVar[Defaults] = Defaults()
    # Columns of result tables with the length of a change: the p of each norm by name.
    lengths: ClassVar[Mapping[str, float]] = {"linf": torch.inf, "l2": 2.0}
    # What each field has one entry per: feature, coordinate or channel (the first axis of an example).
    one_per: ClassVar[Mapping[str, str]] = {"names": "features", "kinds": "features", "missing": "features"}

    names: Passed[tuple[str, ...]] = ()  # one per feature
    kinds: Passed[tuple[str, ...]] = ()  # continuous, integer or category, one per feature; () means all continuous
    # One per feature: whether it may be missing, which is NaN in a number and the last coordinate of a category.
    missing: Passed[tuple[bool, ...]] = ()

    def __post_init__(self) -> None:
        for field in fields(self):
            such = next((each for name, each in SUCH.items() if name in str(field.type)), None)
            if such is None:
                continue
            given = entries(getattr(self, field.name), f"Space.{field.name}", repr(such))
            held = tuple(_as(type(such[0]), each) for each in given)
            if None in held:
                odd = given[held.index(None)]
                raise DataError(f"Space.{field.name} hold {odd!r:.60}, expected entries such as those of {such}")
            object.__setattr__(self, field.name, held)
        if unknown := set(self.kinds) - set(get_args(Kind)):
            raise RangeError(f"Space.kinds may be {', '.join(get_args(Kind))}; got {', '.join(sorted(unknown))}")

    def __repr__(self) -> str:
        """The name and the settings that differ from the defaults."""
        return f"{type(self).__name__}({', '.join(f'{name}={brief(value)}' for name, value in self.said().items())})"

    def said(self) -> dict[str, Any]:
        """The settings that differ from the defaults."""
        return {f.name: value for f in fields(self) if (value := getattr(self, f.name)) != f.default}

    def entries(self) -> dict[str, tuple[int, str]]:
        """The number of entries of each non-empty field, and what it has one per."""
        return {name: (len(held), each) for name, each in self.one_per.items() if (held := getattr(self, name))}

    def of(self, like: Coordinates) -> "Form":
        """The form of these inputs: this one, unless it depends on their shape."""
        return self

    def turned(self, kind: type[F]) -> F:
        """Another form with the same names."""
        return kind(**{name: value for name, value in self.said().items() if name in _fields(kind)})

    def record(self) -> Mapping[str, Any]:
        """The name and drawer settings as plain data, for a bundle."""
        return {"name": self.name}

    def check_names(self, other: "Form", theirs: str, *, mine: str = "the model") -> None:
        """Raise DataError if another form names the features, or the values of categories, differently.

        Inputs are numbers: each would be read as another feature or value.
        """
        for field, (one, many, remedy) in NAMED.items():
            ours, others = (getattr(form, field, ()) for form in (self, other))
            if not ours or not others or ours == others:
                continue
            at = next((at for at, (a, b) in enumerate(zip(ours, others, strict=False)) if a != b), None)
            if at is None:
                left = (*ours[len(others) :], *others[len(ours) :])
                which = f"{'without' if len(ours) > len(others) else 'with'} {left[0]!r:.60}"
                which += f" and {len(left) - 1} more" * (len(left) > 1)
                raise DataError(f"{mine} has {len(ours)} {many}, {theirs} has {len(others)}, {which}; {remedy}")
            raise DataError(f"{one} {at} is {ours[at]!r:.60} in {mine}, and {others[at]!r:.60} in {theirs}; {remedy}")

    def check(self, low: float, high: float) -> None:
        """Raise RangeError if inputs of this form cannot have these bounds."""

    def check_shape(self, shape: Sequence[int]) -> None:
        """Raise ShapeError if an example of this form cannot have this shape."""

    def strange(self, rows: Coordinates, owner: Owner) -> Allowed:
        """Where rows hold infinity, or NaN in a feature that cannot be missing."""
        strange = ~rows.isfinite()
        if not any(self.missing) or not bool(strange.any()):
            return strange
        may = constant(self.missing, torch.bool, rows.device)[owner].view(-1, *rows.shape[1:])
        return strange & ~(rows.isnan() & may)

    def mutable(self, like: Coordinates, owner: Owner) -> Flags:
        """True where an attacker may change a coordinate: everywhere but in a category."""
        return ~self._of_kind("category", like, owner)

    @property
    def rounds(self) -> bool:
        """Whether `project` may change anything."""
        return "integer" in self.kinds or type(self).project is not Form.project

    def project(self, moved: Coordinates, origin: Coordinates, owner: Owner) -> Coordinates:
        """The nearest valid inputs: integer features are rounded towards their original value."""
        if "integer" not in self.kinds:
            return moved
        return torch.where(self._of_kind("integer", origin, owner), origin + (moved - origin).trunc(), moved)

    def is_word(self, like: Tensor) -> Bool[Tensor, "*shape"]:
        """True where a token id is a word, and everywhere for other forms; shaped as `like`."""
        return torch.ones_like(like, dtype=torch.bool)

    def scaled_change(self, moved: Coordinates, origin: Coordinates, scale: Tensor) -> Coordinates:
        """The change of each coordinate divided by the space's scale."""
        return (moved - origin) / scale

    def feature_names(self, count: int, like: Coordinates, owner: Owner) -> tuple[str, ...]:
        """The names of the features, or their indices if none were given."""
        return self.names or tuple(self.feature.format(i) for i in range(count))

    def describe(self, row: Sequence[float], feature: int, places: Sequence[int]) -> str:
        """One feature of an input as text: a number as it is, a category by its level.

        Args:
            row: all coordinates of the input.
            feature: the index of the feature.
            places: its coordinates.
        """
        if self.kinds and self.kinds[feature] == "category":
            chosen = max(places, key=row.__getitem__)
            if self.missing and self.missing[feature] and chosen == places[-1]:
                return "missing"
            return self.level(chosen) or f"{places.index(chosen) + 1} of {len(places)}"
        return ", ".join("missing" if isnan(row[at]) else written(row[at]) for at in places)

    def level(self, coordinate: int) -> str:
        """The value that a category's coordinate stands for; empty if it has no name."""
        return ""

    def _of_kind(self, kind: Kind, like: Coordinates, owner: Owner) -> Flags:
        if kind not in self.kinds:
            return torch.zeros(1, *like.shape[1:], dtype=torch.bool, device=like.device)
        chosen = constant(tuple(k == kind for k in self.kinds), torch.bool, like.device)
        return chosen[owner].view(-1, *like.shape[1:])


def written(value: float) -> str:
    """A number with six significant digits, or all digits before the point; without separators, as in a date."""
    return f"{value:.0f}" if 1e6 <= abs(value) <= 2.0**53 else f"{value:.6g}"


def _fields(kind: type[Form]) -> list[str]:
    return [f.name for f in fields(kind)]


def _as(kind: type, entry: Any) -> Any:
    """An entry as this type; None where that would change it."""
    try:
        found = kind(entry)
    except (TypeError, ValueError):
        return None
    return found if kind is str or found == entry else None
