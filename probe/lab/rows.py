"""Which input a request is about: a row of the data, edited or not, or one that somebody brings."""

from dataclasses import dataclass

from torch import Tensor

from probe.dataset import Dataset
from probe.declared import Declared, param
from probe.errors import DataError, RangeError
from probe.lab.opened import Opened
from probe.model import Model


@dataclass(frozen=True, eq=False)
class Chosen:
    """One example, and the model with its features."""

    model: Model
    inputs: Tensor  # (1, *shape), checked
    label: Tensor | None  # (1, ...); None where nobody knows it
    data: Dataset | None  # the row of the data that it is, unedited
    said: tuple[str, ...] = ()  # how it differs from that row, in sentences


@dataclass(frozen=True, kw_only=True)
class Row(Declared):
    """The row of a request."""

    row: int | None = param(None, "a row of the data, from 0", low=0)

    def chosen(self, opened: Opened) -> Chosen:
        """The example.

        Raises:
            RangeError, DataError: if there is none such, or it is no input of the model.
        """
        if self.row is None:
            raise DataError("a row is named by one of: row")
        if self.row >= len(opened.data):
            raise RangeError(f"row {self.row:,} is none of the {len(opened.data):,} rows, which are numbered from 0")
        part = opened.data[self.row : self.row + 1]
        model = opened.of(part)
        return Chosen(model, model.check(part.inputs), part.labels, part)
