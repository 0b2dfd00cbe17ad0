"""Examples with their labels, the groups they belong to, and where they came from."""

import hashlib
from dataclasses import KW_ONLY, dataclass, field, replace

import pandas as pd
import torch
from torch import Tensor

from probe.errors import DataError, ShapeError
from probe.space import Space
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
