"""Examples with their labels, the groups they belong to, and where they came from."""

import hashlib
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch
from torch import Tensor

from probe.arrays import Given, by_names, from_numbers, from_one_hot, refuse_packed
from probe.errors import DataError, RangeError, ShapeError
from probe.forms import Table
from probe.frames import Declared, parts_of
from probe.keywords import Named
from probe.names import Passed, a_kind, entries, require, same_rows
from probe.planted import planted_mask
from probe.space import Space
from probe.task import Task
from probe.task.base import Names, numbered
from probe.task.places import NO_LABEL
from probe.tensors import generator, sha256

if TYPE_CHECKING:
    Frame = pd.DataFrame
else:
    Frame = Any  # at run time anything that is passed; what is no DataFrame is refused with a message

ROLES = ("test", "train", "unknown")


@dataclass(frozen=True, eq=False)
class Dataset(metaclass=Named):
    """Labelled examples. `groups` has one row per example and one column per attribute, such as sex.

    >>> import pandas as pd
    >>> import torch
    >>> from probe import Dataset
    >>> data = Dataset(torch.rand(4, 2), torch.tensor([0, 1, 1, 0]), groups=pd.DataFrame({"sex": ["f", "m", "f", "m"]}))
    >>> len(data), len(data[:2])
    (4, 2)
    >>> data[:2].groups["sex"].tolist()
    ['f', 'm']
    """

    inputs: Given  # (rows, ...), one example per row: a tensor, or an array or a data frame of numbers
    labels: Given  # (rows,): class indices or numbers; (rows, labels): 0 or 1; as in the task
    _: KW_ONLY
    groups: Frame | None = None
    space: Passed[Space] = field(default_factory=Space)
    classes: Names = ()  # names of the classes, or of several labels; () for numbers
    name: str = "data"
    rows: Given | None = None  # index of each example in the source; by default 0, 1, 2, ...
    source: str = ""  # origin and licence
    role: Passed[str] = "unknown"  # test: not used for training; train: used; or unknown
    notices: tuple[str, ...] = ()  # notices: assumptions made while reading the source
    truth: Given | None = None  # where the truth was planted: True at the coordinates that decide; None if unknown
    outliers: Given | None = None  # inputs unlike these, such as those of another data set, that should be told apart

    def __post_init__(self) -> None:
        if not isinstance(self.role, str) or self.role not in ROLES:
            raise DataError(f"{self.name}: role = {self.role!r}, expected one of {', '.join(ROLES)}")
        same_rows(inputs=self.inputs, labels=self.labels, groups=self.groups)
        object.__setattr__(self, "inputs", self._by_names())
        for field_name in ("inputs", "labels"):
            given = from_numbers(getattr(self, field_name))
            if not isinstance(given, Tensor):
                remedy = (
                    f"write torch.tensor({field_name})" if isinstance(given, list | tuple) else "encode texts first"
                )
                raise DataError(
                    f"{self.name}: {field_name} are {a_kind(given)}; expected a tensor, an array or a data "
                    f"frame of numbers: {remedy}; Dataset.from_frame encodes a table with texts"
                )
            refuse_packed(given, f"{self.name}: {field_name}", field_name)
            object.__setattr__(self, field_name, given)
        such = "('no', 'yes')"
        object.__setattr__(self, "classes", tuple(entries(self.classes, f"{self.name}: classes", such)))
        require(self.space, Space, f"{self.name}: space", "space=Space(bounds=(0.0, 1.0))")
        self.space.check(self.inputs)
        count = len(self.inputs)
        self._check_labels(count)
        if self.groups is not None and not isinstance(self.groups, pd.DataFrame):
            raise DataError(
                f"{self.name}: groups are {a_kind(self.groups)}, expected a pandas DataFrame with a column "
                "for each attribute; write pd.DataFrame(groups)"
            )
        if self.groups is not None and len(self.groups) != count:
            raise ShapeError(f"{self.name}: groups have {len(self.groups)} rows for {count} examples")
        if self.truth is not None:
            mask = planted_mask(from_numbers(self.truth), self.inputs, "leave those rows out, as in data[rows]")
            object.__setattr__(self, "truth", mask)
        if self.outliers is not None:
            object.__setattr__(self, "outliers", self._alike(from_numbers(self.outliers)))
        object.__setattr__(self, "rows", torch.arange(count) if self.rows is None else from_numbers(self.rows))

    def _by_names(self) -> Any:
        """The inputs, columns of a data frame in the order of the space's names; else the space gets their names."""
        columns, space = getattr(self.inputs, "columns", None), self.space
        if columns is None or not isinstance(space, Space) or space.features is not None:
            return self.inputs
        named = tuple(map(str, columns))
        if not space.names and isinstance(space.form, Table) and len(set(named)) == len(named):
            object.__setattr__(self, "space", replace(space, form=replace(space.form, names=named)))
        return by_names(self.inputs, tuple(space.names))

    def _alike(self, outliers: Any) -> Tensor:
        """The outliers, after checking that they are inputs of the same shape."""
        shape = tuple(self.inputs.shape[1:])
        if not isinstance(outliers, Tensor) or tuple(outliers.shape[1:]) != shape or not len(outliers):
            found = tuple(outliers.shape) if isinstance(outliers, Tensor) else a_kind(outliers)
            raise ShapeError(
                f"{self.name}: outliers are {found}, expected rows of numbers of the shape {shape} of inputs"
            )
        return outliers

    @staticmethod
    def require(given: object) -> None:
        """Raise DataError unless it is a Dataset."""
        require(given, Dataset, "data", "Dataset(inputs, labels, space=model.space, classes=model.classes)")

    def _check_labels(self, count: int) -> None:
        """Raise unless there are labels for each row: classes, several 0/1 labels, or numbers."""
        labels = self.labels
        if labels.ndim == 0 or len(labels) != count:
            raise ShapeError(f"{self.name}: labels have shape {tuple(labels.shape)}, expected ({count},)")
        if labels.is_complex() or labels.dtype == torch.bool:
            numbers = "labels.long()" if labels.ndim < 2 else f"{from_one_hot(labels)}, else labels.long()"
            remedy = f"; write {numbers}" * (labels.dtype == torch.bool)
            raise DataError(
                f"{self.name}: labels are {labels.dtype}, expected class indices (integers) or numbers{remedy}"
            )
        if labels.is_floating_point() and self.classes:
            raise DataError(
                f"{self.name}: labels are {labels.dtype}, expected class indices (integers) for the classes "
                f"{', '.join(self.classes)}; write labels.long(), or leave the classes out where labels are numbers"
            )
        if not bool(labels.isfinite().all()):
            raise DataError(f"{self.name}: labels hold NaN or infinity; drop those rows")
        several = labels.ndim > 1
        if several and self.classes and labels.shape[1:] != (len(self.classes),):
            raise ShapeError(
                f"{self.name}: labels have shape {tuple(labels.shape)}, expected ({count},), or ({count}, "
                f"{len(self.classes)}): 1 for each of {', '.join(self.classes)} that is true, else 0"
            )
        below = 2 if several else len(self.classes)
        if self.classes and not bool(((labels >= 0) & (labels < below)).all()):
            raise DataError(
                f"{self.name}: labels span {int(labels.min())} to {int(labels.max())}, expected 0 to "
                f"{below - 1} for the classes {', '.join(self.classes)}"
            )

    @classmethod
    def from_frame(  # noqa: PLR0913  what can be said of a table's columns
        cls,
        frame: Any,
        *,
        label: Hashable | list[Hashable],
        task: Task | None = None,
        groups: Iterable[Hashable] = (),
        features: Iterable[Hashable] | None = None,
        classes: Iterable[Any] | None = None,
        categories: Mapping[Any, Iterable[Any]] | None = None,
        missing: Iterable[Any] = (),
        allow_missing: bool = False,
        dtype: torch.dtype | None = None,
        name: str = "data",
    ) -> "Dataset":
        """A dataset from a pandas DataFrame: number columns stay as they are, texts and categoricals become one-hot.

        The coordinates of a category are one feature. Its levels are sorted, by value where all are numbers, unless
        the column is a pandas category, whose order counts, or `categories` lists them.

        Args:
            frame: one row per example; its index is ignored, and column names may be anything.
            label: the column to predict; a list of columns for several labels or numbers.
            task: what labels are; by default classes, or several labels if several columns hold only 0 and 1.
                `Regression()` reads numbers, `MultiLabel()` 0 and 1.
            groups: columns that name groups; they are features only if `features` lists them.
            features: the input columns in the model's order; by default all but label and groups.
            classes: the label's values in the model's order; sorted by default.
            categories: for categorical columns, their values in the model's order; for one of several labels, its false
                and true value.
            missing: cells that count as missing besides empty ones, such as "?".
            allow_missing: whether features may be missing, for models that accept that.
            dtype: of the inputs; by default float32, or float64 if a column needs it.
            name: of the dataset.

        Raises:
            DataError: if a named column does not exist, or holds empty cells or undeclared values.
        """
        if not isinstance(frame, pd.DataFrame):
            raise DataError(f"expected a pandas DataFrame, got {a_kind(frame)}")
        declared = Declared(
            label=label,
            task=task,
            groups=listed(groups, "groups"),
            features=None if features is None else listed(features, "features"),
            classes=None if classes is None else entries(classes, "classes", "('no', 'yes')"),
            categories=categories or {},
            missing=listed(missing, "missing"),
            allow_missing=allow_missing,
            dtype=dtype,
        )
        return cls(**vars(parts_of(frame, declared, name)), name=name, source=name)

    def to(self, dtype: torch.dtype) -> "Dataset":
        """The dataset in another floating dtype, with its space."""
        moved: dict[str, Any] = {
            name: value.to(dtype)
            for name, value in vars(self.space).items()
            if isinstance(value, Tensor) and value.is_floating_point()
        }
        outliers = None if self.outliers is None else self.outliers.to(dtype)
        low, high = (b.to(dtype) if isinstance(b, Tensor) else b for b in self.space.bounds)
        return replace(
            self,
            inputs=self.inputs.to(dtype),
            outliers=outliers,
            space=replace(self.space, **moved, bounds=(low, high)),
        )

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, rows: slice | Tensor) -> "Dataset":
        """Select rows by a slice or a tensor of indices or booleans."""
        assert self.rows is not None
        groups = None
        if self.groups is not None:
            groups = self.groups.iloc[rows if isinstance(rows, slice) else rows.numpy()].reset_index(drop=True)
        space = self.space.of_rows(rows, self.inputs)
        part: dict[str, Any] = {"inputs": self.inputs[rows], "labels": self.labels[rows], "rows": self.rows[rows]}
        truth = None if self.truth is None else self.truth[rows]
        return replace(self, groups=groups, space=space, truth=truth, **part)

    def only(self, answer: int | str) -> "Dataset":
        """The dataset with one of its several labels, or the label of one position, by name or index.

        Rows without a label there (-100, as at padded places) are left out.

        Raises:
            RangeError: if there is no such label.
        """
        if self.labels.ndim < 2:
            raise RangeError(f"{self.name} has one label for each row; leave only({answer!r}) out")
        named = self.classes if len(self.classes) == self.labels.shape[1] else ()
        at = numbered(answer, named, "label", "labels")
        if at >= self.labels.shape[1]:
            raise RangeError(f"{at} is no label of {self.name}, which has {self.labels.shape[1]} for each row")
        classes = (f"not {named[at]}", named[at]) if named else self.classes
        alone = replace(self, labels=self.labels[:, at], classes=classes)
        there = alone.labels != NO_LABEL
        return alone if alone.labels.is_floating_point() or bool(there.all()) else alone[there]

    def sample(self, count: int | None, seed: int) -> "Dataset":
        """`count` rows drawn without replacement, in their original order; all of them if there are no more."""
        return self if count is None or count >= len(self) else self[self.draw(count, seed)]

    def draw(self, count: int, seed: int, *, ordered: bool = True) -> Tensor:
        """The indices of `count` random rows, sorted, or in random order if not `ordered`.

        With the same seed, a smaller draw is a subset of a larger one.
        """
        order = torch.randperm(len(self), generator=generator(seed, torch.device("cpu")))
        return order[:count].sort().values if ordered else order[:count]

    def digest(self, *, planted: bool = False) -> str:
        """SHA-256 of inputs, labels and groups; if `planted`, also of the planted truth and the outliers, if any."""
        told = {"inputs": self.inputs, "labels": self.labels}
        more = {"truth": self.truth, "outliers": self.outliers} if planted else {}
        told |= {name: part for name, part in more.items() if part is not None}
        tensors = hashlib.sha256(sha256(told).encode())
        if self.groups is not None:
            tensors.update(self.groups.to_csv(index=False).encode())
        return tensors.hexdigest()


def listed(names: Iterable[Any], what: str) -> list[Any]:
    """The names as a list; a single name instead of a list is refused."""
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise DataError(f"{what} = {names!r:.60}, expected a list: [{names!r:.60}]")
    return list(names)
