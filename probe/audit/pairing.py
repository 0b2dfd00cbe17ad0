"""Compare two audits: pair their readings, and say why some have no counterpart."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from probe.audit.alike import notes, refusal
from probe.audit.bundle import Bundle
from probe.audit.changes import Changes, changes
from probe.audit.families import only_norm
from probe.audit.manifest import StepRecord
from probe.audit.readings import Part, Reading, parts, reducing
from probe.audit.titles import in_words, title_of
from probe.bias.strata import unit_of
from probe.finding import Aspect, Direction
from probe.formatting import Unit, digits, norm, radius, words
from probe.reductions import yes_or_no
from probe.statistics import Discordant, Estimate, Floats, mcnemar

Verdict = Literal["better", "worse", "no difference shown", "not compared", "not judged"]
DIFFERENCES: dict[str, Unit] = {"share": "points", "number": "signed"}  # where it is another than that of the numbers
GAPS = "bias_disparities"  # the table of the gaps between groups


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One reading in two audits. An estimate is None if that audit lacks it."""

    aspect: Aspect
    subject: str  # the method or attribute measured; empty for the model's answers
    metric: str
    unit: Unit
    direction: Direction  # the better direction
    first: Estimate | None
    second: Estimate | None
    difference: Estimate | None = None  # second minus first over the common rows, with a paired interval
    tested: Discordant | None = None  # of a share: the rows that were right in one audit alone, and McNemar's test
    note: str = ""  # why it was not compared, or a reservation
    judged: bool = True  # whether a direction is better at all; for the importance of a feature none is

    @property
    def named(self) -> str:
        """What was measured, in words."""
        return ": ".join(filter(None, (self.subject, self.metric)))

    @property
    def apart(self) -> Unit:
        """The unit that the difference is written in."""
        return DIFFERENCES.get(self.unit, self.unit)

    @property
    def test(self) -> str:
        """McNemar's exact test in words; empty where it does not apply."""
        if self.tested is None:
            return ""
        first, second, p = self.tested
        apart = f"{first:,} rows count in the first audit alone, {second:,} in the second alone"
        return f"{apart}: McNemar's exact p = {digits(p, 2)}"

    @property
    def verdict(self) -> Verdict:
        """Whether the second audit is better or worse, by the interval of the difference."""
        if self.difference is None or not np.isfinite([self.difference.low, self.difference.high]).all():
            return "not compared"
        if not self.judged:
            return "not judged"
        if self.difference.low <= 0 <= self.difference.high:
            return "no difference shown"
        return "better" if (self.difference.low > 0) == (self.direction == "at least") else "worse"


@dataclass(frozen=True)
class Comparison:
    """The paired measurements of two audits."""

    first: str
    second: str
    notes: tuple[str, ...]  # differences between the audits as a whole
    pairs: tuple[Pair, ...]
    findings: Changes  # empty where the data differ, so that a status says something else in each
    refused: str  # why nothing is subtracted, as a sentence; empty where the data are the same

    def to_frame(self) -> pd.DataFrame:
        """A row for each pair; missing numbers are empty."""
        rows = [
            {"aspect": p.aspect, "subject": p.subject, "metric": p.metric, "unit": p.unit, "direction": p.direction}
            | _ends("first", p.first)
            | _ends("second", p.second)
            | _ends("difference", p.difference)
            | {"mcnemar_p": None if p.tested is None else p.tested.p, "verdict": p.verdict, "note": p.note}
            for p in self.pairs
        ]
        return pd.DataFrame(rows)

    def to_json(self) -> dict[str, Any]:
        """The comparison as plain data."""
        return {
            "first": self.first,
            "second": self.second,
            "notes": list(self.notes),
            "findings": {kind: [each.to_json() for each in found] for kind, found in self.findings._asdict().items()},
            "pairs": [
                {
                    "aspect": p.aspect,
                    "subject": p.subject,
                    "metric": p.metric,
                    "unit": p.unit,
                    "direction": p.direction,
                    **{
                        name: None if found is None else found._asdict()
                        for name, found in (("first", p.first), ("second", p.second), ("difference", p.difference))
                    },
                    "mcnemar": None if p.tested is None else p.tested._asdict(),
                    "verdict": p.verdict,
                    "note": p.note,
                }
                for p in self.pairs
            ],
        }


