"""Types and shapes of `probe` are checked while its tests run: the first call of each function by each test, whatever
its parameters, the second, the fourth, the eighth and so on. Of a thousand calls the last show little.

The decorator of jaxtyping compiles two functions for each that it checks and binds the arguments of each call, which
takes longer than most of the tests themselves. Here beartype compiles one check for each hint, whichever functions have
it, within axes that are the call's own; a check that passed is not made again for a call whose arguments and result
have the same types and shapes.
"""

import dataclasses
import inspect
from collections.abc import Callable, Iterable
from enum import Enum
from functools import cache, partial, wraps
from types import FunctionType
from typing import Annotated, Any, ForwardRef, Literal, get_args, get_origin, get_type_hints

import jaxtyping
import numpy as np
from beartype import BeartypeConf, beartype
from beartype.roar import BeartypeDecorHintException
from jaxtyping._storage import pop_shape_memo, push_shape_memo

THEIRS = jaxtyping.jaxtyped
CONF = BeartypeConf(is_pep484_tower=True, violation_type=jaxtyping.TypeCheckError)
_ARRAY, _TUPLE, _CLASS, _LITERAL, _PLAIN, _OTHER = range(6)
_HOW: dict[type, int] = {}
EVERY = False
VARIABLE = inspect.CO_VARARGS | inspect.CO_VARKEYWORDS
_test, _name = 0, ""


def begin_test(name: str) -> None:
    """From here on the calls of each function are counted anew, unless the last test had the same name."""
    global _test, _name
    if name != _name:
        _test, _name = _test + 1, name


def jaxtyped(fn: Any = None, *, typechecker: Any = None) -> Any:
    """What the import hook of jaxtyping puts around each function and class of a package."""
    if fn is None:
        return partial(jaxtyped, typechecker=typechecker)
    if inspect.isclass(fn):
        if dataclasses.is_dataclass(fn) and not hasattr(fn.__init__, "checks"):
            fn.__init__ = _checked(fn.__init__)
        return fn
    if not isinstance(fn, FunctionType) or inspect.iscoroutinefunction(fn):
        return THEIRS(fn, typechecker=typechecker)
    return _checked(fn)


def _checked(fn: FunctionType) -> Callable[..., Any]:
    if not fn.__annotations__:
        return fn
    hints = {name: _hint(hint, fn) if _written(hint) else hint for name, hint in fn.__annotations__.items()}
    shaped = any(map(_has_axes, hints.values()))
    theirs = _names_arguments(hints) or (shaped and inspect.isgeneratorfunction(fn))
    check: Callable[..., Any] | None = None
    test = calls = 0

    @wraps(fn)
    def called(*args: Any, **kwargs: Any) -> Any:
        nonlocal check, test, calls
        if test != _test:
            test, calls = _test, 0
        calls += 1
        if calls & (calls - 1) and not EVERY:
            return fn(*args, **kwargs)
        if check is None:
            check = THEIRS(fn, typechecker=beartype(conf=CONF)) if theirs else _check(fn, hints, shaped)
        return check(*args, **kwargs)

    called.checks = True
    return called


