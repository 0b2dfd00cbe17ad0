"""Accuracy under attack."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from probe.audit.aspects.common import Answers, Assessment, absent, describe, done, read
from probe.audit.budgets import budget_text, format_budget, threat
from probe.audit.bundle import Arrays, Bundle
from probe.audit.manifest import StepRecord
from probe.audit.readings import evidence_of
from probe.audit.titles import title_of
from probe.errors import IntegrityError
from probe.finding import Finding, Threshold, check
from probe.formatting import count, share
from probe.numbers import fraction
from probe.statistics import proportion

WITHSTANDS = "robust_accuracy"  # the metric of the chapter
CURVE = ["attack", "eps", "robust_accuracy", "low", "high", "n"]
NEAR_NONE = 0.05  # share of the right answers; where attacks could change fewer inputs, surviving them means nothing


def assess(bundle: Bundle, answers: Answers, result: Assessment) -> None:
    """Accuracy under the attacks that ran, at each radius: of the whole answer, and of each label attacked alone.

    The threshold is the same at each radius. *Withstands* is about the attacks that are named; *robust* is about any
    attack, so attacks can disprove it but never prove it.
    """
    labels = bundle.manifest.plan.attack.labels
    whole, *single = [_of_label(bundle, label, result) for label in ("", *labels)]
    if whole is not None:
        result.tables["robustness"] = pd.DataFrame(whole.curve(), columns=CURVE)
        result.tables["movable"] = pd.DataFrame(
            [(test.eps, *proportion(test.movable[test.right])) for test in whole.tests if test.right.any()],
            columns=["eps", "movable", "low", "high", "n"],
        )
        if answers.groups is not None:
            first = whole.evidence[whole.steps[0].id]
            by_group = _robustness_by_group(first, whole.robust["all attacks"], answers.groups)
            result.tables["robustness_by_group"] = by_group
    apart = [
        (label, *row) for label, found in zip(labels, single, strict=True) if found is not None for row in found.curve()
    ]
    if apart:
        result.tables["robustness_by_label"] = pd.DataFrame(apart, columns=["label", *CURVE])


@dataclass(frozen=True, eq=False)
class _Attacked:
    """The results of all attacks on the same examples: on the whole answer, or on one of several labels."""

    steps: list[StepRecord]
    evidence: dict[str, Arrays]  # by step
    robust: dict[str, NDArray[Any]]  # by step, and of all attacks: (radii, examples)
    tests: "list[_Test]"

    def curve(self) -> list[tuple[Any, ...]]:
        """A row without an attack, then one for each attack and radius."""
        first = self.evidence[self.steps[0].id]
        rows: list[tuple[Any, ...]] = [("none", 0.0, *proportion(first["clean"]))]
        for name, robust in self.robust.items():
            attack = name.partition("-label-")[0]
            rows += [(attack, eps, *proportion(row)) for eps, row in zip(first["eps"], robust, strict=True)]
        return rows


def _of_label(bundle: Bundle, label: str, result: Assessment) -> _Attacked | None:
    """The results of the attacks on one label, or on the whole answer if none is named, with their findings."""
    kind, of = ("label attack", f"{label}: ") if label else ("attack", "")
    steps = [step for step in done(bundle, "robustness") if step.kind == kind and step.label == label]
    if not steps:
        result.findings.append(
            absent("robustness", f"{of}robust accuracy", "the plan names no attack, or none could run")
        )
        return None
    evidence, robust = {step.id: bundle.arrays(step.name) for step in steps}, {}
    first = next(iter(evidence.values()))
    for step in steps:
        read(bundle, step, result, silent=[WITHSTANDS])
        robust[step.id] = evidence[step.id][evidence_of(WITHSTANDS)].astype(bool)
    # The worst case over the attacks is taken for each example, not for the average of an attack.
    robust["all attacks"] = np.logical_and.reduce(list(robust.values()))
    tests = [
        _Test(eps, row, first["clean"], movable)
        for eps, row, movable in zip(first["eps"], robust["all attacks"], _movable(evidence), strict=True)
    ]
    found = _Attacked(steps, evidence, robust, tests)
    result.findings += _findings(bundle, found, of)
    return found


def _findings(bundle: Bundle, attacked: _Attacked, of: str) -> Iterator[Finding]:
    """The findings; the name of each check begins with `of`."""
    steps, tests, checks = attacked.steps, attacked.tests, bundle.manifest.plan.checks
    asked, change = float(checks["robust_accuracy"]), threat(bundle.manifest)
    titles = {step.id: title_of(bundle.manifest, replace(step, label="")) for step in steps}
    names = " and ".join(titles.values())
    method = " and ".join(describe(step.method) for step in steps)
    for test in tests:
        budget = budget_text(bundle.manifest, test.eps)
        note = "; ".join(filter(None, (_upper_bound(test, asked), change.note)))
        yield _judged(test, f"{of}withstands {names} at {budget}", asked, method, note)
    radii = np.array([test.eps for test in tests])
    at = int(np.argmin(np.abs(radii - float(fraction(checks["robust_eps"])))))
    yield _robust(tests[at], f"{of}robust at {format_budget(checks['robust_eps'], change)}", asked, method)
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

    eps: float
    robust: NDArray[Any]
    right: NDArray[Any]  # without an attack
    movable: NDArray[Any]  # whether an attack could change the input at all

    @property
    def share(self) -> float:
        """The share of right answers whose input could be changed; 1 where no answer is right."""
        return float(self.movable[self.right].mean()) if self.right.any() else 1.0

    @property
    def ran(self) -> bool:
        return self.share >= NEAR_NONE


def _movable(evidence: dict[str, Arrays]) -> NDArray[Any]:
    if missing := [name for name, arrays in evidence.items() if "movable" not in arrays]:
        raise IntegrityError(f"attack-{missing[0]}.npz does not say which examples the attack could change")
    return np.logical_or.reduce([arrays["movable"] for arrays in evidence.values()])


def _upper_bound(test: _Test, asked: float) -> str:
    note = f"an upper bound: a stronger attack can only lower it; {_share(test)}"
    if 0 < asked <= proportion(test.right & ~test.movable).low:
        note += ", so that this could not have failed"
    return note


def _share(test: _Test) -> str:
    right = count(test.right.sum())
    return f"the attacks could change {share(test.share)} of the {right} inputs with right answers"


def _judged(test: _Test, name: str, asked: float, method: str, note: str) -> Finding:
    if not test.ran:
        why = f"{_share(test)}, fewer than {share(NEAR_NONE)}: the rest was not tested"
        return replace(absent("robustness", name, why), method=method)
    estimate = proportion(test.robust)
    found = check("robustness", name, estimate, Threshold(asked, "at least"), method=method, note=note)
    return replace(found, metric=WITHSTANDS)


def _robust(test: _Test, name: str, asked: float, method: str) -> Finding:
    finding = _judged(test, name, asked, method, "these attacks disprove it")
    if finding.status in ("fail", "not run"):
        return finding
    note = "no attack can prove it, as another may be stronger; only a certificate could"
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


def _robustness_by_group(first: Arrays, robust: NDArray[Any], groups: pd.DataFrame) -> pd.DataFrame:
    rows, attacked = [], groups.iloc[first["rows"]].reset_index(drop=True)
    for attribute in attacked:
        for group, index in attacked.groupby(str(attribute), observed=True).indices.items():
            rows.append((attribute, str(group), 0.0, *proportion(first["clean"][index])))
            for eps, row in zip(first["eps"], robust, strict=True):
                rows.append((attribute, str(group), eps, *proportion(row[index])))
    return pd.DataFrame(rows, columns=["attribute", "group", "eps", "robust_accuracy", "low", "high", "n"])
