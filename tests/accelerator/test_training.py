"""Training on another device: one step of every objective as on the CPU, and one look at the device an epoch."""

from copy import deepcopy
from dataclasses import replace

import pandas as pd
import pytest
import torch
from probe_models.networks import ARCHITECTURES, build, start
from probe_models.networks.recurrent import GRU, LSTM
from probe_models.training import optimisers
from probe_models.training.loop import fit
from probe_models.training.mixup import mixup
from probe_models.training.objectives import OBJECTIVES, Objective, objective_of
from probe_models.training.rows import placed
from probe_models.training.settings import Adversary, Balance, Settings
from probe_models.training.stepper import Stepper
from torch import nn

from probe import Dataset, Space
from tests.accelerator import traffic
from tests.accelerator.comparing import assert_same

CPU = torch.device("cpu")
# Not adam, which makes steps of rounding where a gradient is 0.
SETTINGS = Settings(epochs=2, batch_size=8, learning_rate=1e-2, warmup=0.0, optimiser="momentum")


def source():
    return torch.Generator().manual_seed(0)


def images(side=8):
    labels = torch.arange(16) % 2
    rows = torch.rand(16, 1, side, side, generator=source())
    groups = pd.DataFrame({"side": ["left", "right"] * 8})
    return Dataset(rows, labels, space=Space(), classes=("a", "b"), groups=groups, name="images")


def classed(rows, **settings):
    return Dataset(rows, torch.arange(16) % 2, space=Space(**settings), classes=("a", "b"), name="rows")


def texts():
    return classed(torch.randint(9, (16, 5), generator=source()), bounds=(0, 8))


def table():
    rows = torch.rand(16, 5, generator=source())
    rows[:, 3:] = torch.eye(2)[torch.arange(16) % 2]
    kinds, features = ("continuous",) * 3 + ("category",), torch.tensor([0, 1, 2, 3, 3])
    return classed(rows, kinds=kinds, features=features, names=("a", "b", "c", "d"))


def graphs():
    edges = (torch.rand(16, 4, 4, generator=source()) > 0.5).float().triu(1)
    return classed(torch.cat([edges + edges.mT, torch.rand(16, 4, 3, generator=source())], 2), form="graph")


def series():
    return classed(torch.rand(16, 2, 16, generator=source()), form="series")


def numbers():
    rows = torch.rand(16, 3, generator=source())
    return Dataset(rows, rows.sum(1), space=Space(), name="numbers")


# For each architecture its arguments, and rows for it.
NETWORKS = {
    "mlp": ({"numbers": 3, "onehots": 2, "bins": 3, "widths": [6], "norm": "batch", "dropout": 0.2}, table),
    "mlp-regressor": ({"numbers": 3, "onehots": 0, "bins": 3, "widths": [6]}, numbers),
    "ftt": ({"numbers": 3, "levels": [2], "bins": 3, "width": 8, "heads": 2}, table),
    "image-mlp": ({"side": 8, "widths": [6], "classes": 2}, images),
    "lenet": ({"side": 28, "classes": 2}, lambda: images(28)),
    "cnn": ({"side": 8, "widths": [4, 4], "classes": 2, "dropout": 0.2}, images),
    "resnet": ({"widths": [4, 4], "classes": 2}, images),
    "vit": ({"side": 8, "width": 8, "layers": 1, "heads": 2, "classes": 2}, images),
    "text-cnn": ({"words": 9, "width": 4, "lengths": [2, 3], "filters": 3}, texts),
    "lstm": ({"words": 9, "width": 4, "hidden": 3, "dropout": 0.2}, texts),
    "gru": ({"words": 9, "width": 4, "hidden": 3}, texts),
    "text-transformer": ({"words": 9, "tokens": 5, "width": 8, "heads": 2}, texts),
    "gpt": ({"words": 9, "tokens": 5, "width": 8, "heads": 2}, texts),
    "autoencoder": ({"side": 8, "widths": [2, 3], "code": 2}, images),
    "vae": ({"side": 8, "widths": [2, 3], "code": 2}, images),
    "gan": ({"side": 8, "widths": [2, 3], "code": 2}, images),
    "gcn": ({"features": 3, "widths": [4], "classes": 2}, graphs),
    "gat": ({"features": 3, "widths": [4], "heads": 2, "classes": 2}, graphs),
    "tcn": ({"channels": 2, "widths": [4, 4], "classes": 2}, series),
    "series-gru": ({"channels": 2, "classes": 2, "width": 4, "hidden": 3}, series),
}
# The architecture that an objective trains; of classes any.
TRAINS = {
    "reconstruction": "autoencoder",
    "elbo": "vae",
    "game": "gan",
    "next word": "gpt",
    "squared error": "mlp-regressor",
    "absolute error": "mlp-regressor",
}
LOSSES = {architecture: loss for loss, architecture in TRAINS.items()}


