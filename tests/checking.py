"""Types and shapes of `probe` are checked while its tests run, each function from its first call on.

The decorator of jaxtyping compiles two functions for each that it checks and binds the arguments of each call, which
takes longer than most of the tests themselves. Here beartype checks arguments and result, within axes that are the
call's own; a check that passed is not made again for a call whose arguments and result have the same types and shapes.
"""

import dataclasses
import inspect
from collections.abc import Callable
from functools import partial, wraps
from types import FunctionType
from typing import Annotated, Any, ForwardRef, Literal, get_args, get_origin, get_type_hints

import jaxtyping
import numpy as np
from beartype import BeartypeConf, beartype
from beartype.door import is_bearable
from jaxtyping._storage import pop_shape_memo, push_shape_memo
from torch import Tensor

THEIRS = jaxtyping.jaxtyped
CONF = BeartypeConf(is_pep484_tower=True, violation_type=jaxtyping.TypeCheckError)
_UNKNOWN = object()
_HOW: dict[type, str] = {}


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
    by_kind = shaped and not _names_arguments(hints) and _is_told_by_kind(fn, hints)
    checks: Callable[..., Any] | None = None
    passed: dict[object, set[object]] = {}  # the kinds of results that were in order, by those of the arguments

    @wraps(fn)
    def called(*args: Any, **kwargs: Any) -> Any:
        nonlocal checks
        if checks is None:
            checks = THEIRS(fn, typechecker=beartype(conf=CONF)) if _names_arguments(hints) else _compiled(fn, hints)
        if not shaped:
            return checks(*args, **kwargs)
        kinds = _kind((*args, *kwargs.values())) if by_kind else _UNKNOWN
        given = (kinds, *kwargs)
        if given in passed:
            result = fn(*args, **kwargs)
            found = _kind(result)
            if found is _UNKNOWN or found not in passed[given]:
                _check_result(fn, hints, (args, kwargs), result)
                passed[given].add(found)
            return result
        push_shape_memo({})
        try:
            result = checks(*args, **kwargs)
        finally:
            pop_shape_memo()
        if kinds is not _UNKNOWN:
            passed[given] = {_kind(result)}
        return result

    called.checks = True
    return called


def _check_result(fn: FunctionType, hints: dict[str, Any], given: tuple[Any, Any], result: Any) -> None:
    """Raise where the result does not go with arguments that are in order."""
    arguments = inspect.signature(fn).bind(*given[0], **given[1]).arguments
    push_shape_memo({})
    try:
        for name, value in (*arguments.items(), ("return", result)):
            if name in hints and not is_bearable(value, hints[name], conf=CONF):
                raise jaxtyping.TypeCheckError(f"{fn.__qualname__}: {name} is no {hints[name]}, but {type(value)}")
    finally:
        pop_shape_memo()


def _is_told_by_kind(fn: FunctionType, hints: dict[str, Any]) -> bool:
    """Whether a check of what has the same kinds comes to the same: no hint asks for values."""
    return not fn.__code__.co_flags & (inspect.CO_VARARGS | inspect.CO_VARKEYWORDS) and not any(
        map(_asks_for_values, hints.values())
    )


def _asks_for_values(hint: Any) -> bool:
    return get_origin(hint) in (Literal, Annotated) or any(
        map(_asks_for_values, hint if isinstance(hint, list) else get_args(hint))
    )


def _kind(value: Any) -> object:
    """All that a check of one value looks at, to be compared; unknown for what holds other values, except a tuple."""
    its = type(value)
    how = _HOW.get(its)
    if how is None:
        how = _HOW[its] = _how(its)
    if how == "array":
        return its, value.dtype, value.shape
    if how == "tuple":
        kinds = [_kind(each) for each in value] if len(value) <= 20 else [_UNKNOWN]
        return _UNKNOWN if any(kind is _UNKNOWN for kind in kinds) else (its, *kinds)
    return its if how == "plain" else value if how == "class" else _UNKNOWN


def _how(its: type) -> str:
    if issubclass(its, Tensor | np.ndarray):
        return "array"
    if issubclass(its, tuple):
        return "tuple"
    if issubclass(its, type):
        return "class"
    return "plain" if issubclass(its, str | bytes) or not hasattr(its, "__iter__") else "unknown"


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
