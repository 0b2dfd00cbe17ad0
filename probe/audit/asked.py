"""The checks of an audit: default metrics of each aspect, and thresholds."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from typing import Any

from probe.audit.sections import Section
from probe.bias import THRESHOLDS
from probe.contracts import Metric
from probe.conversion import Limits, kind_of, shown
from probe.declared import param
from probe.errors import PlanError, SettingError, UnknownSetting
from probe.names import nearest
from probe.outcomes import Certification
from probe.registry import discover
from probe.results import Attribution, Counterfactuals, Perturbation, Prediction
from probe.study.cells import USUAL

METRICS: Mapping[str, tuple[str, ...]] = {  # the default metrics of each section of a plan
    "predict": ("accuracy", "exact_match", "calibration_error", "area_under_roc", "r_squared", "mean_absolute_error"),
    "explain": USUAL[Attribution],
    "attack": USUAL[Perturbation],
    "certify": USUAL[Certification],
    "search": USUAL[Counterfactuals],
}
PLANTED = ("pointing_game", "relevance_mass")  # more of those of [explain], where the data say where the truth lies
ALWAYS = {"attack": "robust_accuracy", "certify": "certified_accuracy", "search": "validity"}  # where these apply
READ: Mapping[str, type[Any]] = {  # the type of result that the metrics of a section measure
    "predict": Prediction,
    "explain": Attribution,
    "attack": Perturbation,
    "certify": Certification,
    "search": Counterfactuals,
}
MOST = 1e300  # the largest threshold of a unit other than a share
Asked = tuple[str, Metric[Any], float | None]  # a metric with its name in the audit and its threshold
Judged = tuple[str, float | None]  # a metric or survey by its name, with its default threshold


@dataclass(frozen=True, kw_only=True)
class Checks(Section):
    """The thresholds. They are engineering choices of the plan's author, not law."""

    robust_eps: str = param("", "the radius of the check `robust`; the middle one of attack.eps by default")
    thresholds: Mapping[str, float] = field(default_factory=dict)  # of any metric, and of the gaps between groups

    @classmethod
    def read(cls, table: Any, where: str = "", whole: str = "") -> "Checks":
        """The checks that a plan names: thresholds of metrics and of gaps, and `robust_eps`.

        Raises:
            UnknownSetting: if one is unknown (with the nearest that exists).
            SettingError: if a threshold is not a number, or a share outside 0 to 1.
        """
        if not isinstance(table, Mapping):
            raise SettingError(f"[{where}] = {shown(table)}, expected a table of thresholds")
        judged = {**discover("metric"), **discover("survey")}
        known = [*judged, *THRESHOLDS, "robust_eps"]
        for name in table:
            if name not in known:
                raise UnknownSetting(
                    f"[{where}] has no {name!r:.60}{nearest(str(name), known)}; it has {', '.join(known)}"
                )
        thresholds = {
            name: _threshold(f"{where}.{name}", value, judged[name].unit if name in judged else "share")
            for name, value in table.items()
            if name != "robust_eps"
        }
        return super().read({"thresholds": thresholds, **{k: v for k, v in table.items() if k == "robust_eps"}}, where)

    def over(self, judged: Iterable[Judged]) -> "Checks":
        """The same with each default written out."""
        usual = {name: at for name, at in judged if at is not None}
        return replace(self, thresholds=usual | dict(THRESHOLDS) | dict(self.thresholds))

    def to_json(self) -> dict[str, Any]:
        """The checks as a plan's table: threshold by name."""
        return {**self.thresholds, "robust_eps": self.robust_eps}


def asked(
    section: str, named: Sequence[Mapping[str, Any]] | None, checks: Checks, *, planted: bool = False
) -> tuple[dict[str, Any], ...]:
    """The metrics of a section: those that the plan names, or the default ones, and those that its checks need.

    Where there is planted truth, the default ones are those of it too.
    """
    always = ALWAYS.get(section)
    if always is not None and named is not None and not any(config["method"] == always for config in named):
        named = [{"method": always}, *named]
    usual = (*METRICS[section], *(PLANTED if planted and section == "explain" else ()))
    configs = [{"method": name} for name in usual] if named is None else [dict(config) for config in named]
    metrics = {name: kind for name, kind in discover("metric").items() if measures(kind, section)}
    return _with_those_of(checks, configs, metrics, f"[{section}] metrics")


def surveyed(named: Sequence[Mapping[str, Any]], checks: Checks) -> tuple[dict[str, Any], ...]:
    """The surveys that the plan names, and those that its checks need."""
    return _with_those_of(checks, [dict(config) for config in named], discover("survey"), "[survey] methods")


def measures(metric: type[Metric[Any]], section: str) -> bool:
    """Whether a metric measures the results of a section's methods."""
    return issubclass(READ[section], metric.result_type())


def _with_those_of(
    checks: Checks, configs: list[dict[str, Any]], known: Mapping[str, type[Any]], where: str
) -> tuple[dict[str, Any], ...]:
    there = {config["method"] for config in configs}
    more = [name for name in checks.thresholds if name in known.keys() - there]
    for name in more:
        lacking = [f.name for f in fields(known[name]) if f.default is f.default_factory is MISSING]
        if lacking:
            given = "".join(f", {key} = ..." for key in lacking)
            raise PlanError(
                f"checks.{name} needs the setting {lacking[0]!r} of {name}, which has no default; name it where it is "
                f'measured: {where} = [{{method = "{name}"{given}}}]'
            )
    return (*configs, *({"method": name} for name in more))


def _threshold(where: str, value: Any, unit: str) -> float:
    share = unit in ("share", "points")
    limits = Limits(low=0, high=1) if share else Limits(low=-MOST, high=MOST)
    number: float = kind_of(float, limits, texts=False, example=0.8 if share else None)(value, where)
    return number
