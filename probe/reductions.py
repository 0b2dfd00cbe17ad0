"""From the evidence of many examples to one number and its interval, for metrics and for a verifier without torch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from probe.statistics import Estimate, Floats, bootstrap, calibration_error, calibration_interval, mean, wilson

Interval = Callable[[Floats, float, int, int], tuple[float, float]]  # of evidence, level, draws and seed


@dataclass(frozen=True)
class Reduction:
    """How evidence becomes a number, and how far that can be relied on."""

    value: Callable[[Floats], float]
    own_interval: Interval | None = None  # None: a percentile bootstrap over examples

    def interval(self, evidence: Floats, level: float = 0.95, draws: int = 1000, seed: int = 0) -> tuple[float, float]:
        """Interval of `value(evidence)`."""
        if self.own_interval is None:
            return bootstrap(evidence, self.value, level=level, draws=draws, seed=seed)
        return self.own_interval(evidence, level, draws, seed)

    def estimate(self, evidence: Floats, seed: int = 0) -> Estimate:
        """The number, its 95 % interval and the examples behind it."""
        return Estimate(self.value(evidence), *self.interval(evidence, seed=seed), len(evidence))


def calibration(bins: int) -> Reduction:
    """The calibration error of (confidence, correct)."""
    return Reduction(partial(_calibration_error, bins=bins), partial(_calibration_interval, bins=bins))


def _wilson(evidence: Floats, level: float, draws: int, seed: int) -> tuple[float, float]:
    low, high = wilson(evidence.sum(), len(evidence), level)
    return float(low), float(high)


def _random_minus_own(evidence: Floats) -> float:
    return float((evidence[:, 1] - evidence[:, 0]).mean())


def _own_minus_random(evidence: Floats) -> float:
    return float((evidence[:, 0] - evidence[:, 1]).mean())


def _residual_share(evidence: Floats) -> float:
    """All residuals over all promised sums: single promises may be next to nothing."""
    return float(evidence[:, 0].sum() / max(evidence[:, 1].sum(), 1e-12))


def _calibration_error(evidence: Floats, bins: int) -> float:
    return calibration_error(evidence[:, 0], evidence[:, 1], bins)


def _calibration_interval(evidence: Floats, level: float, draws: int, seed: int, bins: int) -> tuple[float, float]:
    return calibration_interval(evidence, bins, level=level, draws=draws, seed=seed)


MEAN = Reduction(mean)
PROPORTION = Reduction(mean, _wilson)
REDUCTIONS: Mapping[str, Reduction] = {  # of the metrics that an audit takes, with their default settings
    "accuracy": PROPORTION,
    "robust_accuracy": PROPORTION,
    "calibration_error": calibration(bins=15),
    "deletion": Reduction(_random_minus_own),
    "insertion": Reduction(_own_minus_random),
    "completeness": Reduction(_residual_share),
}
