"""Real data that the zoo's models learned from, as probe.Dataset."""

from __future__ import annotations

import importlib
from ast import literal_eval
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from probe.errors import PlanError
from probe.names import nearest
from probe_models.found import found
from probe_models.zoo.cards import CARD, read_card

if TYPE_CHECKING:
    from probe import Dataset, Space
    from probe.task import Task

BUNDLED = Path(__file__).parent / "data"
# A module here is a data set if it says its NAME.
READERS = {
    name: f"{__name__}.{module}"
    for name, module in sorted((literal_eval(name), m) for m, name in found(Path(__file__).parent, "NAME").items())
}


class Reader(Protocol):
    """What reads a data set: a module for each that comes with probe.

    Where its labels are no classes, `TASK` says what they are.
    """

    @property
    def CLASSES(self) -> tuple[str, ...]:  # a constant of a module
        """The names of the classes; () where labels are numbers."""

    def read(self, split: str) -> Dataset:
        """The rows of a split, train or test."""

    def space(self) -> Space:
        """What the rows mean."""


def reader(name: str) -> Reader:
    """The reader of a data set, by its name, or by the folder of a model that was trained on the user's data."""
    if name in READERS:
        module: Any = importlib.import_module(READERS[name])
        return module
    if (Path(name) / CARD).is_file():
        from probe_models.datasets.own import own_of

        data = read_card(Path(name))["data"]
        return own_of(data) or reader(data["name"])
    raise PlanError(f"there is no data set {name!r}{nearest(name, READERS)}; there are {', '.join(READERS)}")


def task_of(data: Reader) -> Task:
    """What the labels of a data set are: one of its classes unless it says otherwise."""
    from probe.task import Classification

    found: Task = getattr(data, "TASK", None) or Classification(data.CLASSES)
    return found
