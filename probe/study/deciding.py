"""Attack random rows until it is decided whether a share is above a threshold."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from probe.anytime import anytime
from probe.contracts import Attack, Metric
from probe.dataset import Dataset
from probe.errors import RangeError, Unsupported
from probe.finding import Status, judge
from probe.metrics import RobustAccuracy, Withstood
from probe.model import Model
from probe.results import Perturbation
from probe.statistics import Estimate
from probe.study.asking import Subject, asking
from probe.study.batches import joined
from probe.tensors import generator, spans, to_numpy

COUNTED = {"proportion": lambda seen: seen, "proportion of those counted": lambda seen: seen[seen[:, 1] == 1, 0]}


@dataclass(frozen=True, eq=False)
class Decision:
    """What attacks on some of the rows decided about a share.

    `estimate` is the share so far with an interval that holds at every look, and the rows that it counts. `looks` has a
    row for each batch: the rows attacked so far, the share and its interval. `rows` are the indices of those attacked,
    in their order, and `result` what the attack found for them.

    >>> import torch
    >>> from probe import Dataset, Model, study
    >>> from probe.attacks import FGSM
    >>> model = Model(forward=lambda x: 4 * torch.cat([x, 1 - x], 1), classes=("high", "low"))
    >>> data = Dataset(torch.full((60, 1), 0.9), torch.zeros(60, dtype=torch.long))  # far from the boundary
    >>> decision = study.until_decided(FGSM(eps=0.1), model, data, threshold=0.5, batch=10)
    >>> decision.status, decision.looks["rows"].tolist()
    ('pass', [10])
    """

    status: Status  # inconclusive where the rows ended first
    threshold: float
    estimate: Estimate
    looks: pd.DataFrame = field(repr=False)
    result: Perturbation = field(repr=False)
    rows: Tensor = field(repr=False)


def until_decided(  # noqa: PLR0913  each with a default that suits
    attack: Attack,
    model: Model,
    data: Dataset,
    *,
    threshold: float | None = None,
    metric: Metric[Perturbation] | None = None,
    batch: int = 50,
    level: float = 0.95,
    seed: int = 0,
) -> Decision:
    """Attack rows in random order, and stop as soon as the share is on one side of the threshold.

    One may look after every batch: the intervals of all looks hold together with the confidence `level`
    (`probe.anytime`), so that at most one verdict in twenty is wrong however often one looked. An audit, whose Wilson
    intervals hold for a number of rows that was fixed before, may not be repeated until it passes; this may be stopped.

    Args:
        attack: the attack; its goal takes no targets.
        model: the model to attack.
        data: the rows, as if drawn from those that the claim is about.
        threshold: the share that is asked about, that of the metric unless given.
        metric: what is counted of each row; `RobustAccuracy` unless given, or `Withstood` for goals such as Shift.
        batch: the rows attacked between two looks.
        level: the confidence of all looks together.
        seed: seed of the order of the rows.

    Raises:
        RangeError: if the threshold is not between 0 and 1, or the batch not at least 1.
        Unsupported: if the metric does not count rows.

    Example:
        >>> import torch
        >>> from probe import Dataset, Model, study
        >>> from probe.attacks import FGSM
        >>> model = Model(forward=lambda x: 4 * torch.cat([x, 1 - x], 1), classes=("high", "low"))
        >>> data = Dataset(torch.linspace(0, 1, 1000)[:, None], (torch.linspace(0, 1, 1000) <= 0.5).long())
        >>> found = study.until_decided(FGSM(eps=0.05), model, data, threshold=0.7)  # it is 0.9
        >>> found.status, found.estimate.n < 200
        ('pass', True)
    """
    metric = metric or (Withstood() if attack.goal.counted_alone(model.task) else RobustAccuracy())
    asked = metric.threshold if threshold is None else threshold
    if asked is None or not 0 < asked < 1:
        raise RangeError(f"threshold = {asked}, expected a share between 0 and 1, such as 0.7")
    if batch < 1:
        raise RangeError(f"batch = {batch}, expected at least 1 row between two looks, such as 50")
    if metric.reduction not in COUNTED:
        raise Unsupported(f"{metric} is no share of rows, which is decided here; name one such as RobustAccuracy()")
    order = torch.randperm(len(data), generator=generator(seed, torch.device("cpu")))
    looks, results = list[dict[str, Any]](), list[Perturbation]()
    for look, result in _looks(attack, metric, Subject(model, data[order], None, batch), level):
        looks.append(look)
        results.append(result)
        status = judge(look["low"], look["high"], asked, metric.direction)
        if status != "inconclusive":
            break
    last = Estimate(looks[-1]["value"], looks[-1]["low"], looks[-1]["high"], looks[-1]["counted"])
    return Decision(status, asked, last, pd.DataFrame(looks), joined(results), order[: looks[-1]["rows"]])


def _looks(
    attack: Attack, metric: Metric[Perturbation], subject: Subject, level: float
) -> Iterator[tuple[dict[str, Any], Perturbation]]:
    """After each batch: the rows so far, the share and its interval; and what the attack found of the batch."""
    ask, hits, counted = asking(attack, subject), 0.0, 0
    for rows in spans(len(subject.data), subject.size):
        result = ask(rows)
        seen = COUNTED[metric.reduction](to_numpy(metric(subject.model, result).evidence).astype(np.float64))
        hits, counted = hits + float(seen.sum()), counted + len(seen)
        low, high = (float(end) for end in anytime(hits, counted, level))
        share = hits / counted if counted else float("nan")
        yield {"rows": rows.stop, "counted": counted, "value": share, "low": low, "high": high}, result
