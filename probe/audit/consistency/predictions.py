"""Labels and answers, which the evidence of every other step is checked against."""

import numpy as np

from probe.audit.bundle import Bundle
from probe.audit.consistency.parts import Array, check_rows, check_whole, expect
from probe.audit.consistency.step import TIE, Expected
from probe.audit.readings import evidence_of
from probe.npz import Stored
from probe.task import MultiLabel, Regression, Task
from probe.task.arrays import wide


def check_predictions(bundle: Bundle, arrays: Stored) -> None:
    """Check that the numbers of labels, answers and groups are the manifest's, and that they fit its task."""
    data, classes = bundle.manifest.data, bundle.manifest.model.classes
    n = len(arrays["labels"])
    expect(data.n == n, "predictions", f"audit.json says {data.n!r} rows, and there are {n} labels")
    expect(arrays["rows"].shape == (n,), "predictions", "rows and labels differ in length")
    logits = arrays["logits"]
    expect(logits.ndim == 2 and len(logits) == n and logits.dtype.kind == "f", "predictions", "logits are not a table")
    expect(bool(np.isfinite(logits).all()), "predictions", "logits hold NaN or infinity")
    expect(
        not classes or logits.shape[1] == len(classes),
        "predictions",
        f"{len(classes)} classes are named for {logits.shape[1]} outputs",
    )
    check_rows("predictions", arrays["rows"], None)
    _check_labels(bundle.manifest.task, arrays["labels"], logits)
    training = bundle.manifest.model.training
    expect(
        training is None or 0 <= training.shared <= n,
        "predictions",
        "more of the rows are training rows than there are rows",
    )
    if data.groups:
        groups = bundle.groups()
        expect(
            groups.shape == (n, len(data.groups)),
            "groups",
            f"the table has shape {groups.shape}, expected {(n, len(data.groups))}",
        )
    expect(bool(data.groups) == bundle.has("tables/groups.csv"), "groups", "audit.json and tables/groups.csv disagree")


def _check_labels(task: Task, labels: Array, logits: Array) -> None:
    if isinstance(task, MultiLabel):
        expect(labels.shape == logits.shape, "predictions", "labels and answers differ in shape")
        check_whole("predictions", labels, 2)
        return
    if isinstance(task, Regression):
        shape = (len(logits),) if len(task.outputs) == 1 else logits.shape
        expect(labels.shape == shape and labels.dtype.kind == "f", "predictions", "labels are not numbers")
        expect(bool(np.isfinite(labels).all()), "predictions", "labels hold NaN or infinity")
        return
    expect(labels.shape == (len(logits),), "predictions", "rows and labels differ in length")
    check_whole("predictions", labels, logits.shape[1])


def check_measured(bundle: Bundle, arrays: Stored, answers: Expected) -> None:
    """Check that the evidence of the built-in metrics follows from the logits."""
    if names := answers.task.several(arrays["logits"]):
        found = [str(name) for name in arrays.get("items", np.zeros(0))]
        expect(found == list(names), "predictions", "the names of its answers are not the task's")
    right = arrays.get(evidence_of("accuracy"))
    if right is not None and names:
        agree = (right == (answers.predicted == answers.labels)).all(1) | answers.tied
        expect(bool(agree.all()), "predictions", "the right answers do not follow from the logits")
    elif right is not None:
        agree = (right == ~answers.task.differs(answers.predicted, answers.labels)) | answers.tied
        expect(bool(agree.all()), "predictions", "the right answers do not follow from the logits")
    if right is not None:
        expect(bool(np.isin(right, (0, 1)).all()), "predictions", "an answer is neither right nor wrong")
    whole = arrays.get(evidence_of("exact_match"))
    if whole is not None:
        agree = (whole == (answers.predicted == answers.labels).all(1)) | answers.tied.reshape(len(whole), -1).any(1)
        expect(
            bool(agree.all() and np.isin(whole, (0, 1)).all()),
            "predictions",
            "the rows that are right in all their answers do not follow from the logits",
        )
    if not names:
        _check_sure(arrays, arrays["logits"], answers)
    for at in range(len(names)):
        of_one = {
            evidence_of(each.metric): arrays[evidence_of(each.metric)][:, at]
            for each in bundle.manifest.steps[0].readings
            if each.apart and each.status == "done"
        }
        _check_sure(of_one, answers.task.alone(arrays["logits"], at), Expected.of(bundle, at))
    if isinstance(answers.task, Regression):
        _check_numbers(arrays, answers)


def _check_sure(arrays: Stored, logits: Array, answers: Expected) -> None:
    """Check the confidence and the ranks of the answers to one question."""
    confident = arrays.get(evidence_of("calibration_error"))
    if confident is not None and answers.sure is not None:
        close = np.abs(confident[:, 0] - answers.sure) <= TIE
        expect(bool(close.all()), "predictions", "the confidence of the answers does not follow from the logits")
        likeliest = answers.task.likeliest(answers.task.probabilities(wide(logits)))
        agree = (confident[:, 1] == (likeliest == answers.labels)) | answers.tied
        expect(
            bool(agree.all() and np.isin(confident[:, 1], (0, 1)).all()),
            "predictions",
            "whether the likeliest class is the label does not follow from the logits",
        )
    ranked = arrays.get(evidence_of("area_under_roc"))
    if ranked is not None and answers.task.one_class:
        lead = np.diff(logits.astype(np.float64), axis=1)
        follows = lead.shape[1] == 1 and _close(ranked, np.hstack([lead, (answers.labels == 1)[:, None]]))
        expect(follows, "predictions", "the ranks of the area under ROC do not follow from the logits")


def _check_numbers(arrays: Stored, answers: Expected) -> None:
    """Check that the evidence of the built-in metrics of numbers follows from labels and answers."""
    told = wide(arrays["logits"]).astype(np.float64)
    labels = answers.labels.reshape(told.shape).astype(np.float64)
    error, pairs = np.abs(told - labels), np.stack([labels, told], 1)
    size = float(np.abs(pairs).max(initial=0.0))
    for metric, expected, slack in (
        ("mean_absolute_error", error.mean(1), size),
        ("root_mean_squared_error", (error**2).mean(1), size**2),
        ("r_squared", pairs[..., 0] if told.shape[1] == 1 else pairs, size),
    ):
        seen = arrays.get(evidence_of(metric))
        follows = seen is None or _close(seen, expected, slack)
        expect(follows, "predictions", f"{metric} does not follow from labels and answers")


def _close(seen: Array, expected: Array, size: float = 1.0) -> bool:
    """Whether numbers are the same up to rounding in single precision; `size` is that of what they are made of."""
    return seen.shape == expected.shape and bool(np.allclose(seen, expected, rtol=1e-4, atol=1e-6 * size))
