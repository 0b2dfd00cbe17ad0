"""A user's data for training, divided into training and test rows."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import torch

from probe import Dataset, Space, from_csv, images, store
from probe.errors import DataError, PlanError
from probe.forms import ByShape
from probe.forms import known as known_forms
from probe.names import a_kind
from probe.task import Regression, Task
from probe.tensors import generator

TEST = 0.2  # of the rows
REFERENCES = 50  # training rows that show an absent feature
WRITTEN = ("missing", "separator", "decimal", "encoding")  # how a table is written
SPACE = "space"  # the files that keep what the inputs mean, where the data may be gone


@dataclass(frozen=True)
class Own(ABC):
    """What `datasets.reader` gives for a data set that is known by name, for a file or folder of one's own.

    A fifth of the rows, drawn with seed 0 whatever training's seed is, are the test split.
    """

    path: Path
    declared: Mapping[str, Any]  # what was said of it, as its reader takes it

    kind: ClassVar[str]  # as [data] of a plan names it
    said: ClassVar[tuple[str, ...]]  # what may be declared

    def read(self, split: str) -> Dataset:
        """The rows of a split."""
        if split not in ("train", "test"):
            raise PlanError(f"{self.path.name} has the splits train and test; got {split!r}")
        data, test = self.whole, round(len(self.whole) * TEST)
        if test < 1 or test >= len(data):
            raise DataError(
                f"{self.path} has {len(data)} rows: too few to keep {TEST:.0%} of them for a test; give 5 or more"
            )
        order = torch.randperm(len(data), generator=generator(0, torch.device("cpu")))
        train = order[test:].sort().values
        rows = train if split == "train" else order[:test].sort().values
        return replace(data[rows], space=self.meaning(data[train[:REFERENCES]]), role=split)

    def space(self) -> Space:
        """What the inputs mean."""
        return self.read("train").space

    @property
    def CLASSES(self) -> tuple[str, ...]:  # named as in the modules of data sets
        return self.whole.classes

    @cached_property
    def whole(self) -> Dataset:
        """All rows."""
        return self.all_rows()

    @abstractmethod
    def all_rows(self) -> Dataset:
        """Read all rows."""

    def meaning(self, first: Dataset) -> Space:
        """The space of the rows, of which some that are trained on are given."""
        return first.space

    def record(self) -> dict[str, Any]:
        """What a card keeps of it."""
        return {self.kind: str(self.path.resolve()), "declared": dict(self.declared)}


class OwnTable(Own):
    """A CSV file. Training rows are the reference of its space."""

    kind = "csv"
    said = ("label", "groups", "features", "left_out", "numbers", "tolerance", "drop_missing", *WRITTEN)

    @property
    def TASK(self) -> Task | None:  # named as in the modules of data sets
        if not self.declared.get("numbers"):
            return None
        return Regression((self.declared["label"],), tolerance=self.declared.get("tolerance"))

    def all_rows(self) -> Dataset:
        how = {key: value for key, value in self.declared.items() if key not in ("left_out", "numbers", "tolerance")}
        data = from_csv(self.path, task=self.TASK, **how)
        told = [f"column {name!r} is left out: {why}" for name, why in self.declared.get("left_out", {}).items()]
        if data.inputs.dtype == torch.float64:  # numbers that single precision changes, as a notice says
            data = _narrow(data)
        return replace(data, notices=(*data.notices, *told))

    def meaning(self, first: Dataset) -> Space:
        return replace(first.space, reference=first.inputs)


def _narrow(data: Dataset) -> Dataset:
    """The rows in the precision of the networks."""
    lost = data.space.by_feature((~data.inputs.float().isfinite()).double()).sum(0)
    if bool(lost.any()):
        column = data.space.names[int(lost.argmax())]
        raise DataError(
            f"column {column!r} of {data.name} holds numbers beyond 3.4e38, the largest of single precision; write it "
            f"in a larger unit, or leave it out: --drop {column}"
        )
    return data.to(torch.float32)


class OwnImages(Own):
    """A folder with a subfolder of images for each class."""

    kind = "folder"
    said = ("size", "channels")

    def all_rows(self) -> Dataset:
        size = self.declared.get("size")
        return images.from_folder(self.path, **{**self.declared, "size": size and (size[0], size[1])})


class OwnArrays(Own):
    """Images in the arrays of an .npz file."""

    kind = "npz"
    said = ("size", "inputs", "labels", "groups")

    def all_rows(self) -> Dataset:
        size, names = self.declared.get("size"), {k: v for k, v in self.declared.items() if k != "size"}
        keys = images.Keys(**names | {"groups": tuple(names.get("groups", ()))})
        return images.from_npz(self.path, keys=keys, size=size and (size[0], size[1]))


KINDS: dict[str, type[Own]] = {kind.kind: kind for kind in (OwnTable, OwnImages, OwnArrays)}


def own_of(data: Mapping[str, Any]) -> Own | None:
    """The user's data that a card names, if it does.

    Raises:
        DataError: if the card is damaged.
    """
    for name, kind in KINDS.items():
        if name in data:
            declared = data.get("declared")
            if not isinstance(data[name], str) or not isinstance(declared, dict) or set(declared) - set(kind.said):
                raise DataError(f"the card is damaged: {name} or declared of its data is not as `probe train` wrote it")
            return kind(Path(data[name]), declared)
    return None


def read_space(folder: Path) -> Space:
    """The space that training kept beside the weights.

    Raises:
        DataError: if its files are missing or damaged.
    """
    kinds = {kind.__name__: kind for kind in (Space, ByShape, *known_forms().values())}
    found = store.read(folder / SPACE, kinds, _no_method)
    if not isinstance(found, Space):
        raise DataError(f"{folder / SPACE} holds {a_kind(found)}, expected a Space; copy the folder again")
    return found


def _no_method(config: Mapping[str, Any]) -> Any:
    raise DataError(f"a space holds no method, and this one holds {config!r:.60}")
