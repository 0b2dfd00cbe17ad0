"""Rows of tables: columns of numbers, and categories as one-hot columns."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from probe.forms.form import Coordinates, Form
from probe.forms.image import Image


@dataclass(frozen=True, kw_only=True, repr=False)
class Table(Form):
    """A row of a table, whose columns are the features."""

    name: ClassVar[str] = "table"
    read_as: ClassVar[str] = "rows of columns"
    brought_as: ClassVar[tuple[str, ...]] = ("csv",)
    told: ClassVar[bool] = True
    one_per: ClassVar[Mapping[str, str]] = {**Form.one_per, "types": "features", "levels": "coordinates"}

    levels: tuple[str, ...] = ()  # one per coordinate: the value that a category's coordinate stands for
    types: tuple[str, ...] = ()  # one per feature: the type of its column in the table, as pandas writes it

    def level(self, coordinate: int) -> str:
        return self.levels[coordinate] if self.levels else ""


@dataclass(frozen=True, kw_only=True, repr=False)
class ByShape(Table):
    """The default form of inputs: images if an example has three dimensions, else rows of a table."""

    name: ClassVar[str] = ""

    def of(self, like: Coordinates) -> Form:
        return self.turned(Image if like.ndim == 4 else Table)
