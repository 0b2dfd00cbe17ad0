"""Adversarial training: how rows are moved, what is learned from them, and when it breaks down."""

import math
from dataclasses import replace

import pytest
import torch
from probe_models.networks import build, start
from probe_models.networks.network import Network
from probe_models.training.adversary import catastrophic_overfitting, directions, perturb
from probe_models.training.loop import fit
from probe_models.training.objectives import Evaluation, objective_of
from probe_models.training.objectives import classification as module
from probe_models.training.objectives.classification import Classification
from probe_models.training.settings import Adversary, Settings
from probe_models.training.stepper import Stepper
from torch import nn
from torch.nn.functional import cross_entropy, one_hot, softmax

from probe import Dataset, Model, Space
from probe.attacks import PGD
from probe.errors import PlanError, RangeError

CPU = torch.device("cpu")
METHODS = ("fgsm", "pgd", "trades")
SETTINGS = Settings(epochs=2, batch_size=20, learning_rate=1e-2, clip=0.0)


def quiet(line):
    pass


def private(seed=0):
    return torch.Generator().manual_seed(seed)


class Linear(Network):
    """Logits W x + b."""

    def __init__(self, width, classes=2):
        super().__init__()
        self.layer = nn.Linear(width, classes)

    def forward(self, inputs):
        return self.layer(inputs)

    def adapt(self, inputs, generator):
        pass


class Normed(Network):
    """Two layers with batch norm between them; the lower norm is frozen."""

    def __init__(self, width=5, classes=3):
        super().__init__()
        self.below, self.above = nn.BatchNorm1d(width), nn.BatchNorm1d(8)
        self.first, self.second = nn.Linear(width, 8), nn.Linear(8, classes)
        with torch.no_grad():
            for weight in self.parameters():
                weight.copy_(torch.randn(weight.shape, generator=private(1)))
        self.below.eval()

    def forward(self, inputs):
        return self.second(self.above(self.first(self.below(inputs))).tanh())

    def adapt(self, inputs, generator):
        pass


TABLE = Space(
    bounds=(torch.tensor([0.0, 0.0, -1.0, 0.0, 0.0]), torch.tensor([1.0, 80.0, 1.0, 1.0, 1.0])),
    names=("part", "years", "fixed", "kind", "rest"),
    kinds=("continuous", "integer", "continuous", "category", "continuous"),
    features=torch.arange(5),
    mutable=torch.tensor([True, True, False, True, True]),
    scale=torch.tensor([1.0, 20.0, 1.0, 1.0, 0.5]),
)


def people(count=40):
    random = private(2)
    inputs = torch.rand(count, 5, generator=random)
    inputs[:, 1] = torch.randint(81, (count,), generator=random)
    inputs[:, 3] = torch.randint(2, (count,), generator=random)
    return inputs, torch.randint(3, (count,), generator=random)


def replica(network, inputs, targets, begin, adversary, space):
    """The rows moved as their definitions say, one at a time and one coordinate at a time."""
    network.eval()
    scale = torch.as_tensor(space.scale).expand(inputs.shape[1:])
    rows = []
    for x, target, s in zip(inputs, targets, begin, strict=True):

        def nearest(point, x=x):
            change = ((point - x) / scale).clamp(-adversary.eps, adversary.eps)
            return space.project((x + change * scale)[None], x[None])[0]

        first = 1e-3 if adversary.method == "trades" else adversary.eps
        point = space.project((x + first * scale * s)[None], x[None])[0]
        answer = softmax(network(x[None]), 1)[0].detach()
        steps, length = (1, 1.25) if adversary.method == "fgsm" else (adversary.steps, 2.5 / adversary.steps)
        for _ in range(steps):
            z = point.clone().requires_grad_()
            p = softmax(network(z[None]), 1)[0]
            if adversary.method == "trades":
                rising = sum(q * (q / r).log() for q, r in zip(answer, p, strict=True))
            else:
                share = one_hot(target, len(p)) if target.ndim == 0 else target
                rising = -(share * p.log()).sum()
            (slope,) = torch.autograd.grad(rising, z)
            point = nearest(point + length * adversary.eps * scale * slope.sign())
        rows.append(point)
    return torch.stack(rows)


