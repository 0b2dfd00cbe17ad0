"""Labels and answers, which the evidence of every other step is checked against."""

import numpy as np

from probe.audit.bundle import Bundle
from probe.audit.consistency.parts import Array, check_rows, check_whole, expect
from probe.audit.consistency.step import TIE, Expected
from probe.audit.readings import evidence_of
from probe.npz import Stored
from probe.task import MultiLabel, Regression, Task


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


def check_measured(arrays: Stored, answers: Expected) -> None:
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
    confident = arrays.get(evidence_of("calibration_error"))
    if confident is not None and answers.sure is not None:
        close = np.abs(confident[:, 0] - answers.sure) <= TIE
        expect(bool(close.all()), "predictions", "the confidence of the answers does not follow from the logits")
