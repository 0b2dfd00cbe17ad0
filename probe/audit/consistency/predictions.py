"""Labels and answers: what the evidence of every other step is held against."""

import numpy as np

from probe.audit.bundle import Bundle
from probe.audit.consistency.parts import Array, check_rows, check_whole, expect
from probe.audit.consistency.step import TIE, Expected
from probe.audit.readings import evidence_of
from probe.npz import Arrays
from probe.task import MultiLabel, Regression, Task


def check_predictions(bundle: Bundle, arrays: Arrays) -> None:
    """There are as many labels, answers and groups as the manifest says, and they are what its task has."""
    data, classes = bundle.manifest.data, bundle.manifest.model.classes
    n = len(arrays["labels"])
    expect(data.n == n, "predictions", f"audit.json speaks of {data.n!r} rows, and there are {n} labels")
    expect(arrays["rows"].shape == (n,), "predictions", "rows and labels differ in length")
    logits = arrays["logits"]
    expect(logits.ndim == 2 and len(logits) == n and logits.dtype.kind == "f", "predictions", "logits are no table")
    expect(bool(np.isfinite(logits).all()), "predictions", "logits hold NaN or infinity")
    expect(not classes or logits.shape[1] == len(classes), "predictions", f"{len(classes)} classes are named")
    check_rows("predictions", arrays["rows"], None)
    _check_labels(bundle.manifest.task, arrays["labels"], logits)
    training = bundle.manifest.model.training
    expect(training is None or 0 <= training.shared <= n, "predictions", "more rows were learned from than there are")
    if data.groups:
        groups = bundle.groups()
        expect(groups.shape == (n, len(data.groups)), "groups", f"the table is {groups.shape}, of {n} rows")
    expect(bool(data.groups) == bundle.has("tables/groups.csv"), "groups", "audit.json and tables/ disagree")


def _check_labels(task: Task, labels: Array, logits: Array) -> None:
    if isinstance(task, MultiLabel):
        expect(labels.shape == logits.shape, "predictions", "labels and answers are not of the same shape")
        check_whole("predictions", labels, 2)
        return
    if isinstance(task, Regression):
        shape = (len(logits),) if len(task.outputs) == 1 else logits.shape
        expect(labels.shape == shape and labels.dtype.kind == "f", "predictions", "labels are no numbers")
        expect(bool(np.isfinite(labels).all()), "predictions", "labels hold NaN or infinity")
        return
    expect(labels.shape == (len(logits),), "predictions", "rows and labels differ in length")
    check_whole("predictions", labels, logits.shape[1])


def check_measured(arrays: Arrays, answers: Expected) -> None:
    """What the usual metrics saw of the answers is what the logits say."""
    if names := answers.task.several(arrays["logits"]):
        found = [str(name) for name in arrays.get("items", np.zeros(0))]
        expect(found == list(names), "predictions", "the names of its answers are not the task's")
    right = arrays.get(evidence_of("accuracy"))
    if right is not None and names:
        agree = (right == (answers.predicted == answers.labels)).all(1) | answers.tied
        expect(bool(agree.all()), "predictions", "what was right is not what the logits say")
    elif right is not None:
        agree = (right == ~answers.task.differs(answers.predicted, answers.labels)) | answers.tied
        expect(bool(agree.all()), "predictions", "what was right is not what the logits say")
    confident = arrays.get(evidence_of("calibration_error"))
    if confident is not None and answers.sure is not None:
        close = np.abs(confident[:, 0] - answers.sure) <= TIE
        expect(bool(close.all()), "predictions", "how sure the answers were is not what the logits say")
