"""Bundles that are open, for all pages and all readers."""

from collections import OrderedDict
from threading import Lock

from probe.audit import read
from probe.audit.held import Held

FEW = 4  # bundles that stay open
MOST = 2**26  # bytes of their arrays and tables that stay in memory between two pages

_open: OrderedDict[tuple[str, str], Held] = OrderedDict()
_turn = Lock()


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
