import math
from dataclasses import replace

import pytest
import torch
from probe_models.networks import build
from probe_models.training import loop
from probe_models.training.augment import flip_and_shift
from probe_models.training.loop import fit
from probe_models.training.rows import batches, placed, split_validation
from probe_models.training.schedules import warmup_cosine
from probe_models.training.settings import Settings

from probe import Dataset, Space
from probe.errors import DataError, PlanError, ProbeError, RangeError

CPU = torch.device("cpu")


def quiet(line):
    pass


@pytest.mark.slow
def test_training_learns_an_easy_task(network, easy, settings):
    trained = fit(network, easy, settings, device=CPU, progress=quiet)
    assert trained.best.loss < 0.5 < math.log(2)
    assert (network(easy.inputs).argmax(1) == easy.labels).double().mean() > 0.9
    assert not network.training


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bits_and_another_does_not_and_all_else_is_left_alone(blank, easy, settings):
    before, inputs = torch.get_rng_state(), easy.inputs.clone()
    networks = [blank() for _ in range(3)]
    for network, seed in zip(networks, (1, 1, 2), strict=True):
        fit(network, easy, replace(settings, epochs=2), device=CPU, seed=seed, progress=quiet)
    first, again, other = ({n: p.detach() for n, p in net.named_parameters()} for net in networks)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(easy.inputs, inputs)


def test_rows_that_lie_on_the_device_are_not_checked_again_and_a_run_that_is_not_saved_has_no_digest(
    network, easy, settings, tmp_path, monkeypatch
):
    assert placed(easy, torch.device(CPU)) is easy
    asked = []
    monkeypatch.setattr(loop, "digest", lambda data, divided: asked.append(data) or "one")
    once = replace(settings, epochs=1)
    fit(network, easy, once, device=CPU, progress=quiet)
    assert not asked
    fit(network, easy, once, device=CPU, progress=quiet, folder=tmp_path / "out", initialise=True)
    assert len(asked) == 1


def test_validation_rows_are_never_trained_on(easy):
    training, validation = split_validation(easy, 0.1)
    assert (len(training), len(validation)) == (180, 20)
    assert sorted([*training.rows.tolist(), *validation.rows.tolist()]) == list(range(200))


def test_too_few_rows_for_a_validation_split_are_refused(easy):
    with pytest.raises(DataError, match="too few to keep 10% of them"):
        split_validation(easy[:3], 0.1)


@pytest.mark.parametrize("architecture", ["ftt"])  # whose best epoch is not the last, nor as good as that
def test_the_weights_of_the_best_epoch_are_kept(network, easy, settings):
    trained = fit(network, easy, replace(settings, epochs=8, learning_rate=0.3), device=CPU, progress=quiet)
    _, validation = split_validation(easy, settings.validation)
    loss = torch.nn.functional.cross_entropy(network(validation.inputs), validation.labels)
    assert loss.item() == pytest.approx(trained.best.loss, rel=1e-4)


@pytest.mark.parametrize("architecture", ["cnn"])
def test_early_stopping_ends_training_after_patience(network, easy, settings):
    lines = []
    trained = fit(
        network, easy, replace(settings, epochs=60, learning_rate=0.3, patience=1), device=CPU, progress=lines.append
    )
    assert trained.epochs < 60
    assert trained.epochs == trained.best.number + 1
    assert "no better for 1 epochs" in lines


@pytest.mark.parametrize("architecture", ["cnn"])
def test_interrupting_keeps_the_best_epoch(network, easy, settings):
    def impatient(line):
        if line.startswith("epoch 2"):
            raise KeyboardInterrupt

    trained = fit(network, easy, settings, device=CPU, progress=impatient)
    assert trained.epochs == 2
    assert not network.training


@pytest.mark.parametrize("architecture", ["cnn"])
def test_a_nan_loss_ends_training_and_names_the_step(network, easy, settings):
    with pytest.raises(ProbeError, match=r"the loss is (nan|inf) in epoch \d, step \d+; lower Settings.learning_rate"):
        fit(network, easy, replace(settings, learning_rate=1e30), device=CPU, progress=quiet)


def test_the_learning_rate_warms_up_then_decays():
    rates = [warmup_cosine(done / 10, 0.2) for done in range(11)]
    assert rates[2] == 1
    assert rates[0] < rates[1] < rates[2]
    assert rates[2:] == sorted(rates[2:], reverse=True)
    assert rates[10] == pytest.approx(0)


