"""What the explainers of an audit say of an input before an attack broke it, and after."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from probe.audit.bundle import Bundle
from probe.audit.reading.kept import place
from probe.audit.reading.steps import steps
from probe.audit.readings import explained_by, values_by
from probe.audit.titles import title_of
from probe.statistics import Estimate, bootstrapped, mean, rank_correlation

Array = NDArray[Any]


class BeforeAfter(NamedTuple):
    """The explanations of one input by one method, of the same output, before and after an attack."""

    title: str  # of the method
    before: Array  # by feature
    after: Array
    numbers: tuple[Array, Array] | None  # the same by coordinate; None where the audit keeps no inputs
    correlation: float  # Spearman's, over the features to which either gives a value; NaN where one is constant


class Agreement(NamedTuple):
    """How far the explanations by one method before and after an attack agree, over the rows that it broke."""

    attack: str  # its title
    method: str
    over: Estimate  # the mean rank correlation; one row has no interval
    lowest: float
    n: int


def before_after(bundle: Bundle, step: str, row: int) -> dict[str, BeforeAfter]:
    """By the id of each explainer, its explanations of a row before and after an attack broke it.

    Empty if the attack did not break the row, or the audit did not explain it or keep it, or is older than this.
    """
    stored = bundle.arrays(step)
    at = np.flatnonzero(stored.get("explained", np.zeros(0)) == row)
    return {one: _both(bundle, step, one, int(at[0])) for one in _explainers(bundle, step)} if len(at) else {}


def agreements(bundle: Bundle) -> list[Agreement]:
    """The agreement for each attack and each explainer, where inputs that the attack broke were explained again."""
    found = []
    for step in steps(bundle.manifest, "attack"):
        if not bundle.has(f"arrays/{step.name}.npz"):
            continue
        for one in _explainers(bundle, step.name):
            each = [_both(bundle, step.name, one, at) for at in range(len(bundle.arrays(step.name)["explained"]))]
            values = np.array([again.correlation for again in each])
            values = values[np.isfinite(values)]
            if len(values):
                title, seed = title_of(bundle.manifest, step), bundle.manifest.plan.seed
                found.append(
                    Agreement(
                        title, each[0].title, bootstrapped(values, mean, seed=seed), float(values.min()), len(values)
                    )
                )
    return found


def _explainers(bundle: Bundle, step: str) -> list[str]:
    """The ids of the explainers that explained attacked inputs, and whose explanations without the attack are there."""
    stored = bundle.arrays(step)
    ran = [each for each in steps(bundle.manifest, "explainer") if bundle.has(f"arrays/{each.name}.npz")]
    return [each.id for each in ran if explained_by(each.id) in stored]


def _both(bundle: Bundle, step: str, one: str, at: int) -> BeforeAfter:
    stored = bundle.arrays(step)
    explainer = next(each for each in steps(bundle.manifest, "explainer") if each.id == one)
    clean = bundle.arrays(explainer.name)
    there = place(clean, int(stored["explained"][at]))
    before, after = clean["by_feature"][there], stored[explained_by(one)][at]
    numbers = (clean["values"][there], stored[values_by(one)][at]) if values_by(one) in stored else None
    # Most features of a text or a graph are absent: that these agree says nothing.
    shown = (before != 0) | (after != 0)
    return BeforeAfter(
        title_of(bundle.manifest, explainer), before, after, numbers, _correlated(before[shown], after[shown])
    )


def _correlated(before: Array, after: Array) -> float:
    return rank_correlation(before, after) if len(before) else float("nan")
