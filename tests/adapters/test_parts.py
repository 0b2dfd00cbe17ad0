"""Networks with several inputs: one Model over all of their numbers, each part within its own bounds and unit."""

import pytest
import torch

from probe import Dataset, MultiLabel, Space, from_parts
from probe.attacks import FGSM, PGD
from probe.audit import plan_from, run, verify
from probe.errors import DataError, RangeError, ShapeError, Unsupported
from probe.explainers import IntegratedGradients, KernelShap

RANDOM = torch.Generator().manual_seed(0)
ROWS = 20
IMAGES = torch.rand(ROWS, 1, 4, 4, generator=RANDOM)
TABLE = torch.rand(ROWS, 3, generator=RANDOM) * 100


class Both(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.look, self.read = torch.nn.Linear(16, 2), torch.nn.Linear(3, 2)

    def forward(self, image, row):
        return self.look(image.flatten(1)).tanh() + self.read(row / 100)


def network():
    torch.manual_seed(0)
    return Both().eval()


NET = network()
SQUARES = torch.arange(4).view(2, 2).repeat_interleave(2, 0).repeat_interleave(2, 1)[None]
SPACES = {
    "image": Space(reference=torch.zeros(1, 1, 4, 4), features=SQUARES),
    "row": Space(
        bounds=(0.0, 100.0),
        names=("age", "hours", "sex"),
        kinds=("continuous", "integer", "continuous"),
        reference=TABLE[:5].round(),
        scale=10.0,
        mutable=[True, True, False],
    ),
}
MODEL = from_parts(NET, SPACES, ("no", "yes"))
INPUTS = MODEL.forward.joined({"image": IMAGES, "row": TABLE.round()})


def test_a_network_with_two_inputs_answers_as_when_it_is_called_by_hand():
    assert torch.equal(MODEL.logits(INPUTS), NET(IMAGES, TABLE.round()).detach())
    by_place = from_parts(NET, list(SPACES.values()))
    assert torch.equal(by_place.logits(by_place.forward.joined([IMAGES, TABLE.round()])), MODEL.logits(INPUTS))
    function = from_parts(lambda image, row: NET(image, row), SPACES)
    assert torch.equal(function.logits(INPUTS), MODEL.logits(INPUTS))
    assert function.digest() is None
    assert MODEL.digest() is not None
    apart = MODEL.forward.split(INPUTS)
    assert torch.equal(apart["image"], IMAGES)
    assert torch.equal(apart["row"], TABLE.round())


def test_features_of_all_parts_are_numbered_through_and_named():
    names = MODEL.space.feature_names(INPUTS)
    assert names[:2] == ("image: feature 0", "image: feature 1")
    assert names[4:] == ("row: age", "row: hours", "row: sex")
    assert MODEL.space.feature_count(INPUTS) == 7
    assert MODEL.space.references(INPUTS).shape == (5, 19)


def test_explanations_of_two_inputs_add_up_and_come_apart():
    targets = MODEL.predict(INPUTS)
    found = IntegratedGradients()(MODEL, INPUTS, targets)
    apart = MODEL.forward.split(found.values)
    assert (apart["image"].shape, apart["row"].shape) == ((ROWS, 1, 4, 4), (ROWS, 3))
    baseline = MODEL.space.baseline(INPUTS)
    told = (MODEL.logits(INPUTS) - MODEL.logits(baseline)).gather(1, targets[:, None])[:, 0]
    torch.testing.assert_close(found.values.sum(1), told, atol=1e-4, rtol=1e-4)
    alone = KernelShap()(MODEL, INPUTS[:2], targets[:2]).by_feature()
    assert alone.shape == (2, 7)


def test_attacks_move_each_part_within_its_bounds_and_in_its_unit():
    labels = MODEL.predict(INPUTS)
    moved = FGSM(eps=0.25)(MODEL, INPUTS, labels).perturbed
    image, row = MODEL.forward.split(moved).values()
    before = MODEL.forward.split(INPUTS)
    assert (image - before["image"]).abs().max() == pytest.approx(0.25, abs=1e-6)
    assert 0 <= image.min() <= image.max() <= 1
    change = (row - before["row"]).abs()
    assert change[:, 0].max() == pytest.approx(2.5, abs=1e-4)
    assert change[:, 1].max() == 2.0  # whole hours within 2.5
    assert change[:, 2].max() == 0.0
    assert 0 <= row.min() <= row.max() <= 100


@pytest.mark.slow
def test_a_network_with_two_inputs_is_audited(tmp_path):
    data = Dataset(INPUTS, MODEL.predict(INPUTS), space=MODEL.space, classes=("no", "yes"))
    plan = plan_from(
        {
            "name": "parts",
            "explain": {"sample": 3, "methods": ["input_x_gradient"]},
            "attack": {"methods": [{"method": "pgd", "steps": 3}], "eps": ["0.1"]},
        },
        sources=False,
    )
    bundle = run(plan, MODEL, data, tmp_path / "parts")
    assert {step.status for step in bundle.manifest.steps} == {"done"}
    assert "row: age" in bundle.manifest.data.features
    verify(bundle.folder)


@pytest.mark.parametrize(
    ("ask", "error", "message"),
    [
        (lambda: from_parts(NET, [SPACES["row"]]), DataError, "1 spaces, expected one for each of several inputs"),
        (
            lambda: from_parts(NET, [Space(), SPACES["row"]]),
            ShapeError,
            r"space of input 1 has no shape; give Space\(ref",
        ),
        (
            lambda: from_parts(NET, [Space(features=SQUARES), SPACES["row"]]),
            DataError,
            "the space of input 1 has no reference, and that of input 2 has",
        ),
        (
            lambda: from_parts(NET, [Space(reference=torch.zeros(3, 1, 4, 4)), SPACES["row"]]),
            DataError,
            "3 rows of input 1, 5 rows of input 2; give one row of input 1, or 5",
        ),
        (
            lambda: from_parts(NET, [Space(words=("a", "b"), bounds=(0, 1)), SPACES["row"]]),
            Unsupported,
            "input 1 is token ids.*give their embeddings",
        ),
        (
            lambda: MODEL.forward.joined([IMAGES, TABLE]),
            DataError,
            "parts are a list of 2, expected a mapping of image, row",
        ),
        (lambda: MODEL.forward.joined({"image": IMAGES, "table": TABLE}), DataError, "parts have no 'row'"),
        (
            lambda: MODEL.forward.joined({"image": IMAGES[:, 0], "row": TABLE}),
            ShapeError,
            r"image has shape \(20, 4, 4\), expected \(rows, 1, 4, 4\)",
        ),
        (lambda: MODEL.forward.split(TABLE), ShapeError, r"expected \(rows, 19\): all parts of each"),
        (lambda: MODEL.predict(INPUTS + 1), RangeError, "outside the bounds"),
    ],
)
def test_parts_that_do_not_fit_are_refused_with_what_is_expected(ask, error, message):
    with pytest.raises(error, match=message):
        ask()


def test_several_labels_of_a_network_with_two_inputs_are_attacked():
    model = from_parts(NET, SPACES, task=MultiLabel(("old", "tall")))
    found = PGD(eps=0.3, steps=3)(model, INPUTS, model.predict(INPUTS))
    assert found.success.any()
