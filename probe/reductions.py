"""Reductions of per-example evidence to a number with an interval, for metrics and for a verifier without torch."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib.metadata import entry_points
from typing import Any

import numpy as np

from probe import calibrated, detection, special
from probe.errors import DataError, UnknownMethod
from probe.statistics import (
    Estimate,
    Floats,
    area_under_roc,
    area_under_roc_interval,
    bootstrap,
    calibration_error,
    calibration_interval,
    mean,
    normal_quantile,
    paired,
    paired_shares,
    wilson,
)
from probe.task.temperature import HIGHEST, LOWEST, spread, temperature

GROUP = "probe.reductions"  # entry point group of reductions of other packages


@dataclass(frozen=True)
class Reduction:
    """A function that reduces evidence to a number, and its interval."""

    value: Callable[..., float]  # of evidence
    own_interval: Callable[..., tuple[float, float]] | None = None  # of evidence, level, draws, seed; None: a bootstrap
    settings: tuple[str, ...] = ()  # of the metric, which both take by name
    method: str = "bootstrap over examples"  # where the interval comes from
    counted: Callable[[Floats], int] = len  # the number of examples that the number is of
    # The difference of two lots of evidence of the same rows at a level; None where it takes a bootstrap.
    own_difference: Callable[[Floats, Floats, float], Estimate | None] = lambda one, other, level: None

    def using(self, config: Mapping[str, Any]) -> "Reduction":
        """The reduction with the settings of a metric."""
        if not self.settings:
            return self
        given = {name: config[name] for name in self.settings}
        own = None if self.own_interval is None else partial(self.own_interval, **given)
        return replace(self, value=partial(self.value, **given), own_interval=own, settings=())

    def interval(self, evidence: Floats, level: float = 0.95, draws: int = 1000, seed: int = 0) -> tuple[float, float]:
        """Interval of `value(evidence)`."""
        if self.own_interval is None:
            return bootstrap(evidence, self.value, level=level, draws=draws, seed=seed)
        return self.own_interval(evidence, level, draws, seed)

    def estimate(self, evidence: Floats, seed: int = 0) -> Estimate:
        """The number, its 95 % interval and the number of examples.

        Raises:
            DataError: if there are no examples.
        """
        if len(evidence) == 0:
            raise DataError("there is no example to take a number of; give one at least")
        return Estimate(self.value(evidence), *self.interval(evidence, seed=seed), self.counted(evidence))

    def difference(self, one: Floats, other: Floats, level: float = 0.95, draws: int = 1000, seed: int = 0) -> Estimate:
        """`value(one) - value(other)` of the same rows, with its interval: for a share, that of `paired_shares`."""
        own = self.own_difference(one, other, level)
        return paired(one, other, self.value, level=level, draws=draws, seed=seed) if own is None else own


def reduction(name: str, config: Mapping[str, Any] = {}) -> Reduction:
    """The reduction of that name, with the settings of a metric that it takes.

    Raises:
        UnknownMethod: if neither probe nor an installed package has a reduction of that name.

    Example:
        >>> import numpy as np
        >>> reduction("mean").value(np.array([0.0, 1.0, 1.0, 0.0]))
        0.5
    """
    found = REDUCTIONS.get(name) or _brought(name)
    if found is None:
        there = ", ".join((*REDUCTIONS, *entry_points(group=GROUP).names))
        raise UnknownMethod(
            f"no reduction named {name!r:.60}; there are {there}. Where another package brings it, install that: it "
            f"names its reductions as entry points of the group {GROUP}"
        )
    return found.using(config)


@cache
def _brought(name: str) -> Reduction | None:
    """The reduction of that name from an installed package."""
    for point in entry_points(group=GROUP, name=name):
        try:
            found = point.load()
        except (ImportError, AttributeError) as error:
            raise UnknownMethod(f"the reduction {name!r} of {point.value} cannot be loaded: {error}") from error
        return found if isinstance(found, Reduction) else None
    return None


def _share(evidence: Floats) -> float:
    """The mean; of several answers of a row, of those that have a label."""
    return mean(evidence) if evidence.ndim == 1 else mean(evidence[~np.isnan(evidence)])


def _wilson(evidence: Floats, level: float, draws: int, seed: int) -> tuple[float, float]:
    if evidence.ndim > 1:  # the answers of a row are not independent
        reduce = _share if np.isnan(evidence).any() else mean
        return bootstrap(evidence, reduce, level=level, draws=draws, seed=seed)
    low, high = wilson(evidence.sum(), len(evidence), level)
    return float(low), float(high)


def _of_shares(one: Floats, other: Floats, level: float) -> Estimate | None:
    return paired_shares(one, other, level=level) if yes_or_no(one, other) else None


def yes_or_no(one: Floats, other: Floats) -> bool:
    """Whether two lots of evidence of the same rows are one 0 or 1 for each row."""
    return one.ndim == 1 and len(one) > 0 and one.shape == other.shape and bool(np.isin([one, other], (0, 1)).all())


def _counted(evidence: Floats) -> Floats:
    """The first column where the second is 1."""
    return evidence[evidence[:, 1] == 1, 0]


def _share_counted(evidence: Floats) -> float:
    found = _counted(evidence)
    return mean(found) if len(found) else float("nan")


def _wilson_counted(evidence: Floats, level: float, draws: int, seed: int) -> tuple[float, float]:
    return _wilson(_counted(evidence), level, draws, seed)


def _mean_of_the_first(evidence: Floats) -> float:
    return mean(evidence[:, 0])


def _root_of_the_mean(evidence: Floats) -> float:
    return float(np.sqrt(evidence.mean()))


def _gaps(evidence: Floats, column: int) -> Floats:
    return evidence[:, column] - evidence[:, 1 - column]


def _gap(column: int, evidence: Floats) -> float:
    """How much larger one column is than the other, on average."""
    return mean(_gaps(evidence, column))


def _gap_interval(column: int, evidence: Floats, level: float, draws: int, seed: int) -> tuple[float, float]:
    return bootstrap(_gaps(evidence, column), mean, level=level, draws=draws, seed=seed)


def _skill(evidence: Floats) -> float:
    """The total lead over the control as a share of the best possible one: 1 is best, 0 is the control."""
    own, control, best = evidence[:, 0], evidence[:, 1], evidence[:, 2]
    possible = float((best - control).sum())
    return float((own - control).sum()) / possible + 0.0 if possible else float("nan")  # -0.0 becomes 0.0


def _residual_share(evidence: Floats) -> float:
    """Total residual over total guaranteed sum, as single sums may be close to 0."""
    return float(evidence[:, 0].sum() / (evidence[:, 1].sum() or 1e-12))


def _share_of_the_total(evidence: Floats) -> float:
    """The sum of the first column as a share of that of the second; not of rows, as single ones may be close to 0."""
    total = float(evidence[:, 1].sum())
    return float(evidence[:, 0].sum()) / total if total else float("nan")


def _total_interval(evidence: Floats, level: float, draws: int, seed: int) -> tuple[float, float]:
    """A bootstrap; none of two rows, whose effects around their mean are as large as each other in every draw."""
    if len(evidence) < 3:
        return float("nan"), float("nan")
    return bootstrap(evidence, _share_of_the_total, level=level, draws=draws, seed=seed)


def _mean_over_repeats(evidence: Floats, layers: Sequence[str]) -> float:
    return mean(evidence.ravel())


def _repeats_interval(
    evidence: Floats, level: float, draws: int, seed: int, layers: Sequence[str]
) -> tuple[float, float]:
    """Student's interval of the mean of the columns, which are repeats, as wide as the number of layers asks."""
    scores = evidence.mean(0)
    tail = (1 - level) / 2 / max(1, len(layers))
    half = float(special.stdtrit(len(scores) - 1, 1 - tail)) * float(scores.std(ddof=1)) / len(scores) ** 0.5
    return float(scores.mean()) - half, float(scores.mean()) + half


