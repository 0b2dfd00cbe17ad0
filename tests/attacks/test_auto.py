"""APGD: its published schedule, closed-form optima of linear models, its losses, and a plain replica."""

import pytest
import torch
from torch import nn

from probe import Model, MultiLabel, Regression, Space
from probe.attacks import APGD, PGD
from probe.attacks.auto import checkpoints
from probe.errors import Unsupported
from probe.goals import LeastLikely, Shift, Targeted
from probe.norms import NORMS

WIDE = Space(bounds=(-100.0, 100.0))


def network(classes: int = 4) -> tuple[Model, torch.Tensor, torch.Tensor]:
    source = torch.Generator().manual_seed(5)
    net = nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, classes)).eval()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=source) / 2)
    model = Model(forward=net, space=Space(bounds=(-9.0, 9.0)))
    x = torch.randn(60, 8, generator=source)
    return model, x, model.predict(x)


def test_checkpoints_of_apgd_are_the_published_ones():
    assert checkpoints(100) == (0, 22, 41, 57, 70, 80, 87, 93, 99)
    assert checkpoints(1000) == (0, 220, 410, 570, 700, 800, 870, 930, 990)
    assert checkpoints(10) == (0, 3, 5, 6, 7, 8, 9, 10)
    assert checkpoints(1) == (0, 1)


