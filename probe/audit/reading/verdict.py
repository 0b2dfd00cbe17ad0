"""An audit in a few sentences, and its findings counted."""

from collections import Counter
from collections.abc import Iterable, Sequence

from probe.audit.aspects.robustness import NEAR_NONE
from probe.audit.budgets import budget_text
from probe.audit.bundle import Bundle
from probe.audit.manifest import Manifest
from probe.audit.reading.measured import readings
from probe.audit.reading.steps import steps
from probe.audit.reading.subject import ASSUMED, favourable
from probe.audit.titles import title_of
from probe.finding import Finding
from probe.formatting import share

EXACT = "exact_match"  # the metric of several labels as a whole


def tally(findings: Iterable[Finding]) -> tuple[Counter[str], Counter[str]]:
    """How many findings have each status: those about the model, and those that check the audit's own methods."""
    model, methods = Counter[str](), Counter[str]()
    for finding in findings:
        (model if finding.about == "model" else methods)[finding.status] += 1
    return model, methods


def verdict(bundle: Bundle) -> list[str]:
    """The audit in a few sentences: robustness, accuracy, and differences between groups."""
    findings = bundle.manifest.findings
    if not findings:
        return ["There is no conclusion: the audit did not finish."]
    labels = _labels(bundle)
    return [_withstands(bundle), labels or _accuracy(findings), _groups(bundle.manifest, findings)]


def _withstands(bundle: Bundle) -> str:
    """The share of answers that withstand the attacks, at the radii of the audit at which inputs could be changed."""
    if not bundle.has("tables/robustness.csv"):
        return "Robustness was not measured."
    table = bundle.table("robustness")
    clean = float(table.loc[table["attack"] == "none", "robust_accuracy"].iloc[0])
    worst = table[table["attack"] == "all attacks"]
    curve = dict(zip(worst["eps"].astype(float), worst["robust_accuracy"].astype(float), strict=True))
    moved = bundle.table("movable")
    still = {float(eps) for eps, part in zip(moved["eps"], moved["movable"], strict=True) if part < NEAR_NONE}
    names = _names(bundle)
    tested = {eps: right for eps, right in curve.items() if eps not in still}
    if not tested:
        return f"Robustness to {names} was not tested: almost no input could be changed at any radius of the plan."
    most = max(tested)
    below = [eps for eps, right in tested.items() if right < 0.5]
    last = f"{share(tested[most])} withstand {_at(bundle, most)}"
    if clean < 0.5:
        text = f"Fewer than half of the answers are right even without an attack ({share(clean)}); {last}"
    elif not below:
        most_of = "Half" if tested[most] == 0.5 else "More than half"
        text = f"{most_of} of the answers withstand {names} at {_at(bundle, most)}, the largest radius tried"
        text += f" ({share(tested[most])})"
    elif below[0] == most:
        text = f"Fewer than half of the answers withstand {names} at {_at(bundle, most)} ({share(tested[most])})"
        if len(tested) > 1:
            before = max(eps for eps in tested if eps < most)
            text += f"; {share(tested[before])} withstand {_at(bundle, before)}"
    else:
        text = f"Fewer than half of the answers withstand {names} at {_at(bundle, below[0])}"
        text += f" ({share(tested[below[0]])}); {last}"
    if still:
        text += f". At {', '.join(_at(bundle, eps) for eps in sorted(still))} almost no input could be changed"
    return f"{text}."


def _accuracy(findings: Sequence[Finding]) -> str:
    found = next((f for f in findings if f.check == "accuracy" and f.estimate is not None), None)
    if found is None:
        return _explained(findings)
    held = {"pass": "meets", "fail": "below", "inconclusive": "too close to"}.get(found.status, "not compared with")
    return f"{share(found.estimate)} of the answers are right ({held} the threshold of {share(found.threshold)})."


def _labels(bundle: Bundle) -> str:
    """For several labels: how often all are right, and which is right most and least often; else empty."""
    rows = readings(bundle, "performance")
    each = [(float(row["value"]), str(row["item"])) for row in rows if row["metric"] == "accuracy" and row["item"]]
    if not each:
        return ""
    (low, worst), (high, best) = min(each), max(each)
    whole = next(
        (f"All labels of {share(r['value'])} of the rows are right; " for r in rows if r["metric"] == EXACT), ""
    )
    return f"{whole}single labels are right in {share(low)} ({worst}) to {share(high)} ({best}) of them."


def _explained(findings: Sequence[Finding]) -> str:
    """For a regression: the share of the labels' variance that its answers explain."""
    found = next((f for f in findings if f.metric == "r_squared" and f.estimate is not None), None)
    if found is None:
        return "Accuracy was not measured."
    return f"The answers explain {share(max(0.0, found.estimate or 0.0))} of the variance of the labels (R squared)."


def _groups(manifest: Manifest, findings: Sequence[Finding]) -> str:
    gaps = [f for f in findings if f.aspect == "bias" and f.threshold is not None]
    if not gaps:
        why = next((f.note for f in findings if f.aspect == "bias"), "the audit ended before that")
        return f"Groups were not compared: {why}."
    seen = Counter(f.status for f in gaps)
    failed = [f.check for f in gaps if f.status == "fail"]
    if failed:
        text = f"{len(failed)} of {len(gaps)} comparisons of groups fail, first {failed[0]}"
    elif seen["pass"] == len(gaps):
        text = f"All {len(gaps)} comparisons of groups pass"
    else:
        text = f"None of {len(gaps)} comparisons of groups fails, and {len(gaps) - seen['pass']} are inconclusive"
    name, assumed = favourable(manifest)
    if not name:
        return f"{text}."
    return f"{text}; the favourable answer is {name}{f' ({ASSUMED})' if assumed else ''}."


def _names(bundle: Bundle) -> str:
    return " and ".join(title_of(bundle.manifest, step) for step in steps(bundle.manifest, "attack"))


def _at(bundle: Bundle, eps: float) -> str:
    return budget_text(bundle.manifest, eps)
