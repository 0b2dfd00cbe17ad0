"""The input of a request: a row of the data, possibly edited, or one that a user brings."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any

from torch import Tensor

from probe.conversion import Kind
from probe.dataset import Dataset
from probe.declared import Declared, param
from probe.errors import DataError, RangeError
from probe.lab import own
from probe.lab.edits import check_whole, edited
from probe.lab.opened import Asked, Opened
from probe.model import Model


@dataclass(frozen=True, eq=False)
class Chosen:
    """One example, and the model with its features."""

    model: Model
    inputs: Tensor  # (1, *shape), checked
    label: Tensor | None  # (1, ...); None if unknown
    data: Dataset | None  # its row in the data, before edits
    said: tuple[str, ...] = ()  # notices about how it was read or edited

    def only(self, answer: str) -> "Chosen":
        """The same for one of the model's several answers; "" for all of them."""
        if not answer:
            return self
        named: str | int = int(answer) if answer.isdecimal() and answer not in self.model.task.names else answer
        model = self.model.only(named)
        label = None if self.label is None else self.label[:, model.task.at]
        return replace(self, model=model, label=label)


def _cell(value: Any, where: str) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError
    return str(value)


Cell = Annotated[Any, Kind("a text or a number", "texts and numbers", _cell)]


@dataclass(frozen=True, kw_only=True)
class Row(Declared):
    """The row of a request: of the data, or a user's own in one of several formats."""

    row: int | None = param(None, "a row of the data, from 0", low=0)
    cells: Mapping[str, Cell] | None = param(None, "each feature of a table")
    csv: str = param("", "a line of a table")
    text: str = param("", "a text")
    image: str = param("", "the name of the array with the bytes of an image file")
    array: str = param("", "the name of the array with the numbers of an example")
    features: str = param("", "of one's own: the name of the array with the number of each coordinate's feature")
    edits: Mapping[str, Cell] | None = param(
        None, "what is otherwise, by the name of each feature or the place of a word"
    )

    def chosen(self, asked: Asked) -> Chosen:
        """The example.

        Raises:
            ProbeError: if there is no such row, or it is not a valid input of the model.
        """
        ways = ("row", "cells", "csv", "text", "image", "array")
        named = [way for way in ways if getattr(self, way) not in (None, "")]
        if len(named) != 1:
            raise DataError(f"a row is named by one of {', '.join(ways)}; {' and '.join(named) or 'none'} came")
        found = self._of_data(asked.opened) if named == ["row"] else self._own(asked, named[0])
        if not self.edits:
            return found
        inputs, said = edited(found.model.space, found.inputs, self.edits)
        return replace(found, inputs=found.model.check(inputs), label=None, said=(*found.said, *said))

    def _of_data(self, opened: Opened) -> Chosen:
        assert self.row is not None, "it is named"
        if self.row >= len(opened.data):
            raise RangeError(f"row {self.row:,} is not one of the {len(opened.data):,} rows, which are numbered from 0")
        model, part = opened.part(slice(self.row, self.row + 1))
        return Chosen(model, model.check(part.inputs), model.check_labels(part.labels, part.inputs), part)

    def _own(self, asked: Asked, way: str) -> Chosen:
        opened = asked.opened
        brought: dict[str, Any] = {
            "cells": lambda: own.of_cells(self.cells or {}, opened),
            "csv": lambda: own.of_csv(self.csv, opened),
            "text": lambda: own.of_text(self.text, opened),
            "image": lambda: own.of_image(asked.array(self.image), opened),
            "array": lambda: own.of_array(asked.array(self.array), opened),
        }
        inputs, said = brought[way]()
        named = own.of_features(asked.array(self.features), inputs) if self.features else None
        model, known = opened.of_own(inputs, named)
        inputs = model.check(inputs)
        check_whole(model.space, inputs)
        return Chosen(model, inputs, None, None, (*said, *known))