def compare(first: Bundle, second: Bundle) -> Comparison:
    """Pair the readings of two audits by aspect, method and metric.

    Methods of the same name are paired by their settings first; if one is left on each side, these are paired with a
    note on how they differ. A difference needs audits of the same data, and is taken over the common rows.

    Raises:
                    IntegrityError: if the evidence of either was changed.
    """
    refused = refusal(first.manifest.data, second.manifest.data)
    seed, pairs = first.manifest.plan.seed, []
    for one, other in _matched(list(_items(first)), list(_items(second))):
        if one is None or other is None:
            pairs.append(_alone(one, other, first, second))
        else:
            pairs.append(_pair(one, other, seed, "the audits use different data" if refused else ""))
    pairs += _gaps(first, second)
    norms = only_norm(first.manifest), only_norm(second.manifest)
    told = ([in_words(each.manifest, finding) for finding in each.manifest.findings] for each in (first, second))
    found = Changes() if refused else changes(*told, norms=norms)
    return Comparison(first.name, second.name, tuple(notes(first, second)), tuple(pairs), found, refused)


@dataclass(frozen=True, eq=False)
class _Item:
    """One reading of one audit, at one of several radii or of one of several items."""

    step: StepRecord
    title: str
    reading: Reading
    part: Part
    evidence: Floats
    rows: NDArray[Any]  # their indices in the data
    seed: int

    @property
    def key(self) -> tuple[Any, ...]:
        """The key by which readings are paired."""
        metric = self.reading.settings["method"]
        part = f"{self.part:.6g}" if isinstance(self.part, float) else self.part
        return self.step.aspect, self.step.kind, self.step.method.get("method", ""), self.step.threat, metric, part

    @property
    def settings(self) -> dict[str, Any]:
        own = {f"{self.reading.metric} {key}": value for key, value in self.reading.settings.items()}
        return {**self.step.method, **{key: value for key, value in own.items() if not key.endswith(" method")}}

    @property
    def estimate(self) -> Estimate:
        return reducing(self.reading).estimate(self.evidence, self.seed)

    @property
    def head(self) -> dict[str, Any]:
        """The fields of a pair that are the same in both audits."""
        reach = f" at {radius(self.part)}" if isinstance(self.part, float) else f": {self.part}" if self.part else ""
        return {
            "aspect": self.step.aspect,
            "subject": self.title,
            "metric": f"{words(self.reading.metric)}{reach}",
            "unit": self.reading.unit,
            "direction": self.reading.direction,
            "judged": self.step.kind != "survey",
        }


def _items(bundle: Bundle) -> Iterator[_Item]:
    for step in bundle.manifest.steps:
        done = [reading for reading in step.readings if reading.status == "done"]
        arrays = bundle.arrays(step.name) if done else {}
        title = title_of(bundle.manifest, step)
        for reading in done:
            for part, of_it in parts(step.kind, arrays, reading):
                yield _Item(step, title, reading, part, of_it, arrays["rows"], bundle.manifest.plan.seed)


def _matched(mine: list[_Item], theirs: list[_Item]) -> Iterator[tuple[_Item | None, _Item | None]]:
    """Pairs of readings in the order of the first audit; a reading without counterpart is paired with None."""
    left = list(theirs)
    twins: dict[int, _Item | None] = {}
    for exact in (True, False):
        for at, item in enumerate(mine):
            if twins.get(at) is not None:
                continue
            found = [
                other for other in left if other.key == item.key and (not exact or other.settings == item.settings)
            ]
            alone = sum(other.key == item.key and twins.get(k) is None for k, other in enumerate(mine)) == 1
            twins[at] = found[0] if found and (exact or (alone and len(found) == 1)) else None
            left = [other for other in left if other is not twins[at]]
    yield from ((item, twins[at]) for at, item in enumerate(mine))
    yield from ((None, item) for item in left)


