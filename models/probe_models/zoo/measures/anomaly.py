"""How well a model tells unusual images of each kind from usual ones."""

import numpy as np
from numpy.typing import NDArray

from probe import Dataset, Model
from probe.errors import DataError
from probe.statistics import Estimate, Floats, area_under_roc, normal_quantile, ranks, wilson

COLUMN = "kind"  # of the data's groups


def areas_by_kind(model: Model, data: Dataset) -> dict[str, float]:
    """The area under the ROC curve of each kind of unusual images against all usual ones, with 95 % interval and n.

    Rows of class 1 are unusual, and the group `kind` says how; the score is the log-odds of class 1.
    """
    if data.groups is None or COLUMN not in data.groups:
        raise DataError(f"{data.name} has no group {COLUMN!r}; measure anomalies on fashion-anomalies")
    logits = model.logits(model.check(data.inputs)).double().cpu().numpy()
    scores, unusual, kinds = logits[:, 1] - logits[:, 0], data.labels.numpy() == 1, data.groups[COLUMN].to_numpy()
    found: dict[str, float] = {}
    for kind in sorted(set(kinds[unusual])):
        name, area = f"area_under_roc_{kind}", delong(scores[kinds == kind], scores[~unusual])
        found |= {name: area.value, f"{name}_low": area.low, f"{name}_high": area.high, f"{name}_n": area.n}
    return found


def delong(positive: Floats, negative: Floats) -> Estimate:
    """The area under the ROC curve of two sets of scores, with the 95 % interval of DeLong et al. (1988).

    The area is the mean, over the positives, of the part of the negatives that each lies above (and the other way
    round); its variance is the sum of the variances of these two means (doi:10.2307/2531595). Where every positive
    lies above every negative there is no variance to be seen; then the interval is Wilson's, for as many hits as
    there are rows of the smaller set.
    """
    scores = np.concatenate((positive, negative))
    area = area_under_roc(scores, np.arange(len(scores)) < len(positive))
    above, below = _above(positive, negative), 1 - _above(negative, positive)
    half = normal_quantile(0.975) * np.sqrt(above.var(ddof=1) / len(above) + below.var(ddof=1) / len(below))
    low, high = max(0.0, area - half), min(1.0, area + half)
    if half == 0:
        low, high = map(float, wilson(area * (fewer := min(len(above), len(below))), fewer))
    return Estimate(area, float(low), float(high), len(scores))


def _above(ours: Floats, theirs: Floats) -> NDArray[np.float64]:
    """The part of theirs that each of ours lies above, ties counting half."""
    among_all, among_ours = ranks(np.concatenate((ours, theirs)))[: len(ours)], ranks(ours)
    return (among_all - among_ours) / len(theirs)
