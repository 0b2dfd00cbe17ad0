"""What a method is: a frozen dataclass whose fields are its settings."""

import re
from abc import ABCMeta
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import MISSING, Field, dataclass, field, fields
from difflib import get_close_matches
from inspect import get_annotations
from typing import Any, ClassVar, TypeVar

from probe.errors import ContractError, RangeError, UnknownSetting
from probe.numbers import Written, exact, written

T = TypeVar("T")

MOST = 2**63 - 1  # the largest whole number; torch seeds its generators with no larger one
KINDS: Mapping[str, type] = {"int": int, "float": float, "str": str, "bool": bool}  # what a setting can be, by name


def param(
    default: T, help: str, *, low: float | None = None, high: float | None = None, choices: tuple[str, ...] = ()
) -> T:
    """A setting: its default, one line of help, and the values it may take. Checked when the class is made."""
    return field(default=default, metadata={"help": help, "low": low, "high": high, "choices": choices})


class _Gate(ABCMeta):
    """Converts and checks settings before an instance is made, so that inside a method each has one type."""

    def __init__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **keywords: Any) -> None:
        super().__init__(name, bases, namespace, **keywords)
        for setting, annotation in get_annotations(cls).items():
            if "ClassVar" not in str(annotation):
                _check_declared(cls, f"{name}.{setting}", annotation, namespace.get(setting, MISSING))

    def __call__(cls, *values: Any, **settings: Any) -> Any:
        known = {f.name: f for f in fields(cls)}  # type: ignore[arg-type]  # a Method is a dataclass by its decorator
        if values:
            raise UnknownSetting(f"{cls.__name__} takes its settings by name{_named(cls, known, values[0])}")
        for key in settings:
            if key not in known:
                has = f"it has {', '.join(known)}" if known else "it has none"
                raise UnknownSetting(f"{cls.__name__} has no setting {key!r}{nearest(key, known)}; {has}")
        return super().__call__(**{key: _admit(cls, known[key], value) for key, value in settings.items()})


@dataclass(frozen=True, kw_only=True)
class Method(metaclass=_Gate):
    """Settings that print, compare, hash and travel as JSON."""

    family: ClassVar[str] = ""  # the kind of method, as its contract declares it; "" of one that is only a setting

    @classmethod
    def name(cls) -> str:
        """The class name in snake case: InputXGradient is input_x_gradient, PGD is pgd."""
        return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", cls.__name__).lower()

    @classmethod
    def summary(cls) -> str:
        """The first line of the docstring."""
        return (cls.__doc__ or "").strip().splitlines()[0]

    def config(self) -> dict[str, Any]:
        """The name and settings, ready for JSON; `registry.build` makes the method from it again.

        A number that was written as a text, such as eps="4/255", is the number here; `numbers.as_written` gives the
        texts.
        """
        settings = {f.name: getattr(self, f.name) for f in fields(self)}
        return {"method": self.name()} | {k: v.config() if isinstance(v, Method) else v for k, v in settings.items()}


def nearest(word: str, known: Any) -> str:
    """What was meant, in brackets; nothing where no known word is near."""
    close = get_close_matches(word, list(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _check_declared(owner: type, where: str, annotation: Any, declared: Any) -> None:
    """Raise ContractError where a class declares what cannot be a setting; a default that can be one is converted."""
    default = declared.default if isinstance(declared, Field) else declared
    rule = declared.metadata if isinstance(declared, Field) else {}
    kind = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))
    if default is MISSING:
        raise ContractError(f"{where} has no default, and a method can be made without naming settings; give it one")
    if kind not in KINDS and not isinstance(default, Method):
        raise ContractError(
            f"{where} is of type {kind}, which cannot be a setting; a setting is {', '.join(KINDS)} or another Method"
        )
    try:
        default = _converted(where, KINDS.get(kind, annotation), rule, default)
    except RangeError as error:
        raise ContractError(f"the default of {error}") from None
    if isinstance(declared, Field):
        declared.default = default
    else:
        setattr(owner, where.rpartition(".")[2], default)


def _named(owner: type, known: Mapping[str, Field[Any]], value: Any) -> str:
    """How a value that came without a name could be written: by the first setting that takes it."""
    for key, setting in known.items():
        with suppress(RangeError):
            _admit(owner, setting, value)
            return f"; write {owner.__name__}({key}={value!r:.40})"
    return f"; it has {', '.join(known)}" if known else ", and has none"


def _admit(owner: type, setting: Field[Any], value: Any) -> Any:
    kind = setting.type if isinstance(setting.default, Method) else type(setting.default)
    return _converted(f"{owner.__name__}.{setting.name}", kind, setting.metadata, value, setting.default)


def _converted(where: str, kind: Any, rule: Mapping[str, Any], value: Any, example: Any = None) -> Any:
    """Turn what a person wrote ("8/255", "40") into the setting's type, and check its range."""
    if choices := rule.get("choices", ()):
        if not isinstance(value, str) or value not in choices:
            raise RangeError(f"{where} = {_shown(value)}, expected one of {', '.join(choices)}")
        return value
    if kind is str:
        if not isinstance(value, str):
            raise RangeError(f"{where} = {_shown(value)}, expected a text")
        return value
    if kind is bool:
        if str(value).lower() not in ("true", "false"):
            raise RangeError(f"{where} = {_shown(value)}, expected true or false")
        return str(value).lower() == "true"
    if kind is int or (isinstance(kind, type) and issubclass(kind, float)):
        return _number(where, kind, rule, value, example)
    kind = kind if isinstance(kind, type) else Method
    if not isinstance(value, kind):
        raise RangeError(f"{where} = {_shown(value)}, expected a method of the kind {kind.__name__}")
    return value


def _number(where: str, kind: type, rule: Mapping[str, Any], value: Any, example: Any) -> int | float:
    whole = kind is int
    try:
        number = exact(value)
        low, high = rule.get("low"), rule.get("high")
        most = MOST if whole and high is None else high
        inside = (low is None or number >= low) and (most is None or number <= most)
        admitted = float(number)
    except (ValueError, OverflowError):
        such = "" if example is None else f" such as {example}"
        raise RangeError(f"{where} = {_shown(value)}, expected a number{such}") from None
    if not inside or (whole and number != int(number)):
        limits = _range(low, most if high is not None or number > MOST else None)
        raise RangeError(f"{where} = {_shown(value)}, expected a{' whole' if whole else ''} number{limits}")
    if whole:
        return int(number)
    return value if isinstance(value, Written) else written(value) if isinstance(value, str) else admitted


def _range(low: float | None, high: float | None) -> str:
    if low is None:
        return "" if high is None else f" of at most {high}"
    return f" of at least {low}" if high is None else f" from {low} to {high}"


def _shown(value: Any, longest: int = 60) -> str:
    """A value in a message: on one line, and not the 5,000 digits or the tensor that somebody gave."""
    try:
        text = " ".join(repr(value).split())
    except ValueError:  # Python prints no whole number of more than 4,300 digits
        text = f"a whole number of {value.bit_length()} bits"
    return text if len(text) <= longest else f"{text[:longest]}..."
