"""Methods with as little work as most properties need: what holds for 12 steps holds for 680."""

from dataclasses import replace
from typing import TypeVar

from probe.method import Method

M = TypeVar("M", bound=Method)
MOST = {"steps": 12, "max_queries": 60, "draws": 25, "queries": 40, "samples": 120}


def light(method: M, **most: int) -> M:
    """The same method with settings that are no larger than these, or than `MOST`."""
    settings, most = method.config(), MOST | most
    return replace(method, **{name: least for name, least in most.items() if settings.get(name, 0) > least})