def test_flipping_and_shifting_moves_pixels_by_at_most_two():
    image = torch.zeros(500, 1, 9, 9)
    image[:, :, 4, 3] = 1
    moved = flip_and_shift(image, torch.Generator().manual_seed(0))
    assert bool((moved.flatten(1).sum(1) == 1).all())
    places = {(int(i) // 9, int(i) % 9) for i in moved.flatten(1).argmax(1)}
    assert places == {(row, column) for row in range(2, 7) for column in range(1, 8)}


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"learning_rate": -1.0}, {"validation": 0.0}, {"warmup": 1.0}])
def test_invalid_training_settings_are_refused(wrong):
    with pytest.raises(RangeError, match=rf"Settings.{next(iter(wrong))}"):
        Settings(**({"epochs": 1} | wrong))


@pytest.mark.parametrize("architecture", ["mlp"])
def test_one_row_that_is_left_of_an_epoch_is_trained_on_with_those_before(easy):
    # Batch normalisation has no variance of one row to divide by.
    network = build("mlp", {"numbers": 2, "onehots": 3, "bins": 4, "widths": [8], "norm": "batch"})
    lines = fit(network, easy, Settings(epochs=1, batch_size=179), device=CPU, progress=quiet).lines
    assert math.isfinite(lines[0]["loss"])


@pytest.mark.parametrize("architecture", ["mlp"])
def test_batch_normalisation_refuses_batches_of_one_row(easy):
    settings = Settings(epochs=1, batch_size=1)
    network = build("mlp", {"numbers": 2, "onehots": 3, "bins": 4, "widths": [8], "norm": "batch"})
    with pytest.raises(
        RangeError, match=r"TableNet normalises over the rows of a batch; Settings.batch_size must be 2 or more"
    ):
        fit(network, easy, settings, device=CPU, progress=quiet)
    network = build("mlp", {"numbers": 2, "onehots": 3, "bins": 4, "widths": [8], "norm": "layer"})
    assert math.isfinite(fit(network, easy[:20], settings, device=CPU, progress=quiet).best.loss)


@pytest.mark.parametrize("architecture", ["mlp"])
def test_mixing_classes_needs_their_names(easy, network):
    with pytest.raises(PlanError, match="easy names none; give it classes"):
        fit(network, replace(easy, classes=()), Settings(epochs=1, mixup=0.2), device=CPU, progress=quiet)


def test_batches_cover_all_rows_and_what_is_too_short_joins_the_one_before():
    assert batches(180, 179) == [slice(0, 179), slice(179, 180)]
    assert batches(180, 179, 2) == [slice(0, 180)]
    assert batches(180, 59, 4) == [slice(0, 59), slice(59, 118), slice(118, 180)]
    assert batches(180, 60, 4) == [slice(0, 60), slice(60, 120), slice(120, 180)]
    assert batches(3, 1) == [slice(0, 1), slice(1, 2), slice(2, 3)]
    assert batches(1, 5, 2) == [slice(0, 1)]


@pytest.fixture
def ids():
    source = torch.Generator().manual_seed(0)
    inputs = torch.randint(20, (60, 5), generator=source)
    return Dataset(
        inputs=inputs, labels=inputs[:, 0] % 2, space=Space(bounds=(0, 19)), classes=("even", "odd"), name="ids"
    )


TEXTS = {"words": 20, "width": 4, "lengths": [1], "filters": 4}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"words": 5}, r"TextCNN cannot take the rows of ids \(5,\): .*out of range"),
        ({"lengths": [6]}, r"TextCNN cannot take the rows of ids \(5,\): "),
        ({"classes": 3}, "TextCNN has 3 outputs, ids has 2 classes"),
    ],
)
def test_a_network_that_does_not_fit_the_rows_is_refused_before_training(change, message, ids):
    with pytest.raises(DataError, match=message):
        fit(build("text-cnn", TEXTS | change), ids, Settings(epochs=1), device=CPU, progress=quiet)


@pytest.mark.parametrize("change", [{"mixup": 0.2}, {"augment": {"noise": 0.1}}])
def test_token_ids_are_not_mixed_or_moved_bit_by_bit(change, ids):
    with pytest.raises(ProbeError, match="token ids"):
        fit(build("text-cnn", TEXTS), ids, Settings(epochs=1, **change), device=CPU, progress=quiet)


@pytest.mark.parametrize("architecture", ["cnn"])
def test_constant_inputs_do_not_divide_by_zero(easy):
    rows = replace(easy, inputs=torch.zeros(200, 1, 8, 8))
    network = build("cnn", {"widths": [4], "side": 8, "classes": 2})
    assert math.isfinite(fit(network, rows, Settings(epochs=1), device=CPU, progress=quiet).best.loss)
