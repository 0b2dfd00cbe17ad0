"""Test metrics of trained models."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import special

from probe import Dataset, Model, predict
from probe.metrics import Accuracy, ExactMatch, MeanAbsoluteError, RootMeanSquaredError, RSquared
from probe.statistics import area_under_roc, calibration_error, wilson
from probe.tensors import among
from probe_models.zoo.measures import measure

ABOUT_ONE_RUN = ("_low", "_high", "_n", "_rows", "_graphs")  # bounds over rows, and how many there were


def evaluate(model: Model, data: Dataset, measures: Sequence[str] = ()) -> dict[str, Any]:
    """Test metrics with 95 % intervals, and those of `measures`."""
    of = {"regression": _of_numbers, "multi-label": _of_labels}.get(model.task.kind, _of_classes)
    metrics = of(model, data)
    for name in measures:
        metrics |= measure(name)(model, data)
    return metrics


def _of_numbers(model: Model, data: Dataset) -> dict[str, Any]:
    """Root mean squared error, mean absolute error and R squared, and the share of answers within the tolerance."""
    prediction, metrics = predict(model, data), dict[str, Any]()
    for metric in (RootMeanSquaredError(), MeanAbsoluteError(), RSquared(), Accuracy()):
        if metric.suits(prediction):
            found = metric(model, prediction)
            low, high = found.interval()
            metrics |= {metric.name(): float(found.value), f"{metric.name()}_interval_95": [float(low), float(high)]}
    return metrics | {"rows": len(data)}


def _of_labels(model: Model, data: Dataset) -> dict[str, Any]:
    """Accuracy over all labels, the share of rows with all of them right, and how good each label is by itself."""
    metrics: dict[str, Any] = {}
    prediction = predict(model, data)
    for metric in (Accuracy(), ExactMatch()):
        found = metric(model, prediction)
        low, high = found.interval()
        metrics |= {metric.name(): float(found.value), f"{metric.name()}_interval_95": [float(low), float(high)]}
    for label in model.task.names:
        alone = _of_classes(model.only(label), data.only(label))
        kept = ("accuracy", "calibration_error", "area_under_roc")
        metrics |= {f"{key} of {label}": alone[key] for key in kept}
        metrics[f"true of {label}"] = float(data.only(label).labels.double().mean())
    return metrics | {"rows": len(data)}


def _of_classes(model: Model, data: Dataset) -> dict[str, Any]:
    """Accuracy with its 95 % interval, calibration error, and the area under ROC of two classes."""
    logits, labels = model.logits(model.check(data.inputs)).double().cpu().numpy(), data.labels.numpy()
    probabilities, correct = model.task.probabilities(logits), ~model.task.wrong(logits, labels)
    low, high = wilson(correct.sum(), len(correct))
    metrics: dict[str, Any] = {
        "accuracy": float(correct.mean()),
        "accuracy_interval_95": [float(low), float(high)],
        "calibration_error": calibration_error(probabilities.max(1), correct.astype(float)),
        "rows": len(correct),
    }
    if probabilities.shape[1] == 2:
        metrics["area_under_roc"] = area_under_roc(probabilities[:, 1], labels == 1)
    return metrics


def seen_in_training(train: Dataset, test: Dataset) -> int:
    """The number of test rows whose inputs equal those of a training row, whatever their labels."""
    return int(among(test.inputs, train.inputs).sum())


def over_seeds(runs: Sequence[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Mean, standard deviation and 95 % interval (Student's t) over seeds of each metric that all runs have."""
    names = [name for name, value in runs[0].items() if isinstance(value, float) and not name.endswith(ABOUT_ONE_RUN)]
    return {name: _spread([run[name] for run in runs]) for name in names if all(name in run for run in runs)}


def _spread(values: Sequence[float]) -> dict[str, float]:
    mean, deviation = float(np.mean(values)), float(np.std(values, ddof=1))
    half = float(special.stdtrit(len(values) - 1, 0.975)) * deviation / len(values) ** 0.5
    return {"mean": mean, "deviation": deviation, "low": mean - half, "high": mean + half, "seeds": len(values)}
