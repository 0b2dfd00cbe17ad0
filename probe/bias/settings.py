"""The settings of a bias audit, checked once."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from probe.errors import PlanError, RangeError

# Engineering thresholds, picked for being common; no law or standard makes any of them a line between right and wrong.
# 0.80 is the "four-fifths" rule of thumb of US hiring guidelines, which is itself no test of legality.
THRESHOLDS: Mapping[str, float] = MappingProxyType(
    {
        "demographic_parity_difference": 0.10,
        "demographic_parity_ratio": 0.80,
        "equalized_odds_difference": 0.10,
    }
)
# Fewer rows than this behind a rate and its group is reported apart. Engineering again: with 30 against very many,
# only gaps of about 0.25 can be shown.
SMALLEST = 30
DRAWS = 4999
ORDER = 2  # attributes in an intersection; of 8 attributes there are 28 pairs, and 247 intersections of any order


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How an audit measures and judges."""

    thresholds: Mapping[str, float]
    smallest: int
    level: float
    seed: int
    draws: int
    order: int = ORDER
    merge_spellings: bool = False
    missing: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        unknown = sorted(set(self.thresholds) - set(THRESHOLDS))
        if unknown:
            raise PlanError(f"no threshold is called {unknown[0]!r}; the names are {', '.join(THRESHOLDS)}")
        object.__setattr__(self, "thresholds", MappingProxyType({**THRESHOLDS, **self.thresholds}))
        for name, value in self.thresholds.items():
            if not 0 <= value <= 1:
                raise RangeError(
                    f"threshold {name} is {value}, outside [0, 1]; give a share, such as {THRESHOLDS[name]}"
                )
        if not 0 < self.level < 1:
            raise RangeError(f"level is {self.level}, outside (0, 1); give the coverage of an interval, such as 0.95")
        if self.smallest < 1:
            raise RangeError(f"smallest is {self.smallest}, under 1; give the fewest rows that a rate may rest on")
        if self.draws < 1:
            raise RangeError(f"draws is {self.draws}, under 1; give the number of permutations, such as {DRAWS}")
        if self.order < 1:
            raise RangeError(
                f"order is {self.order}, under 1; give how many attributes an intersection may cross, such as {ORDER}"
            )
