"""Training that treats groups evenly: what rows count, how weights of groups wander, who gains."""

import math
from dataclasses import replace

import pandas as pd
import pytest
import torch
from probe_models.training.groups import Groups
from probe_models.training.loop import fit
from probe_models.training.objectives import objective_of
from probe_models.training.settings import Balance, Settings
from probe_models.training.stepper import Stepper
from torch.nn.functional import cross_entropy

from probe import Dataset, Space
from probe.errors import DataError, PlanError, RangeError
from tests.models.test_adversary import CPU, Linear, private, quiet

SETTINGS = Settings(epochs=2, batch_size=20, learning_rate=1e-2, clip=0.0)
REWEIGHT = Balance(method="reweight", groups=("sex", "town"))
DRO = Balance(method="group dro", groups=("sex", "town"), step=0.5)


def people(count=120):
    """Rows of 2 x 3 x 2 groups of very different sizes; of one there is not a row."""
    random = private()
    chances = torch.tensor([0.5, 0.2, 0.1, 0.1, 0.07, 0.03])
    combination = torch.multinomial(chances, count, replacement=True, generator=random)
    labels = (torch.rand(count, generator=random) < 0.3).long()
    labels[combination == 5] = 1
    groups = pd.DataFrame({"sex": [("f", "m")[c % 2] for c in combination], "town": (combination // 2).numpy()})
    return Dataset(torch.rand(count, 4, generator=random), labels, groups=groups, classes=("no", "yes"), name="people")


def keys(data, columns=("sex", "town")):
    return list(zip(*(data.groups[c].astype(str) for c in columns), data.labels.tolist(), strict=True))


def means(losses, named):
    """The mean loss of each group, by its name."""
    return {
        name: torch.stack([x for x, k in zip(losses, named, strict=True) if k == name]).mean() for name in set(named)
    }


def losses_of(network, data):
    return cross_entropy(network(data.inputs), data.labels, reduction="none").detach()


def stepper_of(network, data, settings):
    return Stepper(objective_of(network, settings, data), settings, steps=100)


def alone(tensor):
    return tensor


def test_the_reweighted_loss_is_the_mean_of_the_means_of_the_groups():
    network, data = Linear(4), people()
    expected = torch.stack(list(means(losses_of(network, data), keys(data)).values())).mean()
    stepper = stepper_of(network, data, replace(SETTINGS, balance=REWEIGHT))
    assert len(stepper.objective.groups.known) == len(set(keys(data))) == 11
    torch.testing.assert_close(stepper.step(stepper.objective.rows(data)), expected)
    assert abs(expected - losses_of(network, data).mean()) > 1e-3


def test_on_average_over_batches_the_loss_is_that_of_all_rows():
    # Also where most batches lack the rarest groups.
    network, data = Linear(4), people()
    objective = objective_of(network, replace(SETTINGS, balance=REWEIGHT), data)
    rows, found = objective.rows(data), []
    for at in range(0, 120, 10):
        batch = objective.prepare(rows[at : at + 10], private())
        found.append((objective(batch) * batch.counts).sum() / objective.total(batch))
    expected = torch.stack(list(means(losses_of(network, data), keys(data)).values())).mean()
    torch.testing.assert_close(torch.stack(found).mean().detach(), expected)


def test_group_dro_follows_its_formula_step_by_step():
    network, data, named = Linear(4), people(), keys(people())
    stepper = stepper_of(network, data, replace(SETTINGS, balance=DRO, learning_rate=0.1))
    rows, sizes = stepper.objective.rows(data), {name: named.count(name) for name in named}
    q = {name: 1 / len(sizes) for name in sizes}
    for step in range(8):
        chosen = torch.randint(120, (15,), generator=private(step))
        losses, present = losses_of(network, data)[chosen], [named[i] for i in chosen]
        expected = sum(q[k] * 120 / sizes[k] * x for k, x in zip(present, losses, strict=True)) / 15
        torch.testing.assert_close(stepper.step(rows[chosen]), expected)
        for name, loss in means(losses, present).items():
            q[name] *= math.exp(0.5 * loss)
        q = {name: weight / sum(q.values()) for name, weight in q.items()}
        found = stepper.objective.groups.log_q.exp().tolist()
        assert found == pytest.approx([q[sex, town, int(label)] for sex, town, label in stepper.objective.groups.known])
    assert len(set(present)) < len(sizes)
    assert max(q.values()) > 2 * min(q.values())


def test_a_tiny_group_weight_can_grow_again():
    groups = Groups(Balance(method="group dro", groups=("sex",), step=1.0), people())
    numbers = torch.arange(4)
    for _ in range(200):
        groups.observe(numbers, torch.tensor([0.0, 9.0, 9.0, 9.0]), alone)
    assert groups.counts(numbers)[0] == 0
    for _ in range(250):
        groups.observe(numbers, torch.tensor([9.0, 0.0, 0.0, 0.0]), alone)
    assert groups.log_q.exp()[0].item() == pytest.approx(1)


def test_weights_of_groups_are_a_part_of_the_state_of_a_run():
    data, settings = people(), replace(SETTINGS, balance=DRO)
    stepper, other = (stepper_of(Linear(4), data, settings) for _ in range(2))
    rows = stepper.objective.rows(data)
    stepper.step(rows[:20])
    other.restore(*stepper.state())
    assert torch.equal(other.objective.groups.log_q, stepper.objective.groups.log_q)
    assert len(set(stepper.objective.groups.log_q.tolist())) > 1
    torch.testing.assert_close(other.step(rows[20:40]), stepper.step(rows[20:40]))


def test_without_balance_each_row_counts_1():
    data = people()
    groups = Groups(None, data)
    assert groups.counts(groups.numbers(data)).tolist() == [1.0] * 120


def test_group_names_with_separators_stay_separate():
    inputs, labels = torch.zeros(4, 1), torch.zeros(4, dtype=torch.long)
    columns = pd.DataFrame({"sex": ["a / b", "a", "a", "a"], "town": ["c", "b / c", "c", "c"]})
    data = Dataset(inputs, labels, groups=columns, name="odd")
    groups = Groups(REWEIGHT, data)
    assert groups.counts(groups.numbers(data)).tolist() == pytest.approx([4 / 3, 4 / 3, 2 / 3, 2 / 3])


def test_a_balanced_network_is_evaluated_on_its_worst_group():
    network, data = Linear(4), people()
    objective = objective_of(network, replace(SETTINGS, balance=DRO, label_smoothing=0.2), data)
    right = (network(data.inputs).argmax(1) == data.labels).double()
    found = objective.evaluate(network, data)
    assert found.loss == pytest.approx(max(means(losses_of(network, data), keys(data)).values()).item())
    assert found.accuracy == pytest.approx(min(means(right, keys(data)).values()).item())


def test_a_group_without_training_rows_is_not_evaluated():
    data = people()
    rare = torch.tensor([key[:2] == ("m", "2") for key in keys(data)])
    groups = Groups(DRO, data[~rare])
    losses = torch.where(rare, 9.0, torch.rand(120, generator=private()))
    assert 0 < rare.sum() < 10
    assert groups.worst(groups.numbers(data), losses) == groups.worst(groups.numbers(data[~rare]), losses[~rare]) < 1
    # Of none that is known there is only the mean over all.
    assert groups.worst(groups.numbers(data[rare]), losses[rare]) == 9


def birds(count, seed, share):
    """Waterbirds in small: a label shows faintly in the bird, and plainly in the land, which differs in a few rows."""
    random = private(seed)
    labels = torch.randint(2, (count,), generator=random)
    land = torch.where(torch.rand(count, generator=random) < share, labels, 1 - labels)
    noise = torch.randn(count, 2, generator=random)
    inputs = torch.stack([labels * 2 - 1 + noise[:, 0], 2 * (land * 2 - 1) + 0.5 * noise[:, 1]], 1)
    groups = pd.DataFrame({"land": land.numpy()})
    return Dataset(inputs, labels, groups=groups, space=Space(bounds=(-99.0, 99.0)), classes=("land", "water"))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_balance_by_either_method_improves_the_worst_group(seed):
    data, test, found = birds(1000, seed, 0.95), birds(4000, seed + 100, 0.5), []
    for method in (None, "reweight", "group dro"):
        balance = method and Balance(method=method, groups=("land",), step=0.05)
        network, settings = Linear(2), Settings(epochs=6, batch_size=50, learning_rate=0.1, balance=balance)
        fit(network, data, settings, device=CPU, seed=seed, progress=quiet, initialise=True)
        right = (network(test.inputs).argmax(1) == test.labels).double()
        found.append(min(means(right, keys(test, ("land",))).values()).item())
    # By the bird alone 84 in 100 are right, of each group.
    plain, *balanced = found
    assert plain < 0.5
    assert all(0.75 < each < 0.9 for each in balanced)


@pytest.fixture
def architecture():
    return "cnn"


@pytest.mark.parametrize(
    ("base", "option"),
    [
        ({"method": "reweight"}, {"method": "group dro"}),
        ({"method": "group dro"}, {"step": 0.5}),
        ({"method": "reweight"}, {"groups": ("half", "third")}),
    ],
    ids=str,
)
def test_every_option_of_balance_changes_the_weights(base, option, blank, easy):
    data = replace(easy, groups=easy.groups.assign(third=[row % 3 for row in range(len(easy))]))

    def weights(**options):
        network = blank()
        balance = Balance(**({"groups": ("half",)} | options))
        fit(network, data, replace(SETTINGS, epochs=1, balance=balance), device=CPU, progress=quiet)
        return network.state_dict()

    plain, changed = weights(**base), weights(**(base | option))
    assert any(not torch.equal(plain[name], changed[name]) for name in plain)


def test_unknown_groups_are_refused_with_those_that_there_are():
    data = people()
    with pytest.raises(DataError, match=r"balance.groups names 'age', which is no group of people; it has sex, town"):
        Groups(Balance(method="reweight", groups=("sex", "age")), data)
    with pytest.raises(DataError, match="names 'sex', which is no group of people; it declares none"):
        Groups(REWEIGHT, replace(data, groups=None))


def test_balance_is_read_from_toml(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text('epochs = 1\n[balance]\nmethod = "group dro"\ngroups = ["sex", "town"]\nstep = 1\n')
    assert Settings.from_toml(path) == Settings(epochs=1, balance=replace(DRO, step=1.0))


@pytest.mark.parametrize(
    ("table", "error", "message"),
    [
        ("reweight", PlanError, "Settings.balance = 'reweight', expected a table of settings"),
        ({"method": "reweight"}, PlanError, "Settings.balance lacks 'groups'"),
        ({"groups": ["sex"]}, PlanError, "Settings.balance lacks 'method'"),
        (
            {"method": "dro", "groups": ["sex"]},
            PlanError,
            "Settings.balance.method = 'dro', expected one of reweight, group dro",
        ),
        (
            {"method": "reweight", "group": ["sex"]},
            PlanError,
            r"Settings.balance has no setting 'group' \(did you mean 'groups'\?\)",
        ),
        (
            {"method": "reweight", "groups": "sex"},
            PlanError,
            "Settings.balance.groups = 'sex', expected a list of texts",
        ),
        ({"method": "reweight", "groups": [1]}, PlanError, "Settings.balance.groups holds 1, expected texts"),
        ({"method": "reweight", "groups": []}, PlanError, "Balance.groups is empty; name columns"),
        (
            {"method": "group dro", "groups": ["a"], "step": 0},
            RangeError,
            "Settings.balance.step = 0, expected a number above 0",
        ),
        (
            {"method": "group dro", "groups": ["a"], "step": True},
            PlanError,
            "Settings.balance.step = True, expected a number",
        ),
    ],
    ids=str,
)
def test_an_invalid_balance_is_refused_in_a_sentence(table, error, message):
    with pytest.raises(error, match=message):
        Settings.from_toml({"epochs": 1, "balance": table})


def test_rows_of_different_groups_are_not_mixed():
    with pytest.raises(PlanError, match=r"Settings.mixup mixes rows of all groups, .*leave one out"):
        replace(SETTINGS, balance=REWEIGHT, mixup=0.4)


def test_rows_of_unknown_group_form_their_own_group_in_balanced_training():
    rows = Dataset(
        inputs=torch.zeros(4, 1),
        labels=torch.zeros(4, dtype=torch.long),
        groups=pd.DataFrame({"half": ["rare", None, "rare", None]}),
        classes=("no", "yes"),
        name="rows",
    )
    groups = Groups(Balance(method="reweight", groups=("half",)), rows)
    assert len(groups.known) == 2
    assert groups.numbers(rows).bincount().tolist() == [2, 2]


def test_a_missing_group_is_distinct_from_a_group_called_nan():
    data = Dataset(torch.zeros(3, 1), torch.zeros(3, dtype=torch.long), groups=pd.DataFrame({"g": ["nan", None, "x"]}))
    found = Groups(Balance(method="reweight", groups=("g",)), data)
    assert len(found.known) == 3