def learner(architecture):
    arguments, read = NETWORKS[architecture]
    network, data = build(architecture, arguments), read()
    start(network, data.inputs, source())
    return network, data


def step(network, data, settings, device, objective=None):
    """What is learned in two steps on a device: the losses and the weights."""
    network = deepcopy(network).to(device).train()
    goal = objective_of(network, settings, data, objective).to(device)
    stepper, rows = Stepper(goal, settings, steps=4, seed=3), goal.rows(placed(data, device))
    losses = [stepper.step(rows[torch.arange(8, device=device)]) for _ in range(2)]
    return losses, dict(network.state_dict())


def compared(device, network, data, settings, **how):
    expected, found = (step(network, data, settings, place, **how) for place in (CPU, device))
    assert_same(found[0], expected[0], device)
    assert found[1].keys() == expected[1].keys()
    for name, value in found[1].items():
        assert_same(value, expected[1][name], device, name)
    assert any(not torch.equal(value, network.state_dict()[name]) for name, value in expected[1].items())


@pytest.mark.parametrize("loss", OBJECTIVES)
def test_a_step_of_every_objective_is_that_of_the_cpu(device, loss):
    network, data = learner(TRAINS.get(loss, "image-mlp"))
    compared(device, network, data, replace(SETTINGS, loss=loss))


@pytest.mark.parametrize(
    "settings",
    [
        {"augment": {"flip": 0.5, "shift": 1, "crop": 2, "cutout": 3, "noise": 0.1, "omit": 0.1}},
        {"augment": "flip and shift", "label_smoothing": 0.1, "class_weights": (1.0, 3.0), "ema": 0.9, "l1": 0.01},
        {"adversary": Adversary(method="fgsm", eps=0.1)},
        {"adversary": Adversary(method="trades", eps=0.1, steps=2)},
        {"balance": Balance(method="group dro", groups=("side",))},
        {"layout": "channels first"},
        *({"optimiser": name} for name in optimisers.OPTIMISERS),
    ],
    ids=lambda settings: " ".join(map(str, settings.items())),
)
def test_a_step_with_other_settings_is_that_of_the_cpu(device, settings):
    compared(device, *learner("image-mlp"), replace(SETTINGS, **settings))


def test_a_step_in_half_precision_is_near_that_of_the_cpu(device):
    network, data = learner("image-mlp")
    settings = replace(SETTINGS, precision="bfloat16")
    expected, found = (step(network, data, settings, place)[0] for place in (CPU, device))
    torch.testing.assert_close([loss.cpu() for loss in found], expected, rtol=1e-2, atol=0.0)


class Squares(Objective):
    def forward(self, batch):
        return (self.network(batch.inputs)[:, 0] - batch.targets).square()

    def evaluate(self, network, data):
        raise NotImplementedError


@pytest.mark.parametrize("objective", [Squares, lambda outputs, labels: (outputs[:, 0] - labels).abs()])
def test_a_training_step_with_a_custom_objective_equals_that_of_the_cpu(device, objective):
    network = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    compared(device, network, numbers(), SETTINGS, objective=objective)


