from math import comb

import numpy as np
import pytest
import torch
from torch.testing import assert_close

import probe
from probe import Model, Regression, Space
from probe.errors import RangeError
from probe.explainers import Lime
from probe.explainers.coalitions import coalition_values, every_subset
from probe.explainers.surrogate import expected_draws, kernel_weights, lime_masks, ridge_slopes
from probe.features import squares

X = torch.tensor([[20.0, 50.0, 30.0]], dtype=torch.float64)
FIRST = torch.tensor([0])


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"kernel_width": 1e6, "ridge": 0.0}, [77.5, 197.5, 117.5]),  # the Banzhaf values
        ({"ridge": 0.0}, [79.996, 199.996, 119.996]),
        ({}, [78.562, 197.613, 118.246]),
    ],
)
def test_lime_over_all_coalitions_has_the_known_values_of_captums_network(multilayer, settings, expected):
    found = Lime(**settings)(multilayer, X, FIRST).values
    assert_close(found, X.new_tensor([expected]), rtol=0, atol=6e-4)


def test_lime_over_all_coalitions_is_the_limit_of_sampling(multilayer):
    masks = torch.rand(200_000, 3, generator=torch.Generator().manual_seed(0)) < 0.5
    values = coalition_values(multilayer, X, FIRST, masks, "logit")
    every = torch.ones(1, 3, dtype=torch.bool)
    drawn = ridge_slopes(masks, kernel_weights(masks, every, 0.25), values, 1.0, every)
    assert_close(Lime(samples=200_000)(multilayer, X, FIRST).values, drawn, rtol=2e-3, atol=0)


