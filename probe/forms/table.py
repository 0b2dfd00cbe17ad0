"""Rows of tables: numeric columns, and categories as one-hot columns."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from probe.forms.form import Coordinates, Form
from probe.forms.image import Image
from probe.names import Passed


@dataclass(frozen=True, kw_only=True, repr=False)
class Table(Form):
    """A row of a table, whose columns are the features."""

    name: ClassVar[str] = "table"
    read_as: ClassVar[str] = "rows of columns"
    brought_as: ClassVar[tuple[str, ...]] = ("csv",)
    told: ClassVar[bool] = True
    one_per: ClassVar[Mapping[str, str]] = {**Form.one_per, "types": "features", "levels": "coordinates"}

    levels: Passed[tuple[str, ...]] = ()  # one per coordinate: the value that a category's coordinate stands for
    types: Passed[tuple[str, ...]] = ()  # one per feature: the pandas dtype of its column

    def level(self, coordinate: int) -> str:
        return self.levels[coordinate] if self.levels else ""


@dataclass(frozen=True, kw_only=True, repr=False)
class ByShape(Table):
    """The default form: images if an example has three dimensions, else rows of a table."""

    name: ClassVar[str] = ""

    def of(self, like: Coordinates) -> Form:
        return self._image if like.ndim == 4 else self._table

    # Kept, for an attack asks with each step.
    @cached_property
    def _image(self) -> Image:
        return self.turned(Image)

    @cached_property
    def _table(self) -> Table:
        return self.turned(Table)
