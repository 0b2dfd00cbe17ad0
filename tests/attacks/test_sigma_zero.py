"""Sigma-zero against the smallest number of pixels of linear models, where it is known."""

import pytest
import torch

from probe import Model, Space
from probe.attacks import SigmaZero


def fewest(weight: torch.Tensor, x: torch.Tensor, lead: float) -> int:
    """Pixels with the largest gains first, each moved to the end of the box that lowers the lead, until it is gone."""
    gains = torch.where(weight > 0, weight * x, -weight * (1 - x)).sum(0).flatten().sort(descending=True).values
    return int((gains.cumsum(0) < lead).sum()) + 1


@pytest.mark.parametrize("channels", [1, 3])
def test_on_linear_models_it_moves_few_more_pixels_than_the_fewest(channels):
    source = torch.Generator().manual_seed(1)
    weight = torch.randn(channels, 5, 5, generator=source)
    x = torch.rand(4, channels, 5, 5, generator=source)
    flat = weight.flatten()

    def forward(rows: torch.Tensor) -> torch.Tensor:
        score = rows.flatten(1) @ flat
        return torch.stack([-score / 2, score / 2], 1)

    model = Model(forward=forward, space=Space())
    y = model.predict(x)
    found = SigmaZero(steps=150)(model, x, y)
    scores = (x.flatten(1) @ flat).tolist()
    best = [fewest(weight if score > 0 else -weight, row, abs(score)) for row, score in zip(x, scores, strict=True)]
    assert found.success.all()
    assert found.length.tolist() == [float(n) for n in (found.perturbed != x).any(1).flatten(1).sum(1)]
    assert all(least <= length <= least + 1 for least, length in zip(best, found.length.tolist(), strict=True))
    assert sum(found.length.tolist()) <= sum(best) + 1


@pytest.mark.slow
def test_immutable_pixels_stay():
    space = Space(mutable=torch.tensor([[[True, False], [False, True]]]))
    weight = torch.tensor([1.0, 1.0, 1.0, 0.6])
    model = Model(forward=lambda x: torch.stack([x.flatten(1) @ weight, 2.7 - x.flatten(1) @ weight], 1), space=space)
    x = torch.full((1, 1, 2, 2), 0.4)
    found = SigmaZero()(model, x, model.predict(x))
    assert found.success.tolist() == [True]
    assert (found.perturbed != x).flatten().tolist() == [True, False, False, False]
