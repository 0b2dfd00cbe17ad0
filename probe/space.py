"""What a model's inputs mean: their bounds, the features they form, what an absent feature looks like."""

from dataclasses import dataclass, fields
from math import isnan
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from probe.arrays import Given, brief, number_or_tensor, tensor
from probe.errors import DataError, RangeError, ShapeError, Unsupported
from probe.shapes import Inputs, PerFeature, References

Form = Literal["table", "image", "tokens", "graph"]
Kind = Literal["continuous", "integer", "category"]
Bound = float | Given


@dataclass(frozen=True, eq=False, kw_only=True)
class Space:
    """The meaning of a model's inputs. Shapes follow the inputs: per-coordinate fields have an example's shape.

    Numbers may be given as tensors, arrays, data frames or lists; tensors are held.

    Features are groups of coordinates: the one-hot columns of `race`, a square of pixels. They are the players of
    Shapley values and LIME and the units of deletion, and say what an attacker can move.

    Inputs that are texts hold the number of a word, a token id, at each place. `form` says what inputs look like, and
    so how they are drawn and what an audit does with them by default.
    """

    bounds: tuple[Bound, Bound] = (0.0, 1.0)  # lowest and highest value, for all or per coordinate
    features: Given | None = None  # the feature (0, 1, ...) that each coordinate belongs to; None: each is its own
    names: tuple[str, ...] = ()  # one per feature
    kinds: tuple[str, ...] = ()  # continuous, integer or category, one per feature; () means all continuous
    reference: Given | None = None  # rows that show an absent feature, (rows, *shape)
    mutable: Given | None = None  # True where an attacker may change a coordinate; None: everywhere
    levels: tuple[str, ...] = ()  # one per coordinate of a table: the value that a category's coordinate stands for
    scale: Bound = 1.0  # the unit in which attack radii are measured, for all or per coordinate
    form: str = ""  # table, image, tokens or graph; "" is by the shape of an example: 3 dimensions are an image
    words: tuple[str, ...] = ()  # the word that each token id stands for; with words, the form is tokens
    special: tuple[int, ...] = (0, 1)  # ids of no word of a text: the absent word first, then the unknown one and such
    types: tuple[str, ...] = ()  # one per feature: the type of its column in the table, as pandas writes it
    # One per feature: whether it may be missing, which is NaN in a number and the last coordinate of a category.
    missing: tuple[bool, ...] = ()

    def __post_init__(self) -> None:
        self._convert()
        low, high = (torch.as_tensor(b) for b in self.bounds)
        if bool(low.isnan().any()) or bool(high.isnan().any()):
            raise RangeError("Space.bounds hold NaN; write -math.inf or math.inf where there is no bound")
        if not bool((low <= high).all()):
            raise RangeError(f"Space.bounds: the low bound exceeds the high one: {self.bounds}")
        if not bool((torch.as_tensor(self.scale) > 0).all()):
            raise RangeError("Space.scale must be above 0 everywhere: it is the unit of attack radii")
        if self.features is not None and self.features.is_floating_point():
            raise ShapeError(
                "Space.features holds decimal numbers, expected the number of a feature; write "
                "Space(features=torch.as_tensor(features).long())"
            )
        if self.features is not None and sorted(set(self.features.flatten().tolist())) != list(range(self._declared())):
            raise ShapeError("Space.features must number the features 0, 1, 2, ... without a gap")
        for field, entries in self._per_feature():
            if entries and self.features is not None and len(entries) != self._declared():
                raise ShapeError(f"Space.{field} has {len(entries)} entries for {self._declared()} features")
        if self.levels and self.features is not None and len(self.levels) != self.features.numel():
            raise ShapeError(f"Space.levels has {len(self.levels)} entries for {self.features.numel()} coordinates")
        if unknown := set(self.kinds) - set(get_args(Kind)):
            raise RangeError(f"Space.kinds knows {', '.join(get_args(Kind))}; got {', '.join(sorted(unknown))}")
        if self.reference is not None and (
            self.reference.ndim == 0 or self.reference.numel() == 0 or bool(self._strange(self.reference).any())
        ):
            raise RangeError("Space.reference needs at least one row, and only finite numbers")
        self._check_form(float(low.min()), float(high.max()))

    def __repr__(self) -> str:
        """What differs from a plain space, in a few lines; of tensors their shape and range."""
        shown = [
            f"{f.name}={brief(value)}"
            for f in fields(self)
            if (value := getattr(self, f.name)) is not None and not _is_default(value, f.default)
        ]
        return f"Space({', '.join(shown)})"

    def check(self, inputs: Tensor) -> None:
        """Raise unless there are rows and all numbers are finite and within the bounds (up to rounding)."""
        if inputs.ndim < 2:
            raise ShapeError(
                f"inputs have shape {tuple(inputs.shape)}, expected (rows, ...) with at least one row; "
                + ("write inputs[None] for a single example" if inputs.ndim else "write inputs.view(1, 1)")
            )
        if inputs.numel() == 0:
            none = "there are no rows" if len(inputs) == 0 else "each example is empty"
            raise ShapeError(f"inputs have shape {tuple(inputs.shape)}: {none}; expected at least one row of numbers")
        if self.features is not None and self.features.shape != inputs.shape[1:]:
            raise ShapeError(
                f"each example has shape {tuple(inputs.shape[1:])}, "
                f"but Space.features describes {tuple(self.features.shape)}"
            )
        self._check_shapes(inputs)
        strange = self._strange(inputs)
        if bool(strange.any()):
            row = int(strange.flatten(1).any(1).nonzero()[0])
            raise RangeError(
                f"inputs hold NaN or infinity, first in row {row}; drop or fill in those {int(strange.sum())} values"
                + "; where the model takes missing values, Space(missing=...) says which features may be NaN"
                * bool(inputs.isnan().any())
            )
        low, high = self._bounds(inputs)
        dust = 1e-6 * (high - low).abs().nan_to_num(posinf=0.0)
        outside = (inputs < low - dust) | (inputs > high + dust)
        if bool(outside.any()):
            index = outside.nonzero()[0]
            where = self._describe(index[1:], inputs)
            value = float(inputs[tuple(index)])
            raise RangeError(
                f"row {int(index[0])} has {value:.6g} at {where}, outside the bounds "
                f"{self._bounds_at(index[1:], inputs)}; rescale the inputs or set Space(bounds=...)"
            )

    def form_of(self, like: Inputs) -> str:
        """What the inputs are: a table, an image, tokens or a graph."""
        inferred = "tokens" if self.words else "image" if like.ndim == 4 else "table"
        return self.form or inferred

    def within(self, inputs: Inputs) -> Inputs:
        """The inputs without the rounding dust that `check` lets pass beyond the bounds."""
        low, high = self._bounds(inputs)
        return inputs.clamp(low, high)

    def count(self, inputs: Inputs) -> int:
        """How many features an example has."""
        return inputs[0].numel() if self.features is None else self._declared()

    def by_feature(self, values: Inputs) -> PerFeature:
        """Sum the values of each feature's coordinates."""
        flat = values.flatten(1)
        if self.features is None:
            return flat
        sums = torch.zeros(len(flat), self._declared(), dtype=flat.dtype, device=flat.device)
        return sums.index_add_(1, self._feature_of(values), flat)

    def by_coordinate(self, values: PerFeature, like: Inputs) -> Inputs:
        """Spread each feature's value evenly over its coordinates, so that `by_feature` gives it back."""
        if self.features is None:
            return values.view(-1, *like.shape[1:])
        feature = self._feature_of(like)
        size = torch.bincount(feature).to(values.dtype)
        return (values / size)[:, feature].view(-1, *like.shape[1:])

    def select(self, kept: Tensor, like: Inputs) -> Tensor:
        """Turn a mask over features (rows, features) into one over coordinates (rows, *shape)."""
        if self.features is not None:
            # Three times as fast on a CPU as kept[:, feature].
            kept = kept.gather(1, self._feature_of(like).expand(len(kept), -1))
        return kept.view(-1, *like.shape[1:])

    def references(self, like: Inputs) -> References:
        """The reference rows, on the device and in the dtype of `like`."""
        if self.reference is None:
            raise Unsupported(
                "this method shows the model what an absent feature looks like; set Space(reference=rows), "
                "such as a black image or a sample of the training rows"
            )
        if self.reference.shape[1:] != like.shape[1:]:
            raise ShapeError(
                f"Space.reference has rows of shape {tuple(self.reference.shape[1:])}, "
                f"the inputs {tuple(like.shape[1:])}"
                + ("; write reference[None] for a single row" if self.reference.shape == like.shape[1:] else "")
            )
        return self.reference.to(like)

    def baseline(self, like: Inputs) -> References:
        """The mean reference row, (1, *shape); of a number that may be missing, the mean of the rows that have it."""
        rows = self.references(like)
        if self.reference is not None and self.reference.is_floating_point() and like.is_floating_point():
            rows = self.reference.to(like.device)  # not rounded before the mean is taken
        wide = rows.to(torch.promote_types(rows.dtype, torch.get_default_dtype()))
        mean = wide.nanmean if bool(wide.isnan().any()) else wide.mean
        return mean(0, keepdim=True).to(like.dtype)

    def unit(self, like: Inputs) -> Tensor:
        """The scale of attack radii, broadcastable over the rows of `like`."""
        return torch.as_tensor(self.scale, dtype=like.dtype, device=like.device)

    def movable(self, like: Inputs) -> Tensor:
        """True at the coordinates that an attack may move: mutable, not a category, no special token."""
        allowed = self.ordinary(like)
        if self.mutable is not None:
            allowed = allowed & self.mutable.to(like.device)
        return allowed & ~self._of_kind("category", like)

    def ordinary(self, like: Tensor) -> Tensor:
        """True where a token id stands for a word, and everywhere in other inputs; shaped as `like`."""
        if self.form_of(like) != "tokens":
            return torch.ones_like(like, dtype=torch.bool)
        return ~torch.isin(like, torch.tensor(self.special, dtype=like.dtype, device=like.device))

    def tokens(self, like: Inputs) -> Tensor:
        """Every token id there is, on the device and in the dtype of `like`."""
        low, high = (int(torch.as_tensor(bound).max()) for bound in self.bounds)
        return torch.arange(low, high + 1, dtype=like.dtype, device=like.device)

    def change(self, moved: Inputs, origin: Inputs) -> Inputs:
        """How far each coordinate moved in the unit of attack radii; 1 where a token is another one."""
        if self.form_of(origin) == "tokens":
            return (moved != origin).to(torch.get_default_dtype())
        return (moved - origin) / self.unit(origin)

    def admit(self, moved: Inputs, origin: Inputs) -> Inputs:
        """The nearest point an attacker could really send: within bounds, fixed coordinates kept, integers whole.

        Integers are rounded towards where they started, so that no point leaves a ball around `origin`.
        """
        low, high = self._bounds(origin)
        moved = torch.where(self.movable(origin), moved.clamp(low, high), origin)
        whole = self._of_kind("integer", origin)
        return torch.where(whole, origin + (moved - origin).trunc(), moved) if bool(whole.any()) else moved

    def feature_names(self, like: Inputs) -> tuple[str, ...]:
        """The names of the features, or their numbers where none were given."""
        number = "word {}" if self.form_of(like) == "tokens" else "feature {}"
        return self.names or tuple(number.format(i) for i in range(self.count(like)))

    def describe(self, inputs: Inputs) -> list[list[str]]:
        """What the features of each row are, in words: numbers as they are, categories by their level, tokens by name.

        An absent word is an empty string.
        """
        owner, rows = self._feature_of(inputs).tolist(), inputs.flatten(1).tolist()
        members = [[c for c, f in enumerate(owner) if f == feature] for feature in range(self.count(inputs))]
        if self.form_of(inputs) == "tokens":
            return [[" ".join(filter(None, (self._word(int(row[c])) for c in m))) for m in members] for row in rows]
        return [[self._value(feature, coordinates, row) for feature, coordinates in enumerate(members)] for row in rows]

    def _word(self, token: int) -> str:
        absent = self.special[:1] == (token,)
        return "" if absent else self.words[token] if self.words else str(token)

    def _value(self, feature: int, coordinates: list[int], row: list[float]) -> str:
        if self.kinds and self.kinds[feature] == "category":
            chosen = max(coordinates, key=row.__getitem__)
            if self.missing and self.missing[feature] and chosen == coordinates[-1]:
                return "missing"
            return self.levels[chosen] if self.levels else f"{coordinates.index(chosen) + 1} of {len(coordinates)}"
        return ", ".join("missing" if isnan(row[c]) else self._number(row[c]) for c in coordinates)

    def _number(self, value: float) -> str:
        """Six digits; all of a whole number, such as a date."""
        return f"{value:.0f}" if value.is_integer() and 1e6 <= abs(value) <= 2.0**53 else f"{value:.6g}"

    def _convert(self) -> None:
        """Hold tensors and tuples, whatever was given."""
        if not isinstance(self.bounds, tuple | list) or len(self.bounds) != 2:
            raise ShapeError(
                "Space.bounds are two: the lowest and the highest value, each a number or one for every coordinate, "
                "such as bounds=(0.0, 1.0)"
            )
        low, high = (number_or_tensor(b, "Space.bounds") for b in self.bounds)
        held: dict[str, Any] = {"bounds": (low, high), "scale": number_or_tensor(self.scale, "Space.scale")}
        for name in ("features", "reference", "mutable"):
            if getattr(self, name) is not None:
                held[name] = tensor(getattr(self, name), f"Space.{name}")
        if (features := held.get("features")) is not None and not features.is_floating_point():
            held["features"] = features.long()
        if (mutable := held.get("mutable")) is not None:
            if not bool(((mutable == 0) | (mutable == 1)).all()):
                raise DataError("Space.mutable holds other numbers than 0 and 1, expected True where it may move")
            held["mutable"] = mutable.bool()
        for name in ("names", "kinds", "levels", "words"):
            if isinstance(getattr(self, name), str):
                raise DataError(f"Space.{name} is one text, {getattr(self, name)!r}; give a tuple of texts")
            held[name] = tuple(map(str, getattr(self, name)))
        held["special"] = tuple(map(int, self.special))
        for name, value in held.items():
            object.__setattr__(self, name, value)

    def _check_form(self, low: float, high: float) -> None:
        """Raise RangeError where the form is unknown, or the words are not those of the token ids."""
        if self.form and self.form not in get_args(Form):
            raise RangeError(f"Space.form = {self.form!r}, expected one of {', '.join(get_args(Form))}")
        if self.words and self.form not in ("", "tokens"):
            raise RangeError(
                f"Space.words are the words of tokens, and Space.form is {self.form}; leave one of them out"
            )
        if (self.words or self.form == "tokens") and not 0 <= low <= high < torch.inf:
            raise RangeError(f"Space.bounds of token ids are [{low:g}, {high:g}]; set bounds=(0, number of words - 1)")
        if self.words and high >= len(self.words):
            raise RangeError(
                f"Space.words has {len(self.words)} words for token ids in [{low:g}, {high:g}]; "
                f"give a word for each, or set bounds=(0, {len(self.words) - 1})"
            )

    def _check_shapes(self, inputs: Tensor) -> None:
        """Raise ShapeError where a per-coordinate field does not describe these inputs."""
        shape = inputs.shape[1:]
        low, high = self.bounds
        for field, value in (("bounds", low), ("bounds", high), ("scale", self.scale), ("mutable", self.mutable)):
            if isinstance(value, Tensor) and value.ndim and value.shape != shape:
                raise ShapeError(
                    f"each example has shape {tuple(shape)}, but Space.{field} has shape {tuple(value.shape)}"
                )
        count = self.count(inputs)
        for field, entries in self._per_feature():
            if entries and len(entries) != count:
                raise ShapeError(f"each example has {count} features, but Space.{field} has {len(entries)} entries")

    def _per_feature(self) -> tuple[tuple[str, tuple[object, ...]], ...]:
        """The fields that have an entry for each feature."""
        return (("names", self.names), ("kinds", self.kinds), ("types", self.types), ("missing", self.missing))

    def _strange(self, rows: Tensor) -> Tensor:
        """Where rows hold infinity, or NaN in a feature that is never missing."""
        strange = ~rows.isfinite()
        if not any(self.missing) or not bool(strange.any()):
            return strange
        may = torch.tensor(self.missing, device=rows.device)[self._feature_of(rows)].view(rows.shape[1:])
        return strange & ~(rows.isnan() & may)

    def _declared(self) -> int:
        return 0 if self.features is None else int(self.features.max()) + 1

    def _feature_of(self, like: Tensor) -> Tensor:
        if self.features is None:
            return torch.arange(like[0].numel(), device=like.device)
        return self.features.flatten().to(like.device)

    def _of_kind(self, kind: Kind, like: Inputs) -> Tensor:
        if kind not in self.kinds:
            return torch.zeros(like.shape[1:], dtype=torch.bool, device=like.device)
        chosen = torch.tensor([k == kind for k in self.kinds], device=like.device)
        return chosen[self._feature_of(like)].view(like.shape[1:])

    def _bounds(self, like: Inputs) -> tuple[Tensor, Tensor]:
        low, high = (torch.as_tensor(b).to(device=like.device, dtype=like.dtype) for b in self.bounds)
        return low, high

    def _bounds_at(self, index: Tensor, like: Inputs) -> str:
        low, high = (b.expand(like.shape[1:])[tuple(index)] for b in self._bounds(like))
        return f"[{float(low):.6g}, {float(high):.6g}]"

    def _describe(self, index: Tensor, like: Inputs) -> str:
        place = tuple(int(i) for i in index)
        if not self.names or like.ndim != 2:
            return f"coordinate {place[0] if len(place) == 1 else place}"
        return f"feature {self.names[int(self._feature_of(like)[place[0]])]!r}"


