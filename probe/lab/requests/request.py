"""What a request is: settings that hold all that its answer depends on, and one function that answers."""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, ClassVar, TypeVar

import numpy as np

from probe.conversion import Kind
from probe.declared import Declared
from probe.lab.opened import Opened
from probe.registry import build, discover

R = TypeVar("R", bound="Request")
Advance = Callable[[int, int, str], None]  # how much is done, of how much (0: not known), and of what


@dataclass(frozen=True, eq=False)
class Reply:
    """What was found: plain data, and arrays that hold exactly what the library gave."""

    record: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray[Any, Any]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Request(Declared, ABC):
    """Something that is asked of a model. The same request has the same answer, whoever asks."""

    pure: ClassVar[bool] = True  # whether nothing but an answer comes of it
    keeps: ClassVar[bool] = False  # whether what is done until it is cancelled is kept

    @classmethod
    def name(cls) -> str:
        """The class name in snake case."""
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", cls.__name__).lower()

    @abstractmethod
    def answer(self, opened: Opened, advance: Advance) -> Reply:
        """Answer it.

        Raises:
            ProbeError: where it cannot be answered, with the reason and a remedy.
        """

    def estimate(self, opened: Opened) -> tuple[float, int]:
        """About how many seconds it takes on this model, and how many rows it asks about."""
        return 0.0, 1

    def given(self: R, arrays: Mapping[str, Any]) -> R:
        """The same with the arrays that came with it, where it names any."""
        found = {name: part.given(arrays) for name, part in vars(self).items() if hasattr(part, "given")}
        return replace(self, **found) if found else self


def method_of(*families: str) -> Any:
    """The type of a setting that is a method of one of these families: its name, or a table with its settings."""

    def convert(value: Any, where: str) -> Any:
        config = {"method": value} if isinstance(value, str) else value
        if not isinstance(config, Mapping) or not isinstance(config.get("method"), str):
            raise ValueError
        known = {name: kind for family in families for name, kind in discover(family).items()}
        return build(known, config)

    one = f"the name of an {' or '.join(families)}, or a table with method = its name and its settings"
    return Annotated[Any, Kind(one, one, convert)]


Explaining = method_of("explainer")
