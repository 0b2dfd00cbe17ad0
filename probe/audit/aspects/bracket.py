"""What is known of robust accuracy: at least what is certified, at most what the attacks left."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from probe.audit.bundle import Bundle, Stored
from probe.audit.families import Family
from probe.audit.manifest import StepRecord
from probe.finding import Finding

COLUMNS = ["norm", "eps", "certified", "certified_low", "certified_high", "withstood", "low", "high", "n"]


def bracket(
    bundle: Bundle, attacks: Mapping[str, Stored], robust: NDArray[Any], family: Family
) -> tuple[list[tuple[Any, ...]], Finding] | None:
    """The rows of the table of brackets, one for each radius, and whether an example is both certified and broken.

    Only certificates of the model itself count, against changes that are measured as the attacks' are, on rows that
    were attacked too. None where there are none.

    Args:
        bundle: the audit.
        attacks: the evidence of each attack, by step.
        robust: of all attacks together, (radii, examples).
        family: what the attacks have in common.
    """
    steps = [step for step in bundle.manifest.steps if _certifies(step) and step.threat == family.threat]
    attacked: NDArray[Any] = next(iter(attacks.values()))["rows"]
    eps: NDArray[Any] = next(iter(attacks.values()))["eps"]
    labels = bundle.arrays("predictions")["labels"]
    radius = _radii(bundle, steps, labels, attacked)
    both = radius >= 0
    if not steps or not both.any():
        return None
    certified = radius[both] > eps[:, None]
    withstood = robust[:, both]
    broken = np.logical_or.reduce([~arrays["measured-robust_accuracy"].astype(bool) for arrays in attacks.values()])
    rows = [
        (family.key[0], at, *family.share(sure)[:3], *family.share(left))
        for at, sure, left in zip(eps, certified, withstood, strict=True)
    ]
    return rows, _agree(certified & broken[:, both], attacked[both], steps)


def _certifies(step: StepRecord) -> bool:
    return step.kind == "certificate" and step.done and not step.certifies


def _radii(bundle: Bundle, steps: Sequence[StepRecord], labels: NDArray[Any], attacked: NDArray[Any]) -> NDArray[Any]:
    """The largest certified radius of the right answer of each attacked row; -1 where no certificate was asked."""
    largest = np.full(len(labels), -1.0)
    for step in steps:
        arrays = bundle.arrays(step.name)
        right = arrays["predicted"] == labels[arrays["rows"]]
        largest[arrays["rows"]] = np.maximum(largest[arrays["rows"]], np.where(right, arrays["radius"], 0.0))
    found: NDArray[Any] = largest[attacked]
    return found


def _agree(contradicted: NDArray[Any], rows: NDArray[Any], steps: Sequence[StepRecord]) -> Finding:
    """Whether no row is certified at a radius at which an attack changed its answer."""
    bad = rows[contradicted.any(0)]
    listed = ", ".join(str(row) for row in bad[:5]) + (", ..." if len(bad) > 5 else "")
    return Finding(
        aspect="robustness",
        check="no row is both certified and broken",
        status="error" if len(bad) else "pass",
        about="attack",
        estimate=len(bad) / len(rows),
        n=len(rows),
        threshold=0.0,
        direction="at most",
        method=f"attacked rows that {' and '.join(step.title or step.id for step in steps)} certified",
        note=f"rows {listed}: the certificate or the attack is wrong" if len(bad) else "",
    )