@pytest.mark.parametrize("mixed", [False, True], ids=["labels", "distributions"])
@pytest.mark.parametrize("method", METHODS)
def test_adversarial_rows_equal_those_of_a_slow_replica(method, mixed):
    network, (inputs, labels) = Normed(), people()
    targets = softmax(torch.randn(len(labels), 3, generator=private(4)), 1) if mixed else labels
    adversary, begin = Adversary(method=method, eps=0.1, steps=4), directions(inputs, private(3))
    found = perturb(network, inputs, targets, begin, adversary, TABLE)
    torch.testing.assert_close(found, replica(network, inputs, targets, begin, adversary, TABLE))
    assert ((found - inputs).abs() > 1e-3).any(0).tolist() == [True, True, False, False, True]


@pytest.mark.parametrize("eps", [0.0, 0.07, 3.0])
@pytest.mark.parametrize("method", METHODS)
def test_adversarial_rows_stay_in_their_ball_and_the_space(method, eps):
    inputs, labels = people(200)
    adversary = Adversary(method=method, eps=eps, steps=3)
    found = perturb(Normed(), inputs, labels, directions(inputs, private()), adversary, TABLE)
    change = (found - inputs) / TABLE.scale
    assert change.abs().max() <= eps + 1e-6
    assert eps == 0 or change[:, 4].abs().max() > eps / 2
    low, high = TABLE.bounds
    assert bool(((found >= low) & (found <= high)).all())
    assert torch.equal(found[:, 2:4], inputs[:, 2:4])
    assert torch.equal(found[:, 1], found[:, 1].round())


def test_starts_are_uniform_in_the_ball_and_from_a_private_source():
    before = torch.get_rng_state()
    drawn = directions(torch.zeros(20_000, 1), private())
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(drawn, directions(torch.zeros(20_000, 1), private()))
    assert drawn.min() >= -1
    assert drawn.max() <= 1
    # A mean of n numbers that are uniform in [-1, 1] is off by sqrt(1 / 3n).
    assert abs(drawn.mean()) < 5 / math.sqrt(3 * 20_000)
    assert drawn.square().mean().item() == pytest.approx(1 / 3, abs=5 * math.sqrt(4 / 45 / 20_000))


@pytest.mark.parametrize("method", METHODS)
def test_perturbing_rows_leaves_the_network_unchanged(method):
    network, (inputs, labels) = Normed(), people()
    network.second.weight.requires_grad_(requires_grad=False)
    network.first.weight.grad = torch.ones_like(network.first.weight)
    tensors = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    modes = [part.training for part in network.modules()]
    random = torch.get_rng_state()
    perturb(network, inputs, labels, directions(inputs, private()), Adversary(method=method, eps=0.1), TABLE)
    assert all(torch.equal(tensor, tensors[name]) for name, tensor in network.state_dict().items())
    # A part that was frozen still is, though the whole trains.
    assert [part.training for part in network.modules()] == modes == [True, False, True, True, True]
    assert [name for name, weight in network.named_parameters() if weight.grad is not None] == ["first.weight"]
    assert bool((network.first.weight.grad == 1).all())
    assert [name for name, w in network.named_parameters() if not w.requires_grad] == ["second.weight"]
    assert torch.equal(torch.get_rng_state(), random)


def test_a_network_that_fails_is_put_back_into_its_mode():
    class Failing(Linear):
        def forward(self, inputs):
            raise RuntimeError("out of memory")

    network, inputs = Failing(5), people()[0]
    with pytest.raises(RuntimeError, match="out of memory"):
        perturb(network, inputs, people()[1], inputs, Adversary(method="pgd", eps=0.1), TABLE)
    assert network.training


