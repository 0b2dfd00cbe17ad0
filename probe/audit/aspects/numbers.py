"""How a regression's answers and errors differ between groups of people."""

from dataclasses import replace

import pandas as pd

from probe import bias
from probe.audit.aspects.common import Answers, Assessment, absent
from probe.audit.bundle import Bundle
from probe.errors import ProbeError

TABLES = ("groups", "disparities", "pairs", "small_groups", "row_accounting")


def compare(bundle: Bundle, answers: Answers, groups: pd.DataFrame, result: Assessment) -> None:
    """The means and gaps of each output; with several outputs, names of tables and findings begin with the output."""
    plan, names = bundle.manifest.plan, answers.task.names
    labels, found = (part.reshape(len(groups), -1).astype(float) for part in (answers.labels, answers.predicted))
    for at, name in enumerate(names):
        of = f"{name}: " if len(names) > 1 else ""
        try:
            report = bias.audit_numbers(
                labels[:, at],
                found[:, at],
                groups,
                thresholds={k: v for k, v in plan.checks.items() if k in bias.THRESHOLDS},
                min_group_size=plan.bias.min_group_size,
                order=plan.bias.order,
                merge_spellings=plan.bias.merge_spellings,
                seed=plan.seed,
            )
        except ProbeError as error:
            missing = absent("bias", f"{of}differences between groups", str(error))
            result.findings.append(replace(missing, status="error"))
            continue
        for table in TABLES:
            frame = getattr(report, table)
            if of:
                frame = frame.assign(label=name)[["label", *frame.columns]]
            before = result.tables.get(f"bias_{table}")
            result.tables[f"bias_{table}"] = frame if before is None else pd.concat([before, frame], ignore_index=True)
        result.findings += [replace(finding, check=f"{of}{finding.check}") for finding in report.findings]
