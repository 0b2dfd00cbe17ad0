"""What outputs mean: one place for probabilities and decisions, the same in torch and in numpy."""

import ast
from pathlib import Path

import numpy as np
import probe_dashboards
import probe_models
import pytest
import torch
from torch import nn

import probe
from probe import Classification, Model, MultiLabel, Places, Prediction, Regression, Space, from_module
from probe.attacks import PGD
from probe.errors import DataError, IntegrityError, ProbeError, RangeError, ShapeError, Unsupported
from probe.explainers import IntegratedGradients, Saliency
from probe.task import from_json

SOURCE = Path(probe.__file__).parent
PACKAGES = [SOURCE, *(Path(package.__file__).parent for package in (probe_models, probe_dashboards))]
LOGITS = torch.randn(50, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
LABELS = torch.arange(50) % 4

# What turns scores into probabilities has no other use; a place of a largest number and entries at places have.
# Networks have it inside, as activations, and trainings as losses.
INSIDE = ("networks", "training")
ALWAYS = {"softmax", "log_softmax", "sigmoid", "logsigmoid", "logsumexp", "expit", "cross_entropy", "one_hot"}
OF_OUTPUTS = {"argmax", "gather", "take_along_axis", "take_along_dim", "topk"}
OUTPUTS = ("logit", "output", "probabilit", "answer", "prediction")


def breaches(text: str, always: set[str] = ALWAYS) -> list[str]:
    """Where a source makes probabilities or decisions of the outputs of a model."""
    if not any(word in text for word in always | OF_OUTPUTS):  # most, and to parse them takes seconds
        return []
    found = []
    for node in ast.walk(ast.parse(text)):
        name = getattr(node, "attr", getattr(node, "id", None)) or getattr(node, "name", "")
        if isinstance(node, ast.Attribute | ast.Name | ast.alias) and name in always:
            found.append(f"{getattr(node, 'lineno', 0)}: {name}")
        if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in OF_OUTPUTS:
            words = {getattr(n, "attr", getattr(n, "id", "")) for n in ast.walk(node)}
            found += [f"{node.lineno}: {ast.unparse(node)}" for word in words if any(o in word for o in OUTPUTS)][:1]
    return found


def test_only_the_task_makes_probabilities_and_decisions_of_outputs():
    found = {
        str(path): breaches(path.read_text(), set() if path.relative_to(package).parts[0] in INSIDE else ALWAYS)
        for package in PACKAGES
        for path in package.rglob("*.py")
        if path.parent != SOURCE / "task"
    }
    assert {path: lines for path, lines in found.items() if lines} == {}
    assert len(breaches((SOURCE / "task" / "arrays.py").read_text())) > 3


@pytest.mark.parametrize(
    "line",
    ["x.softmax(-1)", "from scipy.special import softmax", "logits.argmax(1)", "np.take_along_axis(outputs, y, 1)"],
)
def test_the_lint_of_tasks_names_a_line_that_breaks_it(line):
    assert breaches(line)


def test_the_lint_of_tasks_allows_argmax_of_other_arrays():
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


X = torch.rand(40, 3, generator=torch.Generator().manual_seed(1))
SLOPES = torch.tensor([4.0, -3.0, 1.0])
SPACE = Space(reference=torch.zeros(1, 3))


class Net(nn.Module):
    """z = x . slopes - 1, returned as `of` says."""

    def __init__(self, of, width=1):
        super().__init__()
        self.layer, self.of = nn.Linear(3, width), of
        with torch.no_grad():
            self.layer.weight.copy_(SLOPES if width == 1 else torch.stack([SLOPES * k for k in range(width)]))
            self.layer.bias.fill_(-1.0)

    def forward(self, x):
        return self.of(self.layer(x))


def both(z):
    return torch.cat([-z / 2, z / 2], 1)


WAYS = {
    "logits": (both, "logits"),
    "one logit (n, 1)": (lambda z: z, "one logit"),
    "one logit (n,)": (lambda z: z[:, 0], "one logit"),
    "one sigmoid": (lambda z: z.sigmoid(), "one probability"),
    "one sigmoid (n,)": (lambda z: z.sigmoid()[:, 0], "one probability"),
    "a softmax": (lambda z: both(z).softmax(1), "probabilities"),
}


@pytest.mark.parametrize("way", WAYS)
def test_one_logit_two_logits_and_probabilities_give_the_same_predictions(way):
    of, outputs = WAYS[way]
    model = from_module(Net(of).eval(), SPACE, task=Classification(("no", "yes"), threshold=0.7, outputs=outputs))
    z = X @ SLOPES - 1
    assert model.classes == ("no", "yes")
    assert torch.equal(model.predict(X), (z.sigmoid() >= 0.7).long())
    torch.testing.assert_close(model.task.probabilities(model.logits(X))[:, 1], z.sigmoid())
    labels = model.predict(X)
    away = (1 - 2 * labels[:, None]) * SLOPES.sign()
    worst = (X + 0.3 * away).clamp(0, 1) @ SLOPES - 1
    assert torch.equal(PGD(eps=0.3)(model, X, labels).success, (worst.sigmoid() >= 0.7).long() != labels)
    found = IntegratedGradients(output="probability")(model, X[:2])
    torch.testing.assert_close(
        found.values.sum(1),
        (model.task.explained(model.logits(X[:2]), "probability") - model.task.probabilities(model.logits(X[:1] * 0)))[
            torch.arange(2), found.targets
        ],
        atol=1e-3,
        rtol=1e-3,
    )


@pytest.mark.parametrize(("outputs", "of", "message"), [
    ("probabilities", both, "forward returned numbers from .* and the task says that they are probabilities"),
    ("probabilities", lambda z: both(z).softmax(1) / 2, "rows that do not add up to 1"),
    ("one probability", lambda z: z, "the task says that they are probabilities; for logits leave its outputs= out"),
    ("one logit", lambda z: z.sigmoid(), "looks like a sigmoid.*outputs='one probability'"),
    ("one logit", both, r"expected \(40,\) or \(40, 1\): one logit for each row; leave outputs='one logit' out"),
])  # fmt: skip
def test_outputs_that_do_not_fit_the_task_are_refused(outputs, of, message):
    with pytest.raises(ProbeError, match=message):
        Model(forward=Net(of).eval(), task=Classification(outputs=outputs)).predict(X)


def test_one_class_alone_is_not_said_to_be_expected_where_one_number_was_found():
    with pytest.raises(ShapeError, match=r"forward returned \(40, 1\), expected \(40, classes\)"):
        Model(forward=lambda x: x[:, :1], task=Classification(classes=("only",))).predict(X)


@pytest.mark.parametrize(("wrap", "part"), [
    (lambda z: {"logits": both(z), "loss": z.sum()}, "logits"),
    (lambda z: (z, both(z)), 1),
    (lambda z: type("Output", (), {"logits": both(z)})(), "logits"),
])  # fmt: skip
def test_a_part_of_what_a_network_returns_is_named(wrap, part):
    model = from_module(Net(wrap).eval(), SPACE, ("no", "yes"), part=part)
    assert torch.equal(model.predict(X), (X @ SLOPES - 1 >= 0).long())
    assert Saliency()(model, X).values.shape == X.shape
    with pytest.raises(ShapeError, match="part='other' is not one of them"):
        from_module(Net(wrap).eval(), SPACE, ("no", "yes"), part="other").predict(X)


TASKS = {
    "classification": (Classification(("a", "b", "c", "d")), LOGITS, LABELS),
    "multi-label": (MultiLabel(("a", "b", "c", "d"), threshold=(0.5, 0.2, 0.9, 0.5)), LOGITS, (LOGITS > 0.3).long()),
    "places": (Places(("a", "b")), LOGITS.view(50, 2, 2), LABELS[:, None].expand(-1, 2) % 2),
    "regression": (Regression(("a", "b", "c", "d"), tolerance=0.5), LOGITS, LOGITS + LOGITS.flip(0)),
}


@pytest.mark.parametrize("kind", TASKS)
def test_every_task_gives_the_same_in_torch_and_in_numpy_and_comes_back_from_json(kind):
    task, logits, labels = TASKS[kind]
    for name in ("wrong", "loss", "correct"):
        ours = getattr(task, name)(logits, labels).numpy()
        np.testing.assert_allclose(getattr(task, name)(logits.numpy(), labels.numpy()), ours, rtol=1e-12)
    assert set(task.wrong(logits, labels).tolist()) == {True, False}
    # Of more than two classes an answer may be right though an error is more likely than not.
    above = task.loss(logits, labels) > 0
    assert torch.equal(above, task.wrong(logits, labels)) or kind == "classification"
    assert bool(above[task.wrong(logits, labels)].all())
    np.testing.assert_array_equal(task.predict(logits.numpy()), task.predict(logits).numpy())
    if kind != "places":
        np.testing.assert_array_equal(task.target(logits.numpy()), task.target(logits).numpy())
    targets = LABELS
    np.testing.assert_array_equal(task.pick(logits.numpy(), targets.numpy()), task.pick(logits, targets).numpy())
    assert from_json(task.to_json()) == task
    assert len(Prediction(logits, labels, task).to_frame()) == 50
    for broken in ({"kind": "other"}, {**task.to_json(), "kind": 3}, {**task.to_json(), "x": 1}, {}):
        with pytest.raises(IntegrityError, match="is no task of a model"):
            from_json(broken)


def test_each_label_has_its_own_threshold():
    task = MultiLabel(("a", "b"), threshold=(0.5, 0.9))
    logits = torch.tensor([[0.0, 2.19], [-0.1, 2.2]])  # the log-odds of .9 are 2.197
    assert task.predict(logits).tolist() == [[1, 0], [0, 1]]
    assert task.words(task.predict(logits).numpy()).tolist() == ["a", "b"]
    assert task.wrong(logits, torch.tensor([[1, 0], [0, 0]])).tolist() == [False, True]


def test_a_regression_is_wrong_only_beyond_its_tolerance():
    task, labels = Regression(tolerance=2), torch.tensor([1.0, 1.0, 1.0])
    logits = torch.tensor([[3.0], [-1.1], [1.0]], requires_grad=True)
    assert task.wrong(logits, labels).tolist() == [False, True, False]
    task.loss(logits, labels).sum().backward()
    assert logits.grad[:, 0].tolist() == [1.0, -1.0, 1.0], "also where the answer is exactly right"
    with pytest.raises(Unsupported, match=r"without a tolerance has no wrong answers; name one, as in task=Regression"):
        Regression().wrong(logits, labels)
    with pytest.raises(Unsupported, match="a regression has no probabilities"):
        Regression().probabilities(logits)


@pytest.mark.parametrize(("make", "error", "message"), [
    (lambda: Classification("no"), DataError, "classes are one text, 'no'"),
    (lambda: MultiLabel("no"), DataError, "labels are one text"),
    (lambda: Regression("price"), DataError, "outputs are one text"),
    (lambda: Classification(outputs="logit"), DataError, "expected one of 'logits', 'one logit'"),
    (lambda: Classification(("a", "b", "c"), outputs="one logit"), DataError, "distinguishes two classes, and 3"),
    (lambda: MultiLabel(("a", "b"), threshold=(0.5,)), DataError, "threshold has 1 numbers"),
    (lambda: MultiLabel(("a", "b"), threshold=1.0), RangeError, "threshold = 1.0"),
    (lambda: Regression(tolerance=-1), RangeError, "tolerance = -1"),
    (lambda: Model(forward=Net(both).eval(), task=Regression(), threshold=0.3), DataError, "leave threshold out"),
])  # fmt: skip
def test_settings_of_tasks_are_checked(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_model_takes_classes_and_threshold_directly():
    from dataclasses import fields, replace
    from inspect import signature

    model = Model(forward=Net(both).eval(), classes=("no", "yes"), threshold=0.3)
    assert model.task == Classification(("no", "yes"), 0.3)
    assert replace(model, threshold=None).task == Classification(("no", "yes"))
    assert replace(model, task=Classification(("a", "b"))).classes == ("a", "b")
    assert {f.name for f in fields(Model) if f.init} <= set(signature(Model).parameters)


def test_positions_need_an_explicit_target():
    net = nn.Linear(2, 3).eval()
    model = Model(forward=lambda x: net(x.view(-1, 4, 2)), space=Space(), task=Places(("a", "b", "c")))
    x = torch.rand(5, 8)
    assert model.predict(x).shape == (5, 4)
    with pytest.raises(
        Unsupported, match="there is an answer at each of 4 places, and the one to explain is not named"
    ):
        Saliency()(model, x)
    found = Saliency()(model, x, torch.full((5,), 2 * 3 + 1))
    assert (found.values[:, [0, 1, 2, 3, 6, 7]] == 0).all()
    assert (found.values[:, 4:6] != 0).all()
    assert model.task.name(2 * 3 + 1) == "b at place 2"


@pytest.mark.parametrize("made", [
    lambda names: Classification(classes=names),
    lambda names: MultiLabel(labels=names),
    lambda names: Regression(names),
    lambda names: Model(forward=lambda x: x, space=Space(), classes=names),
])  # fmt: skip
def test_a_duplicate_name_is_refused(made):
    with pytest.raises(DataError, match=r"name 'a' twice.*give each its own"):
        made(("a", "b", "a"))
    made(("a", "b"))
