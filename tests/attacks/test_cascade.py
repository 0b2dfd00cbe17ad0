"""Cascade: closed-form optima of linear models of three classes, its order of classes, and what each task lets run."""

import itertools
from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from probe import Model, MultiLabel, Regression, Space, from_predict_proba
from probe.attacks import APGD, FGSM, PGD, Cascade
from probe.attacks.ascent import Ascent, Run, Search
from probe.attacks.cascade import CLOSE, HALF, NEAR, NEARER, by_distance
from probe.contracts import Aim
from probe.errors import Unsupported
from probe.goals import LeastLikely, Margin, Shift, Targeted, Untargeted
from probe.norms import NORMS

WIDE = Space(bounds=(-100.0, 100.0))


def linear(classes: int, space: Space, seed: int = 0) -> tuple[Model, Tensor, Tensor]:
    """Three classes of different steepness, and points of the box with what the model says of them."""
    source = torch.Generator().manual_seed(seed)
    weight = torch.randn(12, classes, generator=source) * torch.logspace(-1, 1, classes)
    x = torch.rand(200, 12, generator=source)
    # Each logit is highest somewhere in the box.
    bias = -(x @ weight).quantile(0.9, dim=0)
    return Model(forward=lambda x: x @ weight.to(x) + bias.to(x), space=space), weight, x


def gain(direction: Tensor, x: Tensor, eps: float, norm: str) -> Tensor:
    """The largest rise of a linear function within ball and box [0, 1].

    In L2 the best change is t times the direction, cut to the box, with the t at which its length is the radius.
    """
    if norm == "linf":
        return ((x + eps * direction.sign()).clamp(0, 1) - x).mul(direction).sum(1)
    low, high = torch.zeros(len(x), 1), torch.full((len(x), 1), 1e4)
    for _ in range(60):
        t = (low + high) / 2
        short = ((x + t * direction).clamp(0, 1) - x).norm(dim=1, keepdim=True) < eps
        low, high = torch.where(short, t, low), torch.where(short, high, t)
    return ((x + low * direction).clamp(0, 1) - x).mul(direction).sum(1)


@pytest.mark.slow
@pytest.mark.parametrize(("norm", "eps"), [("linf", 0.1), ("l2", 0.35)])
def test_cascade_breaks_a_linear_model_of_three_classes_wherever_it_can_be_broken_and_one_run_does_not(norm, eps):
    model, weight, x = linear(3, Space(bounds=(0.0, 1.0)))
    y, z = model.predict(x), model(x)
    # The highest lead of any other class within ball and box, by a closed form for each pair of classes.
    lead = torch.full((len(x),), -torch.inf)
    for one, other in itertools.permutations(range(3), 2):
        rows = y == one
        assert rows.any()
        rise = gain(weight[:, other] - weight[:, one], x[rows], eps, norm)
        lead[rows] = torch.maximum(lead[rows], z[rows, other] - z[rows, one] + rise)
    sure = lead.abs() > 0.03 * z.abs().amax(1)  # L2: the end in ball and box is the nearest only in the limit
    sure |= torch.tensor(norm == "linf")
    found = Cascade(eps=eps, norm=norm, steps=200)(model, x, y).success
    assert torch.equal(found[sure], lead[sure] > 0)
    for single in (Cascade(eps=eps, norm=norm, steps=40), PGD(eps=eps, norm=norm), APGD(eps=eps, norm=norm)):
        alone = single(model, x, y).success
        assert (alone & ~found).sum() == 0
        assert alone.sum() < found.sum(), (
            f"{single} climbs towards the nearest logit, which need not be the nearest class"
        )