def test_lime_recovers_the_contributions_of_a_linear_model(linear, inputs, labels):
    contribution = torch.stack([linear.logits(torch.eye(12).view(12, 3, 2, 2)).T[t] for t in labels]) * inputs.flatten(
        1
    )
    found = Lime(samples=200, ridge=0.0)(linear, inputs, labels).values
    assert_close(found.flatten(1), contribution, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("samples", [1000, 100])
def test_lime_base_agrees_on_the_same_coalitions(network, rows, samples):
    lime_base = pytest.importorskip("lime.lime_base")
    model, x, targets = network(), rows(3, 8), torch.tensor([0, 1, 2])
    masks = lime_masks(8, samples, 0)
    masks = torch.cat([torch.ones(1, 8, dtype=torch.bool), masks])  # `lime` reads the input's own answer in row 0
    values = coalition_values(model, x, targets, masks, "logit")
    every = torch.ones(3, 8, dtype=torch.bool)
    ours = ridge_slopes(masks, kernel_weights(masks, every, 0.25), values, 1.0, every)
    data = masks.double().numpy()
    distance = 1 - np.sqrt(data.mean(1))
    theirs = lime_base.LimeBase(lambda d: np.sqrt(np.exp(-(d**2) / 0.25**2)))
    for row in range(3):
        labels = values[row][:, None].numpy()
        slopes = theirs.explain_instance_with_data(data, labels, distance, 0, 8, "none")[1]
        expected = [slope for _, slope in sorted(slopes)]
        np.testing.assert_allclose(ours[row].numpy(), expected, rtol=1e-6, atol=1e-9)


@pytest.mark.slow
def test_lime_image_agrees_within_sampling_error():
    lime_image = pytest.importorskip("lime.lime_image")
    source = torch.Generator().manual_seed(0)
    image = torch.rand(1, 3, 8, 8, generator=source, dtype=torch.float64)
    weight = torch.randn(192, 2, generator=source, dtype=torch.float64) / 4
    segments = squares(8, 8, 2)
    space = Space(features=segments.expand(3, 8, 8), reference=torch.zeros(1, 3, 8, 8, dtype=torch.float64))
    model = Model(forward=lambda x: torch.tanh(x.flatten(1) @ weight), space=space)

    def probabilities(batch):
        return model.logits(torch.as_tensor(np.asarray(batch)).permute(0, 3, 1, 2)).softmax(-1).numpy()

    explanation = lime_image.LimeImageExplainer(random_state=0).explain_instance(
        image[0].permute(1, 2, 0).numpy(), probabilities, labels=(0,), top_labels=None, hide_color=0,
        num_samples=4000, segmentation_fn=lambda _: segments.numpy(),
    )  # fmt: skip
    theirs = np.array([slope for _, slope in sorted(explanation.local_exp[0])])
    attribution = Lime(samples=4000, output="probability")(model, image, FIRST)
    gap = np.abs(attribution.by_feature()[0].numpy() - theirs).max()
    assert gap < 0.05 * np.abs(theirs).max()


def test_kernel_weights_follow_the_cosine_distance():
    masks = torch.tensor([[True, True, True, True], [True, False, False, False], [False, False, False, False]])
    expected = torch.tensor([1.0, np.exp(-(0.5**2) / (2 * 0.25**2)), np.exp(-1 / (2 * 0.25**2))], dtype=torch.float64)
    every, half = torch.ones(1, 4, dtype=torch.bool), torch.tensor([[True, True, False, False]])
    assert_close(kernel_weights(masks, every, 0.25), expected[None])
    # Among the first two features half of the second coalition is there.
    expected[1] = np.exp(-((1 - 0.5**0.5) ** 2) / (2 * 0.25**2))
    assert_close(kernel_weights(masks, half, 0.25), expected[None])


def test_features_that_equal_the_reference_do_not_change_other_values(network, rows):
    """An input with absent features is explained as one that never had them."""
    model, x = network(6, references=1), rows(3, 6)
    x[:, 4:] = model.space.reference[0, 4:]

    def shorter(present):
        return model.forward(torch.cat([present, model.space.reference[:, 4:].expand(len(present), -1)], 1))

    space = Space(bounds=(-9.0, 9.0), reference=model.space.reference[:, :4])
    method = Lime(samples=64, ridge=0.0)  # every coalition, of six features and of four
    targets = torch.tensor([0, 1, 2])
    found = method(model, x, targets).values
    alone = method(Model(forward=shorter, space=space), x[:, :4], targets).values
    assert_close(found[:, :4], alone, rtol=1e-9, atol=1e-9)
    assert (found[:, 4:] == 0).all()


TEN = torch.ones(1, 10, dtype=torch.bool)


def curved(masks):
    """A game with products of two and three features."""
    z = masks.double() @ torch.diag(torch.linspace(0.5, 1.5, 10, dtype=torch.float64))
    return (z.sum(1) + 2 * z[:, 0] * z[:, 1] - 3 * z[:, 2] * z[:, 3] + z[:, 4:7].prod(1))[None]


def slopes(masks, draws, width):
    return ridge_slopes(masks, kernel_weights(masks, TEN, width) * draws, curved(masks), 0.5, TEN)[0]


def drawn(samples, width, draws=80):
    """The limit of sampling so many coalitions, and its estimates from Lime's draws and from independent ones."""
    every = every_subset(10)
    limit = slopes(every, samples / 1024, width)
    ours, apart = [], []
    for seed in range(draws):
        masks = lime_masks(10, samples, seed, width)
        ours.append(slopes(masks, expected_draws(masks, samples), width))
        masks = every[torch.randint(1024, (samples,), generator=torch.Generator().manual_seed(seed))]
        apart.append(slopes(masks, 1.0, width))
    return limit, torch.stack(ours), torch.stack(apart)


@pytest.mark.slow
@pytest.mark.parametrize(("samples", "width", "share"), [(100, 0.25, 0.8), (400, 0.25, 0.6), (100, 0.12, 0.7)])
def test_draws_of_coalitions_are_right_on_average_and_closer_than_independent_ones(samples, width, share):
    limit, ours, apart = drawn(samples, width)
    error, usual = ((found - limit).square().sum(1).mean().sqrt() for found in (ours, apart))
    assert error < share * usual
    assert (ours.mean(0) - limit).norm() < 0.3 * error


def test_nearly_all_coalitions_are_nearly_the_limit():
    limit, ours, _ = drawn(1022, 0.25, draws=20)
    assert_close(ours, limit.expand_as(ours), rtol=0, atol=0.01)


@pytest.mark.parametrize(("features", "samples"), [(5, 20), (9, 300), (10, 401), (12, 1400), (40, 500), (300, 1200)])
def test_coalitions_are_followed_by_their_complements_and_those_of_a_size_share_its_draws(features, samples):
    masks = lime_masks(features, samples, 0)
    assert masks.shape == (samples // 2 * 2, features)
    assert torch.equal(masks[::2], ~masks[1::2])
    assert masks[0].all()
    draws, sizes = expected_draws(masks, samples), masks.sum(1)
    assert float(draws.sum()) == pytest.approx(samples)
    shares = [float(draws[sizes == size].sum()) / comb(features, size) for size in sizes.unique().tolist()]
    assert shares == pytest.approx([shares[0]] * len(shares))
    if features < 13:
        assert len(masks.unique(dim=0)) == len(masks)


def test_a_kernel_that_sees_the_input_alone_draws_all_the_same():
    masks = lime_masks(12, 100, 0, 1e-6)
    assert len(masks) == 100
    assert bool(expected_draws(masks, 100).isfinite().all())


@pytest.mark.parametrize(("features", "samples"), [(3, 8), (3, 1000), (10, 5000)])
def test_where_all_coalitions_are_asked_each_stands_for_as_many_draws(features, samples):
    masks = lime_masks(features, samples, 0)
    assert len(masks) == 2**features
    assert expected_draws(masks, samples).unique().tolist() == [samples / 2**features]


def test_a_sample_begins_with_the_input_itself():
    masks = lime_masks(20, 50, 0)
    assert masks.shape == (50, 20)
    assert masks[0].all()
    assert 0.4 < masks[1:].double().mean() < 0.6


def test_without_ridge_too_few_samples_are_refused(linear, inputs):
    with pytest.raises(RangeError, match="raise Lime"):
        Lime(samples=8, ridge=0.0)(linear, inputs)


def left_out(model, x, samples, ridge):
    """R squared at each pair of coalitions, of a fit without it."""
    masks = lime_masks(12, samples, 0)
    values = coalition_values(model, x, model.predict(x), masks, "logit")
    active = torch.ones(len(x), 12, dtype=torch.bool)
    weights = kernel_weights(masks, active, 0.25) * expected_draws(masks, samples)
    off, share = torch.zeros_like(values), weights / weights.sum(1, keepdim=True)
    for pair in range(0, len(masks), 2):
        rest = torch.ones(len(masks), dtype=torch.bool)
        rest[pair : pair + 2] = False
        slopes = ridge_slopes(masks[rest], weights[:, rest], values[:, rest], ridge, active)
        fitted = slopes @ masks.double().T
        middle = (weights[:, rest] * (values - fitted)[:, rest]).sum(1) / weights[:, rest].sum(1)
        off[:, ~rest] = (values - fitted - middle[:, None])[:, ~rest]
    around = values - (share * values).sum(1, keepdim=True)
    return 1 - (share * off**2).sum(1) / (share * around**2).sum(1)


def test_fidelity_is_that_at_coalitions_which_a_fit_has_not_seen(network, rows, tmp_path):
    model, x = network(12, references=1), rows(3, 12)
    found = Lime(samples=60, ridge=0.5)(model, x)
    assert_close(found.fidelity, left_out(model, x, 60, 0.5), rtol=1e-4, atol=1e-6)
    assert_close(found[1].fidelity, found.fidelity[1:2])
    found.save(tmp_path / "found.npz")
    assert_close(probe.load(tmp_path / "found.npz").fidelity, found.fidelity)
    assert "of the output's variance around an example" in repr(found)


@pytest.mark.parametrize("samples", [200, 5000], ids=["drawn", "all coalitions"])
@pytest.mark.parametrize(
    ("game", "low", "high"),
    [(lambda z: z.sum(1), 0.999, 1.0), (lambda z: (2 * z - 1).prod(1), -1.0, 0.3), (lambda z: 0 * z[:, 0], None, None)],
    ids=["a sum", "a product of signs", "a constant"],
)
def test_fidelity_is_1_of_a_sum_and_no_more_than_0_of_what_no_sum_tells(samples, game, low, high):
    space = Space(reference=torch.zeros(1, 12, dtype=torch.float64))
    model = Model(forward=lambda x: game(x)[:, None], space=space, task=Regression(("y",)))
    found = Lime(samples=samples, ridge=0.0, kernel_width=9.0)(model, torch.ones(1, 12, dtype=torch.float64)).fidelity
    assert bool(found.isnan()) if low is None else low <= float(found) <= high + 1e-9


def test_auto_is_the_width_whose_fit_tells_left_out_coalitions_best(network, rows):
    model, x, widths = network(6, references=1), rows(6, 6), [0.1, 0.2, 0.4, 0.8, 1.6]
    found = Lime(bandwidth="auto", kernel_width=0.4, ridge=0.01)(model, x)
    told = torch.stack([left_out_of_all(model, x, width, 0.01) for width in widths])
    assert_close(found.fidelity, told.amax(0))
    given = torch.stack([Lime(kernel_width=width, ridge=0.01)(model, x).values for width in widths])
    best = told.argmax(0)
    assert len(best.unique()) > 1
    assert_close(found.values, given[best, torch.arange(len(x))])


def left_out_of_all(model, x, width, ridge):
    """R squared at each pair of complements of which a fit to all other coalitions knows nothing."""
    masks = every_subset(6)
    values = coalition_values(model, x, model.predict(x), masks, "logit")
    weights = kernel_weights(masks, torch.ones(len(x), 6, dtype=torch.bool), width) * expected_draws(masks, 1000)
    share, off = weights / weights.sum(1, keepdim=True), torch.zeros_like(values)
    for one in range(32):
        rest = torch.ones(64, dtype=torch.bool)
        rest[[one, 63 - one]] = False
        fitted = ridge_slopes(masks[rest], weights[:, rest], values[:, rest], ridge, torch.ones(len(x), 6).bool())
        off[:, ~rest] = (values - fitted @ masks.double().T)[:, ~rest]
        left = values[:, rest] - fitted @ masks[rest].double().T
        off[:, ~rest] -= (weights[:, rest] * left).sum(1, keepdim=True) / weights[:, rest].sum(1, keepdim=True)
    around = values - (share * values).sum(1, keepdim=True)
    return 1 - (share * off**2).sum(1) / (share * around**2).sum(1)


def test_auto_asks_no_more_and_refuses_samples_of_which_none_can_be_left_out(network, rows):
    model, x = network(12, references=1), rows(3, 12)
    found, given = (Lime(samples=60, bandwidth=each)(model, x) for each in ("auto", "given"))
    assert found.cost.forward == given.cost.forward
    assert bool((found.fidelity >= given.fidelity).all())
    with pytest.raises(RangeError, match="set samples to at least 48"):
        Lime(samples=20, bandwidth="auto")(model, x)
    constant = Model(forward=lambda x: torch.zeros(len(x), 2), space=model.space)
    assert bool((Lime(samples=60, bandwidth="auto")(constant, x).values == 0).all())


def test_too_few_samples_for_pairs_tell_no_fidelity(network, rows):
    assert Lime(samples=20)(network(12, references=1), rows(1, 12)).fidelity is None
