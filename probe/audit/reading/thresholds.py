"""The comparison of groups at another threshold of the decision, recomputed from the stored scores."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import pandas as pd

from probe.audit.aspects.bias import grouped, measured
from probe.audit.aspects.common import Answers
from probe.audit.bundle import Bundle
from probe.audit.reading.groups import Gap, GroupRate, gaps_of, rates_of
from probe.errors import RangeError


@dataclass(frozen=True)
class Cut:
    """The threshold of a decision between two classes."""

    audited: float
    decided: str  # the class that is decided for where its probability is at least the threshold


@dataclass(frozen=True, eq=False)
class Recut:
    """The groups of an attribute at a threshold, as `bias.audit` measures them."""

    groups: pd.DataFrame
    disparities: pd.DataFrame
    smallest: int

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The counts and rates of each group, as the table has them."""
        return _rows(self.groups)

    def rates(self, rate: str) -> list[GroupRate]:
        """One rate of each group."""
        return rates_of(self.rows, rate, self.smallest)

    @property
    def gaps(self) -> list[Gap]:
        """The gaps between the groups."""
        return gaps_of(_rows(self.disparities))


def cut(bundle: Bundle, attribute: str) -> Cut | None:
    """The threshold that was audited; None where groups are compared by something else than one of two classes."""
    answers, columns = subject(bundle, attribute)
    if not columns or answers.cut is None or len(answers.task.names) != 2:
        return None
    return Cut(answers.cut, answers.task.names[1])


def recut(bundle: Bundle, attribute: str, threshold: float) -> Recut:
    """Rates and gaps of an attribute, had the second class been decided for from this probability on.

    At the audited threshold they equal the tables of the bundle to the bit.

    Raises:
        RangeError: the groups are not compared by a decision between two classes, or the threshold is no probability.

    Example:
        >>> from probe.audit import read, reading
        >>> reading.recut(read("runs/adult-mlp"), "sex", 0.3).rates("tpr")  # doctest: +SKIP
    """
    known = cut(bundle, attribute)
    if known is None:
        raise RangeError(
            f"{attribute!r:.60} is not compared by a decision between two classes; it has no threshold to change"
        )
    return bundle.derived(("recut", attribute, repr(threshold)), lambda: _recut(bundle, attribute, threshold))


def _recut(bundle: Bundle, attribute: str, threshold: float) -> Recut:
    answers, columns = subject(bundle, attribute)
    answers = answers.at(threshold)
    groups = grouped(bundle, answers)
    assert groups is not None, "the attribute is one of its columns"
    report = measured(bundle, answers, groups[list(columns)])
    return Recut(
        _own(report.groups, columns), _own(report.disparities, columns), bundle.manifest.plan.bias.min_group_size
    )


def subject(bundle: Bundle, attribute: str) -> tuple[Answers, Sequence[str]]:
    """The answers that an attribute is compared by, one label alone where there are several, and its columns."""
    return bundle.derived(("compared", attribute), lambda: _compared(bundle, attribute))


def _compared(bundle: Bundle, attribute: str) -> tuple[Answers, Sequence[str]]:
    answers = Answers.of(bundle)
    groups = grouped(bundle, answers)
    if groups is None:
        return answers, ()
    order = bundle.manifest.plan.bias.order
    crossed = [each for size in range(1, order + 1) for each in combinations(map(str, groups.columns), size)]
    for columns in crossed:
        name = " x ".join(columns)
        if name == attribute and not answers.answers:
            return answers, columns
        for at, label in enumerate(answers.answers):
            if f"{label}: {name}" == attribute:
                return answers.only(at), columns
    return answers, ()


def _own(frame: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    return frame[frame["attribute"] == " x ".join(columns)].reset_index(drop=True)


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(key): value for key, value in row.items()} for row in frame.to_dict("records")]
