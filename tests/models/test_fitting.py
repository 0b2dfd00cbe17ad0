"""What a learning curve says, and how it is drawn."""

import json
import math
from dataclasses import replace

import matplotlib.image
import pytest
import torch
from probe_models.networks import build
from probe_models.training.fitting import fitting
from probe_models.training.loop import fit
from probe_models.training.settings import Settings
from probe_models.zoo import curve, recipe_of

from probe import zoo
from probe.plots import learning
from tests.models.test_survival import CPU, quiet, rows, small


def judged(training, validation, best=None, untrained=10.0):
    """The verdict on two columns of losses, of which the epoch with the lowest was kept."""
    lines = [{"training_loss": a, "validation_loss": b} for a, b in zip(training, validation, strict=True)]
    return fitting(lines, best or validation.index(min(validation)) + 1, untrained)


def settling(epochs, end=0.2, speed=1.0):
    """Losses that fall towards an end: end + exp(-speed t)."""
    return [end + math.exp(-speed * epoch) for epoch in range(epochs)]


def test_converged_curves_without_a_gap_are_a_good_fit():
    found = judged(settling(20), [loss * 1.1 for loss in settling(20)])
    assert found.verdict == "good fit"
    assert found.gap == pytest.approx(0.1 * settling(20)[-1])


def test_a_validation_loss_that_is_still_falling_is_underfitting():
    # exp(-t / 5) falls by 1 - exp(-1) = 63 % over the last quarter of 20 epochs.
    found = judged(settling(20, 0, 0.2), settling(20, 0, 0.2), untrained=1.1)
    assert found.verdict == "underfitting"
    assert found.reason == f"the validation loss still fell by {1 - math.exp(-1):.1%} over the last 5 of 20 epochs"


@pytest.mark.parametrize(
    ("each", "verdict", "reason"),
    [
        (0.99, "underfitting", "still fell by 4.9% over the last 5 of 20 epochs"),
        (0.999, "good fit", "still fell by 0.5% over the last 5 of 20 epochs: more epochs may lower it"),
        (0.9998, "good fit", "more epochs change little"),
    ],
)
def test_the_slope_of_the_loss_decides_whether_more_epochs_are_suggested(each, verdict, reason):
    curve = [each**epoch for epoch in range(20)]
    found = judged(curve, curve)
    assert found.verdict == verdict
    assert found.reason.endswith(reason)


@pytest.mark.slow
def test_after_two_falling_epochs_more_epochs_are_not_called_useless():
    recipe, losses = recipe_of("german-mlp"), {}
    for epochs in (2, 20):
        network = build(recipe.architecture, recipe.kwargs)
        settings = replace(recipe.settings, epochs=epochs)
        found = fit(network, zoo.data("german", "train"), settings, device=CPU, progress=quiet)
        losses[epochs] = found.best.loss
        if epochs == 2:
            assert (found.fitting.verdict, found.fitting.reason) == (
                "underfitting",
                "the validation loss still fell by 1.9% over the last 1 of 2 epochs",
            )
    assert losses[2] == pytest.approx(0.581, abs=2e-3)
    assert losses[20] == pytest.approx(0.535, abs=2e-3)


@pytest.mark.parametrize("recovered", [0.5, 0.5005])
def test_recovering_from_one_bad_epoch_does_not_count_as_a_falling_loss(recovered):
    curve = [0.6, 0.5, 0.5, 0.5, 0.5, 0.9, 0.9, recovered]
    found = judged(curve, curve)
    assert (found.verdict, found.reason) == ("good fit", "the training loss is close, and more epochs change little")


def test_a_noisy_curve_that_falls_is_still_falling():
    curve = [2.0, 1.2, 1.4, 1.1, 1.3, 1.0, 1.2, 0.9, 1.1, 0.8, 1.0, 0.7, 0.9, 0.6, 0.8, 0.6]
    assert judged(curve, curve).verdict == "underfitting"


def test_a_loss_that_rises_from_the_first_epoch_on_is_not_falling():
    curve = [1.0, 1.02, 1.03, 1.04]
    assert judged(curve, curve).reason == "the training loss is close, and more epochs change little"


@pytest.mark.parametrize(("part", "verdict"), [(0.24, "good fit"), (0.26, "overfitting")])
def test_a_gap_of_more_than_a_quarter_is_overfitting(part, verdict):
    found = judged([1 - part] * 5, [1.0] * 5)
    assert (found.verdict, found.gap) == (verdict, pytest.approx(part))


@pytest.mark.parametrize(("rise", "verdict"), [(0.04, "good fit"), (0.06, "overfitting")])
def test_a_validation_loss_that_rose_by_more_than_a_twentieth_is_overfitting(rise, verdict):
    found = judged([0.9, 0.9, 0.8], [1.2, 1.0, 1.0 + rise])
    assert (found.verdict, found.gap) == (verdict, pytest.approx(0.1))
    assert ("rose by 6% after the kept epoch" in found.reason) == (verdict == "overfitting")


def test_a_rise_of_both_losses_is_not_overfitting():
    found = judged([0.9, 0.9, 1.1], [1.2, 1.0, 1.2])
    assert (found.verdict, found.reason) == (
        "losses rising",
        "both losses rose after the kept epoch, which a lower learning rate or fewer epochs may help",
    )