@pytest.mark.slow
@pytest.mark.parametrize(("norm", "dual"), [("linf", 1), ("l2", 2)])
@pytest.mark.parametrize("unit", [1.0, 4.0])
def test_the_order_of_classes_is_that_of_their_distances_on_a_linear_model(norm, dual, unit):
    model, weight, x = linear(5, Space(bounds=(-100.0, 100.0), scale=torch.full((12,), unit)))
    weight, x = weight.double(), x.double()
    y, z = model.predict(x), model(x)
    slopes = unit * torch.linalg.vector_norm(weight[:, y].T[:, :, None] - weight, ord=dual, dim=1)
    exact = (z.gather(1, y[:, None]) - z) / slopes
    expected = exact.scatter(1, y[:, None], torch.inf).argsort(1)[:, :4]
    aim = Aim(model, Untargeted(), y, None, torch.ones(len(x)), torch.arange(len(x)))
    order, far = by_distance(model.space, NORMS[norm], x, aim, 9)
    assert torch.equal(order, expected)
    torch.testing.assert_close(far, exact.gather(1, expected))
    assert not torch.equal(order[:, 0], z.scatter(1, y[:, None], -torch.inf).argmax(1)), "that of logits is another"
    # A little further than the distance reaches the class, and nothing reaches it before.
    nearest = exact.scatter(1, y[:, None], torch.inf).amin(1)
    attack = Cascade(norm=norm, steps=100)
    assert attack(model, x, y, eps=1.001 * nearest).success.all()
    assert not attack(model, x, y, eps=0.999 * nearest).success.any()


def test_with_fewer_candidates_the_nearest_is_looked_for_among_the_likeliest_classes():
    model, _, x = linear(5, WIDE)
    y = model.predict(x)
    aim = Aim(model, Untargeted(), y, None, torch.ones(len(x)), torch.arange(len(x)))
    likely = model(x).scatter(1, y[:, None], -torch.inf)
    assert torch.equal(by_distance(WIDE, NORMS["linf"], x, aim, 1)[0][:, 0], likely.argmax(1))
    pair = by_distance(WIDE, NORMS["linf"], x, aim, 2)[0].sort(1).values
    assert torch.equal(pair, likely.topk(2).indices.sort(1).values)


def test_a_class_that_is_close_to_first_order_is_aimed_at_though_the_loss_came_less_than_half_of_the_way():
    weights, at_zero = torch.tensor([[0.0, 0.45, -20.0]]), torch.tensor([0.5, 0.3, -3.55])
    model = Model(forward=lambda x: x @ weights + at_zero, space=Space(bounds=(-1, 1)))
    x, y = torch.tensor([[0.0]]), torch.tensor([0])
    first = Cascade(eps=0.21, steps=40)(model, x, y)
    assert model.task.loss(first.attacked.logits, y) < (1 - HALF) * model.task.loss(first.clean.logits, y)
    assert Cascade(eps=0.21, steps=100)(model, x, y).success.all()
    far = Cascade(eps=0.13, steps=100)(model, x, y)  # 1.56 radii are too far: no further step is taken
    assert far.backwards.tolist() == [42]


@dataclass(kw_only=True)
class Walk(Ascent):
    step: float

    def ascend(self, gradient: Tensor) -> None:
        self.x = self.x + self.step


def test_runs_side_by_side_end_for_an_example_when_one_of_them_reaches_the_goal():
    model = Model(forward=lambda x: torch.cat([x, 1 - x], 1), space=WIDE, batch_size=4)
    x, y = torch.tensor([[0.8], [0.7], [5.0]]), torch.tensor([0, 0, 0])
    with model.metered(3) as metered:
        aim = Aim(metered, Untargeted(), y, None, torch.ones(3, dtype=torch.float64), torch.arange(3))
        search = Search(WIDE, NORMS["linf"], x, aim, 0)
        runs = ((0.1, 3), (-0.125, 3), (-0.01, 9))
        search.climb_at_once([Run(partial(Walk.at, step=step), steps) for step, steps in runs])
    assert search.remaining.tolist() == [2]
    torch.testing.assert_close(search.best, torch.tensor([[0.425], [0.45], [4.625]]))
    torch.testing.assert_close(search.loss, (1 - 2 * search.best[:, 0]).double())
    assert metered.meter is not None
    # The first falls to the last point of the second run, the next to the one before; the third goes all ways.
    assert metered.meter.backward.tolist() == [9, 9, 15]
    assert metered.meter.forward.tolist() == [11, 9, 18]


