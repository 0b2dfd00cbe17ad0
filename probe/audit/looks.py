"""Attacks that end once their share is decided: after which rows, and how that is said. No torch."""

import numpy as np

from probe.anytime import first_decided
from probe.audit.budgets import asked_radius
from probe.audit.expected import Planned
from probe.audit.families import ACCURACY
from probe.audit.manifest import Manifest, PlanRecord, StepRecord
from probe.audit.readings import evidence_of
from probe.formatting import count
from probe.npz import Stored
from probe.numbers import fraction


def decided_after(plan: PlanRecord, step: StepRecord | Planned, metric: str, arrays: Stored) -> int | None:
    """The rows after which the share at the radius of the check of robustness is decided; None if it is not.

    Args:
        plan: how many rows lie between two looks, and the threshold.
        step: the attack.
        metric: the one by which it is judged.
        arrays: its evidence so far, rows in the order in which they were attacked.
    """
    every, seen = plan.attack.until_decided, arrays.get(evidence_of(metric))
    if seen is None or not seen.shape[1]:
        return None
    radius = float(fraction(asked_radius(plan, step)))
    seen = seen[int(np.argmin(np.abs(arrays["eps"] - radius)))].astype(float)
    seen = np.stack([seen, np.ones(len(seen))], 1) if metric == ACCURACY else seen
    ends = np.append(np.arange(every, len(seen), every), len(seen))
    hits, counted = (part.cumsum()[ends - 1] for part in (seen.prod(1), seen[:, 1]))
    at = int(first_decided(hits, counted, float(plan.checks[metric])))
    return None if at < 0 else int(ends[at])


def ended(manifest: Manifest, rows: int) -> str:
    """In words, after how many rows an attack ended and what that means; empty where it was to ask all."""
    every, most = manifest.plan.attack.until_decided, min(manifest.plan.attack.sample, manifest.data.n)
    if not every:
        return ""
    why = "when its share was decided" if rows < most else "as there are no more"
    return (
        f"The attack looked at its share every {count(every)} rows, drawn at random, and ended after {count(rows)} of "
        f"at most {count(most)}, {why}. Its intervals hold at all looks together, and are wider for it."
    )