def _pair(one: _Item, other: _Item, seed: int, obstacle: str) -> Pair:
    same = [getattr(one.reading, key) == getattr(other.reading, key) for key in ("reduction", "unit", "direction")]
    if not all(same):
        note = "the two audits measure it in different ways, so the numbers cannot be compared"
        return Pair(**one.head, first=one.estimate, second=other.estimate, note=note)
    differing = sorted(
        k for k in one.settings.keys() | other.settings.keys() if one.settings.get(k) != other.settings.get(k)
    )
    told = [f"{k} = {one.settings.get(k)} and {other.settings.get(k)}" for k in differing]
    notes = [f"measured with {', '.join(told)}"] if told else []
    difference, tested = None, None
    if obstacle:
        notes.append(f"no paired difference: {obstacle}")
    else:
        rows, at, to = np.intersect1d(one.rows, other.rows, return_indices=True)
        if len(rows) < len(one.rows) or len(rows) < len(other.rows):
            notes.append(f"the difference is over the {len(rows):,} common rows" if len(rows) else "no common row")
        if len(rows):
            ends = one.evidence[at], other.evidence[to]
            difference = reducing(one.reading).difference(*ends[::-1], seed=seed)
            tested = mcnemar(*ends) if one.reading.reduction == "proportion" and yes_or_no(*ends) else None
    note = "; ".join(notes)
    return Pair(**one.head, first=one.estimate, second=other.estimate, difference=difference, tested=tested, note=note)


def _alone(one: _Item | None, other: _Item | None, first: Bundle, second: Bundle) -> Pair:
    """A reading that only one audit has, with the reason."""
    item, lacking = (one, second) if one is not None else (other, first)
    assert item is not None
    which = "first" if one is None else "second"
    return Pair(
        **item.head,
        first=None if one is None else one.estimate,
        second=None if other is None else other.estimate,
        note=f"the {which} audit has none: {_why(item, lacking)}",
    )


def _why(item: _Item, lacking: Bundle) -> str:
    kind, method = item.step.kind, item.step.method.get("method", "")
    steps = [s for s in lacking.manifest.steps if (s.kind, s.method.get("method", "")) == (kind, method)]
    if not steps:
        ended = "" if lacking.complete else ", or the audit ended before"
        return f"its plan does not name {item.title}{ended}"
    if failed := [step for step in steps if not step.done]:
        return f"{item.title} did not run there: {failed[0].note}"
    if all(step.threat != item.step.threat for step in steps):
        other = next(step.threat for step in steps)
        return f"it has {item.title} in another norm, {norm(other.axis or other.unit) if other else 'not known'}"
    metric = item.reading.settings["method"]
    readings = [r for step in steps for r in step.readings if r.settings["method"] == metric]
    if not readings:
        return f"its plan does not include {words(metric)}"
    if missing := [r for r in readings if r.status != "done"]:
        return str(missing[0].why) or "it does not apply there"
    if isinstance(item.part, str):
        return "there is no such item"
    return "its plan lacks that radius" if item.part is not None else "its settings differ"


def _gaps(first: Bundle, second: Bundle) -> list[Pair]:
    """The gaps between groups. Their intervals are simultaneous over pairs, so there is no paired difference."""
    tables = [bundle.table(GAPS) if bundle.has(f"tables/{GAPS}.csv") else pd.DataFrame() for bundle in (first, second)]
    found = [{(_of(r), str(r["metric"])): r for r in table.to_dict("records")} for table in tables]
    pairs = []
    for key in dict.fromkeys((*found[0], *found[1])):
        rows = [side.get(key) for side in found]
        there = next(row for row in rows if row is not None)
        which = ["first", "second"][rows.index(None)] if None in rows else ""
        ends = [None if row is None or row["estimate"] != row["estimate"] else _gap(row) for row in rows]
        note = f"the {which} audit does not compare these groups" if which else "gaps have no paired interval"
        direction: Direction = "at least" if there["direction"] == "at least" else "at most"
        pairs.append(
            Pair(
                aspect="bias",
                subject=key[0],
                metric=words(key[1]),
                unit=unit_of(key[1]),
                direction=direction,
                first=ends[0],
                second=ends[1],
                note=note,
            )
        )
    return pairs


def _of(row: Mapping[Any, Any]) -> str:
    """The attribute of a gap, and its label if there are several."""
    return ": ".join(str(row[key]) for key in ("label", "attribute") if key in row)


def _gap(row: Mapping[Any, Any]) -> Estimate:
    return Estimate(float(row["estimate"]), float(row["low"]), float(row["high"]), int(row["n"]))


def _ends(name: str, found: Estimate | None) -> dict[str, float | int | None]:
    value, low, high, n = (None,) * 4 if found is None else found
    return {name: value, f"{name}_low": low, f"{name}_high": high, f"{name}_n": n}