def test_adversarial_loss_of_a_linear_model_is_that_of_the_worst_margin():
    network, eps = Linear(6), 0.3
    with torch.no_grad():
        network.layer.weight.copy_(torch.randn(2, 6, generator=private()))
        network.layer.bias.zero_()
    inputs = torch.randn(50, 6, generator=private(1))
    labels, begin = torch.randint(2, (50,), generator=private(2)), directions(inputs, private(3))
    space, sign = Space(bounds=(-100.0, 100.0)), labels * 2 - 1
    slope = network.layer.weight[1] - network.layer.weight[0]
    margin = sign * (inputs @ slope)

    def loss(**how):
        moved = perturb(network, inputs, labels, begin, Adversary(eps=eps, **how), space)
        return cross_entropy(network(moved), labels, reduction="none")

    # Each coordinate goes to the wall of the ball that the weight points away from: the margin falls by eps |w|_1.
    worst = torch.log1p(torch.exp(-(margin - eps * slope.abs().sum())))
    torch.testing.assert_close(loss(method="pgd", steps=5), worst)
    # One step of 1.25 radii falls short of it where the start lay more than that away.
    downhill = -sign[:, None] * slope.sign()
    reached = (eps * begin + 1.25 * eps * downhill).clamp(-eps, eps) @ slope * sign
    torch.testing.assert_close(loss(method="fgsm"), torch.log1p(torch.exp(-(margin + reached))))


def judged_rows(count=200, classes=("a", "b", "c")):
    inputs, labels = people(count)
    return Dataset(inputs, labels, space=TABLE, classes=classes, name="people")


