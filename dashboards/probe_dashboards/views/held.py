"""Bundles that are open: each of their files is read, hashed and parsed once, for all pages and all readers."""

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import pandas as pd

from probe.audit import Bundle, read
from probe.audit.manifest import Manifest
from probe.npz import Arrays

T = TypeVar("T")

FEW = 4  # bundles that stay open
MOST = 2**26  # bytes of their arrays and tables that stay in memory between two pages

_open: OrderedDict[tuple[str, str], "Held"] = OrderedDict()
_turn = Lock()


class Held(Bundle):
    """A bundle that keeps what was read and derived: a page asks for the same many times."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        super().__init__(folder, manifest)
        self._kept: dict[tuple[str, ...], Any] = {}
        self._weights: dict[tuple[str, ...], int] = {}

    def arrays(self, name: str) -> Arrays:
        return dict(self.derived(("arrays", name), lambda: super(Held, self).arrays(name)))

    def derived(self, what: tuple[str, ...], make: Callable[[], T]) -> T:
        if what not in self._kept:
            made = make()
            self._kept[what] = made
            self._weights[what] = _weight(made)
        found: T = self._kept[what]
        return found

    @property
    def weight(self) -> int:
        """The bytes of the arrays and tables that are kept."""
        return sum(tuple(self._weights.values()))

    def _parsed(self, file: str, dtype: Any) -> pd.DataFrame:
        return self.derived(("table", file, str(dtype)), lambda: self._once(file, dtype)).copy()

    def _once(self, file: str, dtype: Any) -> pd.DataFrame:
        table = super()._parsed(file, dtype)
        self._tables.clear()  # the one that is kept here is enough
        return table


def held(folder: str, stamp: str) -> Held:
    """The bundle in a folder as its files were at a `stamp`; the same one for every reader until a file changes."""
    place = (folder, stamp)
    with _turn:
        found = _open.get(place)
    if found is None:
        bundle = read(folder)
        found = Held(bundle.folder, bundle.manifest)
    elif found.weight > MOST:
        found = Held(found.folder, found.manifest)
    with _turn:
        _open[place] = found
        _open.move_to_end(place)
        while len(_open) > FEW or (len(_open) > 1 and sum(each.weight for each in _open.values()) > MOST):
            _open.popitem(last=False)
    return found


def forget() -> None:
    """Close them all."""
    with _turn:
        _open.clear()


def _weight(found: Any) -> int:
    if isinstance(found, dict):
        return sum(int(getattr(each, "nbytes", 0)) for each in found.values())
    return int(found.memory_usage(deep=True).sum()) if isinstance(found, pd.DataFrame) else 0
