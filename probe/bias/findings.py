"""What follows from the numbers: a finding per headline gap and one per group too small to be part of it."""

from collections.abc import Sequence

import numpy as np

from probe.bias.counts import Table
from probe.bias.disparities import METRICS, Disparity, Stratum, strata_of
from probe.bias.pairs import COMPARED
from probe.bias.power import POWER, detectable_gap
from probe.bias.rates import RATES
from probe.bias.settings import Settings
from probe.finding import Finding


def conclude(table: Table, disparities: Sequence[Disparity], settings: Settings) -> list[Finding]:
    """The findings of one attribute."""
    return [_headline(disparity, settings) for disparity in disparities] + _too_small(table, settings)


def _headline(disparity: Disparity, settings: Settings) -> Finding:
    metric = METRICS[disparity.metric]
    check = f"{metric.label} by {disparity.attribute}"
    if disparity.status == "not run":
        return Finding(
            lens="bias",
            check=check,
            status="not run",
            threshold=disparity.threshold,
            direction=disparity.direction,
            note=disparity.reason,
        )
    note = (
        f"widest in {disparity.rate}: {disparity.lowest} lowest, {disparity.highest} highest; "
        f"permutation p = {disparity.p_value:.4f}; smallest group compared: {disparity.smallest_group}"
    )
    if disparity.left_out:
        note += f"; too small and reported apart: {disparity.left_out}; with them {disparity.estimate_all_groups:.3f}"
    return Finding(
        lens="bias",
        check=check,
        status=disparity.status,
        estimate=_number(disparity.estimate),
        low=_number(disparity.low),
        high=_number(disparity.high),
        n=disparity.n,
        threshold=disparity.threshold,
        direction=disparity.direction,
        method=_method(disparity, settings),
        seed=settings.seed,
        note=note,
    )


def _method(disparity: Disparity, settings: Settings) -> str:
    ratio = disparity.metric == "demographic_parity_ratio"
    statistic = "lowest over highest rate" if ratio else "largest difference between two groups"
    interval = "Donner-Zou" if ratio else "Newcombe"
    return (
        f"{statistic}, over groups of {settings.smallest} or more; {settings.level:.0%} simultaneous interval from "
        f"{interval} intervals of all pairs with continuity correction (Bonferroni); "
        f"{settings.draws} permutations of group membership"
    )


def _too_small(table: Table, settings: Settings) -> list[Finding]:
    """A finding for each group with too few rows, positives or negatives; none where there is a single group."""
    if len(table.names) < 2:
        return []
    strata = strata_of(table, COMPARED)
    trials = np.stack([stratum.trials for stratum in strata])
    findings = []
    least = RATES["selection_rate"].count(settings.smallest)
    for at in np.flatnonzero((trials < settings.smallest).any(axis=0)):
        name = table.names[at]
        alone = trials[0, at] == 1
        shortages = [
            _shortage(stratum, int(at), settings) for stratum in strata if stratum.trials[at] < settings.smallest
        ]
        findings.append(
            Finding(
                lens="bias",
                check=f"enough rows of {name} in {table.attribute}",
                status="not run" if alone else "inconclusive",
                n=int(trials[0, at]),
                method=f"a rate needs {least} behind it to enter a gap: an engineering threshold",
                note=f"{name} is a single row, whose rates are 0, 1 or undefined" if alone else "; ".join(shortages),
            )
        )
    return findings


def _shortage(stratum: Stratum, at: int, settings: Settings) -> str:
    """What the sample of this group could have shown against the largest other group."""
    (k, n), name = stratum.counts, stratum.names[at]
    if n[at] == 0:
        return f"no {stratum.rate.unit} in {name}: its {stratum.rate.label} is undefined"
    other = int(np.argmax(np.where(np.arange(len(n)) == at, -1, n)))
    alpha = 1 - settings.level
    gap = float(detectable_gap(k[at], n[at], k[other], n[other], alpha=alpha))
    if np.isnan(gap):
        shown = f"no gap in {stratum.rate.label} could have been shown"
    else:
        shown = f"only a gap of at least {gap:.2f} in {stratum.rate.label} could have been shown"
    return (
        f"{stratum.rate.count(int(n[at]))} in {name}: {shown} "
        f"(against the {n[other]} of {stratum.names[other]}, alpha {alpha:.2g}, power {POWER:.2g})"
    )


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
