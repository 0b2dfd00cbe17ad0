"""ROAD: pixels filled in by a linear system, against a dense solution, a ramp and planted pixels."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from probe import Attribution, Model, Space
from probe.errors import Unsupported
from probe.explainers import InputXGradient
from probe.metrics import ROAD, road
from probe.metrics.road import filled_in

SOURCE = torch.Generator().manual_seed(0)
IMAGES = torch.rand(5, 2, 6, 7, generator=SOURCE, dtype=torch.float64)
WEIGHT = torch.zeros(2, 6, 7, dtype=torch.float64)
WEIGHT[:, 2, 1:6] = 1.0  # pixels that decide, in both channels
BRIGHT = IMAGES.clone()
BRIGHT[:, :, 2, 1:6] = 1.0


def model_of(features=None):
    def forward(x):
        score = (x * WEIGHT).flatten(1).sum(1)
        return torch.stack([score, -score], 1)

    return Model(forward=forward, space=Space(bounds=(0, 1), features=features))


def dense(image, gone):
    """One channel: each missing pixel is the weighted mean of its neighbours within the image."""
    height, width = image.shape
    size, system, right = height * width, np.eye(height * width), image.numpy().ravel().copy()
    for at in np.flatnonzero(gone.numpy().ravel()):
        row, column = divmod(at, width)
        system[at], right[at] = 0, 0
        for down in (-1, 0, 1):
            for across in (-1, 0, 1):
                if (down or across) and 0 <= row + down < height and 0 <= column + across < width:
                    weight = 1 / 12 if down and across else 1 / 6
                    system[at, at] += weight
                    system[at, (row + down) * width + column + across] -= weight
    return np.linalg.solve(system, right).reshape(height, width), size


@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_missing_pixels_equal_those_of_a_dense_solution(share):
    missing = torch.rand(IMAGES.shape, generator=torch.Generator().manual_seed(4)) < share
    found = filled_in(IMAGES, missing)
    assert torch.equal(found[~missing], IMAGES[~missing])
    for at in range(5):
        for channel in range(2):
            expected, _ = dense(IMAGES[at, channel], missing[at, channel])
            assert_close(found[at, channel].numpy(), expected, atol=1e-4, rtol=0)
        assert_close(filled_in(IMAGES[at : at + 1], missing[at : at + 1])[0], found[at], rtol=0, atol=1e-12)


def test_a_hole_in_a_ramp_is_filled_with_the_ramp_and_a_channel_without_a_pixel_becomes_0():
    ramp = (torch.arange(9.0)[:, None] + 2 * torch.arange(9.0)).view(1, 1, 9, 9)
    missing = torch.zeros_like(ramp, dtype=torch.bool)
    missing[..., 2:7, 3:6] = True
    assert_close(filled_in(ramp, missing), ramp, atol=1e-3, rtol=0)
    assert not filled_in(ramp, torch.ones_like(missing)).any()


def test_a_hole_in_the_dark_beside_one_bright_pixel_is_filled_in_few_steps(monkeypatch):
    asked, around = [], road._around
    monkeypatch.setattr(road, "_around", lambda images: asked.append(1) or around(images))
    dark = torch.zeros(1, 1, 12, 12)
    dark[..., 0, 0] = 1
    missing = torch.zeros_like(dark, dtype=torch.bool)
    missing[..., 4:11, 4:11] = True
    assert filled_in(dark, missing)[missing].abs().max() < 1e-5
    assert len(asked) < 60


def test_planted_pixels_are_found_and_their_reverse_is_worse_than_random():
    model, targets = model_of(), torch.zeros(5, dtype=torch.long)
    found = InputXGradient()(model, BRIGHT, targets)
    best = ROAD()(model, found)
    assert best.interval()[0] > 0.5
    worst = ROAD()(model, Attribution(-found.values, BRIGHT, targets, InputXGradient(), model.space))
    assert worst.interval()[1] < 0
    alone = torch.cat([ROAD()(model, found[at]).evidence for at in range(5)])
    assert_close(alone, best.evidence, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("squares", [False, True])
def test_the_area_equals_that_of_a_slow_replica(squares):
    features = (torch.arange(6)[:, None] // 2 * 4 + torch.arange(7) // 2).expand(2, -1, -1).contiguous()
    model = model_of(features if squares else None)
    values = torch.randn(IMAGES.shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    targets = torch.zeros(5, dtype=torch.long)
    metric = ROAD(steps=3, most=0.6, noise=0.0)
    found = metric(model, Attribution(values, IMAGES, targets, InputXGradient(), model.space))
    owner = features if squares else torch.arange(42).view(1, 6, 7).expand(2, -1, -1)  # a pixel has all its channels
    count = int(owner.max()) + 1
    for row in range(5):
        sums = torch.stack([values[row][owner == each].sum() for each in range(count)])
        order, curve, counts = sums.argsort(descending=True), [float((IMAGES[row] * WEIGHT).sum())], [0]
        for step in (0.2, 0.4, 0.6):
            counts.append(round(step * count))
            gone = torch.isin(owner, order[: counts[-1]])
            channels = [dense(IMAGES[row, c], gone[c])[0] for c in range(2)]
            curve.append(float((np.stack(channels) * WEIGHT.numpy()).sum()))
        assert float(found.evidence[row, 0]) == pytest.approx(np.trapezoid(curve, np.array(counts) / count), abs=1e-3)


def test_inputs_that_are_no_images_are_refused_with_what_to_use():
    model = Model(forward=lambda x: x)
    found = InputXGradient()(model, torch.rand(2, 3))
    assert not ROAD().suits(found)
    with pytest.raises(Unsupported, match=r"these inputs have the shape \(3,\); use Deletion"):
        ROAD()(model, found)
