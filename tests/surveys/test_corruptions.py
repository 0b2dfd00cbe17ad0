"""Corruptions: those with a closed form, against scipy and Pillow, and what holds for all."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter

from probe import Dataset, Model, Space
from probe.corrupted import CORRUPTIONS, TEST, VALIDATION, blurs, digital, noise
from probe.corrupted.numbers import Numbers
from probe.errors import RangeError, Unsupported
from probe.surveys import Corruptions

DOWN, ACROSS = torch.meshgrid(torch.linspace(0, 1, 28), torch.linspace(0, 1, 28), indexing="ij")
PICTURE = (0.5 + 0.4 * torch.sin(6 * ACROSS + 4 * DOWN) * torch.cos(5 * DOWN))[None, None]
COLOURED = torch.cat([PICTURE, PICTURE.flip(2) * 0.8, PICTURE.mT * 0.6 + 0.2], 1)
GREY = torch.full((40, 1, 28, 28), 0.4)
GREY = GREY + torch.arange(40)[:, None, None, None] * 1e-6  # each its own random numbers
STILL = ("defocus blur", "glass blur", "motion blur", "zoom blur", "elastic", "pixelate", "contrast", "gaussian blur")


def corrupted(images, name, severity, seed=0):
    return Corruptions(seed=seed).corrupted(Model(forward=lambda x: x.flatten(1)[:, :2]), images, name, severity)


def test_brightness_and_contrast_are_those_of_their_formulas():
    for severity in range(5):
        added = (PICTURE + digital.BRIGHTNESS[severity]).clamp(max=1)
        torch.testing.assert_close(corrupted(PICTURE, "brightness", severity + 1), added)
        less = PICTURE.mean() + digital.CONTRAST[severity] * (PICTURE - PICTURE.mean())
        torch.testing.assert_close(corrupted(PICTURE, "contrast", severity + 1), less)
    lit = corrupted(COLOURED, "brightness", 1)
    torch.testing.assert_close(lit / lit.amax(1, True), COLOURED / COLOURED.amax(1, True))  # the same colours
    paler = corrupted(COLOURED, "saturate", 1)
    kept = [(x.amax(1) - x.amin(1)) / x.amax(1) for x in (paler, COLOURED)]
    torch.testing.assert_close(kept[0], 0.3 * kept[1])


def test_noise_has_the_deviation_that_is_said():
    count = GREY.numel()
    for severity in range(5):
        for name, spread in (
            ("gaussian noise", noise.GAUSSIAN[severity]),
            ("speckle noise", 0.4 * noise.SPECKLE[severity]),
            ("shot noise", (0.4 / noise.SHOT[severity]) ** 0.5),
        ):
            change = CORRUPTIONS[name](GREY, severity, Numbers(GREY, 0)) - GREY
            assert float(change.std()) == pytest.approx(spread, rel=5 / (2 * count) ** 0.5)
            assert abs(float(change.mean())) < 5 * spread / count**0.5
        broken = CORRUPTIONS["impulse noise"](GREY, severity, Numbers(GREY, 0))
        share = noise.IMPULSE[severity]
        assert float((broken != GREY).float().mean()) == pytest.approx(share, abs=5 * (share / count) ** 0.5)
        assert float((broken == 1).sum() / (broken != GREY).sum()) == pytest.approx(0.5, abs=0.1)


def test_a_normal_blur_is_that_of_scipy():
    for side in (28, 32):
        image = PICTURE[..., :28, :28] if side == 28 else torch.rand(1, 1, 32, 32)
        for severity in (0, 4):
            spread = blurs.GAUSSIAN[severity] * side / 32
            theirs = gaussian_filter(image[0, 0].numpy(), spread, mode="nearest", radius=int(np.ceil(4 * spread)))
            torch.testing.assert_close(
                corrupted(image, "gaussian blur", severity + 1)[0, 0], torch.from_numpy(theirs), atol=1e-5, rtol=0
            )


@pytest.mark.parametrize("image", [PICTURE, COLOURED], ids=["grey", "colour"])
def test_compression_is_nearly_that_of_pillow(image):
    pixels = (255 * image[0].permute(1, 2, 0)).round().byte().numpy()
    for severity, quality in enumerate(digital.JPEG):
        file = io.BytesIO()
        Image.fromarray(pixels.squeeze()).save(file, "JPEG", quality=quality, subsampling=2)
        theirs = np.asarray(Image.open(file)).astype(float).reshape(pixels.shape)
        ours = 255 * corrupted(image, "jpeg", severity + 1)[0].permute(1, 2, 0).double().numpy()
        lost = np.abs(theirs - pixels).mean()
        assert np.abs(ours - theirs).mean() < 0.6 * lost + 0.2  # colours are put together smoothly there
        assert np.abs(ours - pixels).mean() == pytest.approx(lost, rel=0.25)


def test_pixels_are_as_coarse_as_they_are_with_pillow():
    theirs = Image.fromarray(PICTURE[0, 0].numpy()).resize((18, 18), Image.Resampling.BOX).resize((28, 28), 0)
    ours = corrupted(PICTURE, "pixelate", 5)[0, 0].numpy()
    assert np.abs(ours - np.asarray(theirs)).mean() < 0.02
    assert len(np.unique(ours)) <= 18 * 18


@pytest.mark.parametrize("name", list(CORRUPTIONS))
def test_a_corruption_changes_images_of_any_size_within_bounds_by_their_own_pixels_and_the_seed_alone(name):
    images = torch.rand(3, 3, 26, 24, generator=torch.Generator().manual_seed(0))
    kept, state = images.clone(), torch.get_rng_state()
    for severity in (1, 5):
        found = corrupted(images, name, severity)
        assert found.shape == images.shape
        assert bool(((found >= 0) & (found <= 1)).all())
        assert bool((found != images).flatten(1).any(1).all())
        assert torch.equal(found, corrupted(images, name, severity))
        torch.testing.assert_close(found[2:], corrupted(images[2:], name, severity), atol=1e-5, rtol=1e-5)
    assert not torch.equal(corrupted(images, name, 1), corrupted(images, name, 5))
    assert torch.equal(images, kept)
    assert torch.equal(torch.get_rng_state(), state)
    for severity in (1, 5):
        assert bool((corrupted(torch.full((2, 1, 1, 3), 0.5), name, severity) - 0.5).abs().max() <= 0.5)
    if name in STILL:
        torch.testing.assert_close(corrupted(GREY[:2], name, 5), GREY[:2], atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", ["gaussian noise", "frost", "fog", "snow", "spatter", "elastic", "motion blur"])
def test_another_seed_draws_other_numbers_but_for_each_image_its_own(name):
    images = PICTURE.repeat(2, 1, 1, 1) + torch.tensor([0.0, 1e-4])[:, None, None, None]
    one, other = (corrupted(images, name, 4, seed) for seed in (0, 1))
    assert not torch.equal(one, other)
    assert float((one[0] - one[1]).abs().max()) > 0.01


@pytest.mark.parametrize("name", ["gaussian noise", "fog", "contrast", "gaussian blur", "defocus blur", "brightness"])
@pytest.mark.parametrize("side", [28, 32])
def test_a_higher_severity_changes_more(name, side):
    image = torch.nn.functional.interpolate(PICTURE, (side, side), mode="bilinear").repeat(8, 1, 1, 1)
    image = image + 1e-4 * torch.arange(8)[:, None, None, None]
    if "blur" in name:
        image = (image > 0.5).float()
    change = [float((corrupted(image, name, severity) - image).square().mean()) for severity in range(1, 6)]
    assert change == sorted(change)


def test_the_survey_counts_the_right_answers_under_each():
    model = Model(forward=lambda x: torch.stack([x.mean((1, 2, 3)) - 0.5, 0.5 - x.mean((1, 2, 3))], 1))
    levels = torch.linspace(0.05, 0.45, 9)
    data = Dataset(levels[:, None, None, None].expand(9, 1, 28, 28).clone(), torch.ones(9).long(), space=model.space)
    found = Corruptions(names=("brightness", "contrast"), severities=(5, 1))(model, data)
    frame = found.to_frame().set_index("item")["value"]
    assert frame.to_dict() == {
        "none": 1.0,
        "brightness, severity 5": pytest.approx(3 / 9),
        "brightness, severity 1": pytest.approx(8 / 9),
        "contrast, severity 5": 1.0,
        "contrast, severity 1": 1.0,
        "mean of all": pytest.approx((3 + 8 + 9 + 9) / 36),
    }
    assert found.cost.forward == 9 * 5


def test_which_corruptions_there_are():
    assert (len(TEST), len(VALIDATION)) == (15, 4)
    assert Corruptions().chosen(PICTURE) == tuple(TEST)
    assert len(Corruptions(extra=True).chosen(PICTURE)) == 18  # a grey image has no saturation
    assert len(Corruptions(extra=True).chosen(COLOURED)) == 19


def test_bounds_of_the_space_are_kept_in_its_units():
    space = Space(bounds=(0.0, 255.0))
    model = Model(forward=lambda x: x.flatten(1)[:, :2], space=space)
    found = Corruptions().corrupted(model, 255 * PICTURE, "brightness", 5)
    torch.testing.assert_close(found, (255 * PICTURE + 255 * 0.3).clamp(max=255))


def test_what_has_no_corruption_is_refused():
    model = Model(forward=lambda x: x.flatten(1)[:, :2])
    table = Dataset(torch.rand(3, 4), torch.zeros(3).long(), space=model.space)
    with pytest.raises(Unsupported, match=r"changes images \(channels, height, width\)"):
        Corruptions()(model, table)
    free = Model(forward=model.forward, space=Space(bounds=(-torch.inf, torch.inf)))
    with pytest.raises(Unsupported, match="from black to white, and model has infinite bounds"):
        Corruptions()(free, Dataset(PICTURE, torch.zeros(1).long(), space=free.space))
    with pytest.raises(RangeError, match=r"names holds 'rain', expected some of gaussian noise, shot noise"):
        Corruptions(names=("rain",)).chosen(PICTURE)
    with pytest.raises(RangeError, match=r"severities = \(0,\), expected some of 1, 2, 3, 4, 5"):
        Corruptions(severities=(0,)).chosen(PICTURE)
