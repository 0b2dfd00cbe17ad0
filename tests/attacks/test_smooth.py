"""Smooth changes of series: the worst of them on a linear model, how rough they are, and what has no neighbours."""

import pytest
import torch

from probe import Model, Space
from probe.attacks import PGD, SmoothPerturbation
from probe.attacks.smooth import blur, roughness
from probe.errors import Unsupported

SOURCE = torch.Generator().manual_seed(4)
WEIGHT = torch.randn(2, 40, generator=SOURCE)
X = torch.rand(5, 2, 40, generator=SOURCE) - 0.5
LABELS = torch.zeros(5, dtype=torch.int64)
SPACE = Space(form="series", bounds=(-9.0, 9.0))


def ahead(x):
    """So far ahead that no change of half a unit turns it."""
    return torch.stack([(x * WEIGHT).sum((1, 2)) + 99, 0 * x[:, 0, 0]], 1)


def bent(x):
    return torch.stack(
        [((x * WEIGHT).cumsum(2).tanh()).sum((1, 2)) + 3 * x[:, 0, 3] * x[:, 1, 5], 2 + 0 * x[:, 0, 0]], 1
    )


def test_the_worst_of_all_smooth_changes_is_found_on_a_linear_model():
    budget = torch.tensor([0.0, 0.1, 0.2, 0.3, 0.5])
    found = SmoothPerturbation(width=1.5, steps=3)(Model(forward=ahead, space=SPACE), X, LABELS, eps=budget)
    means = blur(40, 1.5).float()
    torch.testing.assert_close(means.sum(1), torch.ones(40))
    # The loss falls by W . B z, whose minimum over numbers z within the radius is - radius * |B^T W|.
    wanted = -budget[:, None, None] * ((WEIGHT @ means).sign() @ means.T)
    torch.testing.assert_close(found.perturbed - X, wanted, atol=1e-5, rtol=0)
    torch.testing.assert_close(-(wanted * WEIGHT).sum((1, 2)), budget * (WEIGHT @ means).abs().sum())
    assert found.forwards.tolist() == [2 + 3 + 1] * 5
    assert found.backwards.tolist() == [3] * 5


@pytest.mark.parametrize("width", [1.0, 3.0])
def test_changes_are_smoother_than_those_of_pgd_at_the_same_radius_and_by_as_much_as_is_said(width):
    model, eps = Model(forward=bent, space=SPACE), 0.2
    labels = model.predict(X)
    attack = SmoothPerturbation(eps=eps, width=width, steps=6, restarts=3)
    found, pgd = attack(model, X, labels), PGD(eps=eps, steps=6)(model, X, labels)
    change = found.perturbed - X
    assert float(change.abs().max()) <= eps + 1e-6
    assert float(change.diff(dim=2).abs().max()) <= 0.8 / width * eps + 1e-6
    assert bool((roughness(change) < roughness(pgd.perturbed - X) / 2).all())
    assert bool((found.attacked.logits[:, 0] - found.clean.logits[:, 0]).abs().gt(0.1).all())
    order = torch.tensor([3, 0])
    torch.testing.assert_close(attack(model, X[order], labels[order]).perturbed, found.perturbed[order])


def test_restarts_begin_at_random_smooth_changes_that_follow_from_the_seed():
    def asked(x):
        seen.append(x.detach().clone())
        return ahead(x)

    runs = []
    for seed in (0, 0, 1):
        seen: list[torch.Tensor] = []
        SmoothPerturbation(eps=0.2, steps=1, restarts=2, seed=seed)(Model(forward=asked, space=SPACE), X, LABELS)
        runs.append(torch.stack([x for x in seen if len(x) == len(X)]))
    assert torch.equal(runs[0], runs[1])
    other = [not torch.equal(one, two) for one, two in zip(runs[0], runs[2], strict=True)]
    assert other.count(True) == 1  # the start of the second run: on a linear model both end at the same point
    start = runs[0][other.index(True)] - X
    plain = 0.2 * 2 / 3  # of uniform numbers that are not blurred
    assert bool((0.05 * plain < roughness(start)).all() and (roughness(start) < 0.2 * plain).all())
    assert len({float(each) for each in start[:, 0, 0]}) == 5  # each example has its own


def test_rows_of_a_table_have_no_neighbours_and_are_refused():
    with pytest.raises(Unsupported, match="smooth_perturbation makes smooth changes of series and images"):
        SmoothPerturbation()(Model(forward=lambda x: x), torch.rand(2, 3), LABELS[:2])
