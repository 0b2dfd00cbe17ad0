"""The base of a plan's sections: tables of settings, in which a name may also be a number."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from probe.conversion import Kind
from probe.declared import Declared

S = TypeVar("S", bound="Section")


@dataclass(frozen=True, kw_only=True)
class Section(Declared):
    """A table of a plan."""

    @classmethod
    def read(cls: type[S], table: Any, where: str = "", whole: str = "") -> S:
        return super().read(table, where, whole or f"[{where}]")


def _name(value: Any, where: str) -> str:
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise ValueError
    return str(value)


def _config(value: Any, where: str) -> dict[str, Any]:
    if isinstance(value, str):
        return {"method": value}
    if not isinstance(value, Mapping) or "method" not in value:
        raise ValueError
    return dict(value)


Name = Annotated[str, Kind("a name", 'names, such as ["a", "b"]', _name)]
Config = Annotated[
    dict[str, Any],
    Kind(
        'a table such as {method = "pgd", steps = 40}',
        'a table such as {method = "pgd", steps = 40} for each, or its name',
        _config,
    ),
]
