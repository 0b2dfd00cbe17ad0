"""What is left under attack: right answers, or answers that did not reach the goal."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from probe.audit.aspects.bracket import COLUMNS, bracket
from probe.audit.aspects.common import Answers, Assessment, absent, read
from probe.audit.budgets import asked_radius, reach_of
from probe.audit.bundle import Bundle, Stored
from probe.audit.families import ACCURACY, JUDGED, Family, families
from probe.audit.looks import ended
from probe.audit.manifest import StepRecord
from probe.audit.readings import evidence_of
from probe.audit.titles import describe, title_of
from probe.errors import IntegrityError
from probe.finding import Finding, Threshold, check
from probe.formatting import count, share
from probe.numbers import fraction
from probe.statistics import Estimate

CURVE = ["attack", "eps", "robust_accuracy", "low", "high", "n"]
KIND = ["norm", "measure"]  # first columns of a table, unless all attacks are of one norm and judge answers
NEAR_NONE = 0.05  # share of the right answers; where attacks could change fewer inputs, surviving them means nothing
NOTHING = Estimate(float("nan"), float("nan"), float("nan"), 0)


def assess(bundle: Bundle, answers: Answers, result: Assessment) -> None:
    """What withstood the attacks that ran, at each radius: of the whole answer, and of each label attacked alone.

    Attacks of different norms, or with goals of different kinds, are judged apart. The threshold is the same at each
    radius. *Withstands* is about the attacks that are named; *robust* is about any attack, so attacks can disprove it
    but never prove it.
    """
    labels = bundle.manifest.plan.attack.labels
    whole, *single = [_of_label(bundle, label, result) for label in ("", *labels)]
    if whole:
        result.tables["robustness"] = _table(CURVE, whole, [found.curve() for found in whole])
        movable = [
            [(test.eps, *found.family.share(test.movable[test.counted])) for test in found.tests if test.counted.any()]
            for found in whole
        ]
        result.tables["movable"] = _table(["eps", "movable", "low", "high", "n"], whole, movable)
        _bracketed(bundle, whole, result)
        if answers.groups is not None:
            columns = ["attribute", "group", *CURVE[1:]]
            by_group = [list(_by_group(found, answers.groups)) for found in whole]
            result.tables["robustness_by_group"] = _table(columns, whole, by_group)
    apart = [
        (found, [(label, *row) for row in found.curve()])
        for label, several in zip(labels, single, strict=True)
        for found in several
    ]
    if apart:
        result.tables["robustness_by_label"] = _table(["label", *CURVE], *zip(*apart, strict=True))


def _bracketed(bundle: Bundle, whole: "Sequence[_Attacked]", result: Assessment) -> None:
    rows = list[tuple[Any, ...]]()
    for found in whole:
        robust = found.robust["all attacks"]
        known = bracket(bundle, found.evidence, robust, found.family) if found.family.judges else None
        if known is not None:
            rows += known[0]
            result.findings.append(known[1])
    if rows:
        result.tables["bracket"] = pd.DataFrame(rows, columns=COLUMNS)


def _table(columns: list[str], found: "Sequence[_Attacked]", rows: Sequence[list[tuple[Any, ...]]]) -> pd.DataFrame:
    """The rows of all families as one table; only if they differ, or judge no answers, it says of which they are."""
    if len({each.family.key for each in found}) == 1 and found[0].family.judges:
        return pd.DataFrame([row for part in rows for row in part], columns=columns)
    told = [(*each.family.key, *row) for each, part in zip(found, rows, strict=True) for row in part]
    named = ["share" if name == ACCURACY else name for name in columns]
    return pd.DataFrame(told, columns=[*KIND, *named])


@dataclass(frozen=True, eq=False)
class _Attacked:
    """The results of all attacks of a family on the same examples."""

    family: Family
    evidence: dict[str, Stored]  # by step
    robust: dict[str, NDArray[Any]]  # by step, and of all attacks: (radii, examples)
    tests: "list[_Test]"

    @property
    def first(self) -> Stored:
        """The arrays of the first attack; what does not depend on the attack is the same in all."""
        return self.evidence[self.family.steps[0].id]

    def shares(self, robust: NDArray[Any], rows: NDArray[Any]) -> Iterator[tuple[Any, ...]]:
        """A radius and the share of some rows that withstood it, without an attack and for each radius."""
        counted = self.tests[0].counted & rows
        whole = rows if self.family.judges else counted
        yield (0.0, *_share_of(self.family, counted[whole]))
        yield from (
            (test.eps, *_share_of(self.family, row[whole])) for test, row in zip(self.tests, robust, strict=True)
        )

    def curve(self) -> list[tuple[Any, ...]]:
        """A row without an attack, then one for each attack and radius."""
        every = np.ones(len(self.first["rows"]), dtype=bool)
        rows: list[tuple[Any, ...]] = []
        for name, robust in self.robust.items():
            none, *rest = self.shares(robust, every)
            rows += [] if rows else [("none", *none)]
            rows += [(name.partition("-label-")[0], *row) for row in rest]
        return rows


def _of_label(bundle: Bundle, label: str, result: Assessment) -> list[_Attacked]:
    """The results of the attacks on one label, or on the whole answer if none is named, with their findings."""
    found, of = families(bundle.manifest, label), f"{label}: " if label else ""
    if not found:
        result.findings.append(
            absent("robustness", f"{of}robust accuracy", "the plan names no attack, or none could run")
        )
    return [_of_family(bundle, family, of, len(found) > 1, result) for family in found]


def _of_family(bundle: Bundle, family: Family, of: str, several: bool, result: Assessment) -> _Attacked:  # noqa: FBT001
    evidence, robust = {step.id: bundle.arrays(step.name) for step in family.steps}, {}
    for step in family.steps:
        read(bundle, step, result, silent=JUDGED)
        seen = evidence[step.id][evidence_of(family.metric)].astype(bool)
        robust[step.id] = seen if family.judges else seen[..., 0]
    # The worst case over the attacks is taken for each example, not for the average of an attack.
    robust["all attacks"] = np.logical_and.reduce(list(robust.values()))
    counted = np.logical_and.reduce([arrays["clean"] for arrays in evidence.values()])
    radii = next(iter(evidence.values()))["eps"]
    tests = [
        _Test(family, eps, row, counted, movable)
        for eps, row, movable in zip(radii, robust["all attacks"], _movable(evidence), strict=True)
    ]
    found = _Attacked(family, evidence, robust, tests)
    result.findings += _findings(bundle, found, of, several)
    return found


def _findings(bundle: Bundle, attacked: _Attacked, of: str, several: bool) -> Iterator[Finding]:  # noqa: FBT001
    """The findings; the name of each check begins with `of`."""
    manifest, family, tests = bundle.manifest, attacked.family, attacked.tests
    steps = family.steps
    asked, first = float(manifest.plan.checks[family.metric]), steps[0]
    titles = {step.id: title_of(manifest, replace(step, label="")) for step in steps}
    names = " and ".join(titles.values())
    method = " and ".join(describe(step.method) for step in steps)
    aimed = family.aimed(manifest.task)
    goal = f"goal: {aimed}" if aimed else ""
    looks = ended(manifest, len(attacked.first["rows"]))
    for test in tests:
        budget = reach_of(manifest, first, test.eps)
        note = "; ".join(filter(None, (goal, _upper_bound(test, asked), family.threat.note, looks)))
        yield _judged(test, f"{of}withstands {names} at {budget}", asked, method, note)
    radius = float(fraction(asked_radius(manifest.plan, first)))
    at = int(np.argmin(np.abs(np.array([test.eps for test in tests]) - radius)))
    to = f" to {aimed}" if aimed and several else ""
    yield _robust(tests[at], f"{of}robust{to} at {reach_of(manifest, first, radius)}", asked, method, goal)
    for stronger, weaker in product(steps, steps):
        if stronger.finds == weaker.method["method"] and _alike(stronger, weaker):
            one, other = ((titles[step.id], attacked.evidence[step.id]["success"]) for step in (stronger, weaker))
            found = _finds_what_a_weaker_one_does(one, other, tests)
            yield replace(found, check=f"{of}{found.check}")


def _alike(one: StepRecord, other: StepRecord) -> bool:
    """Whether two attacks have the same goal."""
    return bool(one.method.get("goal") == other.method.get("goal"))


@dataclass(frozen=True, eq=False)
class _Test:
    """The result of all attacks together at one radius, one row per example."""

    family: Family
    eps: float
    robust: NDArray[Any]
    counted: NDArray[Any]  # right without an attack, or its goal not reached
    movable: NDArray[Any]  # whether an attack could change the input at all

    @property
    def share(self) -> float:
        """The share of the examples that count whose input could be changed; 1 where none counts."""
        return float(self.movable[self.counted].mean()) if self.counted.any() else 1.0

    @property
    def ran(self) -> bool:
        return self.share >= NEAR_NONE

    @property
    def estimate(self) -> Estimate:
        """The share that withstood: of all examples, or of those that had not reached the goal."""
        return _share_of(self.family, self.robust if self.family.judges else self.robust[self.counted])


def _share_of(family: Family, hits: NDArray[Any]) -> Estimate:
    return family.share(hits) if len(hits) else NOTHING


def _movable(evidence: dict[str, Stored]) -> NDArray[Any]:
    if missing := [name for name, arrays in evidence.items() if "movable" not in arrays]:
        raise IntegrityError(f"attack-{missing[0]}.npz does not say which examples the attack could change")
    return np.logical_or.reduce([arrays["movable"] for arrays in evidence.values()])


def _upper_bound(test: _Test, asked: float) -> str:
    note = f"an upper bound: a stronger attack can only lower it; {_share(test)}"
    if 0 < asked <= test.family.share(test.counted & ~test.movable).low:
        note += ", so that this could not have failed"
    return note


def _share(test: _Test) -> str:
    if not test.counted.any():
        return "no input had a right answer" if test.family.judges else "every input had reached the goal"
    number = count(test.counted.sum())
    which = "with right answers" if test.family.judges else "that had not reached the goal"
    return f"the attacks could change {share(test.share)} of the {number} inputs {which}"


def _judged(test: _Test, name: str, asked: float, method: str, note: str) -> Finding:
    if not test.ran:
        why = f"{_share(test)}, fewer than {share(NEAR_NONE)}: the rest was not tested"
        return replace(absent("robustness", name, why), method=method)
    if not test.estimate.n:
        return replace(
            absent("robustness", name, "every example had reached the goal before the attacks"), method=method
        )
    found = check("robustness", name, test.estimate, Threshold(asked, "at least"), method=method, note=note)
    return replace(found, metric=test.family.metric)


def _robust(test: _Test, name: str, asked: float, method: str, goal: str) -> Finding:
    finding = _judged(test, name, asked, method, "; ".join(filter(None, (goal, "these attacks disprove it"))))
    if finding.status in ("fail", "not run"):
        return finding
    certified = "; only a certificate could" if test.family.judges else ""
    note = "; ".join(filter(None, (goal, f"no attack can prove it, as another may be stronger{certified}")))
    return replace(finding, status="inconclusive", note=note)


def _finds_what_a_weaker_one_does(
    stronger: tuple[str, NDArray[Any]], weaker: tuple[str, NDArray[Any]], tests: list[_Test]
) -> Finding:
    """Check that an attack breaks every example that a declared weaker attack (`Attack.finds`) breaks.

    If not, the attack was too weak, or its gradients misled it. The check is about this run, not about other examples,
    so it has no interval.
    """
    (title, iterated), (other, single) = stronger, weaker
    name = f"{title} finds what {other} finds"
    if not any(test.ran for test in tests):
        return absent("robustness", name, "the attacks could change almost no input", "attack")
    if not single.any():
        return absent("robustness", name, f"{other} broke no example, so that there was nothing to find", "attack")
    share, most = float((single & ~iterated).any(0).mean()), 0.02
    return Finding(
        aspect="robustness",
        check=name,
        status="pass" if share <= most else "fail",
        about="attack",
        estimate=share,
        n=single.shape[1],
        threshold=most,
        direction="at most",
        method=f"share of these examples that only {other} broke",
        note="a larger share would mean that the attack was too weak to rely on",
    )


def _by_group(found: _Attacked, groups: pd.DataFrame) -> Iterator[tuple[Any, ...]]:
    attacked = groups.iloc[found.first["rows"]].reset_index(drop=True)
    for attribute in attacked:
        for group, index in attacked.groupby(str(attribute), observed=True).indices.items():
            members = np.isin(np.arange(len(attacked)), index)
            yield from ((attribute, str(group), *row) for row in found.shares(found.robust["all attacks"], members))
