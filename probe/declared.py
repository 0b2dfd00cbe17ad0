"""Classes of settings, checked in one place for methods, plans, training and bias audits.

A class of settings is a frozen dataclass. Each setting has an annotated type, and a default unless it is required;
`param` and `required` add a line of help and limits. Defaults are checked when the class is defined, and values before
an instance is created.
"""

import sys
from abc import ABCMeta
from collections.abc import Iterator, Mapping
from contextlib import suppress
from copy import copy
from dataclasses import MISSING, Field, dataclass, field, fields
from inspect import Parameter, Signature, cleandoc, get_annotations
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, dataclass_transform, get_args, get_origin

from probe.conversion import Kind, Limits, kind_of, shown
from probe.errors import ContractError, SettingError, UnknownSetting
from probe.names import nearest


def param(
    default: Any,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    below: float | None = None,
) -> Any:
    """A setting: its default, one line of help, and limits of its number; `above` and `below` are exclusive.

    Example:
        >>> from probe.method import Method, dataclass, param
        >>> @dataclass(frozen=True, kw_only=True)
        ... class Blur(Method):
        ...     width: int = param(3, "pixels on each side", low=0)
        >>> Blur(width="5")
        Blur(width=5)
    """
    rule = {"help": help, "limits": Limits(low=low, high=high, above=above, below=below)}
    if isinstance(default, dict | list):  # one for each instance
        return field(default_factory=lambda: copy(default), metadata=rule)
    return field(default=default, metadata=rule)


def required(
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    below: float | None = None,
) -> Any:
    """A setting without a default; for the limits see `param`."""
    return field(metadata={"help": help, "limits": Limits(low=low, high=high, above=above, below=below)})


D = TypeVar("D", bound="Declared")


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(required, field))
class SettingsMeta(ABCMeta):
    """Converts and checks settings before an instance is created, so that each has one type inside the class."""

    _kinds: Mapping[str, Kind]  # the Kind of each setting
    _hints: Mapping[str, Any]  # the annotated type of each setting

    def __init__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **keywords: Any) -> None:
        super().__init__(name, bases, namespace, **keywords)
        inherited = [base for base in cls.__mro__[:0:-1] if isinstance(base, SettingsMeta)]
        hints = {key: hint for base in inherited for key, hint in base._hints.items()}
        kinds = {key: kind for base in inherited for key, kind in base._kinds.items()}
        own = {key: hint for key, hint in get_annotations(cls).items() if "ClassVar" not in str(hint)}
        for key in kinds:
            if key in namespace and key not in own:
                raise ContractError(f"{name}.{key} is set without its type; write {key}: TYPE = param(DEFAULT, HELP)")
        for key, hint in own.items():
            where = f"{name}.{key}"
            hints[key] = hint = _evaluated(cls, where, hint)
            kinds[key] = _declared(cls, where, hint, namespace.get(key, MISSING))
        cls._hints, cls._kinds = hints, kinds
        if namespace.get("__doc__") and hints:
            cls.__doc__ = "\n".join((cleandoc(namespace["__doc__"]), "", "Settings:", *_described(cls, namespace)))

    if not TYPE_CHECKING:  # type checkers read the fields instead

        def __call__(cls, *values: Any, **settings: Any) -> Any:
            if values:
                raise UnknownSetting(f"{cls.__name__} takes its settings by name{_named(cls, values[0])}")
            return cls._made(settings, cls.__name__, f"{cls.__name__}.")

    def _made(cls, settings: Mapping[Any, Any], whole: str, prefix: str) -> Any:
        """An instance; messages name the whole, and settings with a prefix."""
        known = {f.name: f for f in fields(cls)}  # type: ignore[arg-type]  # the decorator makes it a dataclass
        if cls._hints.keys() - known:
            raise ContractError(
                f"{cls.__name__} is not a dataclass; write @dataclass(frozen=True, kw_only=True) above it"
            )
        for key in settings:
            if key not in known:
                has = f"it has {', '.join(known)}" if known else "it has none"
                raise UnknownSetting(f"{whole} has no setting {key!r:.60}{nearest(str(key), known)}; {has}")
        for key, setting in known.items():
            if key not in settings and setting.default is setting.default_factory is MISSING:
                about = setting.metadata.get("help")
                raise UnknownSetting(f"{whole} lacks {key!r}{f', {about}' if about else ''}; give {prefix}{key}")
        kept = {key: cls._kinds[key](value, f"{prefix}{key}") for key, value in settings.items()}
        return super().__call__(**kept)

    @property
    def __signature__(cls) -> Signature:
        """The settings, for `help`, Jupyter and Jedi."""
        found = getattr(cls, "__dataclass_fields__", {})
        return Signature(
            [
                Parameter(key, Parameter.KEYWORD_ONLY, default=_default(found[key], Parameter.empty), annotation=hint)
                for key, hint in cls._hints.items()
                if key in found
            ]
        )


