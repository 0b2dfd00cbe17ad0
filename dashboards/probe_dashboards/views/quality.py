"""How good the explanations are: each metric of each method, its spread over the rows, and what follows."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from probe import formatting
from probe.audit import Bundle, reading
from probe.audit.manifest import StepRecord
from probe.audit.readings import Reading, evidence, reducing
from probe.formatting import DASH
from probe.npz import Stored
from probe.statuses import look
from probe.text import visible
from probe_dashboards import state
from probe_dashboards.views import ran
from probe_dashboards.views.once import once
from probe_dashboards.views.panels import Panel
from probe_dashboards.views.words import number, status, unbroken

WORST = 5  # rows of a method that are listed as its worst
LACKS = (
    "whether any single explanation is right. An estimate is an average over the rows explained, and a measure that "
    "removes features asks the model about inputs that it may never have met."
)


@dataclass(frozen=True, eq=False)
class Spread:
    """One metric of one method: over all rows, and row by row."""

    method: str  # its id
    title: str
    over: reading.Measurement
    rows: NDArray[Any]
    values: NDArray[Any]  # by row; NaN where one row alone has none
    higher: bool  # whether more is better

    @property
    def worst(self) -> NDArray[Any]:
        """The places of the rows, the worst first; those without a number are left out."""
        there = np.flatnonzero(np.isfinite(self.values))
        return there[np.argsort(self.values[there] * (1 if self.higher else -1), kind="stable")]


def metrics(bundle: Bundle) -> dict[str, str]:
    """What was measured of the explainers: id to title."""
    return {slug: formatting.words(name) for slug, name in state.slugs(_names(bundle)).items()}


def spreads(bundle: Bundle, metric: str) -> list[Spread]:
    """One metric of each method that has it, the best first."""
    name = state.slugs(_names(bundle))[metric]
    titles, found = ran.titles(bundle, "explainer"), []
    for method, step in ran.steps(bundle, "explainer").items():
        record = next((r for r in step.readings if r.metric == name and r.status == "done"), None)
        over = [m for m in reading.measured(bundle, step=step.name) if m.metric == name and not m.item]
        if record is None or not over:
            continue
        rows, values = by_row(bundle, step, record)
        found.append(Spread(method, titles[method], over[0], rows, values, record.direction == "at least"))
    return sorted(found, key=_rank)


def by_row(bundle: Bundle, step: StepRecord, record: Reading) -> tuple[NDArray[Any], NDArray[Any]]:
    """The rows that a metric was measured on, and what it is on each alone; NaN where one row has no such number."""
    return bundle.derived(("by row", step.name, record.metric), lambda: _by_row(bundle.arrays(step.name), record))


@once
def table(bundle: Bundle, metric: str) -> pd.DataFrame:
    """The spread of a metric, a line for each method, as Markdown."""
    lines = []
    for each in spreads(bundle, metric):
        low, middle, high = _quartiles(each.values)
        unit = each.over.unit
        lines.append(
            (
                visible(each.title),
                unbroken(each.over.written),
                number(middle, unit),
                formatting.interval(low, high, unit),
                each.over.counted,
                look(each.over.status).word if each.over.status else "no threshold",
            )
        )
    heads = ["Method", "Estimate [95 % interval]", "Median of the rows", "Middle half of the rows", "n", "Status"]
    return pd.DataFrame(lines, columns=heads)


def direction(bundle: Bundle, metric: str) -> str:
    """What more of a metric means, and what its threshold is."""
    found = spreads(bundle, metric)
    if not found:
        return ""
    better = "More is better" if found[0].higher else "Less is better"
    record = _record(bundle, found[0])
    asked = formatting.threshold(record.threshold, record.direction, record.unit)
    note = record.notes.get("", "")
    return " ".join(filter(None, (f"{better}{f'; the plan asks for {asked}' if asked else ''}.", visible(note))))


def worst(bundle: Bundle, metric: str, method: str) -> dict[str, str]:
    """The rows where a method is worst by a metric, the worst first: row to its number in words."""
    each = next((s for s in spreads(bundle, metric) if s.method == method), None)
    if each is None:
        return {}
    return {str(int(each.rows[at])): number(float(each.values[at]), each.over.unit) for at in each.worst[:WORST]}


@once
def believed(bundle: Bundle) -> pd.DataFrame:
    """For each method what its checks say of it, and what it cost, as Markdown; the most reliable first."""
    lines = []
    for method, step in ran.steps(bundle, "explainer").items():
        found = reading.measured(bundle, step=step.name)
        judged = [row for row in found if row.status]
        said = "  \n".join(f"{status(row.status)} {visible(formatting.words(row.metric))}" for row in judged)
        passed = sum(row.status == "pass" for row in judged)
        share = passed / len(judged) if judged else -1.0
        n = max([row.n for row in found], default=0)
        lines.append((share, passed, _verdict(judged), said or DASH, method, step, n))
    lines.sort(key=lambda line: (-line[0], -line[1]))
    titles = ran.titles(bundle, "explainer")
    rows = [(titles[method], why, said, *_cost(step, n)) for _, _, why, said, method, step, n in lines]
    heads = ["Method", "Can it be believed?", "Checks", "Inputs forward and backward", "Time"]
    return pd.DataFrame(rows, columns=heads)


@once
def ranks(bundle: Bundle) -> tuple[pd.DataFrame, str]:
    """The rank of each method by each measure that all have, the best first, and what the ranks say; empty if none."""
    found = reading.ranked(bundle)
    if not found:
        return pd.DataFrame(), ""
    digits = formatting.digits
    rows = [
        (
            visible(each.method),
            digits(each.mean),
            f"{digits(each.best)} to {digits(each.worst)}",
            *map(digits, each.by.values()),
        )
        for each in found
    ]
    names = (formatting.words(name).capitalize() for name in found[0].by)
    return pd.DataFrame(rows, columns=["Method", "Mean rank", "Best to worst", *names]), reading.ranks_note(found)


@once
def summary(bundle: Bundle) -> str:
    """Which methods can be relied on, in a sentence."""
    titles, sure, unsure, checked = ran.titles(bundle, "explainer"), list[str](), list[str](), False
    for method, step in ran.steps(bundle, "explainer").items():
        judged = [row for row in reading.measured(bundle, step=step.name) if row.status]
        checked = checked or bool(judged)
        (sure if judged and all(row.status == "pass" for row in judged) else unsure).append(visible(titles[method]))
    first = _first(bundle)
    if not checked:
        return f"Nothing checked whether these explanations are right: read them as suggestions.{first}"
    if not sure:
        return f"No method passes every check that was made of it: read its explanations as suggestions.{first}"
    does, them = ("passes", "it") if len(sure) == 1 else ("pass", "them")
    others = f"; {_and(unsure)} {'does' if len(unsure) == 1 else 'do'} not" if unsure else ""
    return f"{_and(sure)} {does} every check made of {them}{others}.{first}"


def _first(bundle: Bundle) -> str:
    """Which method is the best by each metric that several have, as a sentence after others."""
    several = {title: found for metric, title in metrics(bundle).items() if len(found := spreads(bundle, metric)) > 1}
    told = [f"{visible(found[0].title)} by {title}" for title, found in several.items()]
    return f" The best: {_and(told)}; where intervals overlap, that may be chance." if told else ""


def panel(bundle: Bundle, metric: str) -> Panel:
    """What stands behind the spread of a metric: its number on every row, by method."""
    found = spreads(bundle, metric)
    name = found[0].over.metric if found else metric

    def numbers() -> pd.DataFrame:
        lines = [
            (each.title, int(row), float(value))
            for each in found
            for row, value in zip(each.rows, each.values, strict=True)
        ]
        return pd.DataFrame(lines, columns=["method", "row", name])

    return Panel(
        "quality",
        "Quality row by row",
        numbers,
        LACKS,
        f"[row for row in reading.measured(bundle, kind='explainer') if row.metric == {name!r}]",
    )


def costs(bundle: Bundle) -> Panel:
    """What stands behind the verdict on the methods: every number of theirs, and its cost."""

    def numbers() -> pd.DataFrame:
        lines = [
            (m.method, m.metric, m.value, m.low, m.high, m.n, m.status, step.forward, step.backward, step.seconds)
            for step in ran.steps(bundle, "explainer").values()
            for m in reading.measured(bundle, step=step.name)
        ]
        heads = ["method", "metric", "value", "low", "high", "n", "status", "forward", "backward", "seconds"]
        return pd.DataFrame(lines, columns=heads)

    return Panel(
        "methods",
        "Checks and costs",
        numbers,
        "methods that the plan does not name, and checks that were not made. A method that passes can still be wrong "
        "about one row.",
        "reading.measured(bundle, kind='explainer')",
    )


def _names(bundle: Bundle) -> list[str]:
    return list(
        dict.fromkeys(
            m.metric
            for step in ran.steps(bundle, "explainer").values()
            for m in reading.measured(bundle, step=step.name)
        )
    )


def _record(bundle: Bundle, each: Spread) -> Reading:
    step = ran.steps(bundle, "explainer")[each.method]
    return next(r for r in step.readings if r.metric == each.over.metric)


def _by_row(stored: Stored, record: Reading) -> tuple[NDArray[Any], NDArray[Any]]:
    seen, value = evidence(stored, record), reducing(record).value
    with np.errstate(all="ignore"):
        return stored["rows"], np.array([_alone(value, seen[[at]]) for at in range(len(seen))], dtype=float)


def _alone(value: Any, seen: NDArray[Any]) -> float:
    try:
        return float(value(seen))
    except (ValueError, ZeroDivisionError, IndexError):  # a number of many rows only, such as an area under a curve
        return float("nan")


def _quartiles(values: NDArray[Any]) -> tuple[float, float, float]:
    there = values[np.isfinite(values)]
    if not len(there):
        return (float("nan"),) * 3
    low, middle, high = np.quantile(there, [0.25, 0.5, 0.75])
    return float(low), float(middle), float(high)


def _rank(each: Spread) -> float:
    value = each.over.value
    return float("inf") if value is None or not np.isfinite(value) else -value if each.higher else value


def _verdict(judged: list[reading.Measurement]) -> str:
    if not judged:
        return "Not checked"
    failed = [formatting.words(row.metric) for row in judged if row.status != "pass"]
    if not failed:
        return f"Yes, as far as {_and([formatting.words(row.metric) for row in judged])} can tell"
    many = "Not by any check" if len(failed) == len(judged) else "Only in part"
    return visible(f"{many}: not shown by {_and(failed)}")


def _cost(step: StepRecord, n: int) -> tuple[str, str]:
    per = f" ({formatting.count(round(step.forward / n))} forward a row)" if n else ""
    cost = f"{formatting.count(step.forward)} and {formatting.count(step.backward)}{per}"
    return cost, formatting.duration(step.seconds)


def _and(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