@pytest.mark.parametrize(("untrained", "verdict"), [(1.06, "good fit"), (1.04, "underfitting"), (0.5, "underfitting")])
def test_a_loss_near_that_of_the_untrained_network_is_underfitting(untrained, verdict):
    assert judged([0.95] * 5, [1.0] * 5, untrained=untrained).verdict == verdict


@pytest.mark.parametrize(("untrained", "verdict"), [(1.0, "underfitting"), (100.0, "good fit")])
def test_a_nearly_zero_loss_that_still_falls_is_not_underfitting(untrained, verdict):
    assert judged([1.2, 1.0], [1.2, 1.0], untrained=1.5 * untrained).verdict == verdict


def test_a_network_that_learns_nothing_underfits():
    settings = Settings(epochs=3, batch_size=20, learning_rate=1e-9)
    network = build("image-mlp", {"side": 8, "widths": [16], "classes": 2})
    found = fit(network, rows(), settings, device=CPU, progress=quiet).fitting
    assert found.verdict == "underfitting"
    assert "hardly below that of the untrained network" in found.reason


def test_overfitting_takes_precedence_over_underfitting():
    assert judged([1.0, 0.5, 0.1], [1.0, 0.9, 0.8]).verdict == "overfitting"


def test_the_gap_is_that_of_the_kept_epoch_and_not_of_the_last():
    assert judged([0.9, 0.1], [1.0, 1.01], best=1).gap == pytest.approx(0.1)


def test_one_epoch_gives_no_verdict_and_losses_may_be_negative_or_0():
    assert judged([1.0], [1.1]).verdict == "undecided"
    assert "one epoch does not tell" in judged([1.0], [1.1]).reason
    assert "more epochs change little" in judged([1.0, 1.0], [1.1, 1.1]).reason
    assert judged([0.5], [1.0]).verdict == "overfitting"
    assert judged([-4.0, -4.0], [-4.0, -4.1], untrained=-2.5).verdict == "underfitting"
    assert judged([-2.0], [-1.0]).verdict == "overfitting"
    assert judged([0.0], [0.0]).verdict == "undecided"


def test_a_network_that_memorises_noise_overfits():
    data = rows()
    noise = type(data)(data.inputs, torch.randint(2, (200,), generator=torch.Generator().manual_seed(1)))
    settings = Settings(epochs=30, batch_size=20, learning_rate=1e-2, warmup=0.0, patience=30)
    network = build("image-mlp", {"side": 8, "widths": [64], "classes": 2})
    found = fit(network, noise, settings, device=CPU, progress=quiet).fitting
    assert found.verdict == "overfitting"


@pytest.fixture(scope="module")
def trained():
    return fit(small(), rows(), Settings(epochs=3, batch_size=20, learning_rate=1e-2), device=CPU, progress=quiet)


def test_losses_of_a_learning_curve_are_measured_in_eval_mode_without_augmentation(tmp_path):
    network, settings = small(), Settings(epochs=1, batch_size=20, learning_rate=1e-2, label_smoothing=0.3)
    fit(network, rows(), settings, device=CPU, progress=quiet, folder=tmp_path)
    (line,) = map(json.loads, (tmp_path / "metrics.jsonl").read_text().splitlines())
    order = torch.randperm(200, generator=torch.Generator().manual_seed(0))
    for name, chosen in {"validation_loss": order[:20], "training_loss": order[20:40]}.items():
        data = rows()[chosen]
        expected = torch.nn.functional.cross_entropy(network(data.inputs), data.labels).item()
        assert line[name] == pytest.approx(expected, rel=1e-5)


@pytest.mark.slow
def test_a_run_saves_its_learning_curve_as_an_image(trained, tmp_path):
    for name in ("a", "b"):
        curve.draw(tmp_path / name, "easy", trained)
    first, second = ((tmp_path / name / curve.FILE).read_bytes() for name in ("a", "b"))
    assert first == second
    height, width, _ = matplotlib.image.imread(tmp_path / "a" / curve.FILE).shape
    assert height > 200
    assert width > 300


def test_the_curve_shows_the_losses_the_verdict_and_the_kept_epoch(trained, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(curve, "learning", lambda *a, **k: drawn.append(learning(*a, **k)) or drawn[-1])
    curve.draw(tmp_path, "easy", trained)
    (ax,) = drawn
    assert ax.get_title(loc="left") == f"easy: {trained.fitting.verdict}, gap {trained.fitting.gap:.3f}"
    training, validation, kept = ax.get_lines()
    assert list(training.get_ydata()) == [line["training_loss"] for line in trained.lines]
    assert list(validation.get_ydata()) == [line["validation_loss"] for line in trained.lines]
    assert set(kept.get_xdata()) == {trained.best.number}


@pytest.mark.parametrize("epochs", [1, 2, 18])
def test_epochs_are_whole_numbers_also_if_there_is_one(epochs):
    ax = learning(range(1, epochs + 1), settling(epochs), settling(epochs), kept=epochs)
    low, high = ax.get_xlim()
    ticks = [tick for tick in ax.get_xticks() if low <= tick <= high]
    assert ticks
    assert all(tick == round(tick) for tick in ticks)


def test_a_diverged_epoch_does_not_flatten_the_learning_curve():
    assert learning([1, 2], [2e4, 0.1], [3e4, 0.2]).get_yscale() == "log"
    assert learning([1, 2], [0.5, 0.1], [0.6, 0.2]).get_yscale() == "linear"
    assert learning([1, 2], [-2e4, 0.1], [3e4, 0.2]).get_yscale() == "linear"
