"""How the model's answers differ between groups of people."""

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from probe import bias
from probe.audit.aspects import numbers
from probe.audit.aspects.common import Answers, Assessment, absent
from probe.audit.bundle import Bundle
from probe.errors import ProbeError
from probe.finding import Finding


def assess(bundle: Bundle, answers: Answers, result: Assessment) -> None:
    """The rates and gaps of the groups that the plan compares."""
    plan = bundle.manifest.plan
    groups = grouped(bundle, answers)
    if groups is None or groups.empty:
        why = _why_no_groups(plan.bias.groups, answers)
        result.findings.append(absent("bias", "differences between groups", why))
        return
    if answers.task.kind == "regression":
        numbers.compare(bundle, answers, groups, result)
        return
    if names := answers.answers:
        positive = plan.bias.positive
        compared = [_compared(bundle, answers.only(at), groups, label) for at, label in enumerate(names)
                    if not positive or positive in answers.only(at).task.names]  # fmt: skip
    elif answers.task.one_class:
        compared = [_compared(bundle, answers, groups)]
    else:
        note = f"groups are compared by a favourable class, which a {answers.task.kind} lacks"
        result.findings.append(absent("bias", "differences between groups", note))
        return
    tables = [tables for tables, _ in compared if tables]
    for name in tables[0] if tables else ():
        result.tables[name] = pd.concat([each[name] for each in tables], ignore_index=True)
    result.findings += [finding for _, findings in compared for finding in findings]


def grouped(bundle: Bundle, answers: Answers) -> pd.DataFrame | None:
    """The attributes that the plan compares, of each row; None if the data declare none."""
    wanted = bundle.manifest.plan.bias.groups
    return answers.groups if wanted is None or answers.groups is None else answers.groups[list(wanted)]


def measured(
    bundle: Bundle, answers: Answers, groups: pd.DataFrame, decided: NDArray[np.int64] | None = None
) -> bias.BiasReport:
    """The library's own measure of the answers to a decision between classes, with the settings of the plan.

    `decided` is the class that each row is decided for, where that is not the model's own decision.
    """
    plan, classes = bundle.manifest.plan, answers.task.names or bundle.manifest.model.classes
    named = plan.bias.positive
    index = classes.index(named) if named else 1
    return bias.audit(
        (answers.labels == index).astype(int),
        ((answers.predicted if decided is None else decided) == index).astype(int),
        groups,
        answers.probabilities[:, index],
        log_odds=answers.log_odds(index),
        thresholds={k: v for k, v in plan.checks.items() if k in bias.THRESHOLDS},
        favourable=bias.Favourable(classes[index], assumed=not named),
        min_group_size=plan.bias.min_group_size,
        order=plan.bias.order,
        merge_spellings=plan.bias.merge_spellings,
        seed=plan.seed,
    )


def _compared(
    bundle: Bundle, answers: Answers, groups: pd.DataFrame, label: str = ""
) -> tuple[dict[str, pd.DataFrame], list[Finding]]:
    """The tables and findings of one decision; for one of several labels, their names begin with that label."""
    of, classes = f"{label}: " if label else "", answers.task.names or bundle.manifest.model.classes
    if not bundle.manifest.plan.bias.positive and len(classes) != 2:
        note = f"there are {len(classes)} classes; name the favourable one as bias.positive in the plan"
        return {}, [absent("bias", "differences between groups", note)]
    try:
        report = measured(bundle, answers, groups)
    except ProbeError as error:
        return {}, [replace(absent("bias", f"{of}differences between groups", str(error)), status="error")]
    tables = {"bias_groups": report.groups, "bias_disparities": report.disparities, "bias_pairs": report.pairs}
    tables |= {"bias_small_groups": report.small_groups, "bias_row_accounting": report.row_accounting}
    if label:
        for table in tables.values():
            table.insert(0, "label", label)
    return tables, [replace(finding, check=f"{of}{finding.check}") for finding in report.findings]


def _why_no_groups(wanted: tuple[str, ...] | None, answers: Answers) -> str:
    return (
        "the plan compares no groups" if wanted == () and answers.groups is not None else "the data declares no groups"
    )
