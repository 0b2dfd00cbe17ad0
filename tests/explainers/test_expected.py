import captum.attr
import numpy as np
import pytest
import torch
from torch.testing import assert_close

from probe import Model, Space
from probe.errors import Unsupported
from probe.explainers import ExpectedGradients, IntegratedGradients, Saliency
from probe.explainers.expected import drawn
from probe.metrics import Completeness

FIRST = torch.tensor([0])


def test_expected_gradients_of_a_quadratic_are_known(rows):
    """Of x'Ax / 2 the integral from r is (x - r) * A(x + r) / 2."""
    matrix, references, x = rows(4, 4), rows(7, 8)[:, :4], rows(3, 4) * 2
    matrix = matrix + matrix.T
    space = Space(bounds=(-99.0, 99.0), reference=references)
    model = Model(forward=lambda x: torch.stack([((x @ matrix) * x).sum(1) / 2, x.sum(1)], 1), space=space)
    expected = torch.stack([(x - r) * ((x + r) @ matrix) / 2 for r in references]).mean(0)
    off = [
        float((ExpectedGradients(draws=n)(model, x, torch.zeros(3, dtype=torch.long)).values - expected).abs().max())
        for n in (70, 70_000)
    ]
    assert off[1] < 0.01 * float(expected.abs().max())
    assert off[1] < off[0] / 5


def test_one_draw_of_each_reference_is_exact_for_a_linear_model(linear, inputs, labels):
    source = torch.Generator().manual_seed(0)
    references = torch.rand(5, 3, 2, 2, generator=source)
    model = Model(forward=linear.forward, space=Space(reference=references))
    expected = Saliency()(linear, inputs, labels).values * (inputs - references.mean(0))
    assert_close(ExpectedGradients(draws=5)(model, inputs, labels).values, expected, rtol=1e-4, atol=1e-5)


def test_expected_gradients_converge_to_the_mean_of_integrated_gradients(network, rows):
    model, x, targets = network(), rows(3, 8), torch.tensor([0, 1, 2])
    each = [
        IntegratedGradients(steps=300, pieces=1)(
            Model(forward=model.forward, space=Space(bounds=(-9.0, 9.0), reference=r[None])), x, targets
        ).values
        for r in model.space.reference
    ]
    expected, found = torch.stack(each).mean(0), ExpectedGradients(draws=20_000)(model, x, targets)
    assert_close(found.values, expected, rtol=0, atol=0.02 * float(expected.abs().max()))
    assert Completeness()(model, found).value < 0.02


@pytest.mark.slow
def test_captum_agrees_up_to_the_draws(network, rows):
    model, x, targets = network(), rows(2, 8), torch.tensor([0, 1])
    before = np.random.get_state()  # noqa: NPY002 - captum draws the places from it
    with torch.random.fork_rng():
        torch.manual_seed(0)
        np.random.seed(0)  # noqa: NPY002
        expected = captum.attr.GradientShap(model.forward).attribute(
            x, baselines=model.space.reference, n_samples=20_000, stdevs=0.0, target=targets
        )
    np.random.set_state(before)  # noqa: NPY002
    found = ExpectedGradients(draws=20_000)(model, x, targets).values
    assert_close(found, expected, rtol=0, atol=0.05 * float(expected.abs().max()))


@pytest.mark.parametrize(("draws", "references"), [(1, 1), (10, 3), (3, 10), (64, 8)])
def test_references_are_drawn_equally_often_and_places_lie_all_along_the_path(draws, references):
    which, places = drawn(draws, references, 0)
    counts = torch.bincount(which, minlength=references)
    assert counts.max() - counts.min() <= 1
    assert (places * draws).long().sort().values.tolist() == list(range(draws))


def test_draws_do_not_depend_on_the_pass(network, rows, monkeypatch):
    model, x = network(), rows(3, 8)
    expected = ExpectedGradients(draws=20)(model, x)
    monkeypatch.setattr("probe.tensors.COORDINATES", {"cpu": 8 * 7})
    assert_close(ExpectedGradients(draws=20)(model, x).values, expected.values, rtol=1e-12, atol=1e-12)
    assert expected.cost.backward == 60


def test_words_take_the_embeddings_of_the_references():
    table = torch.randn(9, 4, generator=torch.Generator().manual_seed(0))
    space = Space(bounds=(0, 8), reference=torch.tensor([[0, 0, 0], [3, 0, 0]]))
    model = Model(forward=lambda e: e.sum(1), embed=lambda ids: table[ids], space=space)
    ids = torch.tensor([[1, 5, 2]])
    expected = (table[ids] - table[space.reference].mean(0))[..., 0]
    assert_close(ExpectedGradients()(model, ids, FIRST).values, expected)


def test_expected_gradients_ask_for_a_reference():
    with pytest.raises(Unsupported, match=r"expected_gradients .* reference"):
        ExpectedGradients()(Model(forward=lambda x: x * 2), torch.ones(1, 2))
