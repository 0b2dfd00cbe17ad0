"""Training of anybody's network: what the seed decides, what a run that is taken up ends with, what is refused."""

import random
from contextlib import suppress

import numpy as np
import pytest
import torch
from probe_models.networks import ARCHITECTURES, build, drawn
from probe_models.networks.drawing import left, start
from probe_models.randomness import fixed
from probe_models.training.loop import fit
from probe_models.training.settings import Adversary, Settings
from probe_models.training.state import States
from torch import nn

from probe import Dataset
from probe.errors import DataError, PlanError
from tests.models.conftest import SHAPES, SMALL
from tests.models.test_survival import CPU, quiet, same, weights

SETTINGS = Settings(epochs=2, batch_size=20, learning_rate=1e-2, ema=0.9)
WIDTH = 6


class Recurrent(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.read = kind(WIDTH, 4, num_layers=2, dropout=0.3, batch_first=True)
        self.head = nn.Linear(4, 2)

    def forward(self, inputs):
        return self.head(self.read(inputs[:, None].expand(-1, 3, -1))[0][:, -1])


class Transformer(nn.Module):
    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(WIDTH, 2, 8, dropout=0.2, batch_first=True)
        self.layers, self.head = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), nn.Linear(WIDTH, 2)

    def forward(self, inputs):
        return self.head(self.layers(inputs[:, None].expand(-1, 3, -1)).mean(1))


class Noisy(nn.Module):
    """Draws from every global source there is, in both modes."""

    def __init__(self):
        super().__init__()
        self.layer, self.scale = nn.Linear(WIDTH, 2), nn.Parameter(torch.ones(2))

    def forward(self, inputs):
        rows = nn.functional.dropout(inputs, 0.3, training=self.training)
        noise = torch.rand(len(rows), 2) + random.random() + float(np.random.rand())  # noqa: NPY002  # as users do
        return self.layer(rows) * self.scale + 0.1 * noise


class Own(nn.Module):
    """Has weights that no layer of torch's knows, and says how to draw them."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(WIDTH, 2))
        self.reset_parameters()

    def reset_parameters(self):
        nn.init.normal_(self.weight)

    def forward(self, inputs):
        return inputs @ self.weight


class Forgetful(nn.Module):
    """Has a buffer that its state dict leaves out, and that changes with each step."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(WIDTH, 2)
        self.register_buffer("seen", torch.zeros(()), persistent=False)

    def forward(self, inputs):
        if self.training:
            self.seen += 1
        return self.layer(inputs) / (1 + self.seen)


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.second.weight = self.first.weight

    def forward(self, inputs):
        return self.second(self.first(inputs).relu())[:, :2]


NETWORKS = {
    "dropout": lambda: nn.Sequential(nn.Linear(WIDTH, 8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 2)),
    "alpha dropout": lambda: nn.Sequential(nn.Linear(WIDTH, 8), nn.AlphaDropout(0.3), nn.Linear(8, 2)),
    "batch norm": lambda: nn.Sequential(nn.Linear(WIDTH, 8), nn.BatchNorm1d(8), nn.PReLU(), nn.Linear(8, 2)),
    "rrelu": lambda: nn.Sequential(nn.Linear(WIDTH, 8), nn.RReLU(), nn.Linear(8, 2)),
    "lstm": lambda: Recurrent(nn.LSTM),
    "gru": lambda: Recurrent(nn.GRU),
    "transformer": Transformer,
    "global draws": Noisy,
    "own weights": Own,
    "loose buffer": Forgetful,
    "tied": Tied,
}


def rows(count=80):
    source = torch.Generator().manual_seed(0)
    labels = torch.randint(2, (count,), generator=source)
    inputs = 0.5 * torch.rand(count, WIDTH, generator=source) + 0.5 * labels[:, None]
    return Dataset(inputs=inputs, labels=labels, classes=("low", "high"), name="rows")


def train(network, **options):
    return fit(network, rows(), SETTINGS, **{"device": CPU, "progress": quiet, "initialise": True} | options)


def states():
    arrays = np.random.get_state()  # noqa: NPY002  # that it stays what it is
    return [np.array(part).tolist() for part in arrays], torch.get_rng_state().tolist()


def draws():
    return random.random(), np.random.rand(), torch.rand(()).item()  # noqa: NPY002  # as users do


@pytest.fixture(params=NETWORKS)
def make(request):
    return NETWORKS[request.param]


def test_the_seed_determines_all_draws_of_a_network_and_global_state_is_unchanged(make):
    before = states()
    first, again, other = (drawn(make, seed) for seed in (1, 2, 3))
    found = [train(net, seed=seed).best.loss for net, seed in ((first, 0), (again, 0), (other, 1))]
    assert states() == before
    assert same(weights(first), weights(again))
    assert found[0] == found[1]
    assert not same(weights(first), weights(other))


