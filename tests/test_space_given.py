"""Numbers of a Space may be given as arrays, frames or lists; what cannot be numbers is named."""

import math
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from probe import Model, Space
from probe.errors import DataError, ProbeError, RangeError, ShapeError
from probe.explainers import KernelShap


@pytest.mark.parametrize("reference", [
    np.zeros((1, 3)), pd.DataFrame(np.zeros((1, 3))), [[0.0, 0.0, 0.0]], [torch.zeros(3)],
    pd.DataFrame({"a": [0.0], "b": [False], "c": [0]}),
], ids=lambda given: type(given).__name__)  # fmt: skip
def test_a_reference_of_any_kind_gives_the_values_that_a_tensor_gives(reference):
    layer = nn.Linear(3, 2).eval()
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[2.0, -1.0, 0.5], [-1.0, 1.5, 0.0]]))
    x, targets = torch.tensor([[0.5, 0.2, 0.9]]), torch.tensor([0])
    space = Space(reference=reference, bounds=(np.zeros(3), [1, 1, 1]), scale=pd.Series([1, 2, 3]), mutable=[1, 0, 1])
    values = KernelShap()(Model(forward=layer, space=space), x, targets).values
    torch.testing.assert_close(values, torch.tensor([[1.0, -0.2, 0.45]]))
    assert space.mutable.tolist() == [True, False, True]


def test_an_array_that_is_changed_later_changes_no_space():
    rows = np.zeros((1, 3))
    space = Space(reference=rows)
    rows[:] = 1
    assert space.reference.max() == 0


@pytest.mark.parametrize(("fields", "error", "message"), [
    ({"reference": pd.DataFrame({"a": ["x"]})}, DataError, "does not hold numbers alone"),
    ({"reference": 3.0}, RangeError, "at least one row"),
    ({"reference": torch.zeros(2, 3).to_sparse()}, ShapeError, r"write reference\.to_dense"),
    ({"mutable": [0, 2, 1]}, DataError, "numbers other than 0 and 1"),
    ({"bounds": (float("nan"), 1.0)}, RangeError, "bounds hold NaN"),
    ({"features": [0, 0.5]}, ShapeError, "decimal numbers"),
])  # fmt: skip
def test_a_reference_without_numbers_is_refused_by_its_type(fields, error, message):
    with pytest.raises(error, match=message):
        Space(**fields)


def test_examples_without_numbers_are_named():
    with pytest.raises(ShapeError, match="each example is empty"):
        Space().check(torch.zeros(2, 0))


def test_a_space_and_a_model_are_shown_in_a_few_lines():
    space = Space(reference=torch.zeros(100, 500), names=tuple(f"n{i}" for i in range(500)))
    assert (
        repr(space) == "Space(names=('n0', 'n1', 'n2', 'n3', 'n4', ... 500 in all), reference=(100, 500) float32 all 0)"
    )
    text = repr(Model(forward=nn.Linear(500, 2).eval(), space=space, classes=("no", "yes"), threshold=0.3))
    assert text.count("\n") == 3
    assert "decides for yes where its probability is at least 0.3" in text


@pytest.mark.parametrize("given", [
    1j, torch.tensor(1j), 10**400, [10**400] * 3, torch.ones(3, device="meta"), np.array("wide"),
], ids=str)  # fmt: skip
@pytest.mark.parametrize("field", ["scale", "reference", "features", "mutable", "missing", "bounds"])
def test_no_number_of_a_space_ends_in_an_error_of_torch(field, given):
    with pytest.raises(ProbeError):
        Space(**({"bounds": (0.0, given)} if field == "bounds" else {field: given}))


@pytest.mark.parametrize(("scale", "message"), [
    (math.inf, "above 0 and finite"), (None, r"^Space\.scale is None; give"), (10**400, "no float can hold"),
])  # fmt: skip
def test_a_scale_that_is_no_unit_is_refused(scale, message):
    with pytest.raises(ProbeError, match=message):
        Space(scale=scale)


def test_a_whole_number_too_large_for_64_bits_is_a_bound_of_a_space():
    assert Space(bounds=(-(10**30), 10**30), scale=Decimal("0.5")).scale == 0.5