@pytest.mark.parametrize("weights", [None, (1.0, 2.0, 5.0)], ids=["even", "weighted"])
def test_the_loss_of_trades_is_the_loss_plus_beta_times_the_divergence(weights):
    network, data = Normed().eval(), judged_rows()
    settings = replace(
        SETTINGS, adversary=Adversary(method="trades", eps=0.1, beta=3.0), label_smoothing=0.1, class_weights=weights
    )
    objective = objective_of(network, settings, data)
    batch = objective.perturb(objective.prepare(objective.rows(data), private()))
    p, q = softmax(network(batch.inputs), 1), softmax(network(batch.noise), 1)
    assert not torch.equal(batch.noise, batch.inputs)
    expected = []
    for row, label in enumerate(data.labels.tolist()):
        smooth = [0.9 * (k == label) + 0.1 / 3 for k in range(3)]
        share = [1.0, 1.0, 1.0] if weights is None else weights
        loss = -sum(share[k] * smooth[k] * p[row, k].log() for k in range(3))
        apart = sum(p[row, k] * (p[row, k] / q[row, k]).log() for k in range(3))
        expected.append(loss + 3.0 * share[label] * apart)
    torch.testing.assert_close(objective(batch), torch.stack(expected), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("method", ["fgsm", "pgd"])
def test_the_network_is_trained_on_adversarial_rows_only(method):
    network, data = Normed().eval(), judged_rows()
    objective = objective_of(network, replace(SETTINGS, adversary=Adversary(method=method, eps=0.1)), data)
    batch = objective.perturb(objective.prepare(objective.rows(data), private()))
    expected = cross_entropy(network(batch.noise), data.labels, reduction="none")
    torch.testing.assert_close(objective(batch), expected)
    assert not torch.allclose(expected, cross_entropy(network(data.inputs), data.labels, reduction="none"))


def test_mixed_rows_are_moved_away_from_their_mixed_targets():
    network, data, adversary = Normed(), judged_rows(), Adversary(method="pgd", eps=0.1)
    data = replace(data, space=Space(bounds=(-1.0, 80.0)))
    objective = objective_of(network, replace(SETTINGS, adversary=adversary, mixup=1.0), data)
    batch = objective.prepare(objective.rows(data), private())
    found = objective.perturb(batch).noise
    expected, other = (
        perturb(network, batch.inputs, targets, batch.noise, adversary, data.space)
        for targets in (batch.targets, batch.labels)
    )
    assert torch.equal(found, expected)
    assert not torch.allclose(found, other)


def test_adversarial_rows_do_not_depend_on_the_rest_of_the_batch():
    # So processes that share a batch move each row to where one process alone would have.
    data = judged_rows()
    objective = objective_of(Normed(), replace(SETTINGS, adversary=Adversary(method="pgd", eps=0.1)), data)
    batch = objective.prepare(objective.rows(data), private())
    whole, part = objective.perturb(batch), objective.perturb(batch[slice(1, None, 2)])
    torch.testing.assert_close(part.noise, whole.noise[1::2])


def test_rows_are_moved_in_full_precision_and_learned_from_in_the_one_that_is_set():
    network, data, seen = Normed(), judged_rows(), []
    network.second.register_forward_hook(lambda part, inputs, output: seen.append((part.training, output.dtype)))
    settings = replace(SETTINGS, adversary=Adversary(method="trades", eps=0.1, steps=2), precision="bfloat16")
    stepper = Stepper(objective_of(network, settings, data), settings, steps=1)
    stepper.step(stepper.objective.rows(data))
    assert seen == [(False, torch.float32)] * 3 + [(True, torch.bfloat16)]


def test_frozen_statistics_stay_frozen_under_an_adversary(monkeypatch):
    network, data = Normed().train(), judged_rows()
    settings = replace(SETTINGS, adversary=Adversary(method="fgsm", eps=0.1), freeze={"below.*": 1.0})
    stepper = Stepper(objective_of(network, settings, data), settings, steps=1)
    stepper.step(stepper.objective.rows(data))
    assert bool((network.below.running_mean == 0).all())
    assert not bool((network.above.running_mean == 0).any())


@pytest.mark.slow
def test_adversarial_training_is_evaluated_with_ten_steps_of_pgd_in_passes_of_any_size(monkeypatch):
    monkeypatch.setattr(module, "ATTACKED", 30)
    network, data = Normed().eval(), judged_rows()
    settings = replace(SETTINGS, label_smoothing=0.3, adversary=Adversary(method="fgsm", eps=0.1))
    begin = directions(data.inputs[:30], module.source(0, "judge"))
    ten = Adversary(method="pgd", eps=0.1, steps=10)
    moved = replica(network, data.inputs[:30], data.labels[:30], begin, ten, TABLE)
    logits, labels = network(moved), data.labels[:30]
    for passes in (1, 7, 1000):
        monkeypatch.setattr(module, "rows_per_pass", lambda inputs, passes=passes: passes)
        found = objective_of(network, settings, data).evaluate(network, data)
        assert found.loss == pytest.approx(cross_entropy(logits, labels).item(), rel=1e-5)
        assert found.accuracy == pytest.approx((logits.argmax(1) == labels).double().mean().item())


def brittle(count=300):
    """A label shows in one coordinate by far, with one error in ten, and in ten others without error, but faintly."""
    random = private()
    labels = torch.randint(2, (count,), generator=random)
    sign = labels[:, None] * 2.0 - 1
    far = torch.where(torch.rand(count, 1, generator=random) < 0.1, -sign, sign)
    faint = 0.1 * sign + 0.05 * torch.randn(count, 10, generator=random)
    return Dataset(torch.cat([far, faint], 1), labels, space=Space(bounds=(-9.0, 9.0)), classes=("a", "b"))


@pytest.mark.parametrize("method", METHODS)
def test_adversarial_training_raises_robust_accuracy(method):
    data, eps, found = brittle(), 0.3, {}
    for adversary in (None, Adversary(method=method, eps=eps)):
        network, settings = Linear(11), Settings(epochs=5, batch_size=50, learning_rate=0.1, adversary=adversary)
        fit(network, data, settings, device=CPU, progress=quiet, initialise=True)
        model = Model(forward=network, space=data.space, classes=data.classes)
        attacked = PGD(eps=eps, steps=10)(model, data.inputs, data.labels).attacked
        found[adversary] = attacked.correct.double().mean().item()
    # The far coordinate alone is right, attacked or not, nine times in ten.
    plain, robust = found.values()
    assert plain < 0.3
    assert robust > 0.8


@pytest.fixture
def architecture():
    return "cnn"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("base", "option"),
    [
        ({"method": "pgd"}, {"method": "fgsm"}),
        ({"method": "pgd"}, {"method": "trades"}),
        ({"method": "fgsm"}, {"eps": 0.2}),
        ({"method": "pgd"}, {"steps": 2}),
        ({"method": "trades"}, {"steps": 2}),
        ({"method": "trades"}, {"beta": 1.0}),
    ],
    ids=str,
)
def test_every_option_of_an_adversary_changes_the_weights(base, option, blank, easy):
    def weights(**options):
        network = blank()
        settings = replace(SETTINGS, epochs=1, adversary=Adversary(**({"eps": 0.1} | options)))
        fit(network, easy, settings, device=CPU, progress=quiet)
        return network.state_dict()

    plain, changed = weights(**base), weights(**(base | option))
    assert any(not torch.equal(plain[name], changed[name]) for name in plain)


