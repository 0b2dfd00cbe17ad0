"""What further runs of attacks would still break, from how often those that ran broke the same rows."""

from collections.abc import Sequence

import numpy as np

from probe.errors import DataError
from probe.results import Perturbation
from probe.statistics import Estimate, normal_quantile
from probe.study.optimality import distances
from probe.tensors import to_numpy


def floor(found: Sequence[Perturbation], level: float = 0.95) -> Estimate:
    """The robust accuracy of these rows that more runs of the same kind would leave, at most.

    Rows that few of the runs broke tell how many none has broken yet (Chao 1987, of animals that are caught again):
    where one run alone broke f1 rows and two f2, at least f1^2 / (2 f2) more would fall. Where all runs break the same
    rows, nothing is left to find *by such attacks*; a different one may find more.

    Args:
        found: what each run found for the same rows at the same radius: other seeds, losses or attacks. Give every run
            all rows; runs of a cascade, which skip the rows that fell, do not tell.
        level: the confidence of the interval, given these rows.

    Returns:
        The estimate, with Chao's interval, and the number of rows.

    Raises:
        DataError: if there are fewer than two runs.
        ShapeError: if they are not of the same rows.
        Unsupported: if their changes are measured in different ways.

    Example:
        >>> import torch
        >>> from probe import Model, study
        >>> from probe.attacks import PGD
        >>> model = Model(forward=lambda x: 4 * torch.cat([x, 1 - x], 1), classes=("high", "low"))
        >>> x, y = torch.linspace(0.5, 1, 9)[1:, None], torch.zeros(8, dtype=torch.long)
        >>> study.floor([PGD(eps=0.2, seed=seed)(model, x, y) for seed in range(3)])  # each breaks the same rows
        Estimate(value=0.625, low=0.625, high=0.625, n=8)
    """
    if len(found) < 2:
        raise DataError(f"the floor is estimated from what several runs broke, got {len(found)}; give two at least")
    distances({str(at): each for at, each in enumerate(found)})  # refuses what is not of the same rows
    times = np.sum([to_numpy(each.success) for each in found], axis=0)
    right = np.isinf(to_numpy(found[0].needed)) | to_numpy(found[0].success)
    n, left, runs = len(times), int((right & (times == 0)).sum()), len(found)
    once, twice = (int((times == number).sum()) for number in (1, 2))
    share, broken = (runs - 1) / runs, int((times > 0).sum())
    if twice:
        ratio = once / twice
        more = share * once * ratio / 2
        variance = twice * (share * ratio**2 / 2 + share**2 * ratio**3 + share**2 * ratio**4 / 4)
    else:
        more = share * once * (once - 1) / 2
        total = max(broken + more, 1.0)
        variance = more + share**2 * once * (2 * once - 1) ** 2 / 4 - share**2 * once**4 / (4 * total)
    if more == 0:
        return Estimate(left / n, left / n, left / n, n)
    spread = np.exp(float(normal_quantile(0.5 + level / 2)) * np.sqrt(np.log(1 + max(variance, 0.0) / more**2)))
    value, low, high = (max(0.0, left - each) / n for each in (more, more * spread, more / spread))
    return Estimate(value, float(low), float(high), n)
