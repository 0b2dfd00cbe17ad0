"""The comparison of groups at another threshold of the decision, recomputed from the stored scores."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from probe.audit.aspects.bias import grouped, measured
from probe.audit.aspects.common import Answers
from probe.audit.bundle import Bundle
from probe.audit.reading.groups import Gap, GroupRate, gaps_of, rates_of
from probe.bias.counts import Outcomes, tabulate
from probe.bias.settings import Settings
from probe.errors import RangeError
from probe.names import nearest


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


def recut(bundle: Bundle, attribute: str, threshold: float | Mapping[str, float]) -> Recut:
    """Rates and gaps of an attribute, had the second class been decided for from this probability on.

    `threshold` is one for all rows, or one for each group; rows of groups that it does not name keep the audited one.
    At the audited threshold they equal the tables of the bundle to the bit.

    Raises:
        RangeError: the groups are not compared by a decision between two classes, a threshold is no probability, or
            there is no group of a name.

    Example:
        >>> from probe.audit import read, reading  # doctest: +SKIP
        >>> reading.recut(read("runs/adult-mlp"), "sex", 0.3).rates("tpr")  # doctest: +SKIP
        >>> reading.recut(read("runs/adult-mlp"), "sex", {"Female": 0.3}).gaps  # doctest: +SKIP
    """
    required(bundle, attribute)
    key = repr(sorted(threshold.items()) if isinstance(threshold, Mapping) else threshold)
    return bundle.derived(("recut", attribute, key), lambda: _recut(bundle, attribute, threshold))


def required(bundle: Bundle, attribute: str) -> Cut:
    """The threshold that was audited.

    Raises:
        RangeError: the groups are not compared by a decision between two classes.
    """
    known = cut(bundle, attribute)
    if known is None:
        raise RangeError(
            f"{attribute!r:.60} is not compared by a decision between two classes; it has no threshold to change"
        )
    return known


def decided_at(bundle: Bundle, attribute: str, threshold: float | Mapping[str, float]) -> NDArray[np.int64]:
    """Which of the two classes each row is decided for, by a threshold or by those of the groups, as in `recut`."""
    answers, _ = subject(bundle, attribute)
    if not isinstance(threshold, Mapping):
        return np.asarray(answers.at(threshold).predicted, dtype=np.int64)
    found, own = np.array(answers.predicted, dtype=np.int64), members(bundle, attribute)
    for name, at in threshold.items():
        if name not in own:
            raise RangeError(
                f"{name!r:.60} is not a group by {attribute}{nearest(name, own)}; there are {', '.join(list(own)[:20])}"
            )
        found[own[name]] = np.asarray(answers.at(at).predicted)[own[name]]
    return found


def members(bundle: Bundle, attribute: str) -> dict[str, NDArray[np.bool_]]:
    """Which rows belong to each group of an attribute; rows that name no group are in none."""
    return bundle.derived(("members", attribute), lambda: _members(bundle, attribute))


def _members(bundle: Bundle, attribute: str) -> dict[str, NDArray[np.bool_]]:
    plan = bundle.manifest.plan.bias
    answers, columns = subject(bundle, attribute)
    groups = grouped(bundle, answers)
    if groups is None or not columns:
        return {}
    settings = Settings(thresholds={}, merge_spellings=plan.merge_spellings, order=plan.order)
    tables = tabulate(Outcomes(None, np.zeros(len(answers.labels), dtype=int)), groups[list(columns)], settings)
    table = next(each for each in tables if each.attribute == " x ".join(columns))
    return {name: table.codes == code for code, name in enumerate(table.names)}


def _recut(bundle: Bundle, attribute: str, threshold: float | Mapping[str, float]) -> Recut:
    answers, columns = subject(bundle, attribute)
    groups = grouped(bundle, answers)
    assert groups is not None, "the attribute is one of its columns"
    report = measured(bundle, answers, groups[list(columns)], decided_at(bundle, attribute, threshold))
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
