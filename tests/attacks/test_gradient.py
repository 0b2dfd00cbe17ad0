"""On a linear model the worst case is known in closed form."""

import math

import pytest
import torch
from torch import Tensor, nn

from probe import Model, Space, sweep
from probe.attacks import FGSM, PGD
from probe.draws import again, keys
from probe.goals import Targeted
from probe.metrics import RobustAccuracy
from probe.norms import NORMS
from probe.statistics import wilson


def binary(weight: Tensor, bias: float = 0.0, space: Space | None = None, gain: float = 1.0) -> Model:
    """Two logits whose difference is gain * (w x + b)."""
    wide = Space(bounds=(-100.0, 100.0))
    return Model(
        forward=lambda x: gain * torch.stack([-(x @ weight + bias) / 2, (x @ weight + bias) / 2], -1),
        space=space or wide,
        classes=("-", "+"),
    )


def margin(model: Model, x: Tensor, y: Tensor) -> Tensor:
    z = model(x)
    return torch.where(y == 1, z[:, 1] - z[:, 0], z[:, 0] - z[:, 1])


@pytest.fixture
def problem():
    generator = torch.Generator().manual_seed(3)
    weight = torch.randn(20, generator=generator)
    x = torch.randn(64, 20, generator=generator)
    model = binary(weight)
    return model, weight, x, model.predict(x)


@pytest.mark.parametrize(("norm", "dual"), [("linf", 1), ("l2", 2)])
@pytest.mark.parametrize("attack", [FGSM(), PGD(steps=20), PGD(steps=20, restarts=3)], ids=repr)
def test_worst_margin_on_a_linear_model_is_margin_minus_eps_times_dual_norm(problem, attack, norm, dual):
    model, weight, x, y = problem
    (attack,) = sweep(attack, norm=[norm], eps=[0.05])
    worst = margin(model, x, y) - 0.05 * torch.linalg.vector_norm(weight, ord=dual)
    result = attack(model, x, y)
    broken = worst < 0
    assert 0 < broken.sum() < len(x)
    torch.testing.assert_close(result.success, broken)
    # An example that falls is left where it fell; the others are pushed to the very end.
    torch.testing.assert_close(margin(model, result.perturbed, y)[~broken], worst[~broken], atol=1e-4, rtol=1e-4)


def test_linf_attacks_move_up_to_the_bounds():
    weight, x = torch.tensor([1.0, -2.0, 3.0]), torch.tensor([[0.02, 0.5, 0.9]])
    model = binary(weight, bias=5.0, space=Space(bounds=(0.0, 1.0)))
    expected = torch.tensor([[0.0, 0.6, 0.8]])
    for attack in (FGSM(eps=0.1), PGD(eps=0.1, steps=20)):
        torch.testing.assert_close(attack(model, x, torch.tensor([1])).perturbed, expected)


@pytest.mark.slow
def test_robust_accuracy_follows_the_analytic_curve():
    """x | y is N(y mu, 1), so accuracy at eps is Phi((w mu - eps |w|_1) / |w|_2)."""
    generator = torch.Generator().manual_seed(0)
    y = torch.randint(2, (10_000,), generator=generator)
    x = 0.2 * (2 * y - 1)[:, None] + torch.randn(10_000, 100, generator=generator)
    model = binary(torch.ones(100))
    for eps, expected in ((0.05, 0.9332), (0.1, 0.8413), (0.2, 0.5), (0.25, 0.3085)):
        scores = RobustAccuracy()(model, PGD(eps=eps, steps=3)(model, x, y))
        low, high = wilson(scores.value * 10_000, 10_000, level=0.999)
        assert low <= expected <= high


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_attacks_succeed_where_float32_probabilities_saturate(problem, norm):
    model, weight, x, y = problem
    sure = binary(weight, gain=1e4)
    assert (sure(x).softmax(-1).amax(-1) == 1).float().mean() > 0.9, "the cross-entropy is exactly zero here"
    for attack in (FGSM(eps=0.1, norm=norm), PGD(eps=0.1, norm=norm)):
        torch.testing.assert_close(attack(sure, x, y).success, attack(model, x, y).success)


def test_tiny_gradients_do_not_underflow_in_l2(problem):
    model, weight, x, y = problem
    faint = binary(weight, gain=1e-25)
    torch.testing.assert_close(
        PGD(eps=0.1, norm="l2")(faint, x, y).success, PGD(eps=0.1, norm="l2")(model, x, y).success
    )