@dataclass(frozen=True, kw_only=True)
class Declared(metaclass=SettingsMeta):
    """Settings that can be read from a table of a file."""

    @classmethod
    def read(cls: type[D], table: Any, where: str = "", whole: str = "") -> D:
        """Read settings from a table. Messages name a setting after `where`, and the table by `whole`.

        Raises:
            UnknownSetting: if a setting does not exist, or a required one is missing.
            SettingError: if a value has the wrong type or is outside its limits.
        """
        whole = whole or where or cls.__name__
        if not isinstance(table, Mapping):
            raise SettingError(f"{whole} = {shown(table)}, expected a table of settings")
        return cls._made(table, whole, f"{where}." if where else "")


def _evaluated(cls: type, where: str, hint: Any) -> Any:
    """The type of an annotation, which is a text under `from __future__ import annotations`."""
    if not isinstance(hint, str):
        return hint
    try:
        return eval(hint, vars(sys.modules[cls.__module__]), {cls.__name__: cls})
    except Exception as error:
        raise ContractError(f"{where} is of type {hint}, which is not known when the class is made: {error}") from None


def _declared(cls: type, where: str, hint: Any, declared: Any) -> Kind:
    """The Kind of a setting. Its default is converted; an invalid default prevents the class definition."""
    rule = declared.metadata if isinstance(declared, Field) else {}
    limits, texts = rule.get("limits", Limits()), getattr(cls, "_texts", False)
    default = _default(declared, MISSING)
    try:
        kind = kind_of(hint, limits, texts=texts)
        if default is MISSING:
            return kind
        default = kind(default, where)
    except SettingError as error:
        raise ContractError(f"the default of {error}") from None
    except ContractError as error:
        raise ContractError(f"{where} {error}") from None
    if not isinstance(declared, Field):
        setattr(cls, where.rpartition(".")[2], default)
    elif declared.default is not MISSING:
        declared.default = default
    return kind_of(hint, limits, texts=texts, example=default)


def _default(declared: Any, none: Any) -> Any:
    """The default of a field or of a plain declaration."""
    if not isinstance(declared, Field):
        return none if declared is MISSING else declared
    if declared.default_factory is not MISSING:
        return declared.default_factory()
    return none if declared.default is MISSING else declared.default


def _named(cls: SettingsMeta, value: Any) -> str:
    """A suggestion for a positional value: the first setting that accepts it."""
    for key, kind in cls._kinds.items():
        with suppress(SettingError):
            kind(value, key)
            return f"; write {cls.__name__}({key}={value!r:.40})"
    return f"; it has {', '.join(cls._kinds)}" if cls._kinds else ", and has none"


def _described(cls: SettingsMeta, namespace: Mapping[str, Any]) -> Iterator[str]:
    """A line for each setting: its type, its default and its help."""
    inherited: Mapping[str, Any] = getattr(cls, "__dataclass_fields__", {})
    for key, hint in cls._hints.items():
        declared = namespace.get(key, MISSING) if key in get_annotations(cls) else inherited[key]
        default = _default(declared, MISSING)
        about = declared.metadata.get("help", "") if isinstance(declared, Field) else ""
        given = "required" if default is MISSING else f"default {default!r}"
        yield f"    {key} ({type_name(hint)}, {given}){f': {about}' if about else ''}"


def type_name(hint: Any) -> str:
    """A type as written in source."""
    if get_origin(hint) is Annotated:
        return type_name(get_args(hint)[0])
    if isinstance(hint, type) and not get_args(hint):
        return hint.__name__
    return str(hint).replace("typing.", "").replace("collections.abc.", "")
