"""Evidence about explanations that follows from their values alone."""

from collections.abc import Callable, Mapping

import numpy as np

from probe.audit.consistency.explanations import features_of
from probe.audit.consistency.parts import Array, expect
from probe.audit.consistency.step import Step
from probe.audit.readings import evidence_of


def check_shown(step: Step) -> None:
    """Check the evidence of metrics that read nothing but the values of an explanation."""
    for reading in step.record.readings:
        ask = OF_VALUES.get(str(reading.settings["method"]))
        if ask is None or reading.status != "done":
            continue
        owner = features_of(step).reshape(-1, int(np.prod(step.bundle.manifest.data.shape)))
        counts = np.broadcast_to(owner.max(1) + 1, (len(step.arrays["rows"]),))  # rows may have features of their own
        found = [ask(row[:count]) for row, count in zip(step.arrays["by_feature"], counts.tolist(), strict=True)]
        fits = np.allclose(step.arrays[evidence_of(reading.metric)], found, rtol=1e-4, atol=1e-5)
        expect(bool(fits), step.name, f"the evidence of {reading.metric} does not follow from the values")


def gini(values: Array) -> float:
    """The Gini index of absolute values, as `probe.metrics.Sparseness` has it."""
    sizes = np.sort(np.abs(values.astype(np.float64)))
    ranks = np.arange(len(sizes), 0, -1) - 0.5
    total = sizes.sum()
    return float(1 - 2 * (sizes * ranks).sum() / (total * len(sizes))) if total > 0 else 0.0


OF_VALUES: Mapping[str, Callable[[Array], float]] = {"sparseness": gini}
