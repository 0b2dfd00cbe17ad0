"""Requests to a model, one module each; they are discovered by their classes."""

from collections.abc import Mapping
from functools import cache
from inspect import isabstract, isclass
from types import MappingProxyType
from typing import Any

from probe import guests
from probe.errors import PlanError
from probe.lab.requests.request import Reply, Request
from probe.names import nearest

__all__ = ["Reply", "Request", "read", "requests"]


@cache
def requests() -> Mapping[str, type[Request]]:
    """All requests by name."""
    found = [
        thing
        for module in guests.modules(__name__)
        for thing in vars(module).values()
        if isclass(thing)
        and issubclass(thing, Request)
        and not isabstract(thing)
        and thing.__module__ == module.__name__
    ]
    return MappingProxyType({kind.called(): kind for kind in sorted(found, key=lambda kind: kind.called())})


def read(record: Any) -> Request:
    """The request in a record.

    Raises:
        PlanError: if there is no request of that name.
        UnknownSetting, SettingError: if a setting is missing or invalid.
    """
    known = requests()
    if not isinstance(record, Mapping) or not isinstance(record.get("ask"), str):
        raise PlanError(f"a request is a table with ask = one of {', '.join(known)}")
    name = record["ask"]
    if name not in known:
        raise PlanError(f"nothing is asked as {name!r:.60}{nearest(name, known)}; there are {', '.join(known)}")
    return known[name].read({key: value for key, value in record.items() if key != "ask"}, whole=f"the request {name}")