def _is_default(value: Any, default: Any) -> bool:
    parts = value if isinstance(value, tuple) else (value,)
    return not any(isinstance(part, Tensor) for part in parts) and bool(value == default)


def squares(height: int, width: int, side: int) -> Tensor:
    """Number the squares of `side` pixels that tile an image, (height, width): features for small images."""
    rows, columns = torch.arange(height) // side, torch.arange(width) // side
    return rows[:, None] * (int(columns.max()) + 1) + columns


def image_space(
    channels: int, height: int, width: int, *, side: int = 0, bounds: tuple[Bound, Bound] = (0.0, 1.0)
) -> Space:
    """The space of images (channels, height, width): the features are squares, and an absent one is black.

    Args:
        channels: of an image.
        height: in pixels.
        width: in pixels.
        side: of a square in pixels; an eighth of the longer side unless given.
        bounds: lowest and highest value. Black is 0, or the bound nearest to it.
    """
    side = side or max(1, -(-max(height, width) // 8))
    down, across = -(-height // side), -(-width // side)
    low, high = (torch.as_tensor(bound) for bound in bounds)
    black = torch.zeros(1, channels, height, width).maximum(low).minimum(high)
    return Space(
        bounds=bounds,
        features=squares(height, width, side).expand(channels, -1, -1).contiguous(),
        names=tuple(f"square r{row} c{column}" for row in range(down) for column in range(across)),
        reference=black,
    )
