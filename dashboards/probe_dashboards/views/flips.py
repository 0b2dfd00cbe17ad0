"""How little changes the answer to each row, over all attacks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from probe.audit import Bundle, reading
from probe.text import visible
from probe_dashboards import state
from probe_dashboards.views import attacked
from probe_dashboards.views.once import once

Array = NDArray[Any]

STATES = {
    "flipped": "flipped by an attack",
    "withstood": "not flipped by any attack",
    "wrong": "wrong before any attack",
    "untried": "not attacked",
}
REACHED = STATES | {
    "flipped": "moved to the goal by an attack",
    "withstood": "not moved to the goal by any attack",
    "wrong": "at the goal before any attack",
}
ORDER = ("flipped", "withstood", "wrong")
_WITHSTOOD, _WRONG, _UNTRIED, _NONE = -1, -2, -3, 10**6


@dataclass(frozen=True, eq=False)
class Flips:
    """What attacks of one norm made of each row. Radii go by their number in the grid; below 0 where none flips it."""

    by: Mapping[str, Array]  # by the title of an attack: the smallest radius at which it flips each row
    radius: Array  # the smallest of them
    state: Array  # an id of STATES
    grid: Sequence[str]  # the radii in words
    named: str = ""  # the norm, if the audit has attacks of several
    judges: bool = True  # whether a flip makes a right answer wrong, rather than reach a goal such as a shift

    def called(self, state: str) -> str:
        """A state in words."""
        return (STATES if self.judges else REACHED)[state]

    def said(self, row: int) -> str:
        """The smallest radius that flips a row and by which attacks, or why there is none."""
        if self.state[row] != "flipped":
            beyond = f"not flipped up to {self.grid[-1]}" if self.grid else ""
            return beyond if self.state[row] == "withstood" else self.called(str(self.state[row]))
        by = [name for name, radius in self.by.items() if radius[row] == self.radius[row]]
        return self.grid[self.radius[row]] + (f" ({', '.join(by)})" if len(self.by) > 1 else "")

    def alone(self, attack: str, row: int) -> str:
        """The smallest radius at which one attack flips a row, or why there is none."""
        at = int(self.by[attack][row])
        beyond = {_WITHSTOOD: f"not flipped up to {self.grid[-1]}"}
        return self.grid[at] if at >= 0 else beyond.get(at, self.called("wrong" if at == _WRONG else "untried"))


def norms(bundle: Bundle) -> dict[str, str]:
    """The kinds of attacks whose radii and shares do not compare: id to name."""
    return state.slugs([each.named for each in reading.attacks(bundle)])


def attacks_of(bundle: Bundle, norm: str = "") -> reading.Attacks:
    """The attacks of a norm, by its id; the first by default."""
    known = list(norms(bundle))
    return reading.attacks(bundle)[known.index(norm) if norm in known else 0]


@once
def flips(bundle: Bundle, norm: str = "") -> Flips:
    """What attacks of a norm made of each row; without attacks every row is one that was not attacked."""
    found = reading.attacks(bundle)
    return _flips(bundle, attacks_of(bundle, norm) if found else None, several=len(found) > 1)


def every(bundle: Bundle) -> list[Flips]:
    """The same for each norm."""
    return [flips(bundle, norm) for norm in norms(bundle)]


def states(bundle: Bundle) -> Array:
    """The id of STATES of each row, over all attacks of all norms."""
    each = [found.state for found in every(bundle)]
    rows = len(bundle.arrays("predictions")["labels"])
    return (
        np.select([np.any([one == name for one in each], 0) for name in ORDER], ORDER, "untried")
        if each
        else np.full(rows, "untried")
    )


def _flips(bundle: Bundle, attacks: reading.Attacks | None, *, several: bool) -> Flips:
    rows = len(bundle.arrays("predictions")["labels"])
    mine = {step.id for step in attacks.family.steps} if attacks else set()
    ids = [attack for attack, name in attacked.attacks(bundle).items() if name in mine]
    titles = attacked.attack_titles(bundle)
    by = {visible(titles[attack]): _of_one(bundle, attack, rows) for attack in ids}
    each = np.stack([*by.values(), np.full(rows, _UNTRIED)], axis=1)
    least = np.where(each >= 0, each, _NONE).min(1)
    state = np.where((each == _WRONG).any(1), "wrong", "untried").astype("<U9")
    state[(each == _WITHSTOOD).any(1)] = "withstood"
    state[least < _NONE] = "flipped"
    grid = [visible(name) for name in attacked.radii(bundle, ids[0]).values()] if ids else []
    named = visible(attacks.named) if attacks and several else ""
    judges = attacks is None or attacks.family.judges
    return Flips(by, np.where(least < _NONE, least, -1), state, grid, named, judges)


def _of_one(bundle: Bundle, attack: str, rows: int) -> Array:
    stored = attacked.attack_arrays(bundle, attack)
    broken = stored["success"].astype(bool)
    first = np.where(broken.any(0), broken.argmax(0), _WITHSTOOD)
    found = np.full(rows, _UNTRIED)
    found[stored["rows"]] = np.where(stored["clean"].astype(bool), first, _WRONG)
    return found
