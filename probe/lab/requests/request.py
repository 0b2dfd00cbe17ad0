"""What a request is: settings that hold all that its answer depends on, and one function that answers."""

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
    """What was found: plain data, and arrays that hold exactly what the library gave."""

    record: Mapping[str, Any]
    arrays: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Request(Declared, ABC):
    """Something that is asked of a model. The same request has the same answer, whoever asks."""

    pure: ClassVar[bool] = True  # whether nothing but an answer comes of it
    keeps: ClassVar[bool] = False  # whether what is done until it is cancelled is kept

    @classmethod
    def called(cls) -> str:
        """The class name in snake case."""
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", cls.__name__).lower()

    @abstractmethod
    def answer(self, asked: Asked) -> Reply:
        """Answer it.

        Raises:
            ProbeError: where it cannot be answered, with the reason and a remedy.
        """

    def estimate(self, asked: Asked) -> tuple[float, int]:
        """About how many seconds it takes on this model, from a small pilot, and how many rows it asks about."""
        return pilot(lambda: self.answer(asked)), 1


def pilot(work: Callable[[], object]) -> float:
    """Seconds of one try."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def method_of(*families: str) -> Kind:
    """What a setting takes that is a method of one of these families: its name, or a table with its settings."""

    def convert(value: Any, where: str) -> Any:
        if isinstance(value, Method):  # it was made before, as where a request is changed
            return value
        config = {"method": value} if isinstance(value, str) else value
        if not isinstance(config, Mapping) or not isinstance(config.get("method"), str):
            raise ValueError
        known = {name: kind for family in families for name, kind in discover(family).items()}
        return build(known, config)

    one = f"the name of an {' or '.join(families)}, or a table with method = its name and its settings"
    return Kind(one, one, convert)


Explaining = Annotated[Any, method_of("explainer")]
