"""Types and shapes of `probe` are checked while its tests run, each function from its first call on.

The decorator of jaxtyping compiles two functions for each that it checks and binds the arguments of each call, which
takes longer than most of the tests themselves. Here beartype checks arguments and result, within axes that are the
call's own.
"""

import dataclasses
import inspect
from collections.abc import Callable
from functools import partial, wraps
from types import FunctionType
from typing import Any, ForwardRef, get_args, get_type_hints

import jaxtyping
from beartype import BeartypeConf, beartype
from jaxtyping._storage import pop_shape_memo, push_shape_memo

THEIRS = jaxtyping.jaxtyped
CONF = BeartypeConf(is_pep484_tower=True, violation_type=jaxtyping.TypeCheckError)


def jaxtyped(fn: Any = None, *, typechecker: Any = None) -> Any:
    """What the import hook of jaxtyping puts around each function and class of a package."""
    if fn is None:
        return partial(jaxtyped, typechecker=typechecker)
    if inspect.isclass(fn):
        if dataclasses.is_dataclass(fn) and not hasattr(fn.__init__, "checks"):
            fn.__init__ = _checked(fn.__init__)
        return fn
    if not isinstance(fn, FunctionType) or inspect.isgeneratorfunction(fn) or inspect.iscoroutinefunction(fn):
        return THEIRS(fn, typechecker=typechecker)
    return _checked(fn)


def _checked(fn: FunctionType) -> Callable[..., Any]:
    if not fn.__annotations__:
        return fn
    hints = {name: _hint(hint, fn) if _written(hint) else hint for name, hint in fn.__annotations__.items()}
    shaped = any(map(_has_axes, hints.values()))
    checks: Callable[..., Any] | None = None

    @wraps(fn)
    def called(*args: Any, **kwargs: Any) -> Any:
        nonlocal checks
        if checks is None:
            checks = THEIRS(fn, typechecker=beartype(conf=CONF)) if _names_arguments(hints) else _compiled(fn, hints)
        if not shaped:
            return checks(*args, **kwargs)
        push_shape_memo({})
        try:
            return checks(*args, **kwargs)
        finally:
            pop_shape_memo()

    called.checks = True
    return called


def _compiled(fn: FunctionType, hints: dict[str, Any]) -> Callable[..., Any]:
    """The same function with its hints, checked: what `fn` itself shows of its signature stays as written."""
    twin = FunctionType(fn.__code__, fn.__globals__, fn.__name__, fn.__defaults__, fn.__closure__)
    twin.__kwdefaults__, twin.__qualname__, twin.__module__ = fn.__kwdefaults__, fn.__qualname__, fn.__module__
    twin.__annotations__ = hints
    return beartype(conf=CONF)(twin)


def _hint(hint: Any, fn: FunctionType) -> Any:
    """A hint whose names are looked up; one of a name that only type checkers see is anything."""

    def holder(value: hint) -> None:
        del value

    try:
        return get_type_hints(holder, fn.__globals__, include_extras=True)["value"]
    except Exception:
        return Any


def _written(hint: Any) -> bool:
    """Whether a name stands as text in the hint."""
    return isinstance(hint, str | ForwardRef) or any(map(_written, hint if isinstance(hint, list) else get_args(hint)))


def _names_arguments(hints: dict[str, Any]) -> bool:
    """Whether an axis is as long as an argument says, as in `Float[Tensor, "{count} width"]`."""
    return any("{" in getattr(hint, "dim_str", "") for hint in hints.values())


def _has_axes(hint: Any) -> bool:
    if isinstance(hint, list | tuple):
        return any(map(_has_axes, hint))
    return (inspect.isclass(hint) and issubclass(hint, jaxtyping.AbstractArray)) or any(map(_has_axes, get_args(hint)))
