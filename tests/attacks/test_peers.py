"""Attacks of other packages: whatever they do, probe's contract holds, and what is wrong is said in a sentence."""

import random
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch

from probe import Model, Regression, Space
from probe.attacks import ART, Foolbox
from probe.draws import seeded
from probe.errors import ProbeError, RangeError, Unsupported
from probe.goals import Shift, Targeted

WEIGHT = torch.tensor([[2.0, -2.0, 0.0], [-1.0, 1.0, 0.5], [0.5, 0.0, -0.5]])
X = torch.tensor([[0.5, 0.4, 0.3], [0.9, 0.1, 0.5], [0.2, 0.7, 0.9], [0.6, 0.5, 0.1]])


def linear(**space) -> Model:
    return Model(forward=lambda x: x @ WEIGHT, space=Space(**{"bounds": (0.0, 1.0)} | space))


class Attacks:
    """The base class of the pretended package."""


class Jumps(Attacks):
    """Goes far away at random, out of ball and box, and asks the network twice on the way."""

    def __init__(self, far: float = 9.0, p: float = torch.inf):
        self.far, self.distance = far, SimpleNamespace(p=p)

    def __call__(self, network, x, criterion, epsilons):
        network(x + 5)
        network(x)
        drawn = torch.rand(x.shape) + np.random.rand() + random.random() - 1.5  # noqa: NPY002
        return None, x + self.far * drawn, None


class Breaks(Attacks):
    def __call__(self, network, x, criterion, epsilons):
        raise IndexError("no\nsuch thing")


class Climbs(Attacks):
    """One signed step up the cross-entropy, through the network's own gradient."""

    def __call__(self, network, x, criterion, epsilons):
        x = x.clone().requires_grad_()
        torch.nn.functional.cross_entropy(network(x), criterion).backward()
        return None, x + epsilons * x.grad.sign(), None


@pytest.fixture
def package(monkeypatch):
    """A pretended foolbox, whose attacks are the three above."""
    made = ModuleType("foolbox")
    made.attacks = SimpleNamespace(base=SimpleNamespace(Attack=Attacks), Jumps=Jumps, Breaks=Breaks, Climbs=Climbs)
    made.PyTorchModel = lambda network, bounds, device: network
    made.criteria = SimpleNamespace(Misclassification=lambda labels: labels, TargetedMisclassification=lambda t: t)
    monkeypatch.setitem(sys.modules, "foolbox", made)


def test_what_it_returns_is_within_ball_and_space_and_depends_on_the_example_alone(package):
    model = linear(mutable=torch.tensor([True, True, False]))
    y = model.predict(X)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    attack = Foolbox(attack="Jumps", eps=0.3)
    found = attack(model, X, y)
    assert torch.equal(before[0], torch.get_rng_state())
    assert (before[1] == np.random.get_state()[1]).all()  # noqa: NPY002
    assert (found.perturbed != X)[:, :2].any(1).all()
    assert torch.equal(found.perturbed[:, 2], X[:, 2])
    assert found.queries.tolist() == [2.0] * 4
    order = torch.tensor([2, 0])
    assert torch.equal(attack(model, X[order], y[order]).perturbed, found.perturbed[order])
    assert not torch.equal(Foolbox(attack="Jumps", eps=0.3, seed=1)(model, X, y).perturbed, found.perturbed)
    assert torch.equal(found.success, model.predict(found.perturbed) != y)


def test_random_numbers_of_a_block_follow_from_its_seed_and_go_on_afterwards():
    def drawn() -> tuple[float, ...]:
        return random.random(), float(np.random.rand()), float(torch.rand(()))  # noqa: NPY002

    with seeded(5, torch.device("cpu")):
        first = drawn()
        before = random.getstate()
        with seeded(5, torch.device("cpu")):
            assert drawn() == first
        assert random.getstate() == before
        second = drawn()
    with seeded(5, torch.device("cpu")):
        assert [drawn(), drawn()] == [first, second]


