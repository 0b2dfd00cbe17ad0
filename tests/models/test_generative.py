import math

import numpy as np
import pandas as pd
import pytest
import torch
from probe_models.networks import build, start
from probe_models.networks.vae import divergence
from probe_models.zoo.measures import measure
from probe_models.zoo.measures.anomaly import areas_by_kind, delong

from probe import Dataset, Model, Space
from probe.errors import DataError, Unsupported
from probe.statistics import bootstrap

SMALL = {"side": 8, "widths": [4, 6], "code": 3}


@pytest.fixture
def images():
    return torch.rand(40, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def made(architecture, images):
    network = build(architecture, SMALL)
    start(network, images, torch.Generator().manual_seed(1), "xavier")
    return network.eval().requires_grad_(False)


@pytest.fixture(params=["autoencoder", "vae"])
def detector(request, images):
    return made(request.param, images)


@pytest.fixture
def vae(images):
    return made("vae", images)


@pytest.fixture
def pair(images):
    return made("gan", images)


@pytest.mark.parametrize("architecture", ["autoencoder", "vae", "gan"])
def test_the_anomaly_score_of_an_image_does_not_depend_on_its_batch(architecture, images):
    network = made(architecture, images)
    together = network(images[:7])
    assert together.shape == (7, 2)
    torch.testing.assert_close(torch.cat([network(image[None]) for image in images[:7]]), together)
    assert bool(together.sum(1).abs().max() < 1e-6)


def test_a_decoder_restores_the_shape_of_the_encoders_input(detector, images):
    rebuilt = detector.reconstruct(images)
    assert rebuilt.shape == images.shape
    assert bool(((rebuilt > 0) & (rebuilt < 1)).all())


def test_an_image_that_cannot_be_halved_is_refused():
    with pytest.raises(DataError, match="images of 7 x 28 pixels cannot be halved 3 times; give fewer widths"):
        build("vae", {"side": [7, 28], "widths": [4, 4, 4], "code": 3})


def test_errors_are_the_mean_squared_differences_of_the_reconstruction(detector, images):
    expected = [
        float((image - rebuilt).pow(2).mean())
        for image, rebuilt in zip(images, detector.reconstruct(images), strict=True)
    ]
    assert detector.errors(images).tolist() == pytest.approx(expected)


def test_the_log_odds_of_unusual_rise_with_the_error_in_proportion(detector, images):
    detector.settle(torch.rand(1000, generator=torch.Generator().manual_seed(2)) / 10)
    errors, logits = detector.errors(images), detector(images)
    odds = logits[:, 1] - logits[:, 0]
    assert torch.equal(odds.argsort(), errors.argsort())
    torch.testing.assert_close(odds, detector.slope * (errors - detector.threshold), rtol=1e-4, atol=1e-5)
    assert detector.slope > 0


def test_an_uncalibrated_detector_outputs_the_error(detector, images):
    logits = detector(images)
    torch.testing.assert_close(logits[:, 1] - logits[:, 0], detector.errors(images))


def test_a_calibrated_detector_flags_one_in_twenty_usual_images(
    detector,
):
    errors = torch.randn(4001, generator=torch.Generator().manual_seed(2)).exp() / 100
    detector.settle(errors)
    assert int((errors > detector.threshold).sum()) == 200
    middle = detector.slope * (errors.median() - detector.threshold)
    assert float(middle.sigmoid()) == pytest.approx(0.05)


def test_a_detector_can_be_calibrated_on_equal_errors(detector, images):
    detector.settle(torch.full((10,), 0.25))
    assert bool(detector(images).isfinite().all())


def test_the_calibration_of_a_detector_is_saved_with_its_weights(detector):
    detector.settle(torch.linspace(0, 1, 101))
    assert float(detector.state_dict()["threshold"]) == pytest.approx(0.95)
    assert float(detector.state_dict()["slope"]) == pytest.approx(math.log(19) / 0.45)


def test_gradients_of_a_detector_reach_the_image_for_either_class(detector, images):
    detector.settle(detector.errors(images))
    for target in (0, 1):
        x = images.clone().requires_grad_()
        detector(x)[:, target].sum().backward()
        assert bool((x.grad.flatten(1).norm(dim=1) > 0).all())


def test_the_divergence_is_the_mean_log_ratio_of_the_densities():
    mean, log_variance = torch.tensor([[0.5, -1.0, 2.0]]), torch.tensor([[0.0, -1.0, 0.7]])
    codes = torch.distributions.Normal(mean, (log_variance / 2).exp())
    noise = torch.randn(200_000, 3, generator=torch.Generator().manual_seed(0))
    drawn = mean + (log_variance / 2).exp() * noise
    ratios = (codes.log_prob(drawn) - torch.distributions.Normal(0, 1).log_prob(drawn)).sum(1)
    error = float(ratios.std()) / math.sqrt(len(ratios))
    assert float(divergence(mean, log_variance)) == pytest.approx(float(ratios.mean()), abs=4 * error)
    assert float(divergence(torch.zeros(1, 3), torch.zeros(1, 3))) == 0


def test_the_bound_is_the_likelihood_of_the_pixels_less_the_divergence(vae, images):
    noise = torch.randn(40, 3, generator=torch.Generator().manual_seed(2))
    mean, log_variance = vae.encode(images)
    for row in range(3):
        code = mean[row] + log_variance[row].exp().sqrt() * noise[row]
        white = vae.decoder(code[None]).sigmoid()[0].double()
        image = images[row].double()
        likelihood = (image * white.log() + (1 - image) * (1 - white).log()).sum()
        shift = 0.5 * (mean[row] ** 2 + log_variance[row].exp() - 1 - log_variance[row]).sum()
        assert float(vae.elbo(images, noise)[row]) == pytest.approx(float(likelihood - shift), rel=1e-5)


def test_a_vae_rebuilds_from_the_mean_code_and_so_gives_the_same_answer_each_time(vae, images):
    assert torch.equal(vae.reconstruct(images), vae.decoder(vae.encode(images)[0]).sigmoid())
    assert torch.equal(vae(images), vae(images))


@pytest.mark.parametrize("architecture", ["vae", "gan"])
def test_generated_images_follow_from_their_source_alone(architecture, images):
    network, before = made(architecture, images), torch.get_rng_state()
    one, again = (network.generate(600, torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(one, again)
    assert one.shape == (600, 1, 8, 8)
    assert 0 <= float(one.min()) < float(one.max()) <= 1
    assert not one.requires_grad


def test_the_log_odds_of_real_are_the_discriminators(pair, images):
    logits = pair(images)
    torch.testing.assert_close(logits[:, 1] - logits[:, 0], pair.discriminator(images)[:, 0])


def test_a_transposed_convolution_begins_with_the_deviation_of_its_initialiser():
    network = build("gan", {"side": 8, "widths": [8, 64], "code": 3})
    start(network, torch.zeros(1), torch.Generator().manual_seed(0), "he")
    layer = network.generator.blocks[0][-1]
    assert float(layer.weight.detach().std()) == pytest.approx(math.sqrt(2 / (64 * 16)), rel=0.02)
    assert bool((layer.bias == 0).all())


def scores(count, shift, seed):
    return np.random.default_rng(seed).normal(shift, 1.0, count).round(1)


def test_delong_agrees_with_all_pairs_one_by_one():
    positive, negative = scores(30, 1.0, 0), scores(20, 0.0, 1)
    wins = np.array([[(p > n) + 0.5 * (p == n) for n in negative] for p in positive])
    area = delong(positive, negative)
    half = 1.959964 * math.sqrt(wins.mean(1).var(ddof=1) / 30 + wins.mean(0).var(ddof=1) / 20)
    assert area.value == pytest.approx(wins.mean())
    assert (area.low, area.high) == pytest.approx((wins.mean() - half, min(1, wins.mean() + half)))
    assert area.n == 50


def test_delong_intervals_are_about_as_wide_as_the_bootstrap():
    positive, negative = scores(300, 1.0, 0), scores(300, 0.0, 1)
    pairs = np.stack((positive, negative), 1)
    low, high = bootstrap(pairs, lambda rows: delong(rows[:, 0], rows[:, 1]).value, draws=500)
    area = delong(positive, negative)
    assert area.high - area.low == pytest.approx(high - low, rel=0.15)


def test_perfectly_separated_scores_have_an_interval_that_shrinks_with_their_number():
    few, many = (delong(np.ones(count), np.zeros(3 * count)) for count in (10, 1000))
    assert few.value == few.high == many.high == 1
    assert few.low == pytest.approx(10 / (10 + 1.96**2), abs=1e-3)
    assert few.low < many.low < 1


def test_areas_are_of_each_kind_against_all_usual_images():
    inputs = torch.tensor([[0.1], [0.2], [0.3], [0.9], [0.8], [0.15], [0.35]])
    kinds = ["clothes"] * 3 + ["noise"] * 2 + ["digits"] * 2
    data = Dataset(
        inputs=inputs,
        labels=torch.tensor([0, 0, 0, 1, 1, 1, 1]),
        classes=("usual", "unusual"),
        groups=pd.DataFrame({"kind": kinds}),
    )
    model = Model(forward=lambda x: torch.cat((-x, x), 1), space=Space(), classes=data.classes)
    found = areas_by_kind(model, data)
    assert found["area_under_roc_noise"] == 1
    assert found["area_under_roc_digits"] == pytest.approx(4 / 6)
    assert found["area_under_roc_noise_n"] == 5
    assert found["area_under_roc_digits_low"] < 4 / 6 < found["area_under_roc_digits_high"]
    with pytest.raises(DataError, match="has no group 'kind'"):
        areas_by_kind(model, Dataset(inputs=inputs, labels=data.labels))


@pytest.mark.parametrize("name", ["elbo", "frechet"])
def test_a_measure_that_does_not_fit_a_model_says_so(name, linear):
    data = Dataset(inputs=torch.zeros(1, 3, 2, 2), labels=torch.tensor([0]))
    with pytest.raises(Unsupported, match="drop this measure"):
        measure(name)(linear, data)
