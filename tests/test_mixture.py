"""Two Gaussians, N(mu, s^2) and N(-mu, s^2): the Bayes classifier is linear, and its robust accuracy a closed form.

A point of a class is right with the signed distance (mu x) / |mu| ~ N(|mu|, s^2) to the boundary. A ball of radius eps
in a norm takes eps |mu|* / |mu| of it, where |.|* is the dual norm.
"""

import pytest
import torch
from scipy import stats

from probe import Model, Space
from probe.attacks import DDN, PGD, Cascade
from probe.certificates import Crown, IntervalBounds, RandomizedSmoothing
from probe.metrics import RobustAccuracy

N, SPREAD = 2000, 1.0
MU = torch.tensor([0.9, -0.2, 0.5, 0.05, -0.7, 0.3])
DUAL = {"linf": 1, "l2": 2, "l1": torch.inf}
RADII = {"linf": (0.15, 0.4), "l2": (0.3, 0.9), "l1": (0.5, 1.5)}


def drawn(n=N):
    source = torch.Generator().manual_seed(11)
    labels = torch.arange(n) % 2
    inputs = (2 * labels[:, None] - 1) * MU + SPREAD * torch.randn(n, len(MU), generator=source)

    def bayes(x):
        odds = 2 * (x @ MU) / SPREAD**2
        return torch.stack([-odds / 2, odds / 2], 1)

    return Model(forward=bayes, space=Space(bounds=(-99.0, 99.0)), classes=("minus", "plus")), inputs, labels


def accuracy(eps=0.0, norm="l2"):
    """The robust accuracy, in closed form."""
    length, dual = float(MU.norm()), float(torch.linalg.vector_norm(MU, DUAL[norm]))
    return float(stats.norm.cdf((length - eps * dual / length) / SPREAD))


def expects(hits, share, n=N):
    """Whether a number of rows is one that this share gives in 999 of 1,000 draws of the rows."""
    low, high = stats.binom.interval(0.999, n, share)
    assert low <= int(hits) <= high, (int(hits) / n, share)


def test_the_clean_accuracy_is_that_of_bayes():
    model, inputs, labels = drawn()
    expects((model.predict(inputs) == labels).sum(), accuracy())


STRONG = [*(PGD(norm=norm, steps=10) for norm in DUAL), Cascade(steps=100), Cascade(norm="l2", steps=100)]


@pytest.mark.parametrize("attack", STRONG, ids=lambda each: f"{each.name()}-{each.norm}")
def test_the_strongest_attack_finds_the_robust_accuracy(attack):
    rows = 300 if isinstance(attack, Cascade) else N  # it goes on at each row that stands
    model, inputs, labels = drawn(rows)
    dual = float(torch.linalg.vector_norm(MU, DUAL[attack.norm]))
    for eps in RADII[attack.norm]:
        found = attack(model, inputs, labels, eps=eps)
        share = accuracy(eps, attack.norm)
        assert accuracy() - share > 0.05, "the radius matters"
        expects(RobustAccuracy()(model, found).value * rows, share, rows)
        # And row by row: it falls where its distance is shorter than the radius, but for rounding.
        lead = (2 * labels - 1) * (inputs @ MU) - eps * dual
        clear = lead.abs() > 1e-4
        assert torch.equal((model.predict(found.perturbed) == labels)[clear], (lead > 0)[clear])


def test_the_curve_of_the_smallest_changes_is_the_robust_accuracy_at_each_radius():
    model, inputs, labels = drawn()
    found = DDN(steps=50)(model, inputs, labels)
    for eps in (0.25, 0.5, 1.0, 2.0):
        expects((found.needed > eps).sum(), accuracy(eps))


@pytest.mark.parametrize(
    ("certificate", "norm"), [(IntervalBounds(), "linf"), (Crown(), "linf"), (Crown(norm="l2"), "l2")]
)
def test_bounds_of_a_linear_model_prove_the_robust_accuracy(certificate, norm):
    network = torch.nn.Linear(len(MU), 2).eval()
    with torch.no_grad():
        network.weight.copy_(torch.stack([-MU, MU]))
        network.bias.zero_()
    model, inputs, labels = drawn()
    proof = certificate(Model(forward=network, space=model.space), inputs, labels)
    for eps in RADII[norm]:
        expects(proof.certified(eps).sum(), accuracy(eps, norm))


@pytest.mark.slow
def test_smoothing_proves_the_robust_accuracy_up_to_its_confidence():
    """Smoothed, a linear model decides as before, and its radius is the distance; draws cost some of it."""
    rows = 500
    model, inputs, labels = drawn(rows)
    proof = RandomizedSmoothing(sigma=0.5, draws=2000)(model, inputs, labels)
    length = float(MU.norm())
    distance = (2 * labels - 1) * (inputs @ MU) / length
    assert ((proof.radius > distance.abs()) & (proof.predicted >= 0)).float().mean() <= 0.004  # alpha is .001
    sigma, level = 0.5, proof.level
    for eps in (0.1, 0.3, 0.6):
        # By how much draws shorten the radius where it is eps: the Clopper-Pearson bound of the expected votes.
        votes = round(2000 * stats.norm.cdf(eps / sigma))
        loss = eps - sigma * stats.norm.ppf(stats.beta.ppf(1 - level, votes, 2000 - votes + 1))
        assert 0 < loss < 0.1
        certified = proof.certified(eps)
        assert not (certified & (distance < eps - 1e-4)).float().mean() > 0.004
        expects(certified.sum(), accuracy(eps + loss), rows)
