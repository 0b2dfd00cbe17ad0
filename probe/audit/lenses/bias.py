"""How the model's answers differ between groups of people."""

from dataclasses import replace

from probe import bias
from probe.audit.bundle import Bundle
from probe.audit.lenses.common import Answers, Assessment, absent
from probe.errors import ProbeError


def assess(bundle: Bundle, answers: Answers, result: Assessment) -> None:
    """The rates and gaps of the groups that the plan compares."""
    plan, classes = bundle.manifest.plan, bundle.manifest.model.classes
    wanted = plan.bias.groups
    groups = answers.groups if wanted is None or answers.groups is None else answers.groups[list(wanted)]
    if groups is None or groups.empty:
        result.findings.append(absent("bias", "differences between groups", _why_no_groups(wanted, answers)))
        return
    if not answers.task.one_class:
        note = f"groups are compared by a favourable class, and the answers are those of a {answers.task.kind}"
        result.findings.append(absent("bias", "differences between groups", note))
        return
    positive = plan.bias.positive
    if not positive and len(classes) != 2:
        note = f"there are {len(classes)} classes; name the favourable one as bias.positive in the plan"
        result.findings.append(absent("bias", "differences between groups", note))
        return
    index = classes.index(positive) if positive else 1
    named = bias.Favourable(classes[index], assumed=not positive)
    try:
        report = bias.audit(
            (answers.labels == index).astype(int),
            (answers.predicted == index).astype(int),
            groups,
            answers.probabilities[:, index],
            thresholds={k: v for k, v in plan.checks.items() if k in bias.THRESHOLDS},
            favourable=named,
            min_group_size=plan.bias.min_group_size,
            order=plan.bias.order,
            merge_spellings=plan.bias.merge_spellings,
            seed=plan.seed,
        )
    except ProbeError as error:
        result.findings.append(replace(absent("bias", "differences between groups", str(error)), status="error"))
        return
    result.tables |= {"bias_groups": report.groups, "bias_disparities": report.disparities, "bias_pairs": report.pairs}
    result.tables |= {"bias_small_groups": report.small_groups, "bias_row_accounting": report.row_accounting}
    result.findings += report.findings


def _why_no_groups(wanted: tuple[str, ...] | None, answers: Answers) -> str:
    return (
        "the plan compares no groups" if wanted == () and answers.groups is not None else "the data declares no groups"
    )