def test_fgsm_direction_is_that_of_the_cross_entropy():
    net = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 4)).eval()
    x = torch.randn(32, 6, generator=torch.Generator().manual_seed(1))
    model = Model(forward=net, space=Space(bounds=(-9.0, 9.0)), classes=tuple("abcd"))
    y = model.predict(x)
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(nn.functional.cross_entropy(net(leaf), y), leaf)
    torch.testing.assert_close(FGSM(eps=0.01)(model, x, y).perturbed, x + 0.01 * gradient.sign())


@pytest.mark.slow
def test_a_restart_escapes_a_flat_start():
    """A dead unit has no gradient at the input, but an error lies within the ball."""
    model = Model(
        forward=lambda x: torch.stack([torch.full((len(x),), 0.5), 40 * torch.relu(x.sum(-1) - 0.3)], -1),
        space=Space(bounds=(-1.0, 1.0)),
        classes=("a", "b"),
    )
    x, y = torch.zeros(1, 2), torch.tensor([0])
    assert not PGD(eps=0.5, steps=5)(model, x, y).success
    assert PGD(eps=0.5, steps=5, restarts=30)(model, x, y).success
    # The second is at a random point already: of these, a quarter escapes.
    assert 2 < sum(bool(PGD(eps=0.5, steps=5, restarts=2, seed=seed)(model, x, y).success) for seed in range(40)) < 20


def test_a_restart_aims_at_the_class_that_is_near_to_first_order_though_far_down():
    """The third class is far down, and steep: the goal's loss leads away from it from nearly every start."""
    weights, bias = torch.tensor([[0.0, 0.45, -20.0]]), torch.tensor([0.5, 0.4, -3.45])
    model = Model(forward=lambda x: x @ weights + bias, space=Space(bounds=(-1.0, 1.0)))
    x, y = torch.zeros(1, 1), torch.tensor([0])
    assert not PGD(eps=0.2, steps=20)(model, x, y).success
    assert PGD(eps=0.2, steps=20, restarts=2)(model, x, y).success
    towards = PGD(eps=0.2, steps=20, restarts=3, goal=Targeted())  # the class is given, whichever is near
    assert not towards(model, x, y, targets=torch.tensor([1])).success


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_more_restarts_never_leave_an_example_with_a_lower_loss(norm):
    source = torch.Generator().manual_seed(5)
    net = nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 4)).eval()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=source))
    model = Model(forward=net, space=Space(bounds=(-9.0, 9.0)), classes=tuple("abcd"))
    x = torch.randn(100, 8, generator=source)
    y = model.predict(x)
    once, often = (PGD(eps=0.05, steps=4, restarts=k, norm=norm)(model, x, y) for k in (1, 5))
    loss = [nn.functional.cross_entropy(r.attacked.logits, y, reduction="none") for r in (once, often)]
    assert bool((often.success | ~once.success).all())
    both = ~once.success & ~often.success
    assert both.sum() > 0
    assert bool((loss[1][both] >= loss[0][both] - 1e-5).all())


def test_misclassified_examples_are_dropped_from_the_batch(problem):
    model, _, x, y = problem
    easy = PGD(eps=50.0, steps=100)(model, x, y)
    assert bool(easy.success.all())
    assert easy.cost.backward <= 3 * 64, "a step or two were enough, not a hundred"


def test_misclassified_examples_are_not_attacked(problem):
    model, _, x, y = problem
    wrong = y.clone()
    wrong[:5] = 1 - wrong[:5]
    result = PGD(eps=0.05)(model, x, wrong)
    assert torch.equal(result.perturbed[:5], x[:5])
    assert not result.success[:5].any()


def test_only_what_is_mutable_moves_and_integers_stay_whole():
    space = Space(
        bounds=(0.0, 100.0),
        features=torch.tensor([0, 1, 2, 3, 3]),
        names=("age", "hours", "gain", "race"),
        kinds=("integer", "integer", "continuous", "category"),
        mutable=torch.tensor([False, True, True, True, True]),
        scale=torch.tensor([10.0, 10.0, 20.0, 1.0, 1.0]),
    )
    x = torch.tensor([[30.0, 40.0, 50.0, 1.0, 0.0]])
    model = binary(torch.tensor([1.0, -1.0, 1.0, 9.0, -9.0]), bias=1000.0, space=space)
    for attack in (FGSM(eps=0.25), PGD(eps=0.25)):
        moved = attack(model, x, torch.tensor([1])).perturbed[0]
        torch.testing.assert_close(moved, torch.tensor([30.0, 42.0, 45.0, 1.0, 0.0]))


