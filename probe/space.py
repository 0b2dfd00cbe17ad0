"""What a model's inputs mean: their bounds, the features they form, what an absent feature looks like."""

from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from probe import admission
from probe.errors import ShapeError, Unsupported
from probe.forms import Form
from probe.grouping import evenly, mask, places_of, sums
from probe.meaning import Meaning
from probe.shapes import Inputs, PerFeature, Presence, References


@dataclass(frozen=True, eq=False, kw_only=True, init=False, repr=False)
class Space(Meaning):
    """The meaning of a model's inputs. Shapes follow the inputs: per-coordinate fields have an example's shape.

    Numbers may be given as tensors, arrays, data frames or lists; tensors are held.

    Features are groups of coordinates: the one-hot columns of `race`, a square of pixels. They are the players of
    Shapley values and LIME and the units of deletion, and say what an attacker can move. They are the same in all
    examples, or each example has its own: then `features` has a grouping for each, (rows, *shape), as of
    `probe.segments(images)`, the space is that of those examples, and their numbers of features may differ.

    `form` says what inputs look like, and so what an attacker moves, how they are drawn, and what an audit does with
    them by default. `Space(names=("age", "race"), kinds=("integer", "category"))` and `Space(form="graph")` are short
    for `Space(form=Table(names=...))` and `Space(form=Graph())`.

    >>> import torch
    >>> from probe import Space
    >>> rows = torch.tensor([[30.0, 1.0, 0.0], [50.0, 0.0, 1.0]])  # age, and a colour as two columns
    >>> table = Space(
    ...     names=("age", "colour"), kinds=("integer", "category"), features=torch.tensor([0, 1, 1]),
    ...     levels=("", "red", "blue"), bounds=(torch.tensor([0.0, 0.0, 0.0]), torch.tensor([99.0, 1.0, 1.0])),
    ...     scale=torch.tensor([10.0, 1.0, 1.0]), reference=rows,
    ... )
    >>> table.describe(rows)
    [['30', 'red'], ['50', 'blue']]
    >>> table.feature_count(rows), table.by_feature(rows)
    (2, tensor([[30.,  1.],
            [50.,  1.]]))
    >>> table.project(rows + 0.7, rows)[0]  # an integer stays whole, a category does not move
    tensor([30.,  1.,  0.])
    """

    def check(self, inputs: Tensor) -> None:
        """Raise unless there are rows and all numbers are finite and within the bounds (up to rounding)."""
        admission.check_rows(inputs, self.features)
        said = {"bounds": self.bounds, "scale": self.scale, "mutable": self.mutable}
        admission.check_shapes(inputs, self.form, said, self.feature_count(inputs))
        if self.differs(inputs):
            admission.check_own_features(torch.as_tensor(self.features), self.form)
        admission.check_finite(inputs, self._strange(inputs))
        admission.check_within(inputs, *self._bounds(inputs), partial(self._place, inputs))

    def form_of(self, like: Inputs) -> Form:
        """The form of the inputs; by default images or rows of a table, by their shape."""
        return self.form.of(like)

    def clip(self, inputs: Inputs) -> Inputs:
        """The inputs within the bounds: what `check` tolerates beyond them is rounding."""
        low, high = self._bounds(inputs)
        return inputs.clamp(low, high)

    def feature_count(self, inputs: Inputs) -> int:
        """How many features an example has."""
        return inputs[0].numel() if self.features is None else self._declared()

    def by_feature(self, values: Inputs) -> PerFeature:
        """Sum the values of each feature's coordinates; 0 for features that an example does not have."""
        return values.flatten(1) if self.features is None else sums(values, self._feature_of(values), self._declared())

    def by_coordinate(self, values: PerFeature, like: Inputs) -> Inputs:
        """Spread each feature's value evenly over its coordinates, so that `by_feature` gives it back."""
        flat = values if self.features is None else evenly(values, self._feature_of(like))
        return flat.view(-1, *like.shape[1:])

    def coordinate_mask(self, kept: Presence, like: Inputs) -> Tensor:
        """Turn a mask over features (rows, features) into one over coordinates (rows, *shape)."""
        flat = kept if self.features is None else mask(kept, self._feature_of(like))
        return flat.view(-1, *like.shape[1:])

    def of_rows(self, rows: slice | Tensor, like: Inputs) -> "Space":
        """The space of some of the examples; another one only where each example has features of its own."""
        if not self.differs(like):
            return self
        assert isinstance(self.features, Tensor)
        return replace(self, features=self.features[rows])

    def alike(self, inputs: Inputs) -> list[tuple[Tensor, "Space"]]:
        """Examples that have the same features, by their numbers, and the space in which those are of all of them.

        Raises:
            ShapeError: if each example has features of its own, and these are others.
        """
        if not self.differs(inputs):
            return [(torch.arange(len(inputs), device=inputs.device), self)]
        kinds, which = torch.unique(self._feature_of(inputs), dim=0, return_inverse=True)
        spaces = [replace(self, features=kind.view(inputs.shape[1:])) for kind in kinds]
        return [((which == at).nonzero()[:, 0], space) for at, space in enumerate(spaces)]

    def references(self, like: Inputs) -> References:
        """The reference rows, on the device and in the dtype of `like`."""
        if self.reference is None:
            raise Unsupported(
                "this method replaces absent features by a reference, and the space has none; set "
                "Space(reference=rows), "
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

    def scale_of(self, like: Inputs) -> Tensor:
        """The scale of attack radii, broadcastable over the rows of `like`."""
        return self._brought("scale", self.scale, like, like.dtype)

    def mutable_mask(self, like: Inputs) -> Tensor:
        """True at the coordinates that an attack may move: mutable, not a category, no special token."""
        allowed = self.form_of(like).mutable(like, self._shared(like)).expand(like.shape)
        return allowed if self.mutable is None else allowed & self._brought("mutable", self.mutable, like)

    def is_word(self, like: Tensor) -> Tensor:
        """True where a token id stands for a word, and everywhere in other inputs; shaped as `like`."""
        return self.form_of(like).is_word(like)

    def tokens(self, like: Inputs) -> Tensor:
        """Every token id there is, on the device and in the dtype of `like`."""
        low, high = (int(torch.as_tensor(bound).max()) for bound in self.bounds)
        return torch.arange(low, high + 1, dtype=like.dtype, device=like.device)

    def scaled_change(self, moved: Inputs, origin: Inputs) -> Inputs:
        """How far each coordinate moved, divided by `scale_of`; 1 where a token is another one."""
        return self.form_of(origin).scaled_change(moved, origin, self.scale_of(origin))

    def project(self, moved: Inputs, origin: Inputs) -> Inputs:
        """The nearest point an attacker could really send: within bounds, fixed coordinates kept, integers whole.

        Integers are rounded towards where they started, so that no point leaves a ball around `origin`.
        """
        low, high = self._bounds(origin)
        return self.whole(torch.where(self.mutable_mask(origin), moved.clamp(low, high), origin), origin)

    def whole(self, moved: Inputs, origin: Inputs) -> Inputs:
        """The inputs with integers rounded towards where they started."""
        form = self.form_of(origin)
        return form.project(moved, origin, self._shared(origin)) if form.rounds else moved

    def feature_names(self, like: Inputs) -> tuple[str, ...]:
        """The names of the features, or their numbers where none were given."""
        form, count = self.form_of(like), self.feature_count(like)
        if self.differs(like):  # what a form says of two examples holds for all
            return form.feature_names(count, like[:1].expand(2, *like.shape[1:]), self._shared(like).expand(2, -1))
        return form.feature_names(count, like, self._feature_of(like))

    def describe(self, inputs: Inputs) -> list[list[str]]:
        """What the features of each row are, in words: numbers as they are, categories by their level, tokens by name.

        An absent word is an empty string.
        """
        form, count = self.form_of(inputs), self.feature_count(inputs)
        owners = [places_of(own, count) for own in self._feature_of(inputs).tolist()]
        return [
            [form.describe(row, feature, places) for feature, places in enumerate(owners[at % len(owners)])]
            for at, row in enumerate(inputs.flatten(1).tolist())
        ]

    def _declared(self) -> int:
        return 0 if self.features is None else self._features

    def _bounds(self, like: Inputs) -> tuple[Tensor, Tensor]:
        low, high = self.bounds
        return self._brought("low", low, like, like.dtype), self._brought("high", high, like, like.dtype)

    def _place(self, like: Inputs, at: tuple[int, ...]) -> str:
        """A coordinate in words."""
        if not self.names or like.ndim != 2:
            return f"coordinate {at[0] if len(at) == 1 else at}"
        return f"feature {self.names[int(self._feature_of(like)[0, at[0]])]!r}"
