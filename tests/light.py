"""Methods with as little work as most properties need: what holds for 12 steps holds for 680."""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, TypeVar

from probe import zoo
from probe.attacks.peers.bridge import PeerAttack
from probe.explainers import AgainstBaseline
from probe.explainers.peers.bridge import Peer
from probe.method import Method
from probe.registry import discover

M = TypeVar("M", bound=Method)
MOST = {
    "steps": 12,
    "max_queries": 60,
    "draws": 25,
    "queries": 40,
    "samples": 120,
    "angles": 5,
    "shifts": 3,
    "rounds": 2,
    "halvings": 3,
}


def light(method: M, **most: int) -> M:
    """The same method with settings that are no larger than these, or than `MOST`."""
    settings, limits = method.config(), MOST | most
    fewer: dict[str, Any] = {name: least for name, least in limits.items() if settings.get(name, 0) > least}
    inner = {f.name: getattr(method, f.name) for f in fields(method)}
    fewer |= {name: light(value, **most) for name, value in inner.items() if isinstance(value, Method)}
    return replace(method, **fewer)


def own_explainers() -> Mapping[str, type[Any]]:
    """Explainers but for those of other packages, which are slow, and are in tests/explainers/test_peers.py."""
    return {name: kind for name, kind in discover("explainer").items() if not issubclass(kind, Peer)}


def explainers_of_any_row() -> Mapping[str, type[Any]]:
    """Those that need neither layers nor images or series."""
    kinds = own_explainers().items()
    return {name: kind for name, kind in kinds if "layers" not in kind.needs and kind is not AgainstBaseline}


def own_attacks() -> Mapping[str, type[Any]]:
    """Attacks but for those of other packages, which are in tests/attacks/test_peers.py."""
    return {name: kind for name, kind in discover("attack").items() if not issubclass(kind, PeerAttack)}


def one_of_each_architecture() -> list[str]:
    """Networks of the zoo, of which others differ by their weights alone."""
    return sorted({zoo.card(name)["architecture"]["name"]: name for name in reversed(zoo.names())}.values())
