"""How little changes the answer to each row, over all attacks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from probe.audit import Bundle
from probe.text import visible
from probe_dashboards.views import attacked

Array = NDArray[Any]

STATES = {
    "flipped": "flipped by an attack",
    "withstood": "not flipped by any attack",
    "wrong": "wrong before any attack",
    "untried": "not attacked",
}
_WITHSTOOD, _WRONG, _UNTRIED, _NONE = -1, -2, -3, 10**6


@dataclass(frozen=True, eq=False)
class Flips:
    """What attacks made of each row. Radii go by their number in the grid, from 0; below 0 where none flips the row."""

    by: Mapping[str, Array]  # by the title of an attack: the smallest radius at which it flips each row
    radius: Array  # the smallest of them
    state: Array  # an id of STATES
    grid: Sequence[str]  # the radii in words

    def said(self, row: int) -> str:
        """The smallest radius that flips a row and by which attacks, or why there is none."""
        if self.state[row] != "flipped":
            beyond = f"not flipped up to {self.grid[-1]}" if self.grid else ""
            return beyond if self.state[row] == "withstood" else STATES[str(self.state[row])]
        by = [name for name, radius in self.by.items() if radius[row] == self.radius[row]]
        return self.grid[self.radius[row]] + (f" ({', '.join(by)})" if len(self.by) > 1 else "")

    def alone(self, attack: str, row: int) -> str:
        """The smallest radius at which one attack flips a row, or why there is none."""
        at = int(self.by[attack][row])
        beyond = {_WITHSTOOD: f"not flipped up to {self.grid[-1]}"}
        return self.grid[at] if at >= 0 else beyond.get(at, STATES["wrong" if at == _WRONG else "untried"])


def flips(bundle: Bundle) -> Flips:
    """What attacks made of each row; without attacks every row is one that was not attacked."""
    rows = len(bundle.arrays("predictions")["labels"])
    titles = attacked.attack_titles(bundle)
    by = {visible(title): _of_one(bundle, attack, rows) for attack, title in titles.items()}
    each = np.stack([*by.values(), np.full(rows, _UNTRIED)], axis=1)
    least = np.where(each >= 0, each, _NONE).min(1)
    state = np.where((each == _WRONG).any(1), "wrong", "untried").astype("<U9")
    state[(each == _WITHSTOOD).any(1)] = "withstood"
    state[least < _NONE] = "flipped"
    grid = [visible(name) for name in attacked.radii(bundle, next(iter(titles))).values()] if titles else []
    return Flips(by, np.where(least < _NONE, least, -1), state, grid)


def _of_one(bundle: Bundle, attack: str, rows: int) -> Array:
    stored = attacked.attack_arrays(bundle, attack)
    broken = stored["success"].astype(bool)
    first = np.where(broken.any(0), broken.argmax(0), _WITHSTOOD)
    found = np.full(rows, _UNTRIED)
    found[stored["rows"]] = np.where(stored["clean"].astype(bool), first, _WRONG)
    return found
