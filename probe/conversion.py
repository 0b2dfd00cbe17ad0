"""Conversion of values to settings, by the setting's annotated type."""

import collections.abc
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, is_dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from probe.errors import ContractError, ProbeError, SettingError
from probe.names import nearest
from probe.numbers import BelowLevel, Written, exact, unit_of, written

LISTED = 10  # methods of a kind that a message names
MOST = 2**63 - 1  # the largest integer, also the largest seed of torch
TYPES = "int, float, str, bool, X | None, tuple[X, ...], Literal[...], a Callable or another Method"


class Unfit(ValueError):
    """A value does not fit a setting; the text says what is expected."""


@dataclass(frozen=True)
class Kind:
    """The type of a setting: its name in singular and plural, and a conversion that raises ValueError.

    Example:
        >>> Name = Annotated[str, Kind("a name", "names", lambda value, where: str(value))]
    """

    one: str
    many: str
    convert: Callable[[Any, str], Any]  # takes the value and the name of the setting

    def __call__(self, value: Any, where: str, *, inside: bool = False) -> Any:
        """The converted value.

        Raises:
            SettingError: if the value does not fit.
        """
        try:
            return self.convert(value, where)
        except ProbeError:  # a message about a part of the value
            raise
        except (ValueError, OverflowError) as error:
            expected = self.many if inside else str(error) if isinstance(error, Unfit) else self.one
            raise SettingError(f"{where} {'holds' if inside else '='} {shown(value)}, expected {expected}") from None


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The range of a setting; `above` and `below` are exclusive."""

    low: float | None = None
    high: float | None = None
    above: float | None = None
    below: float | None = None

    def admit(self, number: Any) -> bool:
        """Whether a number is within the range."""
        return (
            (self.low is None or number >= self.low)
            and (self.high is None or number <= self.high)
            and (self.above is None or number > self.above)
            and (self.below is None or number < self.below)
        )

    def __str__(self) -> str:
        if self.low is not None and self.high is not None:
            return f" from {self.low} to {self.high}"
        named = {"of at least": self.low, "above": self.above, "of at most": self.high, "below": self.below}
        return "".join(
            f"{' and' if at else ''} {word} {limit}"
            for at, (word, limit) in enumerate((word, limit) for word, limit in named.items() if limit is not None)
        )


def kind_of(hint: Any, limits: Limits, *, texts: bool, example: Any = None) -> Kind:
    """The Kind of a setting of this annotated type.

    `texts` tells whether numbers, booleans and lists may be given as text, as on the command line.

    Raises:
        ContractError: if this type cannot be a setting.
    """

    def inner(part: Any) -> Kind:
        return kind_of(part, limits, texts=texts, example=example if _plain(example) else None)

    origin, parts = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return next((part for part in parts[1:] if isinstance(part, Kind)), None) or inner(parts[0])
    if hint is bool:
        return Kind("true or false", "truth values", lambda value, where: _truth(value, texts=texts))
    if hint is int or hint is float:
        return _number(hint, limits, texts=texts, example=example)
    if hint is str:
        return Kind("a text", "texts", lambda value, where: _text(value))
    if origin is Literal:
        return _choice(parts, texts=texts)
    if origin is Union or origin is types.UnionType:
        return _either(parts, [inner(part) for part in parts if part is not type(None)], texts=texts)
    if origin in (tuple, list) and (origin is list or parts[1:] == (Ellipsis,)):
        return _sequence(origin, inner(parts[0]), texts=texts)
    if origin in (dict, collections.abc.Mapping) and parts[0] is str:
        return _table(inner(parts[1]))
    if hint is collections.abc.Callable or origin is collections.abc.Callable:
        return Kind("a function", "functions", lambda value, where: _callable(value))
    if isinstance(hint, type) and is_dataclass(hint):
        return _instance(hint)
    name = hint.__name__ if isinstance(hint, type) else str(hint)
    raise ContractError(f"is of type {name}, which cannot be a setting; a setting is {TYPES}")


def _number(hint: type, limits: Limits, *, texts: bool, example: Any) -> Kind:
    is_whole = hint is int
    capped = Limits(**{**vars(limits), "high": MOST}) if is_whole and limits.high is limits.below is None else limits
    word = "whole number" if is_whole else "number"
    no_number = f"a number such as {example}" if _plain(example) else f"a {word}{limits}"

    def convert(value: Any, where: str) -> int | float:
        try:
            if isinstance(value, str) and not texts:
                raise ValueError
            if unit_of(value) and where.rpartition(".")[2] != "eps":  # only radii have units
                raise ValueError
            number = exact(value)
            as_float = float(number)
        except BelowLevel as error:
            raise Unfit(str(error)) from None
        except (ValueError, OverflowError):
            raise Unfit(no_number) from None
        if not capped.admit(number) or (is_whole and number != int(number)):
            raise Unfit(f"a {word}{capped if number > MOST else limits}")
        if is_whole:
            return int(number)
        return value if isinstance(value, Written) else written(value) if isinstance(value, str) else as_float

    return Kind(f"a {word}{limits}", f"{word}s{limits}", convert)


def _plain(example: Any) -> bool:
    return isinstance(example, int | float) and not isinstance(example, bool)


def _truth(value: Any, *, texts: bool) -> bool:
    if getattr(value, "shape", None) == () and not getattr(value, "is_meta", False):
        value = value.item()
    text = str(value).lower() if isinstance(value, bool) or (texts and isinstance(value, str)) else ""
    if text not in ("true", "false"):
        raise ValueError
    return text == "true"


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError
    return value


def _choice(choices: tuple[Any, ...], *, texts: bool) -> Kind:
    listed = ", ".join(str(choice) for choice in choices if choice != "")

    def convert(value: Any, where: str) -> Any:
        for choice in choices:
            written_so = texts and isinstance(value, str) and str(choice) == value
            if written_so or (type(choice) is type(value) and choice == value):
                return choice
        meant = nearest(value, map(str, choices)) if isinstance(value, str) else ""
        raise Unfit(f"one of {listed}{meant}")

    return Kind(f"one of {listed}", f"any of {listed}", convert)


def _either(parts: tuple[Any, ...], kinds: list[Kind], *, texts: bool) -> Kind:
    """One of several types, tried in order. On the command line, none means None."""
    optional = type(None) in parts
    says_none = texts and str not in parts
    one, many = (" or ".join(getattr(kind, name) for kind in kinds) for name in ("one", "many"))

    def convert(value: Any, where: str) -> Any:
        if optional and (value is None or (says_none and isinstance(value, str) and value == "none")):
            return None
        if len(kinds) == 1:
            try:
                return kinds[0].convert(value, where)
            except Unfit as error:
                raise Unfit(f"{error}, or none" if optional else str(error)) from None
        for kind in kinds:
            try:
                return kind.convert(value, where)
            except (ValueError, OverflowError):
                continue
        raise ValueError

    return Kind(f"{one}, or none" if optional else one, many, convert)


def _sequence(origin: type, part: Kind, *, texts: bool) -> Kind:
    def convert(value: Any, where: str) -> Any:
        if texts and isinstance(value, str):
            value = [each.strip() for each in value.split(",") if each.strip()]
        if not isinstance(value, list | tuple):
            raise ValueError
        return origin(part(each, where, inside=True) for each in value)

    return Kind(f"a list of {part.many}", f"lists of {part.many}", convert)


def _table(part: Kind) -> Kind:
    def convert(value: Any, where: str) -> dict[str, Any]:
        if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
            raise ValueError
        return {key: part(each, where, inside=True) for key, each in value.items()}

    return Kind(f"a table of {part.many}", f"tables of {part.many}", convert)


def _callable(value: Any) -> Any:
    if not callable(value):
        raise ValueError
    return value


def _instance(owner: type) -> Kind:
    """A nested class of settings: a method, or a part of a plan, which may be given as a table."""

    def convert(value: Any, where: str) -> Any:
        read = getattr(owner, "read", None)
        if isinstance(value, Mapping) and read is not None:
            return read(value, where)
        if not isinstance(value, owner):
            raise ValueError if read is not None else Unfit(f"{one}{_known(owner, value)}")
        return value

    one = f"a method of the kind {owner.__name__}"

    if hasattr(owner, "read"):
        return Kind("a table of settings", "tables of settings", convert)
    return Kind(one, f"methods of the kind {owner.__name__}", convert)


def _known(owner: type, value: Any) -> str:
    """The methods of a kind that are imported, or how the one that a text names is written."""
    every: list[type] = list(_kinds_of(owner))
    kinds = [each.__name__ for each in every if not getattr(each, "__abstractmethods__", ())]
    if isinstance(value, str):
        written = next((name for name in kinds if name.lower() == value.replace("_", "").lower()), "")
        if written:
            return f"; write {written}(...)"
    few = sorted(kinds)[:LISTED]
    return f", such as {', '.join(few)}" if few else ""


def _kinds_of(owner: type) -> Iterator[type]:
    yield owner
    below: list[type] = owner.__subclasses__()
    for kind in below:
        if kind.__module__.startswith("probe."):
            yield from _kinds_of(kind)


def shown(value: Any, longest: int = 60) -> str:
    """A value in a message: on one line, shortened."""
    try:
        text = " ".join(repr(value).split())
    except ValueError:  # Python prints no integer of more than 4,300 digits
        text = f"a whole number of {value.bit_length()} bits"
    return text if len(text) <= longest else f"{text[:longest]}..."
