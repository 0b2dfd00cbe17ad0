"""From the evidence of a bundle to its tables and findings.

This is the only place where the numbers of a report are computed, from files alone and without torch. A verifier
calls the same functions, so that every number can be recomputed by anybody who holds the bundle.
"""

from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import softmax

from probe import bias
from probe.audit.bundle import Arrays, Bundle
from probe.audit.forms import counted, spoken
from probe.decision import decide, in_words
from probe.errors import ProbeError
from probe.finding import Finding, Threshold, check
from probe.statistics import (
    Estimate,
    Floats,
    area_under_roc,
    bootstrapped,
    calibration_error,
    calibration_interval,
    mean,
    proportion,
)

# What is to be known about attacks whose radius is a number of words or edges.
MEANINGS = {
    "word": "; the words that came may change what a text means",
    "edge": "; the edges that went or came may change what a graph is",
}


@dataclass
class Assessment:
    """What the evidence shows: tables by name, and findings in the order of the report."""

    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


def assess(bundle: Bundle) -> Assessment:
    """Compute every table and finding of a bundle. Steps that did not run become findings that say so."""
    result = Assessment()
    result.findings += [_not_measured(step) for step in bundle.manifest["steps"] if step["status"] != "done"]
    if bundle.has("arrays/predictions.npz"):
        answers = _Answers.of(bundle)
        _performance(bundle, answers, result)
        _explanations(bundle, result)
        _robustness(bundle, answers, result)
        _bias(bundle, answers, result)
    else:
        result.findings.append(_absent("performance", "predictions", "the audit ended before the model was asked"))
    result.tables["findings"] = pd.DataFrame([f.to_json() for f in result.findings])
    return result


@dataclass(frozen=True)
class _Answers:
    """The predictions of a bundle, and the groups of the same rows."""

    labels: NDArray[Any]
    predicted: NDArray[Any]  # as decided, where the model's owner set a threshold
    probabilities: Floats
    groups: pd.DataFrame | None

    @classmethod
    def of(cls, bundle: Bundle) -> "_Answers":
        arrays = bundle.arrays("predictions")
        logits = arrays["logits"].astype(np.float64)
        groups = bundle.groups() if bundle.has("tables/groups.csv") else None
        predicted = decide(arrays["logits"], bundle.manifest["model"].get("threshold"))
        return cls(arrays["labels"], predicted, softmax(logits, axis=1), groups)

    @property
    def correct(self) -> NDArray[Any]:
        return self.labels == self.predicted


def _performance(bundle: Bundle, answers: _Answers, result: Assessment) -> None:
    checks, seed = bundle.manifest["plan"]["checks"], bundle.manifest["plan"]["seed"]
    correct = answers.correct
    likeliest = answers.probabilities.argmax(1) == answers.labels
    evidence = np.stack([answers.probabilities.max(1), likeliest.astype(float)], axis=1)
    decided = in_words(bundle.manifest["model"].get("threshold"), bundle.manifest["model"]["classes"])
    accuracy = proportion(correct)
    calibration = Estimate(calibration_error(*evidence.T), *calibration_interval(evidence, seed=seed), len(evidence))
    rows = [("accuracy", *accuracy), ("calibration error", *calibration)]
    result.findings += [
        check(
            "performance",
            "accuracy",
            accuracy,
            Threshold(checks["accuracy"], "at least"),
            method="share of correct answers, Wilson interval",
            note=f"decided: {decided}" if decided else "",
        ),
        check(
            "performance",
            "calibration error",
            calibration,
            Threshold(checks["calibration_error"], "at most"),
            method="gap between confidence and accuracy over 15 bins, interval by the noise of its bins",
            seed=seed,
            note="binning makes the estimate larger than the true error, the more so the fewer the rows; "
            "the interval allows for it",
        ),
    ]
    if answers.probabilities.shape[1] == 2:
        scored = np.stack([answers.probabilities[:, 1], answers.labels], axis=1)
        area = bootstrapped(scored, lambda e: area_under_roc(e[:, 0], e[:, 1] == 1), seed=seed, draws=200)
        rows.append(("area under ROC", *area))
    result.tables["performance"] = pd.DataFrame(rows, columns=["metric", "value", "low", "high", "n"])
    result.tables["reliability"] = _reliability(*evidence.T)


def _reliability(confidence: Floats, correct: Floats, bins: int = 15) -> pd.DataFrame:
    """Confidence and accuracy of each bin of the calibration error; empty bins are left out."""
    rows, bin_of = [], np.minimum((confidence * bins).astype(int), bins - 1)
    for index in np.unique(bin_of):
        inside = bin_of == index
        rows.append((index / bins, (index + 1) / bins, mean(confidence[inside]), *proportion(correct[inside])))
    return pd.DataFrame(rows, columns=["from", "to", "confidence", "accuracy", "low", "high", "n"])