@pytest.mark.parametrize("kind", [LSTM, GRU])
def test_a_recurrent_unit_trains_by_torchs_own_and_gives_the_same_states(device, kind):
    unit, x = kind(3, 4), torch.rand(2, 5, 3)
    expected = torch.autograd.grad(unit.written(x).square().sum(), list(unit.parameters()))
    states, unit, x = unit.written(x), deepcopy(unit).to(device), x.to(device)
    assert_same(unit(x), states, device)
    assert_same(torch.autograd.grad(unit(x).square().sum(), list(unit.parameters())), expected, device)
    assert "Lstm" in graph(unit(x)) or "Stack" in graph(unit(x))
    unit.eval()
    x.requires_grad_()
    assert torch.autograd.grad(unit(x).sum(), x)[0].device == device  # by the written one, which has a way back


def graph(output):
    names, steps = [], [output.grad_fn]
    while steps:
        at = steps.pop()
        if at is not None:
            names.append(at.name())
            steps += [before for before, _ in at.next_functions]
    return " ".join(names)


def test_the_cpu_keeps_the_unit_that_the_bundled_networks_learned_by(monkeypatch):
    monkeypatch.setattr(torch, "lstm", lambda *_, **__: pytest.fail("another rounding"))
    assert torch.equal((unit := LSTM(3, 4))(x := torch.rand(2, 5, 3)), unit.written(x))


def test_mixup_mixes_rows_of_the_device(device):
    x, y = torch.rand(6, 4, device=device), torch.tensor([0, 1, 0, 1, 0, 1], device=device)
    with traffic() as found:
        mixed, targets = mixup(x, y, 2, 0.5, torch.Generator(device).manual_seed(1))
    assert mixed.device == targets.device == device
    torch.testing.assert_close(targets.sum(1).cpu(), torch.ones(6))
    assert found.arrivals == 0


def test_optimisers_are_fused_where_the_device_has_that_and_not_on_the_cpu(device):
    network = nn.Linear(2, 2)
    for place, fused in ((CPU, None), (device, True)):
        made = optimisers.optimiser_of(SETTINGS, network.to(place))
        assert made.defaults.get("fused") == fused
    assert isinstance(optimisers.optimiser_of(replace(SETTINGS, optimiser="rmsprop"), network), torch.optim.RMSprop)


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["cross-entropy", "elbo"])
@pytest.mark.parametrize("settings", [{}, {"augment": "flip and shift", "ema": 0.9}])
def test_training_synchronises_once_an_epoch_and_copies_nothing_within_a_step(device, loss, settings):
    network, data = learner(TRAINS.get(loss, "image-mlp"))
    counts = []
    for epochs, batch in ((2, 4), (2, 2), (6, 2)):
        chosen = replace(SETTINGS, epochs=epochs, batch_size=batch, patience=9, loss=loss, **settings)
        with traffic() as found:
            fit(deepcopy(network), data, chosen, device=device, progress=lambda line: None, initialise=False)
        counts.append((len(found.waits), found.arrivals))
    (waits, arrivals), of_more_steps, of_more_epochs = counts
    assert of_more_steps[0] == waits  # 16 steps in place of 8
    assert of_more_steps[1] < arrivals + 8
    assert of_more_epochs[0] <= waits + 4  # four more epochs
    assert of_more_epochs[1] <= arrivals + 4 * 6


def test_a_nan_loss_names_its_step_on_a_device_too(device):
    network, data = learner("image-mlp")
    with pytest.raises(Exception, match=r"the loss is (nan|inf) in epoch 1, step \d") as error:
        fit(
            network,
            data,
            replace(SETTINGS, learning_rate=1e30, clip=0.0),
            device=device,
            progress=str,
            initialise=False,
        )
    assert "lower Settings.learning_rate" in str(error.value)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_trains_as_on_the_cpu(device, architecture):
    assert architecture in NETWORKS, "say in NETWORKS by which arguments, and on which rows, it is tried"
    compared(device, *learner(architecture), replace(SETTINGS, loss=LOSSES.get(architecture, "cross-entropy")))
