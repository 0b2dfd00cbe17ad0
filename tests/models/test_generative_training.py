import pytest
import torch
from probe_models.frechet import frechet
from probe_models.networks import build, start
from probe_models.training.loop import fit
from probe_models.training.objectives import objective_of
from probe_models.training.rows import split_validation
from probe_models.training.settings import Adversary, Settings
from torch.nn.functional import softplus

from probe import Dataset
from probe.errors import PlanError

SMALL = {"side": 8, "widths": [8, 8], "code": 4}
LOSSES = {"autoencoder": "reconstruction", "vae": "elbo", "gan": "game"}


@pytest.fixture(scope="module")
def bars():
    """Images with a bright bar, upright or level, somewhere in the dark, no two of them the same."""
    random = torch.Generator().manual_seed(0)
    labels, places = torch.randint(2, (400,), generator=random), torch.randint(8, (400,), generator=random)
    upright = (torch.arange(8) == places[:, None])[:, None, None, :].expand(-1, 1, 8, 8).float()
    inputs = 0.8 * torch.where(labels.bool()[:, None, None, None], upright, upright.mT) + 0.1
    inputs = inputs + 0.05 * torch.rand(inputs.shape, generator=random)
    return Dataset(inputs=inputs, labels=labels, classes=("level", "upright"), name="bars")


def settings_of(architecture, **others):
    return Settings(
        **({"epochs": 1, "batch_size": 40, "learning_rate": 1e-2, "loss": LOSSES[architecture], "clip": 0.0} | others)
    )


def objective(architecture, data, **others):
    network = build(architecture, SMALL)
    start(network, data.inputs, torch.Generator().manual_seed(1))
    return objective_of(network, settings_of(architecture, **others), data)


def trained(architecture, data, **others):
    network, lines = build(architecture, SMALL), []
    found = fit(network, data, settings_of(architecture, **others), device=torch.device("cpu"), progress=lines.append)
    return network, found


def of_batch(game, data):
    return game.prepare(game.rows(data), torch.Generator().manual_seed(2))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_generator_and_discriminator_get_gradients_of_their_own_loss_only(bars, smoothing):
    game = objective("gan", bars, label_smoothing=smoothing)
    pair, batch = game.network, of_batch(game, bars)
    game(batch).sum().backward()
    found = {name: weight.grad.clone() for name, weight in pair.named_parameters()}
    pair.zero_grad()

    with torch.no_grad():
        made = pair.generator(batch.noise).sigmoid()
    images = bars.inputs.clone().requires_grad_()
    real, fake = pair(images).softmax(1), pair(made).softmax(1)
    (slopes,) = torch.autograd.grad((real[:, 1].log() - real[:, 0].log()).sum(), images, create_graph=True)
    loss = -(1 - smoothing) * real[:, 1].log() - smoothing * real[:, 0].log() - fake[:, 0].log()
    (loss.sum() + 0.5 * slopes.square().sum()).backward()
    own = {name: weight.grad.clone() for name, weight in pair.named_parameters() if weight.grad is not None}
    assert all(name.startswith("discriminator.") for name in own)
    pair.zero_grad()

    (-pair(pair.generator(batch.noise).sigmoid()).log_softmax(1)[:, 1]).sum().backward()
    own |= {name: weight.grad for name, weight in pair.named_parameters() if name.startswith("generator.")}
    assert found.keys() == own.keys()
    for name, gradient in found.items():
        torch.testing.assert_close(gradient, own[name], rtol=1e-3, atol=1e-4)
        assert bool(gradient.abs().sum() > 0) or name == "generator.foot.bias"


def test_the_generator_loss_does_not_train_the_discriminator(bars):
    game = objective("gan", bars)
    before = {name: weight.clone() for name, weight in game.network.discriminator.state_dict().items()}
    game(of_batch(game, bars)).sum().backward()
    after = game.network.discriminator.state_dict()
    assert all(torch.equal(after[name], weight) for name, weight in before.items())


def test_both_gan_losses_are_log_2_if_the_discriminator_cannot_tell(bars):
    game = objective("gan", bars)
    torch.nn.init.zeros_(game.network.discriminator.head.weight)
    torch.testing.assert_close(game(of_batch(game, bars)), softplus(torch.zeros(400)) * 3)


