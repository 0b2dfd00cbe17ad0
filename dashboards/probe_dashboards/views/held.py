"""Bundles that are open, for all pages and all readers."""

from collections import OrderedDict
from collections.abc import Iterator
from threading import Lock
from typing import Any

from numpy.typing import NDArray

from probe import npz
from probe.audit import read
from probe.audit.held import Held

FEW = 4  # bundles that stay open
MOST = 2**26  # bytes of their arrays and tables that stay in memory between two pages
SMALL = 2**16  # bytes of a file that stays in memory as it is: its arrays are asked for one after the other


class OneByOne(Held):
    """A bundle whose arrays are unpacked one by one, when a page asks for them: a map of pixels may be all of a file.

    Each time, the file has the digest that the manifest records; that it holds the recorded arrays is verified apart.
    """

    def arrays(self, name: str) -> npz.Stored:
        return Each(self, name)

    def names(self, name: str) -> tuple[str, ...]:
        """The names of the arrays in a file."""
        file = f"arrays/{name}.npz"
        return self.derived(("names", name), lambda: npz.names(self._bytes(file), f"{file} of {self.folder.name}"))

    def _bytes(self, file: str) -> bytes:
        kept: dict[str, bytes] = self.derived(("small files",), dict)
        if file in kept:
            return kept[file]
        data = super()._bytes(file)
        if len(data) <= SMALL:
            kept[file] = data
        return data

    @property
    def weight(self) -> int:
        """The bytes of the arrays, tables and small files that are kept."""
        kept: dict[str, bytes] = self.derived(("small files",), dict)
        return super().weight + sum(map(len, tuple(kept.values())))


class Each(npz.Stored):
    """The arrays of a file, each of which is unpacked when it is asked for."""

    def __init__(self, bundle: OneByOne, name: str) -> None:
        self._bundle, self._name = bundle, name
        self._names = bundle.names(name)

    def __getitem__(self, key: str) -> NDArray[Any]:
        found = self._bundle.array(self._name, key) if key in self._names else None
        if found is None:
            raise KeyError(key)
        return found

    def __contains__(self, key: object) -> bool:
        return key in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


_open: OrderedDict[tuple[str, str], OneByOne] = OrderedDict()
_turn = Lock()


def held(folder: str, stamp: str) -> OneByOne:
    """The bundle in a folder as its files were at a `stamp`; the same one for every reader until a file changes."""
    place = (folder, stamp)
    with _turn:
        found = _open.get(place)
    if found is None:
        bundle = read(folder)
        found = OneByOne(bundle.folder, bundle.manifest)
    elif found.weight > MOST:
        found = OneByOne(found.folder, found.manifest)
    with _turn:
        other = _open.get(place)
        if other is not None and other.weight <= MOST:
            found = other  # of another reader, who opened it meanwhile
        _open[place] = found
        _open.move_to_end(place)
        while len(_open) > FEW or (len(_open) > 1 and sum(each.weight for each in _open.values()) > MOST):
            _open.popitem(last=False)
    return found


def forget() -> None:
    """Close them all."""
    with _turn:
        _open.clear()
