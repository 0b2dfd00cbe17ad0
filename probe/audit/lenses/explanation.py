"""Whether the explanations can be relied on."""

from dataclasses import replace
from typing import Any

import pandas as pd

from probe.audit.bundle import Arrays, Bundle
from probe.audit.lenses.common import Assessment, absent, described, done
from probe.finding import Finding, Threshold, check
from probe.reductions import REDUCTIONS
from probe.statistics import Estimate, Floats


def assess(bundle: Bundle, result: Assessment) -> None:
    """The checks of each explainer that ran. They judge the explanations, not the model."""
    rows: list[tuple[Any, ...]] = []
    ran = [step for step in done(bundle, "explanation") if step["name"].startswith("explain-")]
    for step in ran:
        arrays, method = bundle.arrays(step["name"]), step["method"]["method"]
        for metric in ("deletion", "insertion"):
            if metric in arrays:
                rows.append((method, metric, *_beats_random(step, metric, arrays[metric], bundle, result)))
            else:
                result.findings.append(_not_measured(f"{method}: {metric} beats random order", arrays, metric))
        if "completeness" in arrays:
            rows.append((method, "residual share", *_adds_up(step, arrays, bundle, result)))
        elif "why_no_completeness" in arrays:
            result.findings.append(_not_measured(f"{method}: adds up", arrays, "completeness"))
    if rows:
        result.tables["explanations"] = pd.DataFrame(rows, columns=["method", "metric", "value", "low", "high", "n"])
    if not ran:
        why = "the plan names no explainer, or none could run"
        result.findings.append(absent("explanation", "explanations", why, "explanation"))


def _not_measured(check: str, arrays: Arrays, metric: str) -> Finding:
    return absent("explanation", check, str(arrays[f"why_no_{metric}"]), "explanation")


def _beats_random(step: dict[str, Any], metric: str, evidence: Floats, bundle: Bundle, result: Assessment) -> Estimate:
    """For deletion a lower curve is better, for insertion a higher one; above 0 is better than random order."""
    seed = bundle.manifest["plan"]["seed"]
    estimate = REDUCTIONS[metric].estimate(evidence, seed)
    finding = check(
        "explanation",
        f"{step['method']['method']}: {metric} beats random order",
        estimate,
        Threshold(0.0, "at least"),
        about="explanation",
        unit="signed",
        method=described(step, metric),
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
    estimate = REDUCTIONS["completeness"].estimate(arrays["completeness"], plan["seed"])
    finding = check(
        "explanation",
        f"{step['method']['method']}: adds up",
        estimate,
        Threshold(plan["checks"]["completeness"], "at most"),
        about="explanation",
        method=described(step, "completeness"),
        seed=plan["seed"],
        note="residual as a share of the change in output that the values should sum to",
    )
    result.findings.append(finding)
    return estimate
