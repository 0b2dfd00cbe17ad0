"""A table of somebody's own to train on, divided into rows to learn from and rows to be judged on."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from probe import Dataset, Space, from_csv, store
from probe.errors import DataError, PlanError
from probe.forms import ByShape
from probe.forms import known as known_forms
from probe.tensors import generator

TEST = 0.2  # of the rows
REFERENCES = 50  # training rows that show an absent feature
SPACE = "space"  # the files that keep what the inputs mean, where the table may be gone


@dataclass(frozen=True)
class OwnTable:
    """What `datasets.reader` gives for a data set that is known by name, for a CSV file.

    A fifth of the rows, drawn with seed 0 whatever training's seed is, are the test split.
    """

    csv: Path
    declared: Mapping[str, Any]  # label, groups, features and so on, as `probe.from_csv` takes them

    def read(self, split: str) -> Dataset:
        """The rows of a split, with training rows as the reference of the space."""
        if split not in ("train", "test"):
            raise PlanError(f"{self.csv.name} has the splits train and test; got {split!r}")
        data, test = self._whole, round(len(self._whole) * TEST)
        if test < 1 or test >= len(data):
            raise DataError(f"{self.csv} has {len(data)} rows: too few to keep {TEST:.0%} of them for a test")
        order = torch.randperm(len(data), generator=generator(0, torch.device("cpu")))
        train = order[test:].sort().values
        space = replace(data.space, reference=data.inputs[train[:REFERENCES]])
        return replace(data[train if split == "train" else order[:test].sort().values], space=space, role=split)

    def space(self) -> Space:
        """What the inputs mean."""
        return self.read("train").space

    @property
    def CLASSES(self) -> tuple[str, ...]:  # named as in the modules of data sets
        return self._whole.classes

    @cached_property
    def _whole(self) -> Dataset:
        return from_csv(self.csv, **self.declared)


def read_space(folder: Path) -> Space:
    """The space that training kept beside the weights.

    Raises:
        DataError: if its files are missing or damaged.
    """
    kinds = {kind.__name__: kind for kind in (Space, ByShape, *known_forms().values())}
    found = store.read(folder / SPACE, kinds, _no_method)
    if not isinstance(found, Space):
        raise DataError(f"{folder / SPACE} holds a {type(found).__name__}, expected a Space; copy the folder again")
    return found


def _no_method(config: Mapping[str, Any]) -> Any:
    raise DataError(f"a space holds no method, and this one holds {config!r:.60}")