def network(classes: int, dtype: torch.dtype = torch.float32) -> tuple[nn.Module, Tensor]:
    source = torch.Generator().manual_seed(5)
    net = nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, classes)).eval()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=source) / 2)
    return net.to(dtype), torch.randn(40, 8, generator=source, dtype=dtype)


@pytest.mark.slow
def test_rows_of_a_cascade_are_counted_one_by_one_and_do_not_depend_on_their_order():
    norm, eps, dtype, steps = "l2", 0.3, torch.float64, 230
    net, x = network(4, dtype)
    model = Model(forward=net, space=WIDE)
    y, order = model.predict(x), torch.arange(len(x)).flip(0)
    attack, most = Cascade(eps=eps, norm=norm, steps=steps), steps + 3
    one, other = (attack(model, x[rows], y[rows]) for rows in (order.flip(0), order))
    torch.testing.assert_close(one.perturbed[order], other.perturbed)
    assert one.perturbed.dtype == dtype
    assert torch.equal(one.backwards[order], other.backwards)
    assert one.backwards.sum() == one.cost.backward
    withstood = ~one.success
    assert 0 < withstood.sum() < len(x)
    # 40 steps, and a gradient for each of three other classes; 60 more for those that came half of the way or are
    # close, 100 for those that came near, and the other steps for those that then are nearer still.
    first = Cascade(eps=eps, norm=norm, steps=40)(model, x, y)
    aim = Aim(model, Untargeted(), y, None, torch.full((len(x),), eps, dtype=dtype), torch.arange(len(x)))
    close = by_distance(WIDE, NORMS[norm], x, aim, 9)[1][:, 0] <= CLOSE * eps
    half, near, nearer = (
        model.task.loss(found.attacked.logits, y) >= (1 - share) * model.task.loss(one.clean.logits, y)
        for found, share in ((first, HALF), (first, NEAR), (one, NEARER))
    )
    some, further = (half | close) & withstood, near & withstood
    assert set(one.backwards[withstood].tolist()) == {43, 103, 203, most}
    assert torch.equal(one.backwards[withstood] > 43, some[withstood])
    assert torch.equal(one.backwards[withstood] > 103, further[withstood])
    assert torch.equal(one.backwards[withstood] == most, (further & nearer)[withstood])
    assert (one.backwards[one.success] <= most).all()
    # An example that withstands keeps a point where the goal's loss is higher than after the first run alone.
    log_odds = [model.task.loss(found.attacked.logits, y)[withstood] for found in (first, one)]
    assert (log_odds[1] >= log_odds[0] - 1e-6).all()
    assert (one.success | ~first.success).all()


@pytest.mark.slow
def test_more_steps_begin_another_round_and_keep_what_was_found():
    net, x = network(4)
    model = Model(forward=net, space=WIDE)
    y = model.predict(x)
    found = [Cascade(eps=0.1, steps=steps)(model, x, y) for steps in (1, 200, 230)]
    assert [int(each.backwards.max()) for each in found] == [1, 203, 233]
    assert (found[1].success | ~found[0].success).all()
    assert torch.equal(found[2].perturbed[found[1].success], found[1].perturbed[found[1].success])


def test_one_step_of_a_cascade_ends_where_fgsm_does():
    net, x = network(4)
    model = Model(forward=net, space=WIDE)
    y = model.predict(x)
    one, other = (attack(model, x, y).perturbed for attack in (Cascade(eps=0.1, steps=1), FGSM(eps=0.1)))
    assert torch.equal(one, other)


@pytest.mark.parametrize("outputs", ["logits", "one logit", "one probability"])
@pytest.mark.parametrize("threshold", [None, 0.3])
def test_a_cascade_breaks_a_linear_model_of_two_classes_wherever_it_can_be_broken(outputs, threshold):
    from probe import Classification

    source = torch.Generator().manual_seed(3)
    weight, x = torch.randn(20, generator=source), torch.randn(64, 20, generator=source) / 4
    returned = {
        "logits": lambda x: torch.stack([-(x @ weight) / 2, (x @ weight) / 2], 1),
        "one logit": lambda x: x @ weight,
        "one probability": lambda x: (x @ weight).sigmoid(),
    }
    task = Classification(("no", "yes"), threshold=threshold, outputs=outputs)
    model = Model(forward=returned[outputs], space=WIDE, task=task)
    y, eps = model.predict(x), 0.05
    cut = 0.0 if threshold is None else float(torch.tensor(threshold).logit())
    found = Cascade(eps=eps, steps=100)(model, x, y)
    assert torch.equal(found.success, (x @ weight - cut).abs() < eps * weight.abs().sum())
    assert 0 < found.success.sum() < len(x)
    assert found.backwards.max() == 100  # no gradient is spent on the choice of a class