def test_a_gradient_of_the_network_is_that_of_the_model_and_is_counted(package):
    model = linear(scale=torch.tensor([1.0, 2.0, 1.0]))
    y = model.predict(X)
    found = Foolbox(attack="Climbs", eps=0.05)(model, X, y)
    _, slope = model.gradient(X, lambda logits: torch.nn.functional.cross_entropy(logits, y, reduction="none"))
    step = 0.05 * torch.tensor([1.0, 2.0, 1.0]) * slope.sign()
    torch.testing.assert_close(found.perturbed, (X + step).clamp(0, 1))
    assert found.backwards.tolist() == [1.0] * 4
    wanted = Foolbox(attack="Climbs", eps=0.05, goal=Targeted(target=2))(model, X, y)
    assert not torch.equal(wanted.perturbed, found.perturbed)


@pytest.mark.parametrize(("attack", "space", "kind", "words"), [
    (Foolbox(attack="Jmups"), {}, RangeError, "did you mean"),
    (Foolbox(attack="Jumps", settings=("far",)), {}, RangeError, "expected name=value"),
    (Foolbox(attack="Jumps", settings=("p=2.0",)), {}, Unsupported, "write norm='l2'"),
    (Foolbox(attack="Jumps", settings=("p=0.0",)), {}, Unsupported, "choose an attack of probe"),
    (Foolbox(attack="Jumps", settings=("fra=2.0",)), {}, Unsupported, "fra"),
    (Foolbox(attack="Breaks"), {}, Unsupported, "IndexError: no such thing; change `settings`"),
    (Foolbox(attack="Jumps"), {"bounds": (0.0, torch.inf)}, Unsupported, "Space(bounds=(low, high))"),
])  # fmt: skip
def test_what_cannot_run_is_refused_in_a_sentence(package, attack, space, kind, words):
    model = linear(**space)
    with pytest.raises(kind) as raised:
        attack(model, X, model.predict(X))
    assert words in str(raised.value)


def test_a_regression_is_refused(package):
    model = Model(forward=lambda x: x.sum(1), space=Space(), task=Regression())
    with pytest.raises(Unsupported, match="look for a wrong class or a target"):
        Foolbox(attack="Jumps", goal=Shift(by=1.0))(model, X, X.sum(1))


@pytest.mark.parametrize(("attack", "package"), [(Foolbox(attack="LinfPGD"), "foolbox"), (ART(attack="X"), "art")])
def test_where_the_package_is_missing_the_command_that_installs_it_is_said(monkeypatch, attack, package):
    model = linear()
    for name in (package, attack.package):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ProbeError, match=rf"this needs {package}.*pip install"):
        attack(model, X, model.predict(X))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("package", "attack"), [
    ("foolbox", Foolbox(attack="LinfPGD", eps=0.1)),
    ("foolbox", Foolbox(attack="LInfFMNAttack", eps=0.1, settings=("steps=100",))),
    ("art", ART(attack="ProjectedGradientDescent", eps=0.1, settings=("max_iter=20",))),
    ("art", ART(attack="HopSkipJump", eps=0.1, settings=("max_iter=10", "max_eval=500"))),
], ids=str)  # fmt: skip
def test_the_packages_themselves_break_what_can_be_broken(package, attack):
    pytest.importorskip(package)
    model = linear()
    y = model.predict(X)
    lead = (model.logits(X).gather(1, y[:, None]) - model.logits(X)) / (WEIGHT.T[y][:, None] - WEIGHT.T).abs().sum(2)
    nearest = lead.scatter(1, y[:, None], torch.inf).min(1).values
    found = attack(model, X, y)
    assert found.success[nearest < 0.08].all()
    assert not found.success[nearest > 0.1].any()
    assert torch.equal(attack(model, X[1:2], y[1:2]).perturbed, found.perturbed[1:2])
