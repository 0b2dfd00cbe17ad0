"""Square against closed forms of linear models, where the best point of the ball is a corner, and on black boxes."""

import numpy as np
import pytest
import torch

from probe import Model, Space, from_predict_proba
from probe.attacks import Square
from probe.attacks.bumps import bump, shifted
from probe.attacks.square import square
from probe.tensors import generator

WIDE = Space(bounds=(-100.0, 100.0))


def linear(*shape: int, space: Space = WIDE, seed: int = 3) -> tuple[Model, torch.Tensor]:
    """A model of two classes, and the slope of the second one's lead, (*shape)."""
    weight = torch.randn(*shape, generator=torch.Generator().manual_seed(seed))

    def forward(x: torch.Tensor) -> torch.Tensor:
        score = (x * weight).flatten(1).sum(1)
        return torch.stack([-score / 2, score / 2], 1)

    return Model(forward=forward, space=space), weight


def lead(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """By how much the label leads the other class."""
    return (logits.gather(1, y[:, None]) - logits.gather(1, 1 - y[:, None]))[:, 0]


def far(model: Model, *shape: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows that no small change alters: the search goes on to its end."""
    x = torch.randn(4, *shape, generator=torch.Generator().manual_seed(4)) * 20
    return x, model.predict(x)


@pytest.mark.slow
@pytest.mark.parametrize(("shape", "space"), [
    ((12,), WIDE),
    ((1, 5, 5), WIDE),
    ((2, 9), Space(form="series", bounds=(-100.0, 100.0))),
], ids=["table", "image", "series"])  # fmt: skip
def test_on_a_linear_model_square_ends_at_the_best_corner_of_the_ball(shape, space):
    """The lead falls by eps times the L1 norm of the slope at most."""
    model, weight = linear(*shape, space=space)
    x, y = far(model, *shape)
    found = Square(eps=0.1, max_queries=400)(model, x, y)
    fall = lead(found.clean.logits, y) - lead(found.attacked.logits, y)
    assert not found.success.any()
    assert fall.tolist() == pytest.approx([0.1 * float(weight.abs().sum())] * 4, rel=1e-3)
    assert found.queries.tolist() == [400] * 4


def test_square_asks_each_example_until_it_is_broken_and_counts_what_it_asked():
    asked = []

    def predict(rows):
        asked.append(len(rows))
        high = rows.sum(1, keepdims=True) > 1
        return np.hstack([1.0 - high, high])

    model = from_predict_proba(predict, Space(), classes=("low", "high"))
    x = torch.tensor([[0.49, 0.49], [0.1, 0.1], [0.9, 0.9]])
    found = Square(eps=0.1, max_queries=40)(model, x, torch.tensor([0, 0, 0]))
    assert found.success.tolist() == [True, False, False]
    assert found.queries[1:].tolist() == [40, 0]  # the last is wrong before the attack
    assert 1 <= found.queries[0] < 40
    assert sum(asked) == 3 + int(found.queries.sum()) + 3
    assert found.backwards.tolist() == [0, 0, 0]


def test_square_moves_only_what_may_move_and_keeps_integers_whole():
    space = Space(
        bounds=(torch.zeros(6), torch.tensor([1.0, 90.0, 1.0, 1.0, 1.0, 5.0])),
        features=torch.tensor([0, 1, 2, 2, 2, 3]),
        kinds=("continuous", "integer", "category", "continuous"),
        scale=torch.tensor([1.0, 90.0, 1.0, 1.0, 1.0, 5.0]),
        mutable=torch.tensor([True, True, True, True, True, False]),
    )  # fmt: skip
    model, _ = linear(6, space=space)
    x = torch.tensor([[0.5, 40.0, 1.0, 0.0, 0.0, 2.0]])
    found = Square(eps=0.05, max_queries=30)(model, x, model.predict(x))
    moved = (found.perturbed - x)[0]
    assert moved[[0, 1]].abs().tolist() == pytest.approx([0.05, 4.0])
    assert moved[2:].tolist() == [0.0] * 4


def test_rows_in_any_order_and_number_get_the_same_result():
    model, _ = linear(1, 5, 5)
    x, y = far(model, 1, 5, 5)
    attack = Square(eps=0.1, max_queries=50)
    order = torch.tensor([2, 0, 3, 1])
    together = attack(model, x, y).perturbed
    assert torch.equal(attack(model, x[order], y[order]).perturbed, together[order])
    assert torch.equal(attack(model, x[1:2], y[1:2]).perturbed, together[1:2])
    assert not torch.equal(Square(eps=0.1, max_queries=50, seed=1)(model, x, y).perturbed, together)


@pytest.mark.parametrize("share", [0.8, 0.1, 0.001])
def test_a_square_is_a_square_within_the_image(share):
    images, source = torch.zeros(2, 3, 8, 6), generator(0, torch.device("cpu"))
    for _ in range(20):
        chosen, signs = square(Space(), images, share, source)
        side = max(1, round((share * 48) ** 0.5))
        assert chosen.shape == (1, 3, 8, 6)
        assert signs.shape == (1, 3, 1, 1)
        assert chosen[0, 0].any(1).sum() == min(side, 8)
        assert chosen[0, 0].any(0).sum() == min(side, 6)
        assert chosen.sum() == 3 * min(side, 8) * min(side, 6)


@pytest.mark.slow
@pytest.mark.parametrize(("shape", "space", "most"), [
    ((12,), WIDE, 0.6),
    ((2, 9, 9), WIDE, 0.3),
    ((2, 9), Space(form="series", bounds=(-100.0, 100.0)), 0.6),
], ids=["table", "image", "series"])  # fmt: skip
def test_in_l2_the_search_ends_near_the_best_point_of_the_ball(shape, space, most):
    """Of a smooth slope, as the bumps are; the lead falls by eps times its L2 norm at most."""
    smooth = torch.cos(torch.arange(float(shape[-1])) / 2).expand(shape) + 0.3

    def forward(x: torch.Tensor) -> torch.Tensor:
        score = (x * smooth).flatten(1).sum(1)
        return torch.stack([-score / 2, score / 2], 1)

    model = Model(forward=forward, space=space)
    x, y = far(model, *shape)
    found = Square(eps=0.1, norm="l2", max_queries=150)(model, x, y)
    fall = lead(found.clean.logits, y) - lead(found.attacked.logits, y)
    assert not found.success.any()
    assert found.distance(2).tolist() == pytest.approx([0.1] * 4, rel=1e-3)
    best = 0.1 * float(smooth.norm())
    assert ((fall > most * best) & (fall <= best * 1.003)).all()
    assert torch.equal(Square(eps=0.1, norm="l2", max_queries=150)(model, x[2:], y[2:]).perturbed, found.perturbed[2:])


@pytest.mark.parametrize("sides", [[5], [4, 7], [1, 3]])
def test_a_bump_has_a_hill_and_a_hollow_and_length_1(sides):
    source = torch.Generator().manual_seed(0)
    for _ in range(4):
        found = bump(sides, source)
        assert list(found.shape) == sides
        assert float(found.norm()) == pytest.approx(1)
        assert float(found.min()) < 0


def test_a_shift_keeps_what_lies_outside_both_windows_and_spends_the_whole_length():
    source = torch.Generator().manual_seed(0)
    like, radius = torch.zeros(3, 2, 9, 9), torch.tensor([1.0, 2.0, 3.0])
    change = torch.randn(like.shape, generator=source)
    change = change / change.flatten(1).norm(dim=1).view(-1, 1, 1, 1) * radius.view(-1, 1, 1, 1) * 0.8
    moved = shifted(Space(), like, change, 0.1, radius, source)
    assert (moved != change).flatten(1).float().mean() < 0.5
    assert (moved == change).flatten(1).any(1).all()
    assert moved.flatten(1).norm(dim=1).tolist() == pytest.approx(radius.tolist(), rel=1e-5)
