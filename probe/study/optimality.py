"""How near each of several attacks comes to the best of them, row by row."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from probe.errors import DataError, ShapeError, Unsupported
from probe.results import Perturbation
from probe.statistics import Floats, bootstrap
from probe.tensors import to_numpy

COLUMNS = ("attack", "optimality", "low", "high", "area", "best", "broken", "n", "forwards", "backwards")
Found = Perturbation | Sequence[Perturbation]


def optimality(found: Mapping[str, Found]) -> pd.DataFrame:
    """How near each attack comes to the best of all of them on each row (AttackBench, arXiv:2404.19460).

    The area under an attack's curve of robust accuracy by the size of the change is the mean of the smallest changes
    that it found, up to the largest that any row took of the best attack. With A for it, A* for the best attack of each
    row and C for the accuracy without an attack times that largest change, optimality is 1 - (A - A*) / (C - A*): 1 for
    an attack that is the best on every row, 0 for one that finds nothing. It rises where an attack is left out that was
    alone the best on some rows, so only attacks that were compared together compare.

    Args:
        found: by name, what each attack found for the same rows; of one that has a radius, a list of its results at
            several radii.

    Returns:
        A row for each attack, the best first: optimality with its 95 % bootstrap interval over rows, A as `area` and A*
        as `best`, the share of rows that it broke, and its forwards and backwards for each row.

    Raises:
        DataError: if there is no attack, or none broke a row that was right before.
        ShapeError: if they are not of the same rows.
        Unsupported: if their changes are measured in different ways, such as norms.

    Example:
        >>> import torch
        >>> from probe import Model, Space, study
        >>> from probe.attacks import DDN, PGD
        >>> weight = torch.tensor([[3.0, -3.0], [4.0, -4.0]])
        >>> model = Model(forward=lambda x: x @ weight, space=Space(bounds=(-9.0, 9.0)))
        >>> x, y = torch.tensor([[0.3, 0.4], [0.6, 0.8]]), torch.tensor([0, 0])
        >>> pgd = [PGD(eps=eps, norm="l2")(model, x, y) for eps in (0.6, 1.2)]
        >>> study.optimality({"ddn": DDN()(model, x, y), "pgd": pgd})["attack"].tolist()
        ['ddn', 'pgd']
    """
    needed, best = distances(found)
    broken = np.isfinite(best) & (best > 0)
    if not broken.any():
        raise DataError("no attack broke a row that was right before; give larger radii, or stronger attacks")
    most, open_ = best[broken].max(), best > 0
    rows = []
    for name, each in needed.items():
        evidence = np.stack([np.minimum(each, most), np.minimum(best, most), open_ * most], 1)
        low, high = bootstrap(evidence, _optimality)
        area, least, _ = evidence.mean(0)
        share, results = float((np.isfinite(each) & open_).mean()), _listed(found[name])
        spent = [
            float(sum(to_numpy(part).mean() for r in results if (part := getattr(r, spending)) is not None))
            for spending in ("forwards", "backwards")
        ]
        rows.append((name, _optimality(evidence), low, high, area, least, share, len(each), *spent))
    return pd.DataFrame(rows, columns=COLUMNS).sort_values("optimality", ascending=False, ignore_index=True)


def distances(found: Mapping[str, Found]) -> tuple[dict[str, Floats], Floats]:
    """The smallest change of each row that each attack found, and that of all of them; infinity where there is none."""
    every = [result for each in found.values() for result in _listed(each)]
    if not every:
        raise DataError("there is no attack to compare; give what some found, by name")
    first = every[0]
    for other in every:
        if other.inputs.shape != first.inputs.shape or not bool((other.inputs == first.inputs).all()):
            raise ShapeError("the attacks are not of the same rows; attack the same inputs by each")
        if other.threat != first.threat:
            raise Unsupported(
                f"changes of {other.method.name()} are measured as {other.threat}, and those of {first.method.name()} "
                f"as {first.threat}; compare attacks of one norm"
            )
    needed = {
        name: np.min([to_numpy(result.needed.double().cpu()) for result in _listed(each)], axis=0)
        for name, each in found.items()
    }
    return needed, np.min(list(needed.values()), axis=0)


def _listed(found: Found) -> Sequence[Perturbation]:
    return [found] if isinstance(found, Perturbation) else found


def _optimality(evidence: Floats) -> float:
    """Of a row each: its smallest change by the attack, by the best, and the largest there is if it counts."""
    area, best, most = evidence.mean(0)
    return float(1 - (area - best) / (most - best)) if most > best else float("nan")