def test_a_gan_is_evaluated_by_the_frechet_distance_of_coarse_images(bars):
    game = objective("gan", bars)
    network = game.network.eval()
    made = network.generate(400, torch.Generator().manual_seed(0))
    first, again = game.evaluate(network, bars), game.evaluate(network, bars)
    assert first == again
    assert first.accuracy is None
    # Of 8 pixels a side, seven means: the first is of pixels 0 and 1.
    coarse = torch.nn.functional.adaptive_avg_pool2d(bars.inputs, 7)
    torch.testing.assert_close(coarse[:, 0, 0, 0], bars.inputs[:, 0, :2, :2].mean((1, 2)))
    apart = frechet(coarse.flatten(1), torch.nn.functional.adaptive_avg_pool2d(made, 7).flatten(1))
    assert first.loss == pytest.approx(apart, rel=0.3)


@pytest.mark.slow
def test_training_brings_generated_images_closer_to_real_ones(bars):
    game = objective("gan", bars)
    before = game.evaluate(game.network.eval(), bars).loss
    network, found = trained("gan", bars, epochs=5, optimiser="adam", momentum=0.5, weight_decay=0.0)
    assert found.best.loss < before / 2
    assert found.best.accuracy is None
    assert not any(module.training for module in network.modules())


def test_an_autoencoder_learns_to_remove_noise(bars):
    reconstruction = objective("autoencoder", bars, augment={"noise": 0.5})
    batch = reconstruction.prepare(reconstruction.rows(bars), torch.Generator().manual_seed(2))
    assert torch.equal(batch.targets, bars.inputs)
    assert float((batch.inputs - bars.inputs).std()) == pytest.approx(0.5, rel=0.02)
    expected = (bars.inputs - reconstruction.network.reconstruct(batch.inputs)).square().mean((1, 2, 3))
    torch.testing.assert_close(reconstruction(batch), expected)


def test_the_loss_of_a_vae_is_its_negative_bound_by_noise_that_the_batch_brings(bars):
    elbo = objective("vae", bars)
    batch = elbo.prepare(elbo.rows(bars), torch.Generator().manual_seed(2))
    other = elbo.prepare(elbo.rows(bars), torch.Generator().manual_seed(3))
    torch.testing.assert_close(elbo(batch), -elbo.network.elbo(bars.inputs, batch.noise))
    assert not torch.equal(batch.noise, other.noise)
    elbo.network.eval()
    assert elbo.evaluate(elbo.network, bars) == elbo.evaluate(elbo.network, bars)


@pytest.mark.parametrize("architecture", ["autoencoder", "vae"])
def test_a_trained_detector_flags_one_in_twenty_of_the_usual_images_that_it_was_not_trained_on(architecture, bars):
    network, _ = trained(architecture, bars, epochs=2, validation=0.25)
    _, held_out = split_validation(bars, 0.25)
    assert len(held_out) == 100
    assert int(network(held_out.inputs).argmax(1).sum()) == 5


@pytest.mark.parametrize("architecture", ["autoencoder", "vae"])
def test_a_trained_autoencoder_has_a_low_loss_and_flags_noise(architecture, bars):
    before = objective(architecture, bars)
    network, found = trained(architecture, bars, epochs=6)
    assert found.best.loss < before.evaluate(before.network.eval(), bars).loss
    noise = torch.rand(100, 1, 8, 8, generator=torch.Generator().manual_seed(5))
    assert float(network(noise).argmax(1).double().mean()) > 0.95


@pytest.mark.parametrize("architecture", LOSSES)
def test_training_draws_from_private_sources_only(architecture, bars):
    before = torch.get_rng_state()
    first, _ = trained(architecture, bars)
    again, _ = trained(architecture, bars)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(first.state_dict().values(), again.state_dict().values(), strict=True))


@pytest.mark.parametrize(
    ("architecture", "loss"), [("cnn", "reconstruction"), ("autoencoder", "elbo"), ("vae", "game")]
)
def test_a_loss_that_does_not_fit_the_network_is_refused(architecture, loss, bars):
    kwargs = {"widths": [4], "side": 8, "classes": 2} if architecture == "cnn" else SMALL
    with pytest.raises(PlanError, match=rf"Settings.loss is '{loss}', which trains .* takes another loss"):
        objective_of(build(architecture, kwargs), Settings(epochs=1, loss=loss), bars)


@pytest.mark.parametrize("architecture", LOSSES)
@pytest.mark.parametrize(
    "option", [{"mixup": 0.2}, {"class_weights": (1.0, 2.0)}, {"adversary": Adversary(method="pgd", eps=0.1)}]
)
def test_a_training_setting_without_effect_is_refused(architecture, option, bars):
    with pytest.raises(PlanError, match=rf"Settings.{next(iter(option))} does nothing for the loss"):
        objective(architecture, bars, **option)
