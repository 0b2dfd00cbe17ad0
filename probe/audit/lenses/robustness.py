"""How the model does when somebody moves its inputs on purpose."""

from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from probe.audit.bundle import Arrays, Bundle
from probe.audit.forms import counted, spoken
from probe.audit.lenses.common import Answers, Assessment, absent, describe, done
from probe.finding import Finding, Threshold, check
from probe.statistics import proportion

# What is to be known about attacks whose radius is a number of words or edges.
MEANINGS = {
    "word": "; the words that came may change what a text means",
    "edge": "; the edges that went or came may change what a graph is",
}


def assess(bundle: Bundle, answers: Answers, result: Assessment) -> None:
    """Accuracy under the attacks that ran, at each radius."""
    checks = bundle.manifest["plan"]["checks"]
    steps = done(bundle, "robustness")
    if not steps:
        result.findings.append(absent("robustness", "robust accuracy", "the plan names no attack, or none could run"))
        return
    evidence = {step["method"]["method"]: bundle.arrays(step["name"]) for step in steps}
    first = next(iter(evidence.values()))
    standing = {name: arrays["clean"] & ~arrays["success"] for name, arrays in evidence.items()}
    # The worst case of each example over the attacks, not the worst attack's average.
    standing["all attacks"] = np.logical_and.reduce(list(standing.values()))
    curve = [("none", 0.0, *proportion(first["clean"]))]
    for name, rows in standing.items():
        curve += [(name, eps, *proportion(row)) for eps, row in zip(first["eps"], rows, strict=True)]
    result.tables["robustness"] = pd.DataFrame(curve, columns=["attack", "eps", "robust_accuracy", "low", "high", "n"])
    at = int(np.argmin(np.abs(first["eps"] - float(Fraction(checks["robust_eps"])))))
    unit = counted(bundle.manifest["plan"])
    result.findings.append(
        check(
            "robustness",
            f"accuracy under attack at {spoken(checks['robust_eps'], unit)}",
            proportion(standing["all attacks"][at]),
            Threshold(checks["robust_accuracy"], "at least"),
            method=" and ".join(describe(step["method"]) for step in steps),
            note="an upper bound: a stronger attack can only lower it" + MEANINGS.get(unit, ""),
        )
    )
    if {"fgsm", "pgd"} <= evidence.keys():
        result.findings.append(_iterative_is_stronger(evidence["fgsm"]["success"], evidence["pgd"]["success"]))
    if answers.groups is not None:
        result.tables["robustness_by_group"] = _robustness_by_group(first, standing["all attacks"], answers.groups)


def _iterative_is_stronger(single: NDArray[Any], iterated: NDArray[Any]) -> Finding:
    """An iterated attack that misses what a single step finds was too weak, or the gradients mislead it.

    A statement about this run, not about other examples: it has no interval.
    """
    share, most = float((single & ~iterated).any(0).mean()), 0.02
    return Finding(
        lens="robustness",
        check="PGD finds what FGSM finds",
        status="pass" if share <= most else "fail",
        estimate=share,
        n=single.shape[1],
        threshold=most,
        direction="at most",
        method="share of these examples that only FGSM broke",
        note="a larger share would mean that the attack was too weak to rely on",
    )


def _robustness_by_group(first: Arrays, standing: NDArray[Any], groups: pd.DataFrame) -> pd.DataFrame:
    rows, attacked = [], groups.iloc[first["rows"]].reset_index(drop=True)
    for attribute in attacked:
        for group, index in attacked.groupby(str(attribute), observed=True).indices.items():
            rows.append((attribute, str(group), 0.0, *proportion(first["clean"][index])))
            for eps, row in zip(first["eps"], standing, strict=True):
                rows.append((attribute, str(group), eps, *proportion(row[index])))
    return pd.DataFrame(rows, columns=["attribute", "group", "eps", "robust_accuracy", "low", "high", "n"])
