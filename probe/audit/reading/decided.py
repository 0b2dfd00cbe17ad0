"""Which class was decided for where which is true: confusions, rates of each class, and thresholds."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from probe.audit.aspects.common import Answers
from probe.audit.bundle import Bundle
from probe.audit.reading.answers import classes
from probe.errors import RangeError
from probe.names import nearest
from probe.statistics import Estimate, area_under_roc, area_under_roc_interval, wilson

MATRIX = 12  # classes whose confusions are shown as a matrix; of more, the most frequent mistakes are listed
LISTED = 30  # mistakes that are listed
POINTS = 500  # of a curve that are kept; its area is that of all of them
GRID = 20  # thresholds between 0 and 1


@dataclass(frozen=True, eq=False)
class Decided:
    """One decision about each row: the class that is true, the one decided for, and how probable each is."""

    names: tuple[str, ...]
    truth: NDArray[np.int64]  # (rows,)
    answer: NDArray[np.int64]  # (rows,)
    probability: NDArray[np.float64]  # (rows, classes)
    answers: Answers

    @property
    def threshold(self) -> float | None:
        """Of two classes: from which probability the second is decided for."""
        return self.answers.cut

    def second(self, cut: float) -> NDArray[np.bool_]:
        """Of two classes: where the second would be decided for, from that probability on."""
        chosen: NDArray[np.bool_] = np.asarray(self.answers.at(cut).predicted) == 1
        return chosen

    def of(self, name: str) -> int:
        """The number of a class; with no name, of the second."""
        if name and name not in self.names:
            raise RangeError(
                f"{name!r:.60} is not a class{nearest(name, self.names)}; there are {', '.join(self.names[:20])}"
            )
        return self.names.index(name) if name else min(1, len(self.names) - 1)


def labels(bundle: Bundle) -> list[str]:
    """The labels of which each is decided about on its own; empty where each row has one answer."""
    return list(bundle.manifest.task.several(bundle.arrays("predictions")["logits"]))


def decides(bundle: Bundle) -> bool:
    """Whether the answers are classes or labels, and not numbers."""
    return bundle.manifest.task.one_class or bool(labels(bundle))


def decided(bundle: Bundle, label: str = "") -> Decided:
    """The decisions about one label, the first unless named; or the only ones.

    Raises:
        RangeError: if there is no such label.

    Example:
        >>> from probe.audit import read, reading  # doctest: +SKIP
        >>> reading.decided(read("runs/adult-mlp")).names  # doctest: +SKIP
        ('<=50K', '>50K')
    """
    return bundle.derived(("decided", label), lambda: _decided(bundle, label))


def _decided(bundle: Bundle, label: str) -> Decided:
    answers, names = Answers.of(bundle), tuple(classes(bundle))
    if several := labels(bundle):
        if label and label not in several:
            raise RangeError(
                f"{label!r:.60} is not a label{nearest(label, several)}; there are {', '.join(several[:20])}"
            )
        at = several.index(label) if label else 0
        answers, names = answers.only(at), (f"not {several[at]}", several[at])
    return Decided(
        names=names,
        truth=np.asarray(answers.labels, dtype=np.int64),
        answer=np.asarray(answers.predicted, dtype=np.int64),
        probability=np.asarray(answers.probabilities, dtype=np.float64),
        answers=answers,
    )


def confusion(bundle: Bundle, label: str = "") -> pd.DataFrame:
    """How many rows of each class, down, got each answer, across."""
    found = decided(bundle, label)
    return pd.DataFrame(_counts(found), index=list(found.names), columns=list(found.names))


def mistakes(counts: pd.DataFrame) -> list[tuple[int, int, int]]:
    """The most frequent mistakes in a confusion matrix: the places of label and answer, and the rows."""
    wrong = counts.to_numpy().copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:LISTED].tolist()
    pairs = [divmod(at, len(wrong)) for at in order]
    return [(row, column, int(wrong[row, column])) for row, column in pairs if wrong[row, column]]


def by_class(bundle: Bundle, label: str = "") -> pd.DataFrame:
    """Precision and recall of each class with 95 % Wilson intervals, and the rows that each is a share of."""
    found = decided(bundle, label)
    counts = _counts(found)
    hits, answered, true = counts.diagonal(), counts.sum(0), counts.sum(1)
    table = {"class": list(found.names), "right": hits, "answered": answered, "true": true}
    for name, trials in (("precision", answered), ("recall", true)):
        low, high = wilson(hits, trials)
        with np.errstate(invalid="ignore"):
            table |= {name: hits / trials, f"{name}_low": low, f"{name}_high": high}
    return pd.DataFrame(table)


def area(bundle: Bundle, label: str = "", of: str = "") -> Estimate:
    """The area under the ROC curve of one class against all others, with a bootstrap interval over rows.

    Of two classes it is the number that an audit measures: its draws begin at the seed of the plan.
    """
    scores, positive = _scored(decided(bundle, label), of)
    value = area_under_roc(scores, positive)
    return Estimate(value, *area_under_roc_interval(scores, positive, seed=bundle.manifest.plan.seed), len(scores))


def roc(bundle: Bundle, label: str = "", of: str = "") -> pd.DataFrame:
    """The rates of one class against all others at falling thresholds, at most 500 of them.

    Empty unless there are rows of the class and rows of another.
    """
    found = decided(bundle, label)
    return curve_of(*_scored(found, of), found.probability[:, found.of(of)])


def curve_of(
    scores: NDArray[np.float64], positive: NDArray[np.bool_], probability: NDArray[np.float64]
) -> pd.DataFrame:
    """A ROC curve from the log-odds of each row, whether it is positive, and its probability, the threshold.

    It is empty unless some rows are positive and some are not.
    """
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.diff(scores[order], append=-np.inf))  # of the rows with one score
    up, down = np.cumsum(positive[order])[ends], np.cumsum(~positive[order])[ends]
    if not positive.any() or positive.all():
        return pd.DataFrame(columns=["threshold", "fpr", "tpr"])
    table = pd.DataFrame({"threshold": probability[order][ends], "fpr": down / down[-1], "tpr": up / up[-1]})
    table = pd.concat([pd.DataFrame({"threshold": [np.inf], "fpr": [0.0], "tpr": [0.0]}), table], ignore_index=True)
    kept = np.unique(np.linspace(0, len(table) - 1, min(POINTS, len(table))).astype(int))
    return table.iloc[kept].reset_index(drop=True)


def threshold_rates(bundle: Bundle, label: str = "", cuts: tuple[float, ...] = ()) -> pd.DataFrame:
    """What the second of two classes would be decided for at each threshold: counts, and rates with Wilson intervals.

    Unless given, the thresholds are a grid and the model's own. Empty unless there are two classes.

    Raises:
        RangeError: if one is no probability between 0 and 1.
    """
    found = decided(bundle, label)
    if found.threshold is None:
        return pd.DataFrame()
    grid = cuts or tuple(sorted({*(round(at / GRID, 4) for at in range(1, GRID)), found.threshold}))
    positive = found.truth == 1
    # As a model with that threshold decides: rounding must not turn its ties.
    chosen = np.array([found.second(cut) for cut in grid])
    tp, fp = (chosen & positive).sum(1), (chosen & ~positive).sum(1)
    fn, tn = positive.sum() - tp, (~positive).sum() - fp
    table = pd.DataFrame({"threshold": grid, "tp": tp, "fp": fp, "fn": fn, "tn": tn})
    shares = {"precision": (tp, tp + fp), "recall": (tp, tp + fn), "fpr": (fp, fp + tn)}
    for name, (hits, trials) in (shares | {"selected": (tp + fp, tp + fp + fn + tn)}).items():
        low, high = wilson(hits, trials)
        with np.errstate(invalid="ignore"):
            table[name], table[f"{name}_low"], table[f"{name}_high"] = hits / trials, low, high
    return table


def boundary(bundle: Bundle, label: str, cut: float) -> float:
    """A probability that parts the rows as a threshold does: itself, or less where rounding left ties below it."""
    found = decided(bundle, label)
    chosen, sure = found.second(cut), found.probability[:, 1]
    lowest = float(sure[chosen].min(initial=1.0))
    return cut if lowest >= cut else (lowest + float(sure[~chosen].max(initial=0.0))) / 2


def _counts(found: Decided) -> NDArray[np.int64]:
    size = len(found.names)
    return np.bincount(found.truth * size + found.answer, minlength=size**2).reshape(size, size)


def _scored(found: Decided, of: str) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    at = found.of(of)
    return found.answers.log_odds(at), found.truth == at
