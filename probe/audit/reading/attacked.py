"""The results of attacks: accuracy by radius, and the changes of single rows."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from probe.audit.budgets import budget_text, threat
from probe.audit.bundle import Bundle
from probe.audit.kinds import ATTACKS
from probe.audit.manifest import Manifest
from probe.audit.titles import title_of, titles
from probe.formatting import Measured, count, estimate, norm, settings
from probe.numbers import fraction

ALL = "all attacks"  # the worst case of each row over the attacks
UNATTACKED = "no attack"


@dataclass(frozen=True, kw_only=True)
class Point:
    """A share of rows at one radius."""

    eps: float
    at: str  # the radius in words
    value: float
    low: float
    high: float
    n: int

    @property
    def written(self) -> Measured:
        """The share and its interval as text, the same on every page."""
        return estimate(self.value, self.low, self.high, "share")


@dataclass(frozen=True)
class Curve:
    """A robust accuracy curve from radius 0 on: of an attack, or of a group under all attacks."""

    name: str
    points: Sequence[Point]

    @property
    def counted(self) -> str:
        """The number of attacked rows as text."""
        return count(self.points[0].n)


@dataclass(frozen=True, kw_only=True)
class Tried:
    """The settings and the cost of an attack."""

    title: str
    status: str
    settings: str
    forward: int
    backward: int
    note: str


def curves(bundle: Bundle) -> list[Curve]:
    """Accuracy under each attack; if there are several, the worst case over all of them first."""
    if not bundle.has("tables/robustness.csv"):
        return []
    table = bundle.table("robustness")
    clean = table[table["attack"] == "none"]
    names = [str(name) for name in dict.fromkeys(table["attack"]) if name != "none"]
    if len(names) == 2:  # there is only one attack
        names.remove(ALL)
    called = titles(bundle.manifest, "attack")
    return [
        Curve(called.get(name, name), _points(bundle, pd.concat([clean, table[table["attack"] == name]])))
        for name in sorted(names, key=lambda name: name != ALL)
    ]


def worst(bundle: Bundle) -> Curve:
    """The worst case of each row over the attacks."""
    table = bundle.table("robustness")
    return Curve(ALL, _points(bundle, table[table["attack"].isin([ALL, "none"])]))


def curves_by_group(bundle: Bundle) -> dict[str, list[Curve]]:
    """Accuracy of each group under all attacks together, by attribute."""
    if not bundle.has("tables/robustness_by_group.csv"):
        return {}
    table, found = bundle.table("robustness_by_group"), dict[str, list[Curve]]()
    for (attribute, group), part in table.groupby(["attribute", "group"], sort=False):
        found.setdefault(str(attribute), []).append(Curve(str(group), _points(bundle, part)))
    return found


def curves_by_label(bundle: Bundle) -> list[Curve]:
    """Accuracy of each label under all attacks on that label alone."""
    if not bundle.has("tables/robustness_by_label.csv"):
        return []
    table = bundle.table("robustness_by_label")
    worst = table[table["attack"].isin([ALL, "none"])]
    return [Curve(str(label), _points(bundle, part)) for label, part in worst.groupby("label", sort=False)]


def movable(bundle: Bundle) -> list[Point]:
    """The share of right answers whose input the attacks could change at all, at each radius."""
    if not bundle.has("tables/movable.csv"):
        return []
    return _points(bundle, bundle.table("movable").rename(columns={"movable": "robust_accuracy"}))


def robust_threshold(manifest: Manifest) -> tuple[float, float]:
    """The radius of the plan's check of robustness, and its threshold at every radius."""
    return float(fraction(manifest.plan.checks["robust_eps"])), float(manifest.plan.checks["robust_accuracy"])


def axis(manifest: Manifest) -> str:
    """The label of the axis of the attacks' radii."""
    return norm(threat(manifest).axis)


def tried(manifest: Manifest) -> list[Tried]:
    """The settings and the cost of each attack, over all radii of the plan."""
    return [
        Tried(
            title=title_of(manifest, step),
            status=step.status,
            settings=settings(step.method, leave=("method", "eps")),
            forward=step.forward,
            backward=step.backward,
            note=step.note,
        )
        for step in manifest.steps
        if step.kind in ATTACKS
    ]


def _points(bundle: Bundle, rows: pd.DataFrame) -> list[Point]:
    columns = zip(*(rows[name] for name in ("eps", "robust_accuracy", "low", "high", "n")), strict=True)
    return [
        Point(
            eps=float(eps),
            at=budget_text(bundle.manifest, float(eps)) if eps else UNATTACKED,
            value=float(value),
            low=float(low),
            high=float(high),
            n=int(n),
        )
        for eps, value, low, high, n in columns
    ]