@pytest.mark.slow
@pytest.mark.parametrize("goal", [Targeted(target=1), Targeted(), LeastLikely(), Margin(kappa=0.5)], ids=repr)
def test_a_cascade_serves_goals_with_a_target_and_with_a_margin(goal):
    net, x = network(4)
    model = Model(forward=net, space=WIDE)
    y = model.predict(x)
    targets = {"targets": (y + 1) % 4} if goal == Targeted() else {}
    found, first = (Cascade(eps=0.5, goal=goal, steps=steps)(model, x, y, **targets) for steps in (100, 40))
    assert (found.success | ~first.success).all()
    assert found.success.sum() > 20
    if found.targets is not None:
        reached = model.predict(found.perturbed) == found.targets
        assert torch.equal(reached, found.success | (y == found.targets))


def test_a_cascade_shifts_a_regression_and_breaks_labels_by_the_goals_own_loss():
    weight = torch.tensor([1.0, -2.0])
    number = Model(forward=lambda x: x @ weight, space=WIDE, task=Regression(("price",)))
    x = torch.zeros(3, 2)
    assert Cascade(eps=0.5, goal=Shift(by=1.49), steps=100)(number, x, torch.zeros(3)).success.all()
    short = Cascade(eps=0.5, goal=Shift(by=1.51), steps=100)(number, x, torch.zeros(3))
    assert not short.success.any()
    torch.testing.assert_close(short.perturbed, torch.tensor([[0.5, -0.5]]).expand(3, 2))
    labels = Model(forward=lambda x: x - 0.25, space=WIDE, task=MultiLabel(("warm", "wet")))
    assert Cascade(eps=0.5, steps=100)(labels, x, torch.zeros(3, 2, dtype=torch.int64)).success.all()


def test_a_cascade_refuses_a_black_box_and_names_an_attack_that_works():
    box = from_predict_proba(lambda rows: np.full((len(rows), 2), 0.5), Space(), ("a", "b"))
    with pytest.raises(Unsupported, match=r"black box.*Square"):
        Cascade()(box, torch.rand(2, 3), torch.zeros(2, dtype=torch.long))


# Of 300 images those that are right and that a cascade breaks with one seed or another; AutoAttack breaks 52 of them.
BREAKABLE = (
    *(6, 10, 17, 21, 26, 32, 44, 45, 50, 53, 54, 67, 70, 71, 75, 87, 91, 98, 103, 107, 110, 117, 120, 122, 127, 129),
    *(135, 136, 138, 151, 156, 160, 163, 164, 167, 170, 181, 183, 188, 191, 192, 195, 197, 198, 217, 222, 226, 229),
    *(243, 247, 248, 258, 261, 271, 283, 286, 289, 290, 293),
)
WRONG = 33  # of them are answered wrongly before any attack


@pytest.mark.slow
def test_a_cascade_leaves_less_of_fashion_robust_than_autoattack():
    """AutoAttack of torchattacks leaves 215 of 300 images right, in 658 s; all that was ever tried, 208.

    Images that no cascade was seen to break count as right here, and are not attacked.
    """
    from probe import zoo

    model, data = zoo.load("fashion-robust"), zoo.data("fashion-mnist", split="test")[:300]
    assert int((model.predict(data.inputs) != data.labels).sum()) == WRONG
    found = Cascade(eps=0.1)(model, data.inputs[list(BREAKABLE)], data.labels[list(BREAKABLE)])
    assert 300 - WRONG - int(found.success.sum()) <= 209
    assert found.cost.forward <= 4_000
