"""What is said of a model's inputs: the fields of a Space, refused where they contradict, and kept on each device."""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, fields
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor

from probe import admission
from probe.arrays import Given, brief, number_or_tensor, tensor
from probe.forms import ByShape, Form, Table, Tokens, named
from probe.grouping import owner
from probe.keywords import Named
from probe.names import Passed
from probe.shapes import Inputs

Bound = float | Given
M = TypeVar("M", bound="Meaning")


@dataclass(frozen=True, eq=False, kw_only=True, init=False, repr=False)
class Meaning(metaclass=Named):
    """What inputs mean, as somebody said it; what follows from it is asked of a Space."""

    bounds: tuple[Bound, Bound]  # lowest and highest value, for all or per coordinate
    features: Given | None  # the feature (0, 1, ...) that each coordinate belongs to; None: each is its own
    reference: Given | None  # rows that show an absent feature, (rows, *shape)
    mutable: Given | None  # True where an attacker may change a coordinate; None: everywhere
    scale: Bound  # the unit in which attack radii are measured, for all or per coordinate
    form: Form
    # Not fields: what it keeps on other devices, by name, and the same spaces there.
    _there: ClassVar[dict[tuple[str, torch.device, torch.dtype | None], Tensor]]
    _placed: ClassVar[dict[torch.device, Any]]
    _features: ClassVar[int]  # how many are declared

    def __init__(  # noqa: PLR0913  what can be said of inputs
        self,
        *,
        bounds: tuple[Bound, Bound] = (0.0, 1.0),
        features: Given | None = None,
        reference: Given | None = None,
        mutable: Given | None = None,
        scale: Bound = 1.0,
        form: Passed[Form | str] = "",
        names: Passed[Sequence[str] | None] = None,
        kinds: Passed[Sequence[str] | None] = None,
        levels: Passed[Sequence[str] | None] = None,
        words: Passed[Sequence[str] | None] = None,
        special: Passed[Sequence[int] | None] = None,
        types: Passed[Sequence[str] | None] = None,
        missing: Passed[Sequence[bool] | None] = None,
    ) -> None:
        """Raises: RangeError, ShapeError or DataError where what is said contradicts itself."""
        said: dict[str, Any] = {"names": names, "kinds": kinds, "levels": levels, "types": types, "missing": missing}
        said |= {"words": words, "special": special}
        self._hold("_there", {})
        self._hold("_placed", {})
        self._hold("form", named(form, {name: value for name, value in said.items() if value is not None}))
        low, high = (number_or_tensor(b, "Space.bounds") for b in admission.ends(bounds))
        self._hold("bounds", (low, high))
        self._hold("scale", number_or_tensor(scale, "Space.scale"))
        for name, given in (("features", features), ("reference", reference), ("mutable", mutable)):
            self._hold(name, None if given is None else tensor(given, f"Space.{name}"))
        admission.check_numbers(self.bounds, self.scale, self.form)
        if self.mutable is not None:
            self._hold("mutable", admission.truth_values(self.mutable))
        if self.features is not None:
            self._hold("features", admission.numbers_of_features(self.features, self.form))
            self._hold("_features", int(self.features.max()) + 1)
        if self.reference is not None:
            admission.check_reference(self.reference, self._strange)

    def __repr__(self) -> str:
        """What differs from a plain space, in a few lines; of tensors their shape and range."""
        plain = {"bounds": (0.0, 1.0), "scale": 1.0, "form": ByShape()}
        shown = {
            f.name: value
            for f in fields(self)
            if (value := getattr(self, f.name)) is not None and not _is_same(value, plain.get(f.name))
        }
        if isinstance(self.form, ByShape):
            shown.pop("form", None)
            shown = self.form.said() | shown
        return f"Space({', '.join(f'{name}={brief(value)}' for name, value in shown.items())})"

    def on(self: M, device: torch.device) -> M:
        """The same space with its tensors on a device, where methods can reckon with them."""
        if device.type == "cpu":
            return self
        if device not in self._placed:
            there = copy(self)
            for name in ("reference", "features", "mutable", "scale"):
                value = getattr(self, name)
                there._hold(name, value.to(device) if isinstance(value, Tensor) else value)
            there._hold("bounds", tuple(b.to(device) if isinstance(b, Tensor) else b for b in self.bounds))
            there._hold("_there", {})
            there._hold("_placed", {device: there})
            self._placed[device] = there
        placed: M = self._placed[device]
        return placed

    def differs(self, like: Inputs) -> bool:
        """Whether each example has features of its own."""
        return self.features is not None and self.features.ndim == like.ndim

    @property
    def names(self) -> tuple[str, ...]:
        """The names that its form gives."""
        return self.form.names

    @property
    def kinds(self) -> tuple[str, ...]:
        """Continuous, integer or category, one per feature; empty where all are continuous."""
        return self.form.kinds

    @property
    def missing(self) -> tuple[bool, ...]:
        """Which features may be missing; empty where none may."""
        return self.form.missing

    @property
    def levels(self) -> tuple[str, ...]:
        """Of a table: the value that each category's coordinate stands for."""
        return self.form.levels if isinstance(self.form, Table) else ()

    @property
    def types(self) -> tuple[str, ...]:
        """Of a table: the type of each column, as pandas writes it."""
        return self.form.types if isinstance(self.form, Table) else ()

    @property
    def words(self) -> tuple[str, ...]:
        """Of tokens: the word of each id."""
        return self.form.words if isinstance(self.form, Tokens) else ()

    def _hold(self, field: str, value: Any) -> None:
        object.__setattr__(self, field, value)

    def _strange(self, rows: Tensor) -> Tensor:
        """Where rows hold infinity, or NaN in a feature that is never missing."""
        return self.form.strange(rows, self._shared(rows))

    def _feature_of(self, like: Tensor) -> Tensor:
        """The feature of each coordinate, (1, coordinates), or (rows, coordinates) where examples have their own."""
        return owner(None if self.features is None else self._brought("features", self.features, like), like)

    def _shared(self, like: Tensor) -> Tensor:
        """The feature of each coordinate for what a form says of features; of their own, examples have nothing said."""
        return torch.zeros(1, like[0].numel(), dtype=torch.int64) if self.differs(like) else self._feature_of(like)

    def _brought(self, name: str, value: Any, like: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """A part of it on the device of `like`: an accelerator, which is waited for at each copy, keeps it there."""
        if like.device.type == "cpu":
            return torch.as_tensor(value).to(device=like.device, dtype=dtype)
        place = (name, like.device, dtype)
        if place not in self._there:
            self._there[place] = torch.as_tensor(value).to(dtype=dtype).to(like.device)
        return self._there[place]


def _is_same(value: Any, plain: Any) -> bool:
    parts = value if isinstance(value, tuple) else (value,)
    return not any(isinstance(part, Tensor) for part in parts) and bool(value == plain)
