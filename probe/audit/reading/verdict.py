"""An audit in a few sentences, and its findings counted."""

from collections import Counter
from collections.abc import Iterable, Sequence

from probe.audit.aspects.doubts import failed
from probe.audit.aspects.robustness import NEAR_NONE
from probe.audit.bundle import Bundle
from probe.audit.manifest import Manifest
from probe.audit.reading.attacked import Attacks, attacks
from probe.audit.reading.measured import readings
from probe.audit.reading.subject import ASSUMED, favourable
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
    attacked = " ".join(withstands(bundle)) or "Robustness was not measured."
    if signs := failed(findings):
        checks = "a check of the attacks" if len(signs) == 1 else f"{len(signs)} checks of the attacks"
        attacked += f" That is in doubt, as {checks} failed: {signs[0]}{', ...' if len(signs) > 1 else ''}."
    return [attacked, labels or _accuracy(findings), _groups(bundle.manifest, findings)]


def withstands(bundle: Bundle) -> list[str]:
    """The share of answers that withstand the attacks of one norm and measure, a sentence for each.

    It is about the radii of the audit at which inputs could be changed.
    """
    return [_withstands(each) for each in attacks(bundle)]


def _withstands(found: Attacks) -> str:
    none, *points = found.worst.points
    clean, still = none.value, {point.eps for point in found.movable if point.value < NEAR_NONE}
    names = found.tried
    tested = [point for point in points if point.eps not in still]
    if not none.n:
        return f"Robustness to {names} was not tested: every answer had reached the goal before the attacks."
    if not tested:
        return f"Robustness to {names} was not tested: almost no input could be changed at any radius of the plan."
    most, below = tested[-1], [point for point in tested if point.value < 0.5]
    last = f"{share(most.value)} withstand {most.at}"
    if clean < 0.5:
        text = f"Fewer than half of the answers are right even without an attack ({share(clean)}); {last}"
    elif not below:
        most_of = "Half" if most.value == 0.5 else "More than half"
        text = f"{most_of} of the answers withstand {names} at {most.at}, the largest radius tried"
        text += f" ({share(most.value)})"
    elif below[0] is most:
        text = f"Fewer than half of the answers withstand {names} at {most.at} ({share(most.value)})"
        if len(tested) > 1:
            text += f"; {share(tested[-2].value)} withstand {tested[-2].at}"
    else:
        text = f"Fewer than half of the answers withstand {names} at {below[0].at}"
        text += f" ({share(below[0].value)}); {last}"
    if still:
        text += f". At {', '.join(point.at for point in points if point.eps in still)} almost no input could be changed"
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
