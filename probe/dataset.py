"""Examples with their labels, the groups they belong to, and where they came from."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from probe.errors import DataError, ShapeError
from probe.space import Kind, Space
from probe.tensors import generator, sha256


@dataclass(frozen=True, eq=False)
class Dataset:
    """Labelled examples. `groups` has one row per example and one column per attribute, such as sex."""

    inputs: Tensor  # (rows, ...), one example per row
    labels: Tensor  # (rows,), class indices
    _: KW_ONLY
    groups: pd.DataFrame | None = None
    space: Space = field(default_factory=Space)
    classes: tuple[str, ...] = ()
    name: str = "data"
    rows: Tensor | None = None  # the number of each example in the source; 0, 1, 2, ... unless given
    source: str = ""  # where the examples came from, and on what terms

    def __post_init__(self) -> None:
        self.space.check(self.inputs)
        count = len(self.inputs)
        if self.labels.shape != (count,):
            raise ShapeError(f"{self.name}: labels have shape {tuple(self.labels.shape)}, expected ({count},)")
        if self.labels.is_floating_point() or self.labels.dtype == torch.bool:
            raise DataError(f"{self.name}: labels are {self.labels.dtype}, expected class indices (integers)")
        if self.classes and not bool(((self.labels >= 0) & (self.labels < len(self.classes))).all()):
            raise DataError(
                f"{self.name}: labels span {int(self.labels.min())} to {int(self.labels.max())}, expected 0 to "
                f"{len(self.classes) - 1} for the classes {', '.join(self.classes)}"
            )
        if self.groups is not None and len(self.groups) != count:
            raise ShapeError(f"{self.name}: groups have {len(self.groups)} rows for {count} examples")
        object.__setattr__(self, "rows", torch.arange(count) if self.rows is None else self.rows)

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, rows: slice | Tensor) -> "Dataset":
        """Some of the rows, by a slice or a tensor of indices or booleans."""
        assert self.rows is not None
        groups = None
        if self.groups is not None:
            groups = self.groups.iloc[rows if isinstance(rows, slice) else rows.numpy()].reset_index(drop=True)
        return replace(self, inputs=self.inputs[rows], labels=self.labels[rows], groups=groups, rows=self.rows[rows])

    def sample(self, count: int | None, seed: int) -> "Dataset":
        """`count` rows drawn without replacement, in their original order; all of them if there are no more."""
        return self if count is None or count >= len(self) else self[self.draw(count, seed)]

    def draw(self, count: int, seed: int) -> Tensor:
        """The positions of `count` random rows, sorted. With the same seed a smaller draw lies within a larger one."""
        order = torch.randperm(len(self), generator=generator(seed, torch.device("cpu")))
        return order[:count].sort().values

    def digest(self) -> str:
        """SHA-256 of inputs, labels and groups."""
        tensors = hashlib.sha256(sha256({"inputs": self.inputs, "labels": self.labels}).encode())
        if self.groups is not None:
            tensors.update(self.groups.to_csv(index=False).encode())
        return tensors.hexdigest()


def from_csv(
    path: str | Path,
    *,
    label: str,
    groups: Sequence[str] = (),
    features: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
    categories: Mapping[str, Sequence[str]] | None = None,
) -> Dataset:
    """Read a table: number columns stay as they are, text columns become one-hot coordinates of one feature each.

    Args:
        path: a CSV file with a header, plain or compressed.
        label: the column to predict.
        groups: columns that name groups; they are features too if `features` lists them.
        features: the input columns in the model's order; all but label and groups unless given.
        classes: the label's values in the model's order; sorted unless given.
        categories: the values of text columns in the model's order; sorted unless given.

    Raises:
        DataError: if a named column is missing, or holds empty cells or values that were not declared.
    """
    path = Path(path)
    try:
        table = pd.read_csv(path)
    except FileNotFoundError:
        raise DataError(f"there is no file {path}; give the path of a CSV file with a header row") from None
    except (ValueError, OSError) as error:
        raise DataError(f"{path.name} cannot be read as CSV: {error}") from None
    if table.empty:
        raise DataError(f"{path.name} has no rows below its header")
    chosen = list(features) if features is not None else [c for c in table if c != label and c not in groups]
    for name in dict.fromkeys((label, *groups, *chosen)):
        if name not in table:
            raise DataError(f"{path.name} has no column {name!r}; it has {', '.join(map(str, table.columns))}")
        if name not in groups and (missing := int(table[name].isna().sum())):
            raise DataError(
                f"column {name!r} of {path.name} has {missing} empty cells; drop those rows or fill them in"
            )
    if label in chosen:
        raise DataError(f"column {label!r} is both the label and a feature, so the answer would be in the question")
    names = tuple(map(str, classes if classes is not None else sorted(table[label].astype(str).unique())))
    labels = _codes(table[label], names, path)
    parts, owner, kinds = [], [], []
    for index, name in enumerate(chosen):
        coordinates, kind = _encode(table[name], (categories or {}).get(str(name)), path)
        parts.append(coordinates)
        owner += [index] * coordinates.shape[1]
        kinds.append(kind)
    inputs = torch.from_numpy(np.concatenate(parts, axis=1))
    low, high = inputs.min(0).values, inputs.max(0).values
    category = torch.tensor([kinds[i] == "category" for i in owner])
    spread = inputs.std(0) if len(inputs) > 1 else torch.ones(inputs.shape[1])
    space = Space(
        bounds=(torch.where(category, 0.0, low), torch.where(category, 1.0, high)),
        features=torch.tensor(owner),
        names=tuple(map(str, chosen)),
        kinds=tuple(kinds),
        # One standard deviation, so that a radius means the same for years and for dollars.
        scale=torch.where(category | (spread == 0), 1.0, spread),
    )
    frame = table[list(groups)].reset_index(drop=True) if groups else None
    return Dataset(
        inputs=inputs, labels=labels, groups=frame, space=space, classes=names, name=path.name, source=str(path.name)
    )


def _codes(column: "pd.Series[Any]", values: tuple[str, ...], path: Path) -> Tensor:
    text = column.astype(str)
    if unknown := sorted(set(text) - set(values)):
        raise DataError(
            f"column {column.name!r} of {path.name} holds {', '.join(map(repr, unknown[:5]))}, "
            f"expected one of {', '.join(map(repr, values))}"
        )
    return torch.from_numpy(pd.Categorical(text, categories=list(values)).codes.astype(np.int64))


def _encode(column: "pd.Series[Any]", values: Sequence[str] | None, path: Path) -> tuple[NDArray[Any], Kind]:
    if values is None and pd.api.types.is_numeric_dtype(column):
        whole = pd.api.types.is_integer_dtype(column)
        return column.to_numpy(np.float32)[:, None], "integer" if whole else "continuous"
    names = tuple(map(str, values)) if values is not None else tuple(sorted(column.astype(str).unique()))
    return np.eye(len(names), dtype=np.float32)[_codes(column, names, path).numpy()], "category"
