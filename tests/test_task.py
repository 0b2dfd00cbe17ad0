"""What outputs mean: one place for probabilities and decisions, the same in torch and in numpy."""

import ast
from pathlib import Path

import numpy as np
import pytest
import torch

import probe
from probe.task import Classification

SOURCE = Path(probe.__file__).parent
LOGITS = torch.randn(50, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
LABELS = torch.arange(50) % 4

# What turns scores into probabilities has no other use; a place of a largest number and entries at places have.
ALWAYS = {"softmax", "log_softmax", "sigmoid", "logsigmoid", "logsumexp", "expit", "cross_entropy", "one_hot"}
OF_OUTPUTS = {"argmax", "gather", "take_along_axis", "take_along_dim", "topk"}
OUTPUTS = ("logit", "output", "probabilit", "answer", "prediction")


def breaches(text: str) -> list[str]:
    """Where a source makes probabilities or decisions of the outputs of a model."""
    found = []
    for node in ast.walk(ast.parse(text)):
        name = getattr(node, "attr", getattr(node, "id", None)) or getattr(node, "name", "")
        if isinstance(node, ast.Attribute | ast.Name | ast.alias) and name in ALWAYS:
            found.append(f"{getattr(node, 'lineno', 0)}: {name}")
        if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in OF_OUTPUTS:
            words = {getattr(n, "attr", getattr(n, "id", "")) for n in ast.walk(node)}
            found += [f"{node.lineno}: {ast.unparse(node)}" for word in words if any(o in word for o in OUTPUTS)][:1]
    return found


def test_only_the_task_makes_probabilities_and_decisions_of_outputs():
    found = {
        str(path.relative_to(SOURCE)): breaches(path.read_text())
        for path in SOURCE.rglob("*.py")
        if path != SOURCE / "task.py"
    }
    assert {path: lines for path, lines in found.items() if lines} == {}
    assert len(breaches((SOURCE / "task.py").read_text())) > 3


@pytest.mark.parametrize(
    "line",
    ["x.softmax(-1)", "from scipy.special import softmax", "logits.argmax(1)", "np.take_along_axis(outputs, y, 1)"],
)
def test_the_lint_of_tasks_names_a_line_that_breaks_it(line):
    assert breaches(line)


def test_the_lint_of_tasks_leaves_other_largest_places_alone():
    assert breaches("rows.argmax(1)\nshown.gather(1, places)\nprobabilities = 1") == []


@pytest.mark.parametrize("threshold", [None, 0.2])
def test_a_classification_gives_the_same_in_torch_and_in_numpy(threshold):
    logits = LOGITS if threshold is None else LOGITS[:, :2]
    labels = LABELS % logits.shape[1]
    task = Classification(threshold=threshold)
    for name in ("wrong", "loss"):
        ours = getattr(task, name)(logits, labels).numpy()
        np.testing.assert_allclose(getattr(task, name)(logits.numpy(), labels.numpy()), ours, rtol=1e-12)
    np.testing.assert_array_equal(task.predict(logits.numpy()), task.predict(logits).numpy())
    np.testing.assert_allclose(task.probabilities(logits.numpy()), task.probabilities(logits).numpy(), rtol=1e-12)
    picked = task.pick(logits, labels)
    np.testing.assert_array_equal(task.pick(logits.numpy(), labels.numpy()), picked.numpy())
    assert torch.equal(picked, logits[torch.arange(len(logits)), labels])


@pytest.mark.parametrize("threshold", [None, 0.2, 0.8])
def test_the_loss_of_a_classification_is_positive_where_one_of_two_classes_is_wrong(threshold):
    task, logits, labels = Classification(threshold=threshold), LOGITS[:, :2], LABELS % 2
    assert torch.equal(task.loss(logits, labels) > 0, task.wrong(logits, labels))
    odds = task.loss(LOGITS, LABELS) if threshold is None else torch.zeros(0)
    expected = torch.log(
        (1 - LOGITS.softmax(1)[torch.arange(50), LABELS]) / LOGITS.softmax(1)[torch.arange(50), LABELS]
    )
    assert threshold is not None or torch.allclose(odds, expected)
