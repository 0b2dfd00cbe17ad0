"""From the evidence of a bundle to its tables and findings.

The numbers of a report are computed only here and in `aspects`, from files alone and without torch. A verifier calls
the same functions, so anybody who has the bundle can recompute every number.
"""

from datetime import UTC, datetime
from typing import Literal

import pandas as pd

from probe.audit.aspects import bias, explanation, performance, proofs, robustness
from probe.audit.aspects.common import Answers, Assessment, absent
from probe.audit.aspects.doubts import doubted
from probe.audit.bundle import Bundle
from probe.audit.manifest import StepRecord
from probe.audit.readings import COLUMNS
from probe.audit.titles import describe
from probe.finding import Finding

__all__ = ["Assessment", "assess", "conclude"]


def assess(bundle: Bundle) -> Assessment:
    """Compute every table and finding of a bundle. Steps that did not run become findings that say so."""
    result = Assessment()
    result.findings += [_not_measured(step) for step in bundle.manifest.steps if step.status != "done"]
    if bundle.has("arrays/predictions.npz"):
        answers = Answers.of(bundle)
        performance.assess(bundle, result)
        explanation.assess(bundle, result)
        robustness.assess(bundle, answers, result)
        proofs.assess(bundle, result)
        bias.assess(bundle, answers, result)
    else:
        result.findings.append(absent("performance", "predictions", "the audit ended before the model was run"))
    result.findings = doubted(result.findings)
    if result.readings:
        result.tables["readings"] = pd.DataFrame(result.readings, columns=list(COLUMNS))
    result.tables["findings"] = pd.DataFrame([f.to_json() for f in result.findings])
    return result


def conclude(bundle: Bundle, status: Literal["complete", "interrupted"]) -> None:
    """Write the tables and findings that follow from the steps that ended."""
    assessment = assess(bundle)
    for name, table in assessment.tables.items():
        bundle.write_table(name, table)
    bundle.change(
        findings=tuple(assessment.findings),
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        status=status,
        report_sha256=None,  # a report of earlier steps is out of date
    )
    bundle.save()


def _not_measured(step: StepRecord) -> Finding:
    return Finding(
        aspect=step.aspect,
        check=step.name,
        status="error" if step.status == "error" else "not run",
        method=describe(step.method),
        note=step.note,
    )