def _check(fn: FunctionType, hints: dict[str, Any], shaped: bool) -> Callable[..., Any]:
    """The same function, whose arguments and result are checked at each call."""
    try:
        checks = None if fn.__code__.co_flags & VARIABLE else {name: _check_of(hint) for name, hint in hints.items()}
    except (BeartypeDecorHintException, TypeError):  # of what never returns, or what cannot be looked up
        checks = None
    if checks is None:
        return _with_axes(_compiled(fn, hints)) if shaped else _compiled(fn, hints)
    positional = fn.__code__.co_varnames[: fn.__code__.co_argcount]
    of_result = checks.pop("return", None)

    def check_each(given: Iterable[tuple[str, Any]]) -> None:
        for name, value in given:
            if name in checks:
                try:
                    checks[name](value)
                except jaxtyping.TypeCheckError as error:
                    error.add_note(f"as {name} of {fn.__module__}.{fn.__qualname__}")
                    raise

    def check_result(result: Any) -> None:
        try:
            if of_result is not None:
                of_result(result)
        except jaxtyping.TypeCheckError as error:
            error.add_note(f"as the result of {fn.__module__}.{fn.__qualname__}")
            raise

    def checked(*args: Any, **kwargs: Any) -> Any:
        check_each(zip(positional, args, strict=False))  # too many are the function's own matter
        check_each(kwargs.items())
        result = fn(*args, **kwargs)
        check_result(result)
        return result

    if not shaped:
        return checked

    passed: dict[object, set[object]] = {}  # the kinds of results that were in order, by those of the arguments
    by_kind = not any(map(_asks_for_values, hints.values()))
    literal = any(map(_is_literal, hints.values()))
    first = int(positional[:1] == ("self",))

    def check_again(args: Any, kwargs: Any, result: Any) -> None:
        check_each(zip(positional, args, strict=False))
        check_each(kwargs.items())
        check_result(result)

    whole, again = _with_axes(checked), _with_axes(check_again)

    def checked_with_arrays(*args: Any, **kwargs: Any) -> Any:
        given = _kinds(args[first:], literal) if by_kind else None
        if kwargs and given is not None:
            named = _kinds(kwargs.values(), literal)
            given = None if named is None else (*given, *kwargs, *named)
        seen = passed.get(given)
        if seen is not None:
            result = fn(*args, **kwargs)
            found = _kinds((result,), literal)
            if found is None or found not in seen:
                again(args, kwargs, result)
                seen.add(found)
            return result
        result = whole(*args, **kwargs)
        if given is not None:
            passed[given] = {_kinds((result,), literal)}
        return result

    return checked_with_arrays


def _with_axes(check: Callable[..., Any]) -> Callable[..., Any]:
    """The same within axes of its own."""

    def within(*args: Any, **kwargs: Any) -> Any:
        push_shape_memo({})
        try:
            return check(*args, **kwargs)
        finally:
            pop_shape_memo()

    return within


@cache
def _check_of(hint: Any) -> Callable[[Any], None]:
    """Raises for whatever does not go with the hint."""

    def check(value: hint) -> None:
        del value

    check.__annotations__ = {"value": hint}
    return beartype(conf=CONF)(check)


def _asks_for_values(hint: Any) -> bool:
    """Whether what has the same kinds, literal values aside, may go with the hint or not."""
    return get_origin(hint) is Annotated or any(map(_asks_for_values, _parts(hint)))


def _is_literal(hint: Any) -> bool:
    return get_origin(hint) is Literal or any(map(_is_literal, _parts(hint)))


def _parts(hint: Any) -> Iterable[Any]:
    return hint if isinstance(hint, list) else get_args(hint)


def _kinds(values: Iterable[Any], literal: bool) -> tuple[object, ...] | None:
    """All that a check of these looks at, to be compared; None where one holds other values, unless it is a tuple.

    Where a hint is literal, values of types that such a hint may name are compared as well.
    """
    found: list[object] = []
    for value in values:
        its = type(value)
        how = _HOW.get(its)
        if how is None:
            how = _HOW[its] = _how(its)
        found.append(its)
        if how == _ARRAY:
            found += value.dtype, value.shape
        elif how == _TUPLE:
            inner = _kinds(value, literal) if len(value) <= 20 else None
            if inner is None:
                return None
            found.append(inner)
        elif how == _CLASS or (how == _LITERAL and literal):
            found.append(value)
        elif how == _OTHER:
            return None
    return tuple(found)


def _how(its: type) -> int:
    from torch import Tensor

    if issubclass(its, Tensor | np.ndarray):
        return _ARRAY
    if issubclass(its, tuple):
        return _TUPLE
    if issubclass(its, type):
        return _CLASS
    if issubclass(its, str | bytes | int | Enum):
        return _LITERAL
    return _OTHER if hasattr(its, "__iter__") else _PLAIN


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
    return isinstance(hint, str | ForwardRef) or any(map(_written, _parts(hint)))


def _names_arguments(hints: dict[str, Any]) -> bool:
    """Whether an axis is as long as an argument says, as in `Float[Tensor, "{count} width"]`."""
    return any("{" in getattr(hint, "dim_str", "") for hint in hints.values())


def _has_axes(hint: Any) -> bool:
    if isinstance(hint, list | tuple):
        return any(map(_has_axes, hint))
    return (inspect.isclass(hint) and issubclass(hint, jaxtyping.AbstractArray)) or any(map(_has_axes, get_args(hint)))
