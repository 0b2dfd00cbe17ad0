"""Accuracy and calibration."""

import numpy as np
import pandas as pd

from probe.audit.aspects.common import Assessment, done, read
from probe.audit.bundle import Bundle
from probe.audit.readings import Part, parts
from probe.statistics import Floats, mean, proportion


def assess(bundle: Bundle, result: Assessment) -> None:
    """The metrics of the answers to all rows, and their confidence."""
    for step in done(bundle, "performance"):
        read(bundle, step, result)
        for reading in step.readings:
            if reading.reduction == "calibration error" and reading.status == "done":
                found = parts(step.kind, bundle.arrays(step.name), reading)
                tables = [_reliability(label, each, reading.settings["bins"]) for label, each in found]
                result.tables["reliability"] = pd.concat(tables, ignore_index=True)


def _reliability(label: Part, seen: Floats, bins: int) -> pd.DataFrame:
    """Confidence and accuracy of each bin of the calibration error; empty bins are left out."""
    confidence, correct = seen.T
    rows, bin_of = [], np.minimum((confidence * bins).astype(int), bins - 1)
    for index in np.unique(bin_of):
        inside = bin_of == index
        rows.append((index / bins, (index + 1) / bins, mean(confidence[inside]), *proportion(correct[inside])))
    table = pd.DataFrame(rows, columns=["from", "to", "confidence", "accuracy", "low", "high", "n"])
    if label is not None:
        table.insert(0, "label", str(label))
    return table
