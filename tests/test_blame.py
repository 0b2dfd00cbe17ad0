"""Code of other packages that breaks its contract: one sentence that names it, and nothing else is lost."""

from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch

from probe import Dataset, Metric, Model, Space, study
from probe.attacks import FGSM
from probe.contracts import Explainer
from probe.errors import ContractError, ShapeError
from probe.explainers import Saliency
from probe.finding import Aspect
from probe.goals import Custom, Goal
from probe.metrics import RobustAccuracy, Sparseness
from probe.results import Attribution

SPACE = Space(bounds=(-1, 1), reference=torch.zeros(1, 3))
MODEL = Model(forward=lambda x: torch.stack([x.sum(1), -x.sum(1)], 1), space=SPACE)
INPUTS = torch.linspace(-1, 1, 15).reshape(5, 3)
DATA = Dataset(INPUTS, MODEL.predict(INPUTS), space=SPACE, classes=("a", "b"))


@dataclass(frozen=True, kw_only=True)
class Failing(Explainer):
    """Fails."""

    def attribute(self, model, inputs, targets):
        raise ValueError("boom")


@dataclass(frozen=True, kw_only=True)
class FailingGoal(Goal):
    """Fails."""

    def loss(self, task, logits, labels, targets):
        return {}["missing"]

    def reached(self, task, logits, labels, targets):
        return task.wrong(logits, labels)


@dataclass(frozen=True, kw_only=True)
class Wide(FailingGoal):
    """A loss for each output."""

    def loss(self, task, logits, labels, targets):
        return logits


@dataclass(frozen=True, kw_only=True)
class Floats(Wide):
    """Reached by numbers."""

    def reached(self, task, logits, labels, targets):
        return logits[:, 0]


@dataclass(frozen=True, kw_only=True)
class Two(Metric[Attribution]):
    """The first two rows."""

    aspect: ClassVar[Aspect] = "explanation"

    def measure(self, model: Model, result: Attribution) -> torch.Tensor:
        return result.values[:2, 0]


@dataclass(frozen=True, kw_only=True)
class Single(Two):
    """One number for all rows."""

    def measure(self, model: Model, result: Attribution) -> torch.Tensor:
        return result.values.sum()


@pytest.mark.parametrize(
    ("method", "metrics", "said"),
    [
        (
            Failing(),
            [Sparseness()],
            r"failing failed inside tests.test_blame, which is not a part of probe: ValueError: boom; see",
        ),
        (
            FGSM(goal=FailingGoal()),
            [Sparseness(), RobustAccuracy()],
            r"failing_goal failed inside tests.test_blame, .*KeyError: 'missing'",
        ),
    ],
)
def test_a_study_goes_on_after_a_foreign_method_fails(method, metrics, said):
    found = study.run([method, Saliency()], MODEL, DATA, metrics=metrics)
    assert found["method"].tolist() == [method.name(), "saliency"]
    assert found["note"].str.contains(said).tolist() == [True, False]
    assert found["value"].isna().tolist() == [True, False]


def test_an_error_of_probes_own_is_not_blamed_on_anybody(monkeypatch):
    monkeypatch.setattr(Saliency, "attribute", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        study.run([Saliency()], MODEL, DATA)


@pytest.mark.parametrize(("metric", "shape"), [(Two(), r"\(2,\)"), (Single(), r"\(\)")])
def test_a_metric_gives_evidence_for_each_example(metric, shape):
    explained = Saliency()(MODEL, DATA.inputs)
    with pytest.raises(ShapeError, match=rf"returned {shape} for 5 examples, expected \(examples, \.\.\.\)"):
        metric(MODEL, explained)


@pytest.mark.parametrize(
    ("goal", "said"),
    [
        (Wide(), r"the loss of Wide\(\) is of shape \(\d, 2\) for \d rows, expected one number for each row"),
        (Floats(), r"Floats.reached returned float32 of shape \(5,\) for 5 rows, expected one bool for each row"),
        (Custom(score=lambda logits, labels, targets: logits), r"expected one bool for each row"),
    ],
)
def test_a_goal_answers_once_for_each_row(goal, said):
    with pytest.raises(ContractError, match=said):
        FGSM(goal=goal)(MODEL, DATA.inputs, DATA.labels)
