"""The results of attacks: what withstood them by radius, and the changes of single rows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from probe.anytime import anytime
from probe.audit.aspects.robustness import KIND
from probe.audit.budgets import asked_radius, radii, reach_of, threat_of
from probe.audit.bundle import Bundle
from probe.audit.families import Family, families
from probe.audit.kinds import ATTACKS
from probe.audit.looks import ended
from probe.audit.manifest import Manifest
from probe.audit.readings import evidence_of
from probe.audit.titles import title_of, titles
from probe.formatting import Measured, count, estimate, in_each_unit, norm, settings
from probe.numbers import fraction
from probe.statistics import wilson

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
    """What withstood by radius, from radius 0 on: of an attack, or of a group under all attacks."""

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


@dataclass(frozen=True, eq=False)
class Attacks:
    """The curves of attacks that can be compared: of one norm or unit, and judged by the same measure."""

    bundle: Bundle
    family: Family

    @property
    def named(self) -> str:
        """What tells it from the others of an audit, in words."""
        return self.family.named(self.bundle.manifest.task)

    @property
    def tried(self) -> str:
        """The attacks by their titles."""
        return " and ".join(dict.fromkeys(title_of(self.bundle.manifest, step) for step in self.family.steps))

    @property
    def axis(self) -> str:
        """The label of the axis of radii."""
        return norm(self.family.threat.axis)

    @property
    def aimed(self) -> str:
        """What the attacks want, in words, if that is not a wrong answer; else empty."""
        return self.family.aimed(self.bundle.manifest.task)

    @property
    def ended(self) -> str:
        """In words, after how many rows the attack ended, if that was when its share was decided; else empty."""
        return ended(self.bundle.manifest, len(self.bundle.arrays(self.family.steps[0].name)["rows"]))

    @property
    def intervals(self) -> str:
        """What its intervals are called."""
        return "95 % intervals that hold at every look" if self.family.looks else "95 % Wilson intervals"

    @property
    def measure(self) -> str:
        """What a curve shows."""
        return "Accuracy" if self.family.judges else "Share of rows that withstood"

    @property
    def threshold(self) -> tuple[float, float]:
        """The radius of the check of robustness, and the threshold at every radius."""
        plan = self.bundle.manifest.plan
        return float(fraction(asked_radius(plan, self.family.steps[0]))), float(plan.checks[self.family.metric])

    @property
    def in_units(self) -> str:
        """The radii in every unit that the inputs have; empty where there is only one."""
        manifest, step = self.bundle.manifest, self.family.steps[0]
        if threat_of(step).unit != "radius":
            return ""
        units = manifest.data.units
        told = {
            text: in_each_unit(float(fraction(text)), units.level, units.scale) for text in radii(manifest.plan, step)
        }
        same = [words if text in words else f"{text} = {words}" for text, words in told.items() if " = " in words]
        return f"Radii in each unit: {'; '.join(same)}." if same else ""

    @property
    def curves(self) -> list[Curve]:
        """Each attack; if there are several, the worst case over all of them first."""
        table = self._table("robustness")
        clean = table[table["attack"] == "none"]
        names = [str(name) for name in dict.fromkeys(table["attack"]) if name != "none"]
        if len(names) == 2:  # there is only one attack
            names.remove(ALL)
        called = titles(self.bundle.manifest, "attack")
        return [
            Curve(called.get(name, name), self._points(pd.concat([clean, table[table["attack"] == name]])))
            for name in sorted(names, key=lambda name: name != ALL)
        ]

    @property
    def worst(self) -> Curve:
        """The worst case of each row over the attacks."""
        table = self._table("robustness")
        return Curve(ALL, self._points(table[table["attack"].isin([ALL, "none"])]))

    @property
    def by_group(self) -> dict[str, list[Curve]]:
        """Each group under all attacks together, by attribute."""
        found = dict[str, list[Curve]]()
        if self.bundle.has("tables/robustness_by_group.csv"):
            for (attribute, group), part in self._table("robustness_by_group").groupby(
                ["attribute", "group"], sort=False
            ):
                found.setdefault(str(attribute), []).append(Curve(str(group), self._points(part)))
        return found

    @property
    def by_class(self) -> list[Curve]:
        """The attacked rows of each class under all attacks together; empty unless each row has one class."""
        names = self.bundle.manifest.model.classes
        arrays = [self.bundle.arrays(step.name) for step in self.family.steps]
        robust = np.logical_and.reduce([each[evidence_of(self.family.metric)].astype(bool) for each in arrays])
        if not (self.family.judges and self.bundle.manifest.task.one_class and robust.ndim == 2):
            return []
        labels = self.bundle.arrays("predictions")["labels"][arrays[0]["rows"]]
        found = []
        for at, name in enumerate(names):
            if (own := labels == at).any():
                shares = [self.family.share(row[own]) for row in robust]
                table = pd.DataFrame([(eps, *each) for eps, each in zip(arrays[0]["eps"], shares, strict=True)])
                found.append(Curve(name, self._points(table.set_axis(["eps", "share", "low", "high", "n"], axis=1))))
        return found

    @property
    def lowest(self) -> list[tuple[str, str, Point]]:
        """The class, and the group of each attribute, with the lowest share at the radius of the check of robustness.

        Each is what it is of (class, or an attribute), its name, and its share. Classes and groups with fewer rows than
        the plan's smallest group are left out, and so is a single one. The lowest of many is lower by chance: its
        interval is one that holds for all of them at once (Bonferroni's), and so for the lowest.
        """
        radius, fewest = self.threshold[0], self.bundle.manifest.plan.bias.min_group_size
        found = []
        for of, curves in {"class": self.by_class, **self.by_group}.items():
            ends = [(curve.name, min(curve.points, key=lambda point: abs(point.eps - radius))) for curve in curves]
            large = [(name, point) for name, point in ends if point.n >= fewest]
            if len(large) > 1:
                name, point = min(large, key=lambda end: end[1].value)
                found.append((of, name, self._of_several(point, len(large))))
        return found

    def _of_several(self, point: Point, several: int) -> Point:
        """The point with an interval that holds for so many of them at once."""
        hits, level = round(point.value * point.n), 1 - 0.05 / several
        low, high = anytime(hits, point.n, level) if self.family.looks else wilson(hits, point.n, level)
        return replace(point, low=float(low), high=float(high))

    @property
    def by_label(self) -> list[Curve]:
        """Each label under all attacks on that label alone."""
        if not self.bundle.has("tables/robustness_by_label.csv"):
            return []
        table = self._table("robustness_by_label")
        worst = table[table["attack"].isin([ALL, "none"])]
        return [Curve(str(label), self._points(part)) for label, part in worst.groupby("label", sort=False)]

    @property
    def movable(self) -> list[Point]:
        """The share of the rows that count whose input the attacks could change at all, at each radius."""
        if not self.bundle.has("tables/movable.csv"):
            return []
        return self._points(self._table("movable").rename(columns={"movable": "share"}))

    def _table(self, name: str) -> pd.DataFrame:
        """The rows of a table about these attacks."""
        table = self.bundle.table(name)
        for column, own in zip(KIND, self.family.key, strict=True):
            table = table[table[column] == own] if column in table else table
        return table.rename(columns={"robust_accuracy": "share"})

    def _points(self, rows: pd.DataFrame) -> list[Point]:
        columns = zip(*(rows[name] for name in ("eps", "share", "low", "high", "n")), strict=True)
        manifest, step = self.bundle.manifest, self.family.steps[0]
        return [
            Point(
                eps=float(eps),
                at=reach_of(manifest, step, float(eps)) if eps else UNATTACKED,
                value=float(value),
                low=float(low),
                high=float(high),
                n=int(n),
            )
            for eps, value, low, high, n in columns
        ]


def attacks(bundle: Bundle) -> list[Attacks]:
    """The attacks of an audit by norm or unit and by measure; radii and shares of different ones do not compare."""
    if not bundle.has("tables/robustness.csv"):
        return []
    return [Attacks(bundle, family) for family in families(bundle.manifest)]


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
