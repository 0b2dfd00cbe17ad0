"""Discovery of methods by name, in probe's packages and in other installed packages."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache
from inspect import isabstract, isclass
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar, get_args

from probe import guests
from probe.catalogue import Facts, Kind, UnreadableError, catalogue, facts, families
from probe.errors import ContractError, UnknownMethod
from probe.method import Method
from probe.names import nearest

M = TypeVar("M", bound=Method)

HOME = Path(__file__).parent
# The package or module of each kind of method, by what its abstract class declares as `family`.
CONTRACTS = (HOME / "contracts", HOME / "goals.py")  # where each family's abstract class is
KINDS: Mapping[str, Kind] = {kind.family: kind for path in CONTRACTS for kind in families(path)}
FAMILIES: Mapping[str, str] = {family: f"probe.{family}s" for family in KINDS}


def discover(family: str) -> Mapping[str, type[Any]]:
    """The concrete methods of a family, by name."""
    return MappingProxyType({name: kind for name, kind in methods().items() if kind.family == family})


@cache
def methods() -> Mapping[str, type[Any]]:
    """All methods by name; names are unique over families, as results store the name of their method."""
    found: dict[str, type[Any]] = {}
    for kind in _defined():
        other = found.setdefault(kind.name(), kind)
        if other is not kind:
            both = " and ".join(f"{each.__module__}.{each.__qualname__}" for each in (other, kind))
            raise ContractError(f"two methods are named {kind.name()!r}: {both}; rename one of the classes")
    return MappingProxyType(dict(sorted(found.items())))


def listed(family: str) -> Mapping[str, type[Method]]:
    """The methods of a family with names, summaries and settings only, without importing torch."""
    try:
        own = catalogue(guests.source(FAMILIES[family]), *CONTRACTS)
        found = {name: kind for name, kind in own.items() if kind.family == family}
        others = guests.named()
        homes = [guests.source(name) for name in FAMILIES.values()] if others else []
        for name in others:
            brought = catalogue(guests.source(name), *CONTRACTS, *homes)
            if found.keys() & brought.keys():
                return discover(family)  # which names both
            found |= {name: kind for name, kind in brought.items() if kind.family == family}
    except (UnreadableError, OSError, SyntaxError):  # a computed default, or an installation without source
        return discover(family)
    return dict(sorted(found.items()))


@cache
def declared(family: str) -> Mapping[str, Facts]:
    """What the classes of a family say of themselves, as far as their source can be read; no code of theirs is run."""
    found: dict[str, Facts] = {}
    homes = [guests.source(name) for name in FAMILIES.values()]
    for name in (FAMILIES[family], *guests.named()):
        with suppress(UnreadableError, OSError, SyntaxError):
            found = dict(facts(guests.source(name), *CONTRACTS, *homes)) | found
    return MappingProxyType(found)


def build(known: Mapping[str, type[M]], config: Mapping[str, Any]) -> M:
    """The method of a `config`; the inverse of `Method.config`."""
    name = str(config.get("method"))
    if name not in known:
        wanted = {kind.family for kind in known.values()}
        if len(wanted) == 1 and name in methods():
            found, expected = methods()[name].family, wanted.pop()
            raise UnknownMethod(f"{name!r} is {_one(found)}, expected {_one(expected)}: {', '.join(known)}")
        raise UnknownMethod(f"no method named {name!r}{nearest(name, known)}; there are {', '.join(known)}")
    kind = known[name]
    return kind(**{key: _built(value, kind._hints.get(key)) for key, value in config.items() if key != "method"})


def _one(family: str) -> str:
    return f"{'an' if family[0] in 'aeiou' else 'a'} {family}"


def _built(value: Any, hint: Any) -> Any:
    """A setting from JSON, with the methods that it holds made; where one is wanted its name will do."""
    if isinstance(value, Mapping) and "method" in value:
        return build(methods(), value)
    wanted = tuple(each for each in (hint, *get_args(hint)) if isclass(each) and issubclass(each, Method))
    if isinstance(value, str) and wanted:
        return build({name: kind for name, kind in methods().items() if issubclass(kind, wanted)}, {"method": value})
    return [_built(each, hint) for each in value] if isinstance(value, list) else value


def _defined() -> Iterator[type[Any]]:
    """The concrete methods that probe's own packages define, and those of others, unless a name says private: _Name."""
    own = (module for home in FAMILIES.values() for module in guests.modules(home))
    for module in chain(own, guests.brought()):
        for thing in vars(module).values():
            defined_here = isclass(thing) and thing.__module__ == module.__name__ and issubclass(thing, Method)
            if (
                defined_here
                and not thing.__name__.startswith("_")
                and getattr(thing, "family", None) in FAMILIES
                and not isabstract(thing)
            ):
                yield thing