@pytest.mark.parametrize("loss", ["goal", "margin"])
@pytest.mark.parametrize(("norm", "dual"), [("linf", 1), ("l2", 2)])
def test_apgd_ends_at_the_worst_margin_of_a_linear_model(norm, dual, loss):
    source = torch.Generator().manual_seed(3)
    weight, x = torch.randn(20, generator=source), torch.randn(64, 20, generator=source)
    model = Model(forward=lambda x: torch.stack([-(x @ weight) / 2, (x @ weight) / 2], -1), space=WIDE)
    clean = (x @ weight).abs()
    found = APGD(eps=0.05, norm=norm, loss=loss, steps=20)(model, x, model.predict(x))
    worst = clean - 0.05 * torch.linalg.vector_norm(weight, ord=dual)
    assert torch.equal(found.success, worst < 0)
    assert 0 < found.success.sum() < len(x)
    left = (found.perturbed @ weight).abs()[~found.success]
    torch.testing.assert_close(left, worst[~found.success], atol=1e-4, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_apgd_finds_the_optimum_of_a_linear_model_in_ball_and_box(norm):
    """In L2 the best change is t w, cut to the box, with the t at which its length is the radius."""
    source = torch.Generator().manual_seed(4)
    weight, x = torch.randn(6, generator=source), torch.rand(30, 6, generator=source)
    model = Model(forward=lambda x: torch.stack([x @ weight * 0 + 50, x @ weight], -1), space=Space(bounds=(0.0, 1.0)))
    eps = 0.5
    found = APGD(eps=eps, norm=norm, steps=100)(model, x, torch.zeros(30, dtype=torch.int64))
    if norm == "linf":
        best = (x + eps * weight.sign()).clamp(0, 1)
    else:
        low, high = torch.zeros(30, 1), torch.full((30, 1), 1e3)
        for _ in range(60):
            t = (low + high) / 2
            short = ((x + t * weight).clamp(0, 1) - x).norm(dim=1, keepdim=True) < eps
            low, high = torch.where(short, t, low), torch.where(short, high, t)
        best = (x + low * weight).clamp(0, 1)
    rise, optimum = ((points - x) @ weight for points in (found.perturbed, best))
    assert (rise <= optimum + 1e-5).all()
    # In L2 a step goes as far as the box has room, and the projection then shortens what has reached the box as well:
    # the optimum is approached as steps are halved. Steps that the box may cut would reach it, but break fewer images.
    assert (rise >= optimum * (1 - {"linf": 1e-5, "l2": 0.03}[norm])).all()


@pytest.mark.slow
def test_targeted_apgd_reaches_every_class_that_a_linear_model_lets_it_reach():
    """Two logits cross within the radius, and the third is out of the way, so a pair decides."""
    source = torch.Generator().manual_seed(3)
    weight, x = torch.randn(20, 3, generator=source), torch.randn(64, 20, generator=source) / 4
    model = Model(forward=lambda x: x @ weight, space=WIDE)
    labels, eps = model.predict(x), 0.05
    broken = torch.zeros(64, dtype=torch.bool)
    for target in range(3):
        aimed = labels != target
        found = APGD(eps=eps, goal=Targeted(target=target), loss="margin", steps=50)(model, x[aimed], labels[aimed])
        broken[aimed] |= found.success
    z = x @ weight
    gap = z.gather(1, labels[:, None]) - z
    slope = (weight[:, labels].T[:, :, None] - weight).abs().sum(1)
    assert torch.equal(broken, (gap < eps * slope)[torch.arange(64)].where(slope > 0, torch.tensor(False)).any(1))
    assert 0 < broken.sum() < 64


def replica(net: nn.Module, x: torch.Tensor, y: torch.Tensor, norm: str, eps: float, steps: int) -> torch.Tensor:
    """APGD of one example as the paper writes it down, without a box, until it is misclassified."""
    p, loss = NORMS[norm], lambda z: z.logsumexp(0) - z[y]

    def ask(point):
        leaf = point.clone().requires_grad_()
        z = net(leaf[None])[0]
        (gradient,) = torch.autograd.grad(loss(z), leaf)
        return float(loss(z.detach())), p.steepest(gradient[None])[0], int(z.argmax()) != int(y)

    def onto(point):
        return x + p.project((point - x)[None], eps)[0]

    at, eta = checkpoints(steps), 2 * eps
    here = before = x
    f, g, done = ask(x)
    best, best_f, best_g, then_f, then_halved, rises = x, f, g, -float("inf"), False, 0
    for k in range(steps):
        if done:
            return here
        if k in at[1:]:
            since = k - at[at.index(k) - 1]
            halved = rises < 0.75 * since or (not then_halved and best_f <= then_f)
            if halved:
                eta, here, f, g = eta / 2, best, best_f, best_g
            then_f, then_halved, rises = best_f, halved, 0
        z = onto(here + eta * g)
        after = z if k == 0 else onto(here + 0.75 * (z - here) + 0.25 * (here - before))
        before, here, last = here, after, f
        f, g, done = ask(here)
        rises += f > last
        if f > best_f:
            best, best_f, best_g = here, f, g
    return here if done else best


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_apgd_takes_the_steps_of_the_algorithm_as_it_was_published(norm):
    model, x, y = network()
    x, y, eps = x[:12].double(), y[:12], {"linf": 0.15, "l2": 0.4}[norm]
    net = model.forward.double()
    found = APGD(eps=eps, norm=norm, steps=30)(Model(forward=net, space=WIDE), x, y)
    expected = torch.stack([replica(net, a, b, norm, eps, 30) for a, b in zip(x, y, strict=True)])
    torch.testing.assert_close(found.perturbed, expected, atol=1e-6, rtol=1e-6)
    assert 0 < found.success.sum() < 12


@pytest.mark.parametrize("loss", ["goal", "margin", "dlr", "probability"])
@pytest.mark.parametrize("goal", [Targeted(target=1), LeastLikely()], ids=repr)
def test_every_loss_of_apgd_serves_goals_with_a_target(loss, goal):
    model, x, y = network()
    found = APGD(eps=0.8, loss=loss, goal=goal, steps=20)(model, x, y)
    assert torch.equal(model.predict(found.perturbed) == found.targets, found.success | (y == found.targets))
    assert found.success.float().mean() > 0.5


@pytest.mark.parametrize("loss", ["goal", "margin", "dlr", "probability"])
def test_a_loss_of_apgd_has_the_value_of_its_formula(loss):
    from probe.attacks.losses import climbing
    from probe.contracts import Aim
    from probe.goals import Untargeted

    z = torch.tensor([[1.0, 3.0, 2.0, -1.0]])
    model = Model(forward=lambda x: x, space=WIDE)
    aim = Aim(model, Untargeted(), torch.tensor([0]), None, torch.ones(1), torch.tensor([0]))
    shares = z.softmax(1)[0]
    untargeted = {
        "goal": z[0, 1:].logsumexp(0) - 1,
        "margin": 2.0,
        "dlr": 2 / (3 - 1),
        "probability": shares[1] - shares[0],
    }
    assert climbing(aim, loss).ask(z)[0].item() == pytest.approx(float(untargeted[loss]), abs=1e-6)
    aim = Aim(model, Targeted(target=2), torch.tensor([0]), torch.tensor([2]), torch.ones(1), torch.tensor([0]))
    targeted = {
        "goal": 2 - z[0, [0, 1, 3]].logsumexp(0),
        "margin": 2 - 3.0,
        "dlr": (2 - 1) / (3 - (1 - 1) / 2),
        "probability": shares[2] - shares[1],
    }
    assert climbing(aim, loss).ask(z)[0].item() == pytest.approx(float(targeted[loss]), abs=1e-6)
    assert climbing(aim, loss).ask(z)[1].tolist() == [False]


def test_apgd_shifts_a_regression_and_flips_labels_by_the_goals_own_loss():
    weight = torch.tensor([1.0, -2.0])
    number = Model(forward=lambda x: x @ weight, space=WIDE, task=Regression(("price",)))
    x = torch.zeros(3, 2)
    found = APGD(eps=0.5, goal=Shift(by=1.0), steps=5)(number, x, torch.zeros(3))
    assert found.success.all()
    labels = Model(forward=lambda x: x - 0.25, space=WIDE, task=MultiLabel(("warm", "wet")))
    assert APGD(eps=0.5, steps=5)(labels, x, torch.zeros(3, 2, dtype=torch.int64)).success.all()
    for model, goal, y in ((number, Shift(by=1.0), torch.zeros(3)), (labels, Targeted(), torch.zeros(3, 2).long())):
        targets = {"targets": torch.ones(3, 2).long()} if isinstance(goal, Targeted) else {}
        with pytest.raises(Unsupported, match="write loss='goal'"):
            APGD(eps=0.5, goal=goal, loss="margin")(model, x, y, **targets)


@pytest.mark.parametrize(("classes", "goal"), [(2, {}), (3, {"goal": Targeted(target=1)})])
def test_the_scaled_margin_of_too_few_classes_is_refused_with_a_remedy_that_works(classes, goal):
    model, x, y = network(classes)
    with pytest.raises(Unsupported, match="write loss='margin'"):
        APGD(loss="dlr", **goal)(model, x, y)
    assert len(APGD(loss="margin", steps=2, **goal)(model, x, y)) == len(x)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_rows_of_apgd_do_not_depend_on_their_order_and_are_counted_one_by_one(norm):
    model, x, y = network()
    attack, order = APGD(eps=0.1, norm=norm, steps=12, restarts=2), torch.arange(len(x)).flip(0)
    state = torch.get_rng_state()
    one, other = attack(model, x, y), attack(model, x[order], y[order])
    assert torch.equal(state, torch.get_rng_state())
    torch.testing.assert_close(one.perturbed[order], other.perturbed)
    assert torch.equal(one.backwards[order], other.backwards)
    assert one.backwards.max() == 2 * 12
    assert one.backwards.sum() == one.cost.backward
    assert (one.backwards[one.success] <= 24).all()
    assert one.success.any()
    assert not one.success.all()


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_apgd_breaks_no_fewer_than_pgd_of_as_many_steps(norm):
    model, x, y = network()
    eps = {"linf": 0.12, "l2": 0.35}[norm]
    one, other = (kind(eps=eps, norm=norm, steps=20)(model, x, y).success for kind in (APGD, PGD))
    assert 0 < other.sum() < len(x)
    assert one.sum() >= other.sum()


@pytest.mark.slow
@pytest.mark.parametrize(("norm", "eps", "steps"), [("linf", 0.1, 40), ("l2", 1.5, 20)])
def test_apgd_leaves_no_more_of_fashion_robust_than_pgd_of_as_many_steps(norm, eps, steps):
    from probe import zoo

    model, data = zoo.load("fashion-robust"), zoo.data("fashion-mnist", split="test")[slice(0, 50)]
    one, other = (kind(eps=eps, norm=norm, steps=steps)(model, data.inputs, data.labels) for kind in (APGD, PGD))
    assert int(one.attacked.correct.sum()) <= int(other.attacked.correct.sum())
