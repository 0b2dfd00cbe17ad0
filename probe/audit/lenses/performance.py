"""How often the model is right, and whether it knows."""

import numpy as np
import pandas as pd

from probe.audit.bundle import Bundle
from probe.audit.lenses.common import Answers, Assessment
from probe.finding import Threshold, check
from probe.reductions import REDUCTIONS
from probe.statistics import (
    Estimate,
    Floats,
    area_under_roc,
    area_under_roc_interval,
    mean,
    proportion,
)


def assess(bundle: Bundle, answers: Answers, result: Assessment) -> None:
    """Accuracy and calibration on all rows."""
    checks, seed = bundle.manifest["plan"]["checks"], bundle.manifest["plan"]["seed"]
    correct = answers.correct
    likeliest = answers.task.likeliest(answers.probabilities) == answers.labels
    evidence = np.stack([answers.probabilities.max(1), likeliest.astype(float)], axis=1)
    decided = answers.task.in_words()
    accuracy = REDUCTIONS["accuracy"].estimate(correct.astype(float), seed)
    calibration = REDUCTIONS["calibration_error"].estimate(evidence, seed)
    rows = [("accuracy", *accuracy), ("calibration error", *calibration)]
    result.findings += [
        check(
            "performance",
            "accuracy",
            accuracy,
            Threshold(checks["accuracy"], "at least"),
            method="share of correct answers, Wilson interval",
            note=f"decided: {decided}" if decided else "",
        ),
        check(
            "performance",
            "calibration error",
            calibration,
            Threshold(checks["calibration_error"], "at most"),
            unit="points",
            method="gap between confidence and accuracy over 15 bins, interval by the noise of its bins",
            seed=seed,
            note="binning makes the estimate larger than the true error, the more so the fewer the rows; "
            "the interval allows for it",
        ),
    ]
    if answers.probabilities.shape[1] == 2:
        scores, positive = answers.probabilities[:, 1], answers.labels == 1
        interval = area_under_roc_interval(scores, positive, seed=seed)
        area = Estimate(area_under_roc(scores, positive), *interval, len(scores))
        rows.append(("area under ROC", *area))
    result.tables["performance"] = pd.DataFrame(rows, columns=["metric", "value", "low", "high", "n"])
    result.tables["reliability"] = _reliability(*evidence.T)


def _reliability(confidence: Floats, correct: Floats, bins: int = 15) -> pd.DataFrame:
    """Confidence and accuracy of each bin of the calibration error; empty bins are left out."""
    rows, bin_of = [], np.minimum((confidence * bins).astype(int), bins - 1)
    for index in np.unique(bin_of):
        inside = bin_of == index
        rows.append((index / bins, (index + 1) / bins, mean(confidence[inside]), *proportion(correct[inside])))
    return pd.DataFrame(rows, columns=["from", "to", "confidence", "accuracy", "low", "high", "n"])
