"""Views of a bundle that are made once, and kept with the bundle while it is open."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from probe.audit import Bundle

P = ParamSpec("P")
T = TypeVar("T")


def once(make: Callable[Concatenate[Bundle, P], T]) -> Callable[Concatenate[Bundle, P], T]:
    """A view that a page opened again need not make again. Nobody changes what it gives.

    It follows from the bundle and its arguments alone, which are texts, numbers, or what is written as it is made.
    """

    @wraps(make)
    def found(bundle: Bundle, /, *asked: P.args, **named: P.kwargs) -> T:
        what = (make.__module__, make.__qualname__, repr(asked), repr(named))
        return bundle.derived(what, lambda: make(bundle, *asked, **named))

    return found