def test_a_seeded_block_leaves_the_global_random_state_unchanged():
    random.seed(3)
    before = random.getstate(), states()
    with fixed(5):
        first = draws()
        with fixed(6):
            other = draws()
        second = draws()
    assert random.getstate() == before[0]
    assert states() == before[1]
    with fixed(5):
        assert draws() == first != other
        assert draws() == second != first


@pytest.mark.slow
def test_a_run_of_any_network_resumed_after_any_step_ends_with_the_same_bits(make, tmp_path, monkeypatch):
    whole, write, count = make(), States.write, 0
    train(whole)

    def limited(self, tensors, numbers):
        nonlocal count
        write(self, tensors, numbers)
        count += 1
        if count == steps:
            raise KeyboardInterrupt

    for steps in (1, 3, 4, 5):
        count = 0
        with monkeypatch.context() as patched, suppress(KeyboardInterrupt):
            patched.setattr(States, "write", limited)
            train(make(), folder=tmp_path / str(steps), save_every=0)
        lines, again = [], make()
        train(again, folder=tmp_path / str(steps), progress=lines.append)
        assert lines[0].startswith("continuing in epoch"), steps
        assert same(weights(again), weights(whole)), steps


def test_an_adversary_moves_rows_by_the_seed_too():
    first, again = Noisy(), Noisy()
    for network in (first, again):
        settings = Settings(epochs=1, batch_size=20, adversary=Adversary(method="pgd", eps=0.1, steps=2))
        fit(network, rows(), settings, device=CPU, progress=quiet, initialise=True)
    assert same(weights(first), weights(again))


class Scaled(nn.Module):
    def __init__(self, **parts):
        super().__init__()
        self.layer = nn.Linear(WIDTH, 2)
        for name, part in parts.items():
            if isinstance(part, nn.Parameter):
                self.register_parameter(name, part)
            else:
                self.register_buffer(name, part)

    def forward(self, inputs):
        return self.layer(inputs)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Scaled(scale=nn.Parameter(torch.randn(2))),
        lambda: Scaled(scale=nn.Parameter(torch.tensor(0.3))),
        lambda: Scaled(scale=torch.randn(4)),
        lambda: Scaled(scale=torch.randperm(4)),
        lambda: Scaled(scale=torch.rand(40) > 0.5),
    ],
)
def test_draws_that_the_seed_cannot_control_are_refused_and_the_remedy_works(make):
    network = make()
    before = weights(network)
    with pytest.raises(PlanError, match=r"does not decide scale of Scaled.*drawn\(factory, seed\).*initialise=False"):
        train(network)
    assert same(weights(network), before)
    first, again = (drawn(make, seed=0) for _ in range(2))
    for built in (first, again):
        train(built, initialise=False)
    assert same(weights(first), weights(again))


def test_weight_normalisation_is_refused_as_torch_cannot_draw_it_anew():
    network = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(WIDTH, 2)))
    with pytest.raises(PlanError, match="the seed does not decide"):
        train(network)


@pytest.mark.parametrize("part", [torch.ones(3), torch.full((3,), 1e-6), torch.tensor(0.0), torch.zeros(2).bool()])
def test_constant_weights_count_as_not_drawn_and_are_kept(part):
    network = Scaled(scale=part.clone())
    train(network)
    assert torch.equal(network.scale, part)


def test_learned_weights_are_not_drawn_anew_without_being_asked():
    network = NETWORKS["dropout"]()
    before = weights(network)
    with pytest.raises(PlanError, match=r"has weights already; give initialise=True .* or initialise=False"):
        fit(network, rows(), SETTINGS, device=CPU, progress=quiet)
    assert same(weights(network), before)
    slow = Settings(epochs=1, batch_size=20, learning_rate=1e-9, weight_decay=0.0)
    fit(network, rows(), slow, device=CPU, progress=quiet, initialise=False)
    assert all(torch.allclose(tensor, before[name], atol=1e-6) for name, tensor in weights(network).items())
    fit(network, rows(), slow, device=CPU, progress=quiet, initialise=True)
    assert not torch.allclose(network[0].weight, before["0.weight"], atol=1e-2)


def test_a_trained_zoo_network_is_not_reinitialised_without_being_told():
    network = build("image-mlp", {"side": 8, "widths": [4], "classes": 2})
    pictures = Dataset(torch.rand(60, 1, 8, 8), torch.randint(2, (60,)), classes=("a", "b"))
    fit(network, pictures, SETTINGS, device=CPU, progress=quiet)
    with pytest.raises(PlanError, match="ImageMLP has weights already"):
        fit(network, pictures, SETTINGS, device=CPU, progress=quiet)
    learned = weights(network)
    other = build("image-mlp", {"side": 8, "widths": [4], "classes": 2})
    with pytest.raises(PlanError, match="is not filled in, so initialise=False has nothing to start from"):
        fit(other, pictures, SETTINGS, device=CPU, progress=quiet, initialise=False)
    other.load_state_dict(learned)
    with pytest.raises(PlanError, match="ImageMLP has weights already"):
        fit(other, pictures, SETTINGS, device=CPU, progress=quiet)
    fit(other, pictures, SETTINGS, device=CPU, progress=quiet, weights=learned)


