import pytest
import torch
from probe_models.training.augment import AUGMENTATIONS, compose, crop, cutout, flip, noise, omit, shift
from probe_models.training.mixup import mixup

from probe.errors import ShapeError

STRENGTHS = {"flip": 0.5, "shift": 2, "crop": 2, "cutout": 3, "noise": 0.1, "omit": 0.3}
IMAGES = torch.rand(200, 2, 7, 9, generator=torch.Generator().manual_seed(0))


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_augmentations_depend_on_the_seed_only_and_leave_images_unchanged(name):
    change, before, state = AUGMENTATIONS[name](STRENGTHS[name]), IMAGES.clone(), torch.get_rng_state()
    first, again, other = (change(IMAGES, seeded(seed)) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert first.shape == IMAGES.shape
    assert torch.equal(IMAGES, before)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_a_strength_of_0_changes_nothing(name):
    assert torch.equal(AUGMENTATIONS[name](0)(IMAGES, seeded()), IMAGES)


def test_flipping_twice_is_no_change_and_once_is_a_mirror():
    always = flip(1.0)
    assert torch.equal(always(IMAGES, seeded()), IMAGES.flip(3))
    assert torch.equal(always(always(IMAGES, seeded()), seeded()), IMAGES)


def test_flipping_affects_images_with_the_given_probability():
    mirrored = (flip(0.25)(IMAGES, seeded()) == IMAGES.flip(3)).flatten(1).all(1)
    kept = (flip(0.25)(IMAGES, seeded()) == IMAGES).flatten(1).all(1)
    assert bool((mirrored ^ kept).all())
    assert mirrored.float().mean().item() == pytest.approx(0.25, abs=0.1)


def test_shifting_moves_a_pixel_by_what_was_drawn():
    image = torch.zeros(300, 1, 7, 9)
    image[:, :, 3, 4] = 1
    moved = shift(2)(image, seeded())
    down, across = 2 - torch.randint(5, (2, 300), generator=seeded())
    each = torch.arange(300)
    assert bool((moved[each, 0, 3 + down, 4 + across] == 1).all())
    assert moved.sum() == 300
    assert {*down.tolist()} == {*across.tolist()} == {-2, -1, 0, 1, 2}


def test_shifting_leaves_black_behind():
    moved = shift(7)(torch.ones(300, 1, 7, 9), seeded())
    assert bool(((moved == 0) | (moved == 1)).all())
    assert moved.flatten(1).sum(1).min() == 0
    assert moved.flatten(1).sum(1).max() == 63


def test_cropping_enlarges_a_window_of_the_image():
    image = torch.arange(8.0).expand(50, 1, 8, 8)
    windows = crop(4)(image, seeded())
    corners = torch.randint(5, (2, 50), generator=seeded())[1]
    # A ramp stays a ramp, half as steep, that begins at the window's corner.
    torch.testing.assert_close(windows[:, 0, 0, 2:6], corners[:, None] + torch.tensor([0.75, 1.25, 1.75, 2.25]))
    assert {*corners.tolist()} == {0, 1, 2, 3, 4}


def test_cutout_blackens_one_whole_square():
    holes = cutout(3)(torch.ones(300, 2, 7, 9), seeded()) == 0
    assert torch.equal(holes[:, 0], holes[:, 1])
    assert bool((holes[:, 0].flatten(1).sum(1) == 9).all())
    assert bool((holes[:, 0].any(2).sum(1) == 3).all())
    assert bool((holes[:, 0].any(1).sum(1) == 3).all())
    assert bool(holes[:, 0].any(0).all())


def test_omit_zeroes_numbers_with_the_given_probability():
    changed = omit(0.3)(IMAGES, seeded())
    absent = changed == 0
    assert absent.float().mean().item() == pytest.approx(0.3, abs=0.01)
    assert torch.equal(changed[~absent], IMAGES[~absent])
    ids = torch.arange(1, 1001)[None]
    assert omit(0.3)(ids, seeded()).dtype == torch.long
    assert not omit(1.0)(ids, seeded()).any()


def test_noise_has_the_deviation_that_was_set():
    added = noise(0.3)(IMAGES, seeded()) - IMAGES
    assert added.std().item() == pytest.approx(0.3, rel=0.02)
    assert added.mean().item() == pytest.approx(0, abs=0.01)


def test_augmentations_follow_one_another_in_their_order():
    random = seeded()
    expected = noise(0.1)(cutout(3)(IMAGES, random), random)
    assert torch.equal(compose({"cutout": 3, "noise": 0.1})(IMAGES, seeded()), expected)
    assert not torch.equal(compose({"noise": 0.1, "cutout": 3})(IMAGES, seeded()), expected)
    assert torch.equal(compose({})(IMAGES, seeded()), IMAGES)


@pytest.mark.parametrize(("name", "strength"), [("crop", 7), ("cutout", 7), ("shift", 8)])
def test_what_is_as_large_as_the_image_is_refused(name, strength):
    with pytest.raises(ShapeError, match=r"with sides above 7 pixels; change Settings\.augment"):
        AUGMENTATIONS[name](strength)(IMAGES, seeded())


def test_mixup_mixes_inputs_and_targets_with_one_coefficient():
    labels = torch.arange(200) % 3
    # The target is readable from the row, so that it stays so in a mixture only if both have one coefficient.
    rows = torch.nn.functional.one_hot(labels, 3).float()
    mixed, targets = mixup(rows, labels, 3, 0.4, seeded())
    torch.testing.assert_close(mixed, targets)
    torch.testing.assert_close(targets.sum(1), torch.ones(200))
    assert len(targets.unique(dim=0)) > 3
    torch.testing.assert_close(mixed.sum(0), rows.sum(0))


def test_mixup_is_seeded_and_its_coefficient_has_the_variance_of_beta():
    inputs, labels = torch.eye(2), torch.arange(2)
    again, first = (mixup(inputs, labels, 2, 0.4, seeded()) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(again, first, strict=True))
    random = seeded()
    draws = torch.stack([mixup(inputs[:1], labels[:1], 2, 0.4, random)[1][0] for _ in range(3)])
    assert torch.equal(draws, torch.tensor([[1.0, 0.0]] * 3))
    parts = torch.cat([mixup(inputs, labels, 2, 0.4, random)[0].amax(1) for _ in range(2000)])
    swapped = parts[parts < 1]
    # The larger of c and 1 - c: its square is that of the farther one from a half, Var = 1 / (4 (2 a + 1)).
    assert (swapped - 0.5).square().mean().item() == pytest.approx(1 / (4 * 1.8), rel=0.05)
