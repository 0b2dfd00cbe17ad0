"""How often the model is right, and whether it knows."""

import numpy as np
import pandas as pd

from probe.audit.aspects.common import Assessment, done, read
from probe.audit.bundle import Bundle
from probe.audit.readings import evidence
from probe.statistics import Floats, mean, proportion


def assess(bundle: Bundle, result: Assessment) -> None:
    """What is measured of the answers to all rows, and how sure they are."""
    for step in done(bundle, "performance"):
        read(bundle, step, result)
        for reading in step.readings:
            if reading.reduction == "calibration error" and reading.status == "done" and not reading.apart:
                confidence, correct = evidence(bundle.arrays(step.name), reading).T
                result.tables["reliability"] = _reliability(confidence, correct, reading.settings["bins"])


def _reliability(confidence: Floats, correct: Floats, bins: int) -> pd.DataFrame:
    """Confidence and accuracy of each bin of the calibration error; empty bins are left out."""
    rows, bin_of = [], np.minimum((confidence * bins).astype(int), bins - 1)
    for index in np.unique(bin_of):
        inside = bin_of == index
        rows.append((index / bins, (index + 1) / bins, mean(confidence[inside]), *proportion(correct[inside])))
    return pd.DataFrame(rows, columns=["from", "to", "confidence", "accuracy", "low", "high", "n"])
