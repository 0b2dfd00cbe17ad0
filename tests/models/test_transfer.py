"""Transfer learning: what is taken along, what is new, what is held still, and what it is good for."""

import json
from dataclasses import replace

import pytest
import torch
from probe_models.datasets import digits
from probe_models.networks import build, start
from probe_models.training.loop import fit
from probe_models.training.objectives import objective_of
from probe_models.training.randomness import source
from probe_models.training.settings import Settings
from probe_models.training.stepper import Stepper
from probe_models.zoo import FOLDER, recipe_of, recipes
from probe_models.zoo.train import train
from probe_models.zoo.transfer import learned

from probe import zoo
from probe.errors import DataError, ExistsError, PlanError, ShapeError, UnknownMethod
from tests.models.test_survival import CPU, quiet, rows, same, small, stopped_after, weights

SETTINGS = Settings(epochs=2, batch_size=20, learning_rate=1e-2)
HEAD = {"head.weight", "head.bias"}


@pytest.fixture
def clothes():
    return zoo.load("fashion-cnn").forward.state_dict()


@pytest.fixture
def network():
    """The architecture of fashion-cnn, with nothing in it."""
    recipe = recipe_of("fashion-cnn")
    return build(recipe.architecture, recipe.kwargs)


def stepper_of(freeze, steps=10):
    network, data = small(), rows()
    start(network, data.inputs, torch.Generator().manual_seed(0))
    settings = replace(SETTINGS, freeze=freeze)
    return Stepper(objective_of(network, settings, data), settings, steps=steps), data


def moved(before, after):
    return {name for name in before if not torch.equal(before[name], after[name])}


def test_all_weights_but_the_replaced_ones_are_transferred(clothes, network):
    taken = learned("fashion-cnn", network, ["head.*"])
    assert set(taken) == set(clothes) - HEAD
    assert all(torch.equal(taken[name], clothes[name]) for name in taken)


def test_transferred_weights_start_a_run_and_the_rest_is_drawn(clothes, network):
    data, fresh = digits.read("train"), build("cnn", recipe_of("fashion-cnn").kwargs)
    start(fresh, data.inputs, source(0, "weights"))
    still = replace(SETTINGS, epochs=1, learning_rate=1e-9, freeze={"blocks.*": 1})
    taken = learned("fashion-cnn", network, ["head.*"])
    fit(network, data, still, device=CPU, progress=quiet, weights=taken)
    assert moved(clothes, weights(network)) == HEAD
    torch.testing.assert_close(network.head.weight, fresh.head.weight)


def test_statistics_of_the_inputs_are_kept_unless_replaced(clothes, network):
    data = digits.read("train")
    for replaced, mean in ((["head.*"], clothes["standardise.mean"]), (["head.*", "standardise.*"], None)):
        taken = learned("fashion-cnn", network, replaced)
        fit(network, data, replace(SETTINGS, epochs=1), device=CPU, progress=quiet, weights=taken, initialise=True)
        assert (network.standardise.mean.item() == clothes["standardise.mean"].item()) == (mean is not None)
    assert network.standardise.mean.item() == pytest.approx(data.inputs.mean().item(), abs=0.02)


def test_a_glob_that_matches_nothing_is_refused_and_so_are_globs_that_leave_nothing_to_train(network):
    with pytest.raises(PlanError, match=r"replaced: 'haed\.\*' matches no weight, did you mean 'head\.\*'"):
        learned("fashion-cnn", network, ["head.*", "haed.*"])
    with pytest.raises(
        PlanError, match=r"Settings.freeze freezes every weight at the first step; leave some to be trained"
    ):
        fit(small(), rows(), replace(SETTINGS, freeze={"blocks.*": 1, "head.*": 0.5}), device=CPU, progress=quiet)
    with pytest.raises(PlanError, match=r"Settings.freeze: 'block\.\*' matches no weight, did you mean 'blocks\.\*'"):
        fit(small(), rows(), replace(SETTINGS, freeze={"block.*": 1}), device=CPU, progress=quiet)


def test_weights_that_do_not_fit_are_listed():
    wider = build("cnn", {"widths": [32, 64, 100], "side": 28, "classes": 10})
    with pytest.raises(ShapeError, match=r"fashion-cnn does not fit .*\n  blocks.2.0.weight: the file has \(128,"):
        learned("fashion-cnn", wider, ["head.*"])
    shallow = build("cnn", {"widths": [32, 64], "side": 28, "classes": 10})
    with pytest.raises(ShapeError, match=r"unexpected blocks.2.0.weight"):
        learned("fashion-cnn", shallow, ["head.*"])
    with pytest.raises(ShapeError, match=r"missing first.weight"):
        learned("fashion-cnn", build("lenet", {}), ["head.*"])
    # With other classes the head does not fit unless it is replaced.
    two = build("cnn", {"widths": [32, 64, 128], "side": 28, "classes": 2})
    with pytest.raises(ShapeError, match=r"head.weight: the file has \(10, 1152\), the module \(2, 1152\)"):
        learned("fashion-cnn", two, ["standardise.*"])


def test_a_model_that_is_not_there_is_named(network, monkeypatch):
    with pytest.raises(UnknownMethod, match="did you mean 'fashion-cnn'"):
        learned("fashon-cnn", network, ["head.*"])
    monkeypatch.setitem(recipes.RECIPES, "later", recipe_of("fashion-cnn"))
    for ask in (zoo.load, zoo.card):
        with pytest.raises(DataError, match="later is not trained yet; `probe train later` writes a folder"):
            ask("later")