@pytest.mark.parametrize("architecture", SMALL)
def test_start_initialises_every_weight_and_build_none(architecture):
    network = build(architecture, SMALL[architecture])
    assert left(network)
    start(network, torch.rand(20, *SHAPES[architecture]), torch.Generator().manual_seed(0))
    assert not left(network)
    assert architecture in ARCHITECTURES


def test_other_weights_to_begin_with_are_another_run(tmp_path):
    first, other = (drawn(NETWORKS["dropout"], seed) for seed in (0, 1))
    train(first, folder=tmp_path, initialise=False)
    with pytest.raises(FileExistsError, match="holds the state of a run"):
        train(other, folder=tmp_path, initialise=False)


def test_weights_frozen_by_the_user_stay_frozen():
    network = NETWORKS["dropout"]()
    network[0].requires_grad_(requires_grad=False)
    before = network[0].weight.clone()
    train(network, initialise=False)
    assert torch.equal(network[0].weight, before)
    assert not network[0].weight.requires_grad
    assert network[3].weight.requires_grad


class Wrong(nn.Module):
    def __init__(self, make):
        super().__init__()
        self.layer, self.make = nn.Linear(WIDTH, 2), make

    def forward(self, inputs):
        return self.make(self.layer(inputs))


class Remembers(Wrong):
    def get_extra_state(self):
        return {"a": 1}

    def set_extra_state(self, state):
        pass


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (lambda: Wrong(lambda logits: (logits, 1)), "Wrong returns a tuple, expected a tensor of logits"),
        (lambda: Wrong(lambda logits: {"logits": logits}), "Wrong returns a dict"),
        (lambda: Wrong(lambda logits: None), "Wrong returns None, expected a tensor of logits"),
        (lambda: Wrong(lambda logits: logits[:, 0]), r"Wrong returns \(2,\) torch.float32 for 2 rows"),
        (lambda: Wrong(lambda logits: logits[:, :, None]), r"Wrong returns \(2, 2, 1\)"),
        (lambda: Wrong(lambda logits: logits.mean(0, keepdim=True)), r"Wrong returns \(1, 2\)"),
        (lambda: Wrong(lambda logits: logits.argmax(1)), "torch.int64 for 2 rows, expected logits"),
        (lambda: Wrong(lambda logits: logits.nothing), "Wrong cannot take the rows of rows"),
        (lambda: Wrong(lambda logits: logits[:, :1]), "Wrong has 1 outputs, rows has 2 classes"),
        (lambda: nn.Sequential(nn.Linear(9, 2)), r"Sequential cannot take the rows of rows \(6,\)"),
        (lambda: nn.Sequential(nn.Linear(WIDTH, 2).double()), "Sequential cannot take the rows of rows"),
        (lambda: nn.Sequential(nn.LazyLinear(2)), "Sequential has lazy layers"),
        (lambda: nn.Sequential(nn.ReLU()), "Sequential has no parameters"),
        (lambda: Remembers(lambda logits: logits), "_extra_state in the state dict of Remembers is not a tensor"),
        (lambda: NETWORKS["dropout"]().requires_grad_(requires_grad=False), "has requires_grad=False"),
        (lambda: "network", "fit trains an nn.Module; got str"),
        (lambda: nn.Linear, "fit trains an nn.Module; got type"),
    ],
)
@pytest.mark.parametrize("initialise", [True, False])
def test_a_network_that_cannot_be_trained_is_refused_in_a_sentence_and_stays(network, message, initialise):
    network = network()
    lazy = not isinstance(network, nn.Module) or "Lazy" in repr(network) or isinstance(network, Remembers)
    before = {} if lazy else weights(network)
    with pytest.raises((DataError, PlanError), match=message):
        train(network, initialise=initialise)
    assert lazy or same(weights(network), before)


@pytest.mark.parametrize(
    ("labels", "said"),
    [([0, 1, 6], "run from 0 to 6"), ([0, 1, 2], "run from 0 to 2"), ([0, -1, 1], "run from -1 to 1")],
)
@pytest.mark.parametrize("loss", ["cross-entropy", "mse", "bce"])
def test_labels_beyond_the_outputs_are_named_before_training(labels, said, loss):
    with suppress(DataError):  # a data set may refuse them itself
        data = Dataset(torch.rand(60, WIDTH), torch.tensor(labels * 20), name="rows")
        with pytest.raises(
            DataError, match=f"the labels of rows {said}, .* has 2 outputs, expected labels from 0 to 1"
        ):
            fit(
                NETWORKS["dropout"](),
                data,
                Settings(epochs=1, loss=loss),
                device=CPU,
                progress=quiet,
                initialise=True,
            )


def test_freezing_unknown_weights_is_refused_by_name():
    with pytest.raises(PlanError, match="weights holds 'nothing', which Sequential does not have"):
        train(NETWORKS["dropout"](), weights={"nothing": torch.ones(1)})
