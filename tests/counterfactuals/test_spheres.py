import pytest
import torch
from torch.testing import assert_close

from probe import Model, Space
from probe.counterfactuals import GrowingSpheres
from probe.errors import Unsupported
from probe.goals import Targeted

KINDS = ("continuous", "integer", "category", "continuous")


def people(**space):
    """Hired where income, years and a trade add up; the last column is no matter of theirs."""
    space = Space(
        bounds=(0.0, 10.0), names=("income", "years", "trade", "age"), features=[0, 1, 2, 2, 2, 3], kinds=KINDS, **space
    )

    def forward(x):
        score = x[:, 0] + x[:, 1] + 2 * x[:, 3] - 6 + 0.1 * x[:, 2]
        return torch.stack([-score, score], 1)

    return Model(forward=forward, space=space, classes=("no", "yes"))


ROWS = torch.tensor([[2.0, 1.0, 1, 0, 0, 4.5], [3.0, 2.0, 1, 0, 0, 9.0], [5.0, 4.0, 0, 0, 1, 1.0]])


def test_candidates_are_valid_reached_and_change_nothing_that_does_not_matter():
    found = GrowingSpheres(radius=0.2)(people(), ROWS)
    assert found.reached.all()
    moved = found.candidates[:, 0]
    assert_close(moved[:, 1], moved[:, 1].round())
    assert (moved[:, 2:5].sum(1) == 1).all()
    assert set(moved[:, 2:5].flatten().tolist()) <= {0.0, 1.0}
    assert torch.equal(moved[:, 5], ROWS[:, 5])


def test_what_is_fixed_is_kept():
    fixed = torch.tensor([True, False, False, False, False, True])
    found = GrowingSpheres(radius=0.2)(people(mutable=fixed), ROWS)
    assert found.reached.all()
    assert torch.equal(found.candidates[:, 0, 1:5], ROWS[:, 1:5])


def test_the_candidate_is_nearly_as_near_as_the_decision_is():
    """Of a linear model in two dimensions the distance is known; the last shell is at most `growth` as wide."""
    source = torch.Generator().manual_seed(0)
    x = torch.rand(20, 2, generator=source) * 4 - 2
    model = Model(forward=lambda x: torch.stack([-x.sum(1), x.sum(1)], 1), space=Space(bounds=(-9.0, 9.0)))
    found = GrowingSpheres(radius=0.02, shells=20)(model, x)
    assert found.reached.all()
    nearest, far = x.sum(1).abs() / 2**0.5, (found.candidates[:, 0] - x).norm(dim=1)
    assert (far >= nearest - 1e-6).all()
    assert (far <= 1.5 * nearest * 2**0.5 + 0.03).all()  # nearest by L1, of which all ways to the line are alike


def test_where_there_is_none_it_ends_with_the_input_itself():
    model = Model(forward=lambda x: torch.stack([x.sum(1) + 3, x.sum(1)], 1), space=Space())
    found = GrowingSpheres(shells=3, samples=10)(model, torch.rand(4, 3))
    assert not found.reached.any()
    assert torch.equal(found.candidates[:, 0], found.inputs)
    assert found.cost.forward == 4 * (1 + 3 * 10 + 1)


@pytest.mark.parametrize("settings", [{"growth": 1e6}, {"growth": 1e300}, {"radius": 1e300}])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16])
def test_shells_that_are_too_far_to_be_computed_with_are_left_out(settings, dtype):
    never = Model(forward=lambda x: torch.stack([3 + (x * x).sum(1) * 0, 0 * x.sum(1)], 1), space=Space())
    found = GrowingSpheres(shells=100, samples=10, **settings)(never, torch.rand(2, 3).to(dtype))
    assert not found.reached.any()
    assert torch.equal(found.candidates[:, 0], found.inputs)


def test_a_wanted_class_is_reached_and_rows_do_not_depend_on_each_other():
    model = Model(forward=lambda x: 4 * x - 1, space=Space(bounds=(0.0, 1.0)))
    x = torch.rand(6, 3, generator=torch.Generator().manual_seed(2))
    targets = (model.predict(x) + 1) % 3
    method = GrowingSpheres(goal=Targeted())
    found = method(model, x, targets=targets)
    assert torch.equal(model.predict(found.candidates[:, 0]), targets)
    apart = torch.cat([method(model, x[i : i + 1], targets=targets[i : i + 1]).candidates for i in range(6)])
    assert torch.equal(apart, found.candidates)


def test_words_are_refused():
    table = torch.randn(9, 4)
    words = Model(forward=lambda e: e.sum(1)[:, :2], embed=lambda ids: table[ids], space=Space(bounds=(0, 8)))
    with pytest.raises(Unsupported, match=r"moves numbers, and inputs of model are .*; use NearestReference"):
        GrowingSpheres()(words, torch.tensor([[1, 2, 3]]))
