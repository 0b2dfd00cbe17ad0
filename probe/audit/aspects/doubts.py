"""What failed checks of the attacks mean for the figures of robustness."""

from collections.abc import Sequence
from dataclasses import replace

from probe.audit.families import JUDGED
from probe.finding import Finding

MOST = 3  # checks that are named


def failed(findings: Sequence[Finding]) -> list[str]:
    """The checks of attacks that failed, or what they found."""
    return [
        f.check.rpartition(": ")[2]
        for f in findings
        if f.aspect == "robustness" and f.about == "attack" and f.status in ("fail", "error")
    ]


def doubted(findings: Sequence[Finding]) -> list[Finding]:
    """The findings, with the failed checks of the attacks named beside what withstood them, which is then no pass."""
    signs = failed(findings)
    if not signs:
        return list(findings)
    more = f" and {len(signs) - MOST} more" if len(signs) > MOST else ""
    reason = f"in doubt, as checks of the attacks failed: {', '.join(signs[:MOST])}{more}"
    return [
        replace(
            finding,
            status="inconclusive" if finding.status == "pass" else finding.status,
            note="; ".join(filter(None, (finding.note, reason))),
        )
        if finding.about == "model" and finding.metric in JUDGED
        else finding
        for finding in findings
    ]
