"""A bundle whose files are read, hashed and parsed once, for whoever asks it for the same many times."""

from collections.abc import Callable
from dataclasses import is_dataclass
from pathlib import Path
from threading import RLock
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from probe.audit.bundle import Bundle
from probe.audit.manifest import Manifest
from probe.npz import Stored

T = TypeVar("T")


class Held(Bundle):
    """A bundle that keeps what was read and derived. Nobody changes what it gives."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        super().__init__(folder, manifest)
        self._kept: dict[tuple[str, ...], Any] = {}
        self._weights: dict[tuple[str, ...], int] = {}
        self._turn = RLock()  # what several readers ask for at once is made once; what is made may ask for more

    def arrays(self, name: str) -> Stored:
        return dict(self.derived(("arrays", name), lambda: super(Held, self).arrays(name)))

    def array(self, name: str, key: str) -> NDArray[Any] | None:
        if ("arrays", name) in self._kept:
            return self.arrays(name).get(key)
        return self.derived(("array", name, key), lambda: super(Held, self).array(name, key))

    def derived(self, what: tuple[str, ...], make: Callable[[], T]) -> T:
        with self._turn:
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


def _weight(found: Any) -> int:
    if isinstance(found, np.ndarray):
        return found.nbytes
    if isinstance(found, pd.DataFrame):
        return int(found.memory_usage(deep=True).sum())
    if isinstance(found, str | bytes):
        return len(found)
    if is_dataclass(found):
        found = vars(found)
    parts = found.values() if isinstance(found, dict) else found if isinstance(found, list | tuple) else ()
    return sum(map(_weight, parts))
