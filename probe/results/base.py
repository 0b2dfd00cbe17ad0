"""What all results share, and their text form."""

from abc import abstractmethod
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import Tensor

from probe import fragments, store
from probe.formatting import counted
from probe.keywords import Named
from probe.metering import Usage
from probe.shapes import Labels
from probe.task import Task
from probe.tensors import to_numpy

R = TypeVar("R", bound="AnyResult")


class AnyResult(metaclass=Named):
    """What all results share: indexing, a text summary, a table as static escaped HTML, and saving."""

    per_row: ClassVar[tuple[str, ...]]  # fields with one entry per example
    own_columns: ClassVar[bool] = True  # whether probe names the columns of the table, and not the data

    @abstractmethod
    def to_frame(self) -> pd.DataFrame:
        """The result as a table with one row per example."""

    @abstractmethod
    def _in_words(self) -> tuple[str, ...]:
        """The text summary, line by line."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the model's outputs that its numbers refer to; empty if they were not named."""
        return ()

    def told(self, index: int) -> str:
        """One example as text; empty if the table says everything."""
        return ""

    def __len__(self) -> int:
        return len(getattr(self, self.per_row[0]))

    def __getitem__(self: R, rows: int | slice | Tensor) -> R:
        """The result for some of the examples; an integer selects one. The cost stays that of the whole call."""
        if isinstance(rows, int):
            if not -len(self) <= rows < len(self):
                raise IndexError(f"example {rows} of {len(self)}; examples are numbered from 0 to {len(self) - 1}")
            rows = slice(rows, rows + 1 or None)
        entries = {name: getattr(self, name) for name in self.per_row}
        space, inputs = getattr(self, "space", None), getattr(self, "inputs", None)
        own: dict[str, Any] = {} if space is None or inputs is None else {"space": space.of_rows(rows, inputs)}
        part: dict[str, Any] = own | {name: None if each is None else each[rows] for name, each in entries.items()}
        return replace(self, **part)  # type: ignore[type-var]  # each result is a dataclass

    def __repr__(self) -> str:
        return "\n  ".join(self._in_words())

    def save(self, stem: str | Path) -> None:
        """Write STEM.npz and STEM.json; `probe.load` reads them again."""
        store.write(stem, self)

    def _repr_html_(self) -> str:
        frame = self.to_frame()
        lines = self._in_words()
        return whole(
            fragments.told(lines) + self._figures() + fragments.scrolling(fragments.table(frame, own=self.own_columns))
        )

    def _figures(self) -> str:
        return ""


def named(classes: Labels, names: tuple[str, ...]) -> NDArray[Any]:
    """Classes by name; by number where there are no names, or not one for each."""
    numbers = to_numpy(classes)
    known = len(names) > 0 and (len(numbers) == 0 or 0 <= numbers.min() <= numbers.max() < len(names))
    return np.array([whole(name) for name in names], dtype=object)[numbers] if known else numbers


def worded(task: Task, decisions: NDArray[Any]) -> NDArray[Any]:
    """Predictions as text."""
    words = task.words(decisions)
    return np.array([whole(str(word)) for word in words], dtype=object) if words.dtype == object else words


def whole(text: str) -> str:
    """A name without lone surrogates, which no table or page can hold."""
    return text.encode("utf-8", "replace").decode("utf-8")


def dtype_name(tensor: Tensor) -> str:
    """The dtype as text, such as float32."""
    return str(tensor.dtype).removeprefix("torch.")


def cost_in_words(usage: Usage) -> str:
    """The cost of a call as text: examples forward and backward."""
    return f"cost: {counted(usage.forward, 'example')} forward, {usage.backward:,} backward"
