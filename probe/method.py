"""What a method is: a frozen dataclass whose fields are its settings."""

import re
from abc import ABCMeta
from dataclasses import Field, dataclass, field, fields
from fractions import Fraction
from typing import Any, TypeVar

from probe.errors import RangeError

T = TypeVar("T")


def param(
    default: T, help: str, *, low: float | None = None, high: float | None = None, choices: tuple[str, ...] = ()
) -> T:
    """A setting: its default, one line of help, and the values it may take."""
    return field(default=default, metadata={"help": help, "low": low, "high": high, "choices": choices})


class _Gate(ABCMeta):
    """Converts and checks settings before an instance is made, so that inside a method each has one type."""

    def __call__(cls, **settings: Any) -> Any:
        known = {f.name: f for f in fields(cls)}  # type: ignore[arg-type]  # a Method is a dataclass by its decorator
        return super().__call__(
            **{
                key: _admit(cls.__name__, known[key], value) if key in known else value
                for key, value in settings.items()
            }
        )


@dataclass(frozen=True, kw_only=True)
class Method(metaclass=_Gate):
    """Settings that print, compare, hash and travel as JSON."""

    @classmethod
    def name(cls) -> str:
        """The class name in snake case: InputXGradient is input_x_gradient, PGD is pgd."""
        return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", cls.__name__).lower()

    @classmethod
    def summary(cls) -> str:
        """The first line of the docstring."""
        return (cls.__doc__ or "").strip().splitlines()[0]

    def config(self) -> dict[str, Any]:
        """The name and settings, ready for JSON; `registry.build` makes the method from it again."""
        settings = {f.name: getattr(self, f.name) for f in fields(self)}
        return {"method": self.name()} | {k: v.config() if isinstance(v, Method) else v for k, v in settings.items()}


def _admit(owner: str, setting: Field[Any], value: Any) -> Any:
    """Turn what a person wrote ("8/255", "40") into the setting's type, and check its range."""
    if isinstance(setting.default, Method):
        return value
    where, rule = f"{owner}.{setting.name}", setting.metadata
    kind: type[Any] = type(setting.default)
    choices = rule.get("choices", ())
    if choices:
        if value not in choices:
            raise RangeError(f"{where} = {value!r}, expected one of {', '.join(choices)}")
        return value
    try:
        number = float(Fraction(value)) if isinstance(value, str) else float(value)
        admitted = kind(number)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        raise RangeError(f"{where} = {value!r}, expected a number such as {setting.default!r}") from None
    low, high = rule.get("low"), rule.get("high")
    # Written as "not within" because every comparison with NaN is false.
    if not (admitted == number and (low is None or number >= low) and (high is None or number <= high)):
        whole = " whole" if kind is int else ""
        raise RangeError(f"{where} = {value!r}, expected a{whole} number in [{low}, {high}]")
    return admitted
