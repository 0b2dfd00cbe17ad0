"""The audit of a regression's answers by group."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from probe.bias.conclusions import conclude
from probe.bias.counts import Outcomes, Table, tabulate
from probe.bias.mean_gaps import SHUFFLES, MeanGap, compare, describe, shortages
from probe.bias.means import MEANS, means_of
from probe.bias.report import BiasReport, settings_of, stack
from probe.bias.settings import MIN_GROUP_SIZE, ORDER, THRESHOLDS
from probe.bias.shortages import COLUMNS
from probe.bias.strata import METRICS
from probe.bias.validation import Scale, aligned, attributes, numbers


def audit_numbers(  # noqa: PLR0913 - data, then settings by name, each with a default
    labels: ArrayLike | None,
    answers: ArrayLike,
    groups: pd.DataFrame,
    *,
    order: int = ORDER,
    merge_spellings: bool = False,
    missing: Sequence[str] = (),
    thresholds: Mapping[str, float] = THRESHOLDS,
    min_group_size: int = MIN_GROUP_SIZE,
    level: float = 0.95,
    seed: int = 0,
    draws: int = SHUFFLES,
) -> BiasReport:
    """Compare the numbers that a regression answers between groups: each attribute, then intersections of attributes.

    Three gaps are judged, each the largest between two groups: of the mean answer, of the mean error (answer minus
    label: whether answers are too high or too low), and of the mean absolute error (how exact they are).
    Estimates are in the unit of the outcome. Thresholds are shares of the standard deviation of these rows' labels
    (of the answers, where there are no labels), so that one default suits hours and dollars.

    Args:
        labels: true number of each row; None where there are none, and then only answers are compared
        answers: what is answered for each row, or decided
        groups: a column per attribute; a row whose value is missing or empty is counted as unknown and left out there
        order: how many attributes an intersection crosses at most
        merge_spellings: count groups whose names differ only by case, spaces or encoding as one; they are refused else
        missing: names of groups that mean unknown, such as "?"; an empty one always does
        thresholds: by metric, in standard deviations, in place of those of `THRESHOLDS`; engineering, not law
        min_group_size: fewest rows behind a mean for its group to be trusted; an engineering threshold, not law
        level: of the intervals
        seed: of the permutations, and of the samples that intervals are widened by
        draws: number of permutations

    Returns:
        Means, gaps and findings. They say what was measured, not whether it is right. Intervals of means rest on an
        approximation, which `probe.bias.means` states.

    Raises:
        DataError: the data are not what they should be, such as a label that is no number, or rows that do not match

    Example:
        >>> groups = pd.DataFrame({"sex": ["f", "m"] * 200})
        >>> hours = np.tile([35.0, 40.0, 36.0, 41.0], 100)
        >>> report = audit_numbers(hours, hours, groups, draws=99)
        >>> [finding.status for finding in report.findings]
        ['fail', 'pass', 'pass']
    """
    settings = settings_of(
        missing, thresholds=thresholds, min_group_size=min_group_size, level=level, seed=seed, draws=draws,
        order=order, merge_spellings=merge_spellings,
    )  # fmt: skip
    frame = attributes(groups)
    given = {"labels": labels, "answers": answers, "groups": groups}
    aligned(**{name: values for name, values in given.items() if values is not None})
    y = None if labels is None else numbers(labels, "labels")
    answered = numbers(answers, "answers")
    outcome = Scale(float(np.std(answered if y is None else y)), "answers" if y is None else "labels")
    measured = {name: mean.of(answered if y is None else y, answered) for name, mean in MEANS.items()}
    if y is None:
        measured = {"mean_answer": answered}
    # The counts of a group are its rows, independent of the answers.
    tables = tabulate(Outcomes(None, np.zeros(len(answered), dtype=np.int64)), frame, settings)
    thresholds = {metric: share * outcome.deviation for metric, share in settings.thresholds.items()}
    asked = {METRICS[metric].rates[0]: (metric, at) for metric, at in thresholds.items() if METRICS[metric].of_numbers}
    every = [[(name, means_of(table, name, values, seed)) for name, values in measured.items()] for table in tables]
    both = list(zip(tables, every, strict=True))
    disparities = [
        MeanGap(table, asked[name][0], settings, means, asked[name][1]).row()
        for table, each in both
        for name, means in each
    ]
    limits = {name: at for name, (_, at) in asked.items()}
    few: list[dict[str, Any]] = [row for table, each in both for row in shortages(table, each, settings, limits)]
    few.sort(key=lambda row: (row["n"], row["group"]))
    small = pd.DataFrame(few, columns=COLUMNS)
    return BiasReport(
        groups=stack([describe(table, each, y, level) for table, each in both]),
        disparities=pd.DataFrame([asdict(row) for row in disparities]),
        pairs=stack([compare(table, each, level) for table, each in both]),
        findings=conclude(tables, disparities, small, outcome, settings),
        row_accounting=pd.DataFrame([table.row_accounting() for table in tables]),
        small_groups=small,
        notices=_notices(tables, labelled=y is not None),
    )


def _notices(tables: Sequence[Table], *, labelled: bool) -> list[str]:
    said = [] if labelled else ["there are no labels: answers are compared, errors are not"]
    return said + [f"{table.attribute}: {table.notice}" for table in tables if table.notice]
