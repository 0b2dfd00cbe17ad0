"""The base class of methods: a frozen dataclass whose fields are its settings."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from itertools import product
from typing import Any, ClassVar, TypeVar

from probe.declared import SettingsMeta, param, required

__all__ = ["Method", "param", "required", "sweep"]

M = TypeVar("M", bound="Method")


@dataclass(frozen=True, kw_only=True)
class Method(metaclass=SettingsMeta):
    """Settings that print, compare, hash and travel as JSON.

    >>> from probe.attacks import PGD
    >>> PGD(steps=3, eps="4/255")
    PGD(eps='4/255', norm='linf', steps=3, restarts=1, step=1.0, seed=0)
    >>> PGD(steps=3) == PGD(steps=3.0)
    True
    >>> PGD().name(), PGD(steps=3).config()["steps"]
    ('pgd', 3)
    """

    family: ClassVar[str] = ""  # the kind of method, as its contract declares it; "" of one that is only a setting
    verb: ClassVar[str] = ""  # its command; "" if there is none
    _texts: ClassVar[bool] = True  # a number may be written as a text, such as "8/255"

    @classmethod
    def name(cls) -> str:
        """The class name in snake case: InputXGradient is input_x_gradient, PGD is pgd."""
        return named_after(cls.__name__)

    @classmethod
    def summary(cls) -> str:
        """The first line of the docstring."""
        return (cls.__doc__ or "").strip().splitlines()[0]

    @classmethod
    def declared(cls) -> dict[str, Any]:
        """Its settings with their defaults, and the required ones, as JSON."""
        given = {f.name: _plain(f.default) for f in fields(cls) if f.default is not MISSING}
        return {
            "settings": {"method": cls.name()} | given,
            "required": [f.name for f in fields(cls) if f.name not in given],
        }

    def config(self) -> dict[str, Any]:
        """The name and settings as JSON; `registry.build` inverts it.

        A number given as text, such as eps="4/255", is a number here; `numbers.as_written` keeps the text.
        """
        return {"method": self.name()} | {f.name: _plain(getattr(self, f.name)) for f in fields(self)}


def named_after(kind: str) -> str:
    """The name of the class in snake case."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", kind).lower()


def sweep(method: M, **choices: Sequence[object]) -> list[M]:
    """Every combination of the given settings, as in `sweep(PGD(), eps=[0, 0.1], steps=[1, 40])`.

    >>> from probe import sweep
    >>> from probe.attacks import PGD
    >>> [attack.steps for attack in sweep(PGD(), steps=[1, 10, 100])]
    [1, 10, 100]
    """
    return [replace(method, **dict(zip(choices, values, strict=True))) for values in product(*choices.values())]


def _plain(value: Any) -> Any:
    """A setting in JSON types. A function becomes its name, from which it cannot be restored."""
    if isinstance(value, Method):
        return value.config()
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if callable(value):
        return f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', type(value).__name__)}"
    return value
