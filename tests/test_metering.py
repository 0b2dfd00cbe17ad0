"""How often each example was asked: counted for the example that a row is about, and limited."""

import pytest
import torch

from probe import Model, Space
from probe.attacks import PGD
from probe.errors import ContractError
from probe.metering import Meter, Usage


def test_rows_are_counted_for_the_examples_that_they_are_of():
    meter = Meter(3, None, torch.device("cpu"))
    meter.count_forward(4, torch.tensor([0, 2, 2, 2]))
    meter.count_forward(3, None)  # as many rows as examples: one each
    meter.count_backward(6, None)  # shared out evenly
    meter.count_backward(1, torch.tensor([1]))
    assert meter.forward.tolist() == [2, 1, 4]
    assert meter.backward.tolist() == [2, 3, 2]
    assert meter.left.tolist() == [torch.inf] * 3


def test_no_example_exceeds_its_query_budget():
    meter = Meter(2, 3, torch.device("cpu"))
    meter.count_forward(2, torch.tensor([0, 0]))
    assert meter.left.tolist() == [1, 3]
    with pytest.raises(ContractError, match="queried more than 3 times"):
        meter.count_forward(2, torch.tensor([0, 0]))
    assert meter.left.tolist() == [1, 3]  # what is refused is not counted
    meter.count_forward(1, torch.tensor([0]))
    meter.count_forward(3, torch.tensor([1, 1, 1]))
    assert meter.left.tolist() == [0, 0]


def test_with_a_limit_rows_must_say_which_examples_they_are():
    meter = Meter(2, 3, torch.device("cpu"))
    with pytest.raises(ContractError, match=r"4 rows of 2 examples .*rows=aim.rows"):
        meter.count_forward(4, None)
    meter.count_forward(2, None)
    assert meter.left.tolist() == [2, 2]


def test_usage_is_a_difference_of_counts():
    assert Usage(forward=7, backward=5) - Usage(forward=3, backward=1) == Usage(forward=4, backward=4)


def test_costs_of_examples_add_up_to_what_the_model_counted():
    model = Model(forward=torch.nn.Linear(3, 2).eval(), space=Space(bounds=(-1.0, 1.0)), classes=("a", "b"))
    inputs = torch.rand(5, 3, generator=torch.Generator().manual_seed(0)) * 2 - 1
    labels = model.predict(inputs)
    before = model.usage - Usage()
    result = PGD(eps=0.01, steps=3)(model, inputs, labels)
    assert result.cost == model.usage - before
    assert (result.forwards.sum(), result.backwards.sum()) == (result.cost.forward, result.cost.backward)
    assert result.backwards[~result.success].tolist() == [3] * int((~result.success).sum())
    assert (result.forwards >= result.queries).all()  # the answers before and after are nobody's queries