def _explanations(bundle: Bundle, result: Assessment) -> None:
    rows = []
    for step in _done(bundle, "explanation"):
        if not step["name"].startswith("explain-"):
            continue
        arrays, method = bundle.arrays(step["name"]), step["method"]["method"]
        for metric, sign in (("deletion", -1), ("insertion", 1)):
            own, random = arrays[metric].T
            rows.append((method, metric, *_beats_random(step, metric, sign * (own - random), bundle, result)))
        if "completeness" in arrays:
            rows.append((method, "residual share", *_adds_up(step, arrays, bundle, result)))
    if rows:
        result.tables["explanations"] = pd.DataFrame(rows, columns=["method", "metric", "value", "low", "high", "n"])
    else:
        result.findings.append(_absent("explanation", "explanations", "the plan names no explainer, or none could run"))


def _beats_random(step: dict[str, Any], metric: str, advantage: Floats, bundle: Bundle, result: Assessment) -> Estimate:
    """For deletion a lower curve is better, for insertion a higher one: a positive advantage is better than random."""
    seed = bundle.manifest["plan"]["seed"]
    estimate = bootstrapped(advantage, mean, seed=seed)
    finding = check(
        "explanation",
        f"{step['method']['method']}: {metric} beats random order",
        estimate,
        Threshold(0.0, "at least"),
        method=_described(step, metric),
        seed=seed,
    )
    notes = {
        "fail": "worse than features in random order",
        "inconclusive": "not distinguishable from features in random order",
    }
    result.findings.append(replace(finding, note=notes.get(finding.status, "")))
    return estimate


def _adds_up(step: dict[str, Any], arrays: Arrays, bundle: Bundle, result: Assessment) -> Estimate:
    """How much of what an attribution should sum to is missing: all residuals over all sums."""
    plan = bundle.manifest["plan"]
    estimate = bootstrapped(
        arrays["completeness"], lambda e: float(e[:, 0].sum() / max(e[:, 1].sum(), 1e-12)), seed=plan["seed"]
    )
    finding = check(
        "explanation",
        f"{step['method']['method']}: adds up",
        estimate,
        Threshold(plan["checks"]["completeness"], "at most"),
        method=_described(step, "completeness"),
        seed=plan["seed"],
        note="residual as a share of the change in output that the values should sum to",
    )
    result.findings.append(finding)
    return estimate


def _robustness(bundle: Bundle, answers: _Answers, result: Assessment) -> None:
    checks = bundle.manifest["plan"]["checks"]
    steps = _done(bundle, "robustness")
    if not steps:
        result.findings.append(_absent("robustness", "robust accuracy", "the plan names no attack, or none could run"))
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
            method=" and ".join(_describe(step["method"]) for step in steps),
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


def _bias(bundle: Bundle, answers: _Answers, result: Assessment) -> None:
    plan, classes = bundle.manifest["plan"], bundle.manifest["model"]["classes"]
    wanted = plan["bias"]["groups"]
    groups = answers.groups if wanted is None or answers.groups is None else answers.groups[list(wanted)]
    if groups is None or groups.empty:
        result.findings.append(_absent("bias", "differences between groups", _why_no_groups(wanted, answers)))
        return
    positive = plan["bias"]["positive"]
    if not positive and len(classes) != 2:
        note = f"there are {len(classes)} classes; name the favourable one as bias.positive in the plan"
        result.findings.append(_absent("bias", "differences between groups", note))
        return
    index = classes.index(positive) if positive else 1
    try:
        report = bias.audit(
            (answers.labels == index).astype(int),
            (answers.predicted == index).astype(int),
            groups,
            answers.probabilities[:, index],
            thresholds={k: v for k, v in plan["checks"].items() if k in bias.THRESHOLDS},
            smallest=plan["bias"]["smallest"],
            seed=plan["seed"],
        )
    except ProbeError as error:
        result.findings.append(replace(_absent("bias", "differences between groups", str(error)), status="error"))
        return
    result.tables |= {"bias_groups": report.groups, "bias_disparities": report.disparities, "bias_pairs": report.pairs}
    result.tables["bias_ledger"] = report.ledger
    result.findings += report.findings


def _why_no_groups(wanted: list[str] | None, answers: _Answers) -> str:
    return (
        "the plan compares no groups" if wanted == [] and answers.groups is not None else "the data declares no groups"
    )


def _done(bundle: Bundle, lens: str) -> list[dict[str, Any]]:
    return [step for step in bundle.manifest["steps"] if step["lens"] == lens and step["status"] == "done"]


def _not_measured(step: dict[str, Any]) -> Finding:
    return Finding(
        lens=step["lens"],
        check=step["name"],
        status=step["status"],
        method=_describe(step["method"]),
        note=step["note"],
    )


def _absent(lens: str, check: str, why: str) -> Finding:
    return Finding(lens=lens, check=check, status="not run", note=why)


def _described(step: dict[str, Any], metric: str) -> str:
    """A method and the metric that judged it, each with its settings."""
    config: dict[str, Any] = next((c for c in step.get("checks", ()) if c["method"] == metric), {})
    return ", ".join(filter(None, (_describe(step["method"]), _describe(config))))


def _describe(config: dict[str, Any]) -> str:
    settings = ", ".join(
        f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in config.items() if k != "method"
    )
    return f"{config.get('method', '')}({settings})" if config else ""
