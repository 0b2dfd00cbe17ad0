"""The contract of a request: settings that determine its answer, and a function that answers."""

import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from probe.conversion import Kind
from probe.declared import Declared
from probe.lab.opened import Asked
from probe.method import Method
from probe.registry import build, discover


@dataclass(frozen=True, eq=False)
class Reply:
    """An answer: plain data, and arrays exactly as the library returned them."""

    record: Mapping[str, Any]
    arrays: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Request(Declared, ABC):
    """A request to a model. The answer depends only on the request."""

    pure: ClassVar[bool] = True  # whether it has no side effects
    keeps: ClassVar[bool] = False  # whether finished work is kept when it is cancelled

    @classmethod
    def called(cls) -> str:
        """The class name in snake case."""
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", cls.__name__).lower()

    @abstractmethod
    def answer(self, asked: Asked) -> Reply:
        """Answer it.

        Raises:
            ProbeError: if it cannot be answered, with the reason and a remedy.
        """

    def estimate(self, asked: Asked) -> tuple[float, int]:
        """The estimated seconds, from a small pilot, and the number of rows."""
        return pilot(lambda: self.answer(asked)), 1


def pilot(work: Callable[[], object]) -> float:
    """The seconds of one call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def method_of(*families: str) -> Kind:
    """The type of a setting that is a method of one of these families: its name, or a table with its settings."""

    def convert(value: Any, where: str) -> Any:
        if isinstance(value, Method):  # it is already a method, as when a request is copied with changes
            return value
        config = {"method": value} if isinstance(value, str) else value
        if not isinstance(config, Mapping) or not isinstance(config.get("method"), str):
            raise ValueError
        known = {name: kind for family in families for name, kind in discover(family).items()}
        return build(known, config)

    one = f"the name of an {' or '.join(families)}, or a table with method = its name and its settings"
    return Kind(one, one, convert)


Explaining = Annotated[Any, method_of("explainer")]
