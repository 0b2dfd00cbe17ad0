"""Tables whose rows are numbers in their own units, then each category as one-hot coordinates."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from probe import Dataset, Space
from probe.errors import PlanError
from probe.task import Task
from probe.tensors import generator

REFERENCES = 50  # training rows that show an absent feature


@dataclass(frozen=True, eq=False, kw_only=True)
class Table:
    """A file of people, and which of its columns a model may see.

    `load` gives one row per person, with the columns below and two more: `label`, the class as a number, or the number
    of a regression, and `split`, train or test. Of several labels each has a column, named in `labels`. A category's
    coordinates follow the order of its column if that is categorical, and else the alphabet. Rows are numbered as in
    the index, which is to be their place in the file.
    """

    name: str
    source: str
    classes: tuple[str, ...]  # () where labels are numbers
    task: Task | None = None  # what labels are; one of the classes unless given
    load: Callable[[], pd.DataFrame]
    numbers: Mapping[str, tuple[float, float]]  # the lowest and the highest that each can be
    categories: tuple[str, ...]
    immutable: tuple[str, ...]  # features that an attacker cannot change
    groups: tuple[str, ...]  # columns that an audit compares people by
    labels: tuple[str, ...] = ()  # columns of several labels; () where there is one

    @property
    def features(self) -> tuple[str, ...]:
        """What a model sees, in the order of its coordinates."""
        return (*self.numbers, *self.categories)

    def read(self, split: str) -> Dataset:
        """The `train` or `test` split."""
        if split not in ("train", "test"):
            raise PlanError(f"{self.name} has the splits train, test; got {split!r}")
        rows = self._rows(split)
        table = self._frame.iloc[rows]
        return Dataset(
            inputs=self._inputs(rows),
            labels=torch.tensor(table[list(self.labels) or "label"].to_numpy(np.int64 if self.classes else np.float32)),
            groups=table[list(self.groups)].reset_index(drop=True),
            space=self._space,
            classes=self.classes,
            name=f"{self.name} {split}",
            rows=torch.tensor(table.index.to_numpy(np.int64)),
            source=self.source,
        )

    def space(self) -> Space:
        """What the coordinates mean; the same object whenever it is asked for."""
        return self._space

    def levels(self) -> dict[str, tuple[str, ...]]:
        """The values of each category, in the order of its coordinates."""
        return {name: tuple(column.categories) for name, column in self._columns.items()}

    @cached_property
    def _frame(self) -> pd.DataFrame:
        return self.load()

    @cached_property
    def _columns(self) -> dict[str, pd.Categorical]:
        return {name: pd.Categorical(self._frame[name]) for name in self.categories}

    def _inputs(self, rows: np.ndarray) -> Tensor:
        """Rows as a model reads them; made anew each time, as they take several times the memory of their cells."""
        parts = [self._frame[list(self.numbers)].iloc[rows].to_numpy(np.float32)]
        for column in self._columns.values():
            parts.append(np.eye(len(column.categories), dtype=np.float32)[column.codes[rows]])
        return torch.from_numpy(np.concatenate(parts, axis=1))

    @cached_property
    def _space(self) -> Space:
        train, levels = self._inputs(self._rows("train")), self.levels().values()
        widths = [1] * len(self.numbers) + [len(values) for values in levels]
        feature = torch.repeat_interleave(torch.arange(len(widths)), torch.tensor(widths))
        number = feature < len(self.numbers)
        low, high = torch.zeros(len(feature)), torch.ones(len(feature))
        low[number], high[number] = torch.tensor(list(self.numbers.values()), dtype=torch.float32).T
        fixed = torch.tensor([self.features.index(name) for name in self.immutable])
        return Space(
            bounds=(low, high),
            features=feature,
            names=self.features,
            levels=("",) * len(self.numbers) + tuple(value for values in levels for value in values),
            kinds=("integer",) * len(self.numbers) + ("category",) * len(self.categories),
            reference=train[torch.randperm(len(train), generator=generator(0, train.device))[:REFERENCES]],
            mutable=~torch.isin(feature, fixed),
            # One standard deviation, so that a radius means the same for hours and for dollars.
            scale=torch.where(number, train.std(0), 1.0),
        )

    def _rows(self, split: str) -> np.ndarray:
        return (self._frame["split"] == split).to_numpy().nonzero()[0]


def split_by_hash(lines: list[bytes], strata: pd.DataFrame, test: float) -> pd.Series:
    """Which rows are for training and which for testing, by a digest of each row's own line in the file.

    Of each stratum, a combination of the columns of `strata`, the part `test` with the lowest digests is for testing:
    so the split depends on no random numbers, and not on the order of the rows but for those that are the same.
    """
    digests = pd.Series([sha256(line).hexdigest() for line in lines], index=strata.index)
    together = digests.groupby([strata[name] for name in strata], observed=True)
    tested = together.rank(method="first") <= (together.transform("size") * test).round()
    return pd.Series(np.where(tested, "test", "train"), index=strata.index)
