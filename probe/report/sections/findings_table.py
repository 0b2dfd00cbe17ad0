"""The findings register: every check with its numbers, failures first."""

from typing import Any

from probe.audit.bundle import Bundle
from probe.audit.reading import register
from probe.finding import Finding
from probe.report.blocks import Block, Findings, NotMeasured, Section


def section(bundle: Bundle) -> Section:
    """All findings, grouped by aspect."""
    blocks: list[Block] = [
        Findings(part.title, [_row(finding) for finding in part.findings]) for part in register(bundle.manifest)
    ]
    empty = NotMeasured([("not run", "findings", "the audit ended before its evidence was assessed")])
    return Section(
        "findings",
        "Findings",
        blocks or [empty],
        lead=(
            "Each check compares a whole 95 % interval with its threshold: it is a pass only if all of the interval "
            "lies on the passing side, a fail only if none of it does, and inconclusive otherwise. "
            "Inconclusive is not a pass.",
            "“Withstands” is about the attacks that it names, at one radius; the threshold is the same at every "
            "radius. “Robust” is about any attack: the attacks tried can disprove it but never prove it, so it is "
            "inconclusive at best. Where they could change fewer than 5 % of the inputs, nothing was tested.",
            "Thresholds are engineering choices of the plan's author. They come from no law or standard, and meeting "
            "one says nothing beyond the number that was measured.",
        ),
    )


def _row(finding: Finding) -> dict[str, Any]:
    measured, threshold, n = finding.written()
    return {
        "status": finding.status,
        "check": finding.check,
        "estimate": measured.value,
        "interval": measured.ends,
        "threshold": threshold,
        "n": n,
        "method": finding.method,
        "seed": "" if finding.seed is None else str(finding.seed),
        "note": finding.note,
        "strip": _strip(finding),
    }


def _strip(finding: Finding) -> dict[str, float] | None:
    """Where interval, estimate and threshold lie on a line 100 long; the passing side is `from` to `to`."""
    value, low, high, threshold = finding.estimate, finding.low, finding.high, finding.threshold
    if value is None or low is None or high is None or threshold is None:
        return None
    if finding.unit == "share":
        start, end = 0.0, max(1.0, high)
    elif finding.unit == "signed":
        end = 1.15 * max(abs(low), abs(high), abs(threshold), 1e-9)
        start = -end
    else:
        start, end = min(0.0, low), 1.15 * max(high, threshold, 1e-9)

    def at(x: float) -> float:
        return round(100 * min(max((x - start) / (end - start), 0.0), 1.0), 2)

    good = (at(threshold), 100.0) if finding.direction == "at least" else (0.0, at(threshold))
    # An interval of width 0 would be invisible.
    left, right = at(low), max(at(high), at(low) + 0.8)
    return {"low": left, "high": right, "value": at(value), "threshold": at(threshold), "from": good[0], "to": good[1]}