def _calibration_error(evidence: Floats, bins: int) -> float:
    return calibration_error(evidence[:, 0], evidence[:, 1], bins)


def _calibration_interval(evidence: Floats, level: float, draws: int, seed: int, bins: int) -> tuple[float, float]:
    return calibration_interval(evidence, bins, level=level, draws=draws, seed=seed)


def _area(evidence: Floats) -> float:
    return area_under_roc(evidence[:, 0], evidence[:, 1])


def _area_interval(evidence: Floats, level: float, draws: int, seed: int) -> tuple[float, float]:
    # A draw takes the time of several means, and the ends of an area need fewer.
    return area_under_roc_interval(evidence[:, 0], evidence[:, 1], level=level, draws=max(1, draws // 5), seed=seed)


def _temperature_interval(evidence: Floats, level: float, draws: int, seed: int) -> tuple[float, float]:
    found = temperature(evidence)
    away = float(normal_quantile(0.5 + level / 2)) * spread(evidence, found)
    return max(LOWEST, found * float(np.exp(-away))), min(HIGHEST, found * float(np.exp(min(away, 99.0))))


def _r_squared(evidence: Floats) -> float:
    """Of labels and answers, (rows, 2), or (rows, 2, outputs), whose mean it then is."""
    labels, answers = evidence[:, 0], evidence[:, 1]
    left, there = ((labels - answers) ** 2).sum(0), ((labels - labels.mean(0)) ** 2).sum(0)
    # Where labels do not vary nothing can be explained, unless the answers are those labels.
    share = np.where(there > 0, 1 - left / np.where(there > 0, there, 1), (left == 0) * 1.0)
    return float(share.mean())


MEAN = Reduction(mean)
REDUCTIONS: Mapping[str, Reduction] = {
    "mean": MEAN,
    "root of the mean": Reduction(_root_of_the_mean),
    "proportion": Reduction(_share, _wilson, method="Wilson interval", own_difference=_of_shares),
    "proportion of those counted": Reduction(
        _share_counted, _wilson_counted, method="Wilson interval", counted=lambda evidence: len(_counted(evidence))
    ),
    "random minus own": Reduction(partial(_gap, 1), partial(_gap_interval, 1)),
    "own minus random": Reduction(partial(_gap, 0), partial(_gap_interval, 0)),
    "skill": Reduction(_skill),
    "share of the total": Reduction(_share_of_the_total, _total_interval),
    "mean of the first": Reduction(_mean_of_the_first),
    "mean over repeats": Reduction(
        _mean_over_repeats, _repeats_interval, ("layers",), method="Student's interval over repeats"
    ),
    "residual share": Reduction(_residual_share),
    "calibration error": Reduction(
        _calibration_error, _calibration_interval, ("bins",), "interval by the noise of its bins"
    ),
    "debiased calibration error": Reduction(
        calibrated.debiased_error, calibrated.debiased_interval, ("bins",), "interval by the noise of its bins"
    ),
    "temperature": Reduction(temperature, _temperature_interval, method="sandwich interval"),
    "r squared": Reduction(_r_squared),
    "area under ROC": Reduction(_area, _area_interval),
    "area of pairs": Reduction(detection.area, detection.area_interval, method="interval by placements"),
    "found at false alarms": Reduction(
        detection.found, detection.found_interval, ("rate",), "Wilson interval, and that of the threshold"
    ),
    "missed at false alarms": Reduction(
        detection.missed, detection.missed_interval, ("rate",), "Wilson interval, and that of the threshold"
    ),
}