def test_frozen_weights_keep_their_bits_and_batch_statistics():
    stepper, data = stepper_of({"blocks.0.*": 1})
    before = weights(stepper.network)
    for _ in range(10):
        stepper.network.train()
        stepper.step(stepper.objective.rows(data))
    free = {name for name in before if not name.startswith(("standardise.", "blocks.0."))}
    assert moved(before, weights(stepper.network)) == free


def test_weights_frozen_for_a_fraction_of_the_steps_train_afterwards():
    stepper, data = stepper_of({"blocks.0.*": 0.4, "blocks.1.*": 0.7})
    changes = []
    for _ in range(10):
        before = weights(stepper.network)
        stepper.network.train()
        stepper.step(stepper.objective.rows(data))
        changes.append({name.rpartition(".")[0][:8] for name in moved(before, weights(stepper.network))})
    assert changes == [{"head"}] * 4 + [{"head", "blocks.0"}] * 3 + [{"head", "blocks.0", "blocks.1"}] * 3
    assert bool(stepper.network.blocks[0][2].num_batches_tracked == 6)


def test_no_gradient_is_computed_for_frozen_weights():
    recorded = []
    for freeze in ({}, {"blocks.*": 1}):
        stepper, data = stepper_of(freeze)
        stepper.network.blocks.register_forward_hook(lambda blocks, _, output: recorded.append(output.requires_grad))
        stepper.step(stepper.objective.rows(data))
        assert all((p.grad is None) == bool(freeze) for p in stepper.network.blocks.parameters())
        assert all(p.grad is not None for p in stepper.network.head.parameters())
    assert recorded == [True, False]


def test_a_run_stopped_while_weights_were_frozen_ends_with_the_same_bits(tmp_path, monkeypatch):
    settings = replace(SETTINGS, epochs=3, batch_size=20, freeze={"blocks.0.*": 0.5, "blocks.1.*": 1})
    network, again = small(), small()
    fit(network, rows(), settings, device=CPU, progress=quiet)
    stopped_after(7, monkeypatch, tmp_path, settings)
    fit(again, rows(), settings, device=CPU, progress=quiet, folder=tmp_path)
    assert same(weights(again), weights(network))


def test_the_state_of_a_run_with_other_initial_weights_is_not_resumed(tmp_path, monkeypatch):
    stopped_after(2, monkeypatch, tmp_path, SETTINGS)
    begin = {"head.bias": torch.ones(2)}
    with pytest.raises(ExistsError, match="holds the state of a run"):
        fit(small(), rows(), SETTINGS, device=CPU, progress=quiet, folder=tmp_path, weights=begin)


def test_adapt_trains_a_bundled_network_on_the_users_data():
    data = digits.read("train")
    even = replace(data, labels=data.labels % 2, classes=("even", "odd"), name="parity")
    model = zoo.adapt("fashion-cnn", even, replace(SETTINGS, freeze={"blocks.*": 1}), replaced=["head.*"])
    assert model.classes == ("even", "odd")
    assert model.logits(data.inputs[:3]).shape == (3, 2)
    assert (model.predict(even.inputs) == even.labels).double().mean() > 0.8


@pytest.mark.slow
def test_a_recipe_begins_with_a_model_and_its_card_says_so(tmp_path):
    recipe = recipe_of("digits-cnn")
    short = replace(recipe, settings=replace(recipe.settings, epochs=1, freeze={"blocks.*": 1}))
    card = train("digits-cnn", out=tmp_path, device="cpu", progress=quiet, recipe=short)
    sha256 = json.loads((FOLDER / "fashion-cnn" / "card.json").read_text())["weights"]["sha256"]
    assert card["training"]["begin"] == {"model": "fashion-cnn", "replaced": ["head.*"], "sha256": sha256}
    assert card == zoo.card(tmp_path)
    ours, theirs = (zoo.load(name).forward.state_dict() for name in (tmp_path, "fashion-cnn"))
    assert moved(theirs, ours) == HEAD


def test_bundled_transfer_networks_start_from_bundled_networks():
    for name in zoo.names():
        begin = recipe_of(name).begin
        if begin:
            recorded = zoo.card(name)["training"]["begin"]
            assert recorded["sha256"] == zoo.card(begin.model)["weights"]["sha256"], "train it again"


@pytest.mark.slow
def test_transfer_beats_training_from_scratch_on_200_digits():
    recipe, (train, test) = recipe_of("digits-cnn"), (digits.read(split) for split in ("train", "test"))
    # From scratch it does best at a lower rate; see benchmarks/transfer.py.
    ways = {"scratch": replace(recipe.settings, freeze={}, learning_rate=3e-3), "transfer": recipe.settings}
    accuracies = {}
    for name, settings in ways.items():
        for seed in range(2):
            network = build(recipe.architecture, recipe.kwargs)
            begin = learned("fashion-cnn", network, ["head.*"]) if name == "transfer" else None
            fit(network, train, settings, device=CPU, seed=seed, progress=quiet, weights=begin)
            right = network(test.inputs).argmax(1) == test.labels
            accuracies.setdefault(name, []).append(right.double().mean().item())
    gains = [after - before for before, after in zip(*accuracies.values(), strict=True)]
    assert sum(gains) / len(gains) > 0.01, accuracies
    assert all(gain > 0 for gain in gains), accuracies