def test_l2_starts_are_uniform_in_the_ball():
    rows = torch.arange(2000.0)[:, None].expand(-1, 5)
    lengths = NORMS["l2"].uniform(rows, keys(rows, 0)).norm(dim=1)
    assert lengths.max() <= 1
    assert lengths.mean() == pytest.approx(5 / 6, abs=0.01)
    assert (lengths <= 0.8).float().mean() == pytest.approx(0.8**5, abs=0.035)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_projections_are_idempotent_and_end_on_the_ball(norm):
    change = torch.randn(50, 3, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    project = NORMS[norm].project
    once = project(change, 0.7)
    torch.testing.assert_close(project(once, 0.7), once)
    inside = change * 1e-3
    assert torch.equal(project(inside, 0.7), inside)
    assert torch.equal(project(change, 0.0), torch.zeros_like(change))
    length = torch.linalg.vector_norm(once.flatten(1), ord=NORMS[norm].p, dim=1)
    assert length.max() <= 0.7 * (1 + 1e-12)
    assert math.isclose(float(length.max()), 0.7)


@pytest.mark.slow
def test_pgd_breaks_fashion_cnn_and_every_image_that_fgsm_breaks():
    """Of 284 right images 2 survive 20 steps of torchattacks and of foolbox at this radius."""
    from probe import zoo

    model, data = zoo.load("fashion-cnn"), zoo.data("fashion-mnist", split="test")[slice(0, 300)]
    single, iterated = (
        attack(model, data.inputs, data.labels) for attack in (FGSM(eps="16/255"), PGD(eps="16/255", steps=20))
    )
    assert int(iterated.clean.correct.sum()) == 284
    assert int(iterated.attacked.correct.sum()) <= 4
    assert bool((iterated.success | ~single.success).all())


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_random_starts_differ_between_examples_and_follow_from_each_alone(norm):
    """A start depends on the example, the seed and the restart; not on the rows beside it, nor on their order."""
    rows = torch.rand(6, 4, generator=torch.Generator().manual_seed(0))
    starts = NORMS[norm].uniform(rows, again(keys(rows, 0), 1))
    order = torch.tensor([4, 0, 2])
    assert torch.equal(NORMS[norm].uniform(rows[order], again(keys(rows[order], 0), 1)), starts[order])
    assert len(starts.unique(dim=0)) == 6
    for other in (again(keys(rows, 0), 2), again(keys(rows, 1), 1)):
        assert (NORMS[norm].uniform(rows, other) != starts).any(1).all()
    same = rows.clone()
    same[1, 0] = 0.0
    assert torch.equal(keys(torch.where(same == 0, -same, same), 0), keys(same, 0)), "-0 is 0"


def test_a_first_point_that_reaches_the_goal_to_first_order_is_asked_without_a_gradient(problem):
    model, weight, x, y = problem
    worst = margin(model, x, y) - 0.05 * torch.linalg.vector_norm(weight, ord=1)
    result = PGD(eps=0.05, steps=7)(model, x, y)
    falls = worst < 0
    assert 0 < falls.sum() < len(x)
    assert torch.equal(result.success, falls)
    assert result.backwards.tolist() == torch.where(falls, 1, 7).tolist()
    assert result.forwards.tolist() == torch.where(falls, 2 + 2, 2 + 7 + 1).tolist()  # the answers before and after


def test_a_first_point_that_only_seems_to_reach_the_goal_goes_on_as_any_other():
    def forward(inputs: Tensor) -> Tensor:  # steep at the input, flat soon after, and crossed at .8
        rise = torch.where(inputs < 0.1, 20 * inputs - 3, 10 * inputs.clamp(max=0.1) - 2 + 2.5 * (inputs - 0.1))
        return torch.cat([torch.zeros_like(rise), rise], 1)

    model, x = Model(forward=forward, space=Space(bounds=(0.0, 2.0))), torch.zeros(1, 1)
    short = PGD(eps=0.5, steps=3)(model, x, torch.tensor([0]))
    assert (short.success.item(), short.forwards.item(), short.backwards.item()) == (False, 2 + 3 + 1 + 1, 3)
    assert PGD(eps=1.2, steps=3)(model, x, torch.tensor([0])).success.item()