def lines_of(*accuracies):
    return [{"training_accuracy": train, "validation_accuracy": test} for train, test in accuracies]


@pytest.mark.parametrize(
    ("accuracies", "expected"),
    [
        ([], False),
        ([(0.7, 0.6)], False),
        ([(0.7, 0.6), (0.8, 0.7), (0.71, 0.61)], False),
        ([(0.7, 0.6), (0.8, 0.7), (0.69, 0.59)], True),
        ([(0.8, 0.7), (0.75, 0.65), (0.69, 0.59)], True),
        # On one of both alone it may be chance.
        ([(0.8, 0.7), (0.8, 0.5)], False),
        ([(0.8, 0.7), (0.5, 0.7)], False),
        # It has recovered.
        ([(0.8, 0.7), (0.1, 0.1), (0.8, 0.7)], False),
    ],
)
def test_a_drop_of_more_than_ten_points_on_all_rows_is_catastrophic_overfitting(accuracies, expected):
    assert catastrophic_overfitting(lines_of(*accuracies)) is expected


def scripted(monkeypatch, accuracies):
    """Let epochs be judged as the script says, and note the weights at each."""
    weights, calls = [], []

    def evaluate(self, network, data):
        # Once before training, then training and validation rows in turn.
        if calls and len(calls) % 2 == 0:
            weights.append({name: tensor.clone() for name, tensor in network.state_dict().items()})
        accuracy = accuracies[(len(calls) - 1) // 2] if calls else 0.0
        calls.append(data)
        return Evaluation(1 - accuracy, accuracy)

    monkeypatch.setattr(Classification, "evaluate", evaluate)
    return weights


LONG = replace(SETTINGS, epochs=9)
COLLAPSING = [0.5, 0.6, 0.7, 0.65, 0.2, 0.9, 0.9, 0.9, 0.9]


def test_a_collapse_ends_training_and_the_best_weights_are_put_back(blank, easy, monkeypatch):
    weights, said, network = scripted(monkeypatch, COLLAPSING), [], blank()
    settings = replace(LONG, adversary=Adversary(method="fgsm", eps=0.1))
    trained = fit(network, easy, settings, device=CPU, progress=said.append)
    assert (trained.epochs, trained.best.number) == (5, 3)
    assert all(torch.equal(tensor, weights[2][name]) for name, tensor in network.state_dict().items())
    assert said[-2].endswith("catastrophic overfitting")


def test_without_adversarial_training_a_drop_of_accuracy_does_not_stop_the_run(network, easy, monkeypatch):
    scripted(monkeypatch, COLLAPSING)
    assert fit(network, easy, LONG, device=CPU, progress=quiet).epochs == 9


@pytest.mark.parametrize(
    ("options", "accuracies", "epochs"),
    [
        ({"adversary": Adversary(method="fgsm", eps=0.1)}, COLLAPSING, 5),
        ({"patience": 2}, [0.5, 0.7, 0.6, 0.6, 0.9, 0.9, 0.9, 0.9, 0.9], 4),
    ],
    ids=["collapse", "patience"],
)
def test_a_run_killed_after_catastrophic_overfitting_does_not_continue(
    options, accuracies, epochs, blank, easy, tmp_path, monkeypatch
):
    def kill(line):
        if line.startswith(f"epoch {epochs}/"):
            raise KeyboardInterrupt

    settings = replace(LONG, **options)
    scripted(monkeypatch, accuracies)
    with pytest.raises(KeyboardInterrupt):
        fit(blank(), easy, settings, device=CPU, progress=kill, folder=tmp_path)
    assert fit(blank(), easy, settings, device=CPU, progress=quiet, folder=tmp_path).epochs == epochs


def test_adversarial_training_refuses_tokens():
    ids = torch.randint(1, 20, (50, 6), generator=private())
    labels = torch.randint(2, (50,), generator=private())
    data = Dataset(ids, labels, space=Space(bounds=(0, 19), form="tokens"), classes=("a", "b"), name="texts")
    network = build("text-cnn", {"words": 20, "width": 4, "lengths": [1], "filters": 2, "classes": 2})
    start(network, ids, private())
    with pytest.raises(PlanError, match=r"those of texts are torch.int64; leave it out"):
        objective_of(network, replace(SETTINGS, adversary=Adversary(method="pgd", eps=1.0)), data)


def test_an_adversary_is_read_from_toml(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text('epochs = 1\n[adversary]\nmethod = "trades"\neps = 1\nbeta = 4\n')
    assert Settings.from_toml(path) == Settings(epochs=1, adversary=Adversary(method="trades", eps=1.0, beta=4.0))


@pytest.mark.parametrize(
    ("table", "error", "message"),
    [
        ("pgd", PlanError, "Settings.adversary = 'pgd', expected a table of settings"),
        ({"method": "pgd"}, PlanError, "Settings.adversary lacks 'eps'"),
        ({"eps": 0.1}, PlanError, "Settings.adversary lacks 'method'"),
        (
            {"method": "pdg", "eps": 0.1},
            PlanError,
            "Settings.adversary.method = 'pdg', expected one of fgsm, pgd, trades",
        ),
        (
            {"method": "pgd", "eps": 0.1, "step": 3},
            PlanError,
            r"Settings.adversary has no setting 'step' \(did you mean 'steps'\?\)",
        ),
        ({"method": "pgd", "eps": "0.1"}, PlanError, "Settings.adversary.eps = '0.1', expected a number"),
        (
            {"method": "pgd", "eps": 0.1, "steps": 2.5},
            PlanError,
            "Settings.adversary.steps = 2.5, expected a whole number",
        ),
        ({"method": "pgd", "eps": -0.1}, RangeError, "Settings.adversary.eps = -0.1, expected a number of at least 0"),
        ({"method": "pgd", "eps": math.inf}, RangeError, "Settings.adversary.eps = inf, expected a number"),
        (
            {"method": "pgd", "eps": 0.1, "steps": 0},
            RangeError,
            "Settings.adversary.steps = 0, expected a whole number above 0",
        ),
        (
            {"method": "trades", "eps": 0.1, "beta": 0},
            RangeError,
            "Settings.adversary.beta = 0, expected a number above 0",
        ),
    ],
    ids=str,
)
def test_an_invalid_adversary_is_refused_in_a_sentence(table, error, message):
    with pytest.raises(error, match=message):
        Settings.from_toml({"epochs": 1, "adversary": table})
