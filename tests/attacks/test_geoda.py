"""Geoda: distances to flat boundaries from decisions alone, within low frequencies, and what it may ask."""

import pytest
import torch

from probe import Model, Space, from_predict_proba
from probe.attacks import Geoda
from probe.attacks.geoda import lowest_cosines
from probe.errors import Unsupported
from tests.attacks.test_queries import SPACE, WEIGHT, X, decide

BOX = from_predict_proba(decide, SPACE, classes=("low", "high"))
LABELS = BOX.predict(X)


@pytest.mark.parametrize(("norm", "dual", "near"), [("l2", 2, 1.05), ("linf", 1, 1.01)])
def test_geoda_comes_within_a_twentieth_of_the_distance_to_a_hyperplane_in_a_thousand_queries(norm, dual, near):
    nearest = ((X - 0.5) @ WEIGHT).abs() / torch.linalg.vector_norm(WEIGHT, ord=dual)
    few, many = (Geoda(norm=norm, max_queries=count)(BOX, X, LABELS) for count in (100, 1000))
    for found, most, factor in ((few, 100, 1.5), (many, 1000, near)):
        assert bool(found.success.all())
        assert bool((found.length >= nearest * (1 - 1e-4)).all())
        assert float((found.length / nearest).max()) <= factor
        assert int(found.queries.max()) <= most
    assert many.length.mean() < few.length.mean()
    assert int(many.queries.min()) > 800  # most of what it may ask
    order = torch.tensor([7, 3, 11])
    alone = Geoda(norm=norm, max_queries=100)(BOX, X[order], LABELS[order])
    torch.testing.assert_close(alone.perturbed, few.perturbed[order])


def test_changes_of_images_consist_of_low_frequencies_and_reach_the_distance_within_them():
    source = torch.Generator().manual_seed(1)
    images, cosines = torch.rand(6, 1, 12, 12, generator=source), lowest_cosines(12, 3).float()
    torch.testing.assert_close(cosines @ cosines.T, torch.eye(3))
    assert [int((row.sign().diff() != 0).sum()) for row in cosines] == [0, 1, 2]
    low = cosines.T @ cosines
    weight = torch.randn(12, 12, generator=source) / 10
    weight = weight + 3 * low @ weight @ low
    space = Space(bounds=(-3.0, 4.0))
    model = Model(
        forward=lambda x: ((x - 0.5) * weight).sum((1, 2, 3))[:, None] * torch.tensor([1.0, -1.0]), space=space
    )
    found = Geoda(frequencies=3)(model, images, model.predict(images))
    change = (found.perturbed - images)[:, 0]
    torch.testing.assert_close(low @ change @ low, change, atol=1e-5, rtol=0)
    margin = ((images - 0.5) * weight).sum((1, 2, 3)).abs()
    within = margin / (low @ weight @ low).norm()
    assert bool((found.length >= within * (1 - 1e-4)).all())
    assert float((found.length / within).max()) <= 1.05


def test_geoda_leaves_what_no_start_reaches_unchanged_and_refuses_a_space_without_bounds():
    still = from_predict_proba(lambda rows: decide(rows) * [0, 0] + [1.0, 0.0], SPACE, classes=("a", "b"))
    found = Geoda(starts=7)(still, X, torch.zeros(12, dtype=torch.int64))
    assert not found.success.any()
    assert torch.equal(found.perturbed, X)
    assert found.queries.tolist() == [7] * 12
    open_ended = Space(bounds=(torch.zeros(8), torch.tensor([torch.inf] + [1.0] * 7)))
    with pytest.raises(Unsupported, match="bounds must be finite"):
        Geoda()(from_predict_proba(decide, open_ended, classes=("low", "high")), X, LABELS)
