"""What an audit asks: the metrics of each lens where a plan names none, and the thresholds."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any

from probe.bias import THRESHOLDS
from probe.contracts import Metric
from probe.errors import PlanError
from probe.registry import discover

METRICS: Mapping[str, tuple[str, ...]] = {  # of each lens, where a plan names none
    "performance": ("accuracy", "calibration_error", "area_under_roc"),
    "explanation": ("deletion", "insertion", "completeness"),
    "robustness": ("robust_accuracy",),
}
MOST = 1e300  # of a threshold that is no share
Asked = tuple[str, Metric[Any], float | None]  # what a metric is called in the audit, itself, and its threshold


@dataclass(frozen=True, kw_only=True)
class Checks:
    """The thresholds. They are engineering choices of whoever signs the plan, not law."""

    robust_eps: str = ""  # the radius that robust_accuracy is asked at; the middle one of attack.eps unless named
    thresholds: Mapping[str, float] = field(default_factory=dict)  # of any metric, and of the gaps between groups

    def over(self, lenses: Iterable[Sequence[Asked]]) -> "Checks":
        """The same with each default written out."""
        usual = {metric.name(): at for asked in lenses for _, metric, at in asked if at is not None}
        return replace(self, thresholds=usual | dict(THRESHOLDS) | dict(self.thresholds))

    def to_json(self) -> dict[str, Any]:
        """As a plan has them: by name."""
        return {**self.thresholds, "robust_eps": self.robust_eps}


def checks_from(table: Mapping[str, Any]) -> Checks:
    """The checks that a plan names: thresholds of metrics and of gaps, and `robust_eps`.

    Raises:
        PlanError: if one is unknown (with the nearest that exists), or its threshold is none.
    """
    metrics = discover("metric")
    known = [*metrics, *THRESHOLDS, "robust_eps"]
    for name, value in table.items():
        if name not in known:
            close = get_close_matches(str(name), known, n=1)
            meant = f", did you mean {close[0]!r}?" if close else "."
            raise PlanError(f"unknown key {f'checks.{name}'!r} in the plan{meant} There are {', '.join(known)}")
        if name == "robust_eps":
            if not isinstance(value, str):
                raise PlanError(f'checks.robust_eps = {value!r:.60}, expected one of attack.eps, such as "4/255"')
            continue
        _check_threshold(name, value, metrics[name]().unit if name in metrics else "share")
    thresholds = {name: float(value) for name, value in table.items() if name != "robust_eps"}
    return Checks(robust_eps=table.get("robust_eps", ""), thresholds=thresholds)


def asked(lens: str, named: Sequence[Mapping[str, Any]] | None, checks: Checks) -> tuple[dict[str, Any], ...]:
    """The metrics of a lens: those that a plan names, or the usual ones, and those that one of its checks needs."""
    if lens == "robustness" and named is not None and not any(c["method"] == "robust_accuracy" for c in named):
        named = [{"method": "robust_accuracy"}, *named]  # what an attack is for
    configs = [{"method": name} for name in METRICS[lens]] if named is None else [dict(config) for config in named]
    metrics, there = discover("metric"), {config["method"] for config in configs}
    needed = [name for name in checks.thresholds if name in metrics and metrics[name]().lens == lens]
    return (*configs, *({"method": name} for name in needed if name not in there))


def _check_threshold(name: str, value: Any, unit: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= MOST:
        raise PlanError(f"checks.{name} = {value!r:.60}, expected a number")
    if unit in ("share", "points") and not 0 <= value <= 1:
        raise PlanError(f"checks.{name} = {value}, expected a share from 0 to 1, such as 0.8")
