"""What a method is held to by its contract that finds candidates, certifies, examines or trains."""

from dataclasses import dataclass, replace

import pytest
import torch

from probe import Counterfactual, Dataset, Model, Space
from probe.contracts import Certificate, Survey, trained
from probe.errors import ContractError, ShapeError, Unsupported

INPUTS = torch.tensor([[0.2, 0.4], [0.9, 0.5]])
MODEL = Model(forward=lambda x: 4 * torch.stack([x[:, 0], 1 - x[:, 0]], 1), space=Space(bounds=(0.0, 1.0)))


def found(candidates, model=MODEL):
    @dataclass(frozen=True, kw_only=True)
    class Fixed(Counterfactual):
        """These candidates."""

        def search(self, model, inputs, aim):
            return candidates

    return Fixed()(model, INPUTS)


def test_candidates_are_judged_one_by_one():
    other = torch.tensor([[[0.3, 0.4], [0.7, 0.4], [0.8, 0.4]], [[0.4, 0.5], [0.6, 0.5], [0.3, 0.5]]])
    result = found(other)
    assert torch.equal(result.candidates, other)
    assert result.decided.tolist() == [1, 0]
    assert result.answers.tolist() == [[1, 0, 0], [1, 0, 1]]
    assert result.reached.tolist() == [[False, True, True], [True, False, True]]
    assert result.cost.forward == 2 + 6
    assert found(other[:, :1]).reached.tolist() == [[False], [True]]


@pytest.mark.parametrize("shape", [(2,), (2, 2), (2, 0, 2), (2, 3), (1, 1, 2), (2, 1, 3), (2, 1, 2, 1)], ids=str)
def test_candidates_of_another_shape_are_refused(shape):
    with pytest.raises(ShapeError, match=r"returned .* for inputs \(2, 2\), expected \(2, candidates, 2\)"):
        found(torch.full(shape, 0.5))


def test_candidates_that_could_not_be_sent_or_change_what_is_fixed_are_refused():
    with pytest.raises(ContractError, match="a candidate that is not a valid input"):
        found(torch.full((2, 1, 2), 1.5))
    fixed = replace(MODEL, space=Space(bounds=(0.0, 1.0), mutable=torch.tensor([True, False])))
    assert found(INPUTS[:, None] * torch.tensor([0.5, 1.0]), fixed).candidates.shape == (2, 1, 2)
    with pytest.raises(ContractError, match=r"changed coordinates that Space\.mutable keeps fixed"):
        found(INPUTS[:, None] * torch.tensor([1.0, 0.5]), fixed)


def certified(radius, predicted=None, **others):
    body = {"certify": lambda self, model, inputs: (model.predict(inputs) if predicted is None else predicted, radius)}
    return type("Certified", (Certificate,), body | others)()


def test_a_certificate_says_whose_decision_it_covers_and_how_surely():
    proof = certified(torch.tensor([0.0, 0.25]))
    result = proof(MODEL, INPUTS, torch.tensor([1, 1]))
    assert (result.radius.tolist(), result.predicted.tolist(), result.level) == ([0.0, 0.25], [1, 0], 1.0)
    assert proof.captioned() == "proved"
    sampled = certified(torch.zeros(2), certifies="a vote under noise", level=lambda self: 0.999)
    assert (
        sampled.captioned() == "of a vote under noise, not of the model alone; each radius holds with probability 0.999"
    )
    abstained = certified(torch.tensor([0.0, 0.5]), torch.tensor([-1, 0]))(MODEL, INPUTS, torch.tensor([1, 1]))
    assert abstained.predicted.tolist() == [-1, 0]


@pytest.mark.parametrize(("radius", "predicted", "error", "said"), [
    ([0.1, -0.1], [1, 0], ContractError, "radii that are negative"),
    ([0.1, float("nan")], [1, 0], ContractError, "radii that are negative"),
    ([0.1, 0.1], [-1, 0], ContractError, "above 0 where it abstains"),
    ([0.1, 0.1], [1, 1], ContractError, "certified a decision that is not that"),
    ([0.1, 0.1], [-2, 0], ContractError, "neither a class nor -1"),
    ([0.1, 0.1], [1.0, 0.0], ContractError, "neither a class nor -1"),
    ([0.1], [1, 0], ShapeError, "expected one of each per input"),
    ([0.1, 0.1], [1], ShapeError, "expected one of each per input"),
])  # fmt: skip
def test_what_a_certificate_cannot_mean_is_refused(radius, predicted, error, said):
    with pytest.raises(error, match=said):
        certified(torch.tensor(radius), torch.tensor(predicted))(MODEL, INPUTS, torch.tensor([1, 0]))


def surveyed(evidence, **others):
    body = {"aspect": "explanation", "asks": "what", "examine": lambda self, model, inputs, labels: evidence}
    return type("Surveyed", (Survey,), body | others)()


def test_a_survey_has_a_number_for_each_example_and_item():
    data = Dataset(INPUTS, torch.tensor([1, 0]), space=MODEL.space)
    result = surveyed(torch.tensor([[1.0, 2.0], [3.0, 6.0]]))(MODEL, data)
    assert result.to_frame()["value"].tolist() == [2, 4]
    for wrong in (torch.ones(2), torch.ones(3, 2), torch.ones(2, 3)):
        with pytest.raises(ShapeError, match="for 2 examples and 2 items"):
            surveyed(wrong)(MODEL, data)
    with pytest.raises(ContractError, match="NaN or infinity"):
        surveyed(torch.tensor([[1.0, 2.0], [3.0, torch.nan]]))(MODEL, data)
    with pytest.raises(Unsupported, match="has none"):
        surveyed(torch.ones(2, 0), items=lambda self, model, inputs: ())(MODEL, data)


def test_a_trained_model_keeps_its_own_training_rows_or_gets_those_it_was_given():
    data = Dataset(INPUTS, torch.tensor([1, 0]), space=MODEL.space)
    given = trained(lambda data, seed=0: MODEL, data, seed=3).training
    assert torch.equal(given[0], INPUTS)
    assert given[1].tolist() == [1, 0]
    own = (INPUTS[:1], torch.tensor([1]))
    assert trained(lambda data, seed=0: replace(MODEL, training=own), data).training is own
    seeds = []
    trained(lambda data, seed=0: seeds.append(seed) or MODEL, data, seed=3)
    assert seeds == [3]

    def spoils(data, seed=0):
        data.inputs.zero_()
        return MODEL

    with pytest.raises(ContractError, match="the trainer spoils changed the rows"):
        trained(spoils, replace(data, inputs=INPUTS.clone()))
    with pytest.raises(ContractError, match=r"returned an int, expected a probe\.Model"):
        trained(lambda data, seed=0: 3, data)
