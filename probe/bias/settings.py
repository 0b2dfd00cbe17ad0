"""The settings of a bias audit, checked once."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from probe.conversion import Limits
from probe.declared import Declared, param, required
from probe.errors import SettingError, UnknownSetting
from probe.names import nearest

# Common engineering thresholds; no law or standard draws a line at any of them.
# 0.80 is the "four-fifths" rule of thumb of US hiring guidelines, which is itself no test of legality.
THRESHOLDS: Mapping[str, float] = MappingProxyType(
    {
        "demographic_parity_difference": 0.10,
        "demographic_parity_ratio": 0.80,
        "equalized_odds_difference": 0.10,
        # For numbers, in standard deviations of the outcome, so that a threshold does not depend on the unit. For a
        # binary outcome with a rate of a half, 0.2 is a gap of 10 points.
        "mean_answer_difference": 0.20,
        "mean_error_difference": 0.20,
        "mean_absolute_error_difference": 0.20,
    }
)
# Groups with fewer rows behind a rate are reported apart. An engineering choice: with 30 rows against very many,
# only gaps of about 0.25 can be proved.
MIN_GROUP_SIZE = 30
DRAWS = 4999
SHARE = Limits(low=0, high=1)
ORDER = 2  # attributes in an intersection; of 8 attributes there are 28 pairs, and 247 intersections of any order


@dataclass(frozen=True, kw_only=True)
class Settings(Declared):
    """How an audit measures and judges."""

    thresholds: Mapping[str, float] = required("by metric, in place of those of `THRESHOLDS`")
    min_group_size: int = param(MIN_GROUP_SIZE, "the fewest rows behind a rate at which groups are compared", low=1)
    level: float = param(0.95, "coverage of an interval", above=0, below=1)
    seed: int = param(0, "of the permutations", low=0)
    draws: int = param(DRAWS, "permutations", low=1)
    order: int = param(ORDER, "the largest number of attributes in an intersection", low=1)
    merge_spellings: bool = param(False, "whether names that differ by case, spaces or encoding are one group")
    missing: tuple[str, ...] = param((), "names of groups that mean unknown")

    def __post_init__(self) -> None:
        for name, value in self.thresholds.items():
            if name not in THRESHOLDS:
                meant = nearest(name, THRESHOLDS)
                raise UnknownSetting(f"no threshold is called {name!r:.60}{meant}; there are {', '.join(THRESHOLDS)}")
            if not SHARE.admit(value):
                raise SettingError(
                    f"threshold {name} is {value}, outside [0, 1]; give a share, such as {THRESHOLDS[name]}"
                )
        object.__setattr__(self, "thresholds", MappingProxyType({**THRESHOLDS, **self.thresholds}))
