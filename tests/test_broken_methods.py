"""A method that returns what its contract forbids is stopped, by however little it is wrong."""

from dataclasses import dataclass, replace

import pytest
import torch
from torch import nn

from probe import Attack, Certificate, Dataset, Explainer, Model, Space, Survey
from probe.attacks import FGSM
from probe.errors import ContractError, ShapeError, Unsupported
from probe.method import param
from probe.threats import Ball


@pytest.fixture
def model() -> Model:
    torch.manual_seed(0)
    return Model(forward=nn.Linear(5, 3).eval(), space=Space(bounds=(-10.0, 10.0)))


@pytest.fixture
def inputs() -> torch.Tensor:
    return torch.randn(4, 5, generator=torch.Generator().manual_seed(1))


def explainer(produce):
    class Odd(Explainer):
        def attribute(self, model, inputs, targets):
            return produce(inputs)

    return Odd()


@pytest.mark.parametrize("number", [torch.nan, torch.inf, -torch.inf])
def test_an_explainer_that_returns_a_single_nan_is_refused(model, inputs, number):
    def produce(x):
        return x.clone().index_fill_(0, torch.tensor([2]), number)

    with pytest.raises(ContractError, match=r"Odd\(output='logit'\) returned NaN or infinity"):
        explainer(produce)(model, inputs)
    assert explainer(torch.clone)(model, inputs).values.equal(inputs)


@pytest.mark.parametrize(
    ("produce", "shape"),
    [
        (lambda x: x[:, :4], r"\(4, 4\)"),
        (lambda x: x.sum(1), r"\(4,\)"),
        (lambda x: x[:-1], r"\(3, 5\)"),
        (lambda x: x[:, None], r"\(4, 1, 5\)"),
    ],
)
def test_an_explainer_that_returns_another_shape_is_stopped(model, inputs, produce, shape):
    with pytest.raises(ShapeError, match=rf"returned {shape} for inputs \(4, 5\)"):
        explainer(produce)(model, inputs)


@dataclass(frozen=True, kw_only=True)
class Along(Attack):
    """Moves each input along one direction, by a share of its budget."""

    eps: float = param(0.5, "radius")
    share: float = param(1.0, "of the radius that it goes")
    norm: float = param(2.0, "of the ball", low=1)

    @property
    def threat(self):
        return Ball(self.norm)

    def perturb(self, model, inputs, aim):
        direction = torch.ones_like(inputs)
        length = torch.linalg.vector_norm(direction, ord=self.norm, dim=1, keepdim=True)
        return inputs + self.share * self.eps * direction / length


@pytest.mark.parametrize("norm", [1.0, 2.0])
def test_an_attack_that_leaves_its_ball_by_one_part_in_a_hundred_is_stopped(model, inputs, norm):
    labels = model.predict(inputs)
    assert len(Along(norm=norm)(model, inputs, labels)) == 4
    with pytest.raises(ContractError, match=r"left its ball: moved by 0\.505, radius 0\.5"):
        Along(norm=norm, share=1.01)(model, inputs, labels)


def test_an_attack_that_leaves_the_largest_change_by_one_part_in_a_hundred_is_stopped(model, inputs):
    class Far(FGSM):
        def perturb(self, model, inputs, aim):
            return super().perturb(model, inputs, replace(aim, budget=aim.budget * 1.01))

    labels = model.predict(inputs)
    assert len(FGSM(eps=0.5)(model, inputs, labels)) == 4
    with pytest.raises(ContractError, match=r"left its ball: moved by 0\.505, radius 0\.5"):
        Far(eps=0.5)(model, inputs, labels)


def test_an_attack_that_moves_one_fixed_coordinate_is_stopped(model, inputs):
    mutable = torch.tensor([True, True, True, True, False])
    fixed = replace(model, space=replace(model.space, mutable=mutable))
    with pytest.raises(ContractError, match="changed coordinates that the space keeps fixed"):
        Along()(fixed, inputs, fixed.predict(inputs))


def survey(produce, needs=frozenset()):
    class Odd(Survey):
        def examine(self, model, inputs, labels):
            return produce(inputs)

    Odd.needs = needs
    return Odd()


def certificate(produce, needs=frozenset()):
    class Odd(Certificate):
        def certify(self, model, inputs):
            return produce(model.predict(inputs))

    Odd.needs = needs
    return Odd()


@pytest.mark.parametrize(
    ("produce", "error"),
    [
        (lambda x: x[:, :4], r"\(4, 4\) for 4 examples and 5 items"),
        (lambda x: x[:-1], r"\(3, 5\) for 4 examples and 5 items"),
        (lambda x: x.index_fill(1, torch.tensor([3]), torch.nan), "returned NaN or infinity"),
        (lambda x: x.index_fill(1, torch.tensor([3]), -torch.inf), "returned NaN or infinity"),
    ],
)
def test_a_survey_that_returns_invalid_evidence_is_refused(model, inputs, produce, error):
    data = Dataset(inputs, torch.zeros(4, dtype=torch.long), space=model.space)
    with pytest.raises((ShapeError, ContractError), match=error):
        survey(produce)(model, data)
    assert survey(torch.clone)(model, data).evidence.shape == (4, 5)


@pytest.mark.parametrize(
    "produce",
    [
        lambda answers: (answers[:-1], torch.ones(len(answers))),
        lambda answers: (answers, torch.ones(len(answers), 1)),
        lambda answers: (answers, torch.full((len(answers),), torch.nan)),
        lambda answers: (answers, torch.full((len(answers),), -1.0)),
        lambda answers: (answers + 3, torch.ones(len(answers))),
    ],
)
def test_a_certificate_that_returns_invalid_radii_or_answers_is_refused(model, inputs, produce):
    labels = torch.zeros(4, dtype=torch.long)
    with pytest.raises((ShapeError, ContractError)):
        certificate(produce)(model, inputs, labels)
    assert (
        certificate(lambda answers: (answers, torch.ones(len(answers))))(model, inputs, labels).radius.tolist()
        == [1.0] * 4
    )


def test_surveys_and_certificates_refuse_a_model_that_lacks_what_they_need(model, inputs):
    bare, labels = Model(forward=lambda x: x[:, :3], name="bare"), torch.zeros(4, dtype=torch.long)
    layers = frozenset({"layers"})
    with pytest.raises(Unsupported, match="odd reads a network's layers, and bare is a function"):
        survey(torch.clone, layers)(bare, Dataset(inputs, labels, space=model.space))
    with pytest.raises(Unsupported, match="odd reads a network's layers, and bare is a function"):
        certificate(lambda answers: (answers, torch.ones(4)), layers)(bare, inputs, labels)


@pytest.mark.parametrize(
    ("produce", "error", "message"),
    [
        (lambda x: x.double(), ContractError, r"returned torch\.float64 for inputs in torch\.float32"),
        (lambda x: x[:, :4], ShapeError, r"returned \(4, 4\) for inputs \(4, 5\)"),
        (lambda x: x[:1], ShapeError, r"returned \(1, 5\) for inputs \(4, 5\)"),
        (lambda x: None, ShapeError, r"returned None for inputs \(4, 5\)"),
    ],
)
def test_an_attack_that_returns_another_shape_or_type_is_stopped(model, inputs, produce, error, message):
    class Odd(FGSM):
        def perturb(self, model, inputs, aim):
            return produce(inputs)

    with pytest.raises(error, match=message):
        Odd(eps=0.5)(model, inputs, model.predict(inputs))
