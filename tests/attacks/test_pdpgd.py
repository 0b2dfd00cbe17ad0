"""PDPGD finds the distance to a flat boundary, by the published steps."""

import math

import pytest
import torch
from torch import nn

from probe import Model, Space
from probe.attacks import PDPGD

SOURCE = torch.Generator().manual_seed(0)


@pytest.mark.parametrize(("norm", "dual"), [("linf", 1), ("l2", 2), ("l1", math.inf)])
def test_the_length_is_the_distance_to_the_hyperplane(norm, dual):
    weight, x = torch.randn(20, generator=SOURCE), torch.rand(30, 20, generator=SOURCE)
    model = Model(forward=lambda x: torch.stack([x @ weight, -(x @ weight)], 1), space=Space(bounds=(-9.0, 9.0)))
    found = PDPGD(norm=norm, steps=100)(model, x, model.predict(x))
    assert found.success.all()
    ratio = found.length / ((x @ weight).abs() / torch.linalg.vector_norm(weight, ord=dual))
    assert bool((ratio > 0.999).all())
    assert bool((ratio < 1.08).all())
    assert ratio.median() < 1.04


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_steps_are_gradient_and_proximal_ones(norm):
    """A plain replica of one example after another, the proximal operator of Linf by bisection."""
    net = nn.Sequential(nn.Linear(6, 12), nn.Tanh(), nn.Linear(12, 2)).double().eval()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=SOURCE))
    x = torch.randn(4, 6, generator=SOURCE, dtype=torch.float64)
    model = Model(forward=net, space=Space(bounds=(-9.0, 9.0)))
    y = model.predict(x)
    found = PDPGD(norm=norm, steps=15, step=0.6, pace=0.3, halvings=0)(model, x, y)
    for row in range(len(x)):
        change, lean, best = torch.zeros_like(x[row]), 0.0, math.inf
        for at in range(16):
            leaf = (x[row] + change).requires_grad_()
            logits = net(leaf)
            margin = logits[1 - y[row]] - logits[y[row]]
            (slope,) = torch.autograd.grad(margin, leaf)
            if margin.item() > 0:
                best = min(best, float(torch.linalg.vector_norm(change, ord=float(norm[1:]))))
            length = 0.6 * (0.01 + 0.99 * (1 + math.cos(math.pi * at / 15)) / 2)
            lean += 0.3 * length / 0.6 * (-1 if margin.item() > 0 else 1)
            weight = 1 / (1 + math.exp(-lean))
            way = slope / slope.norm()
            change = change + length * weight * way
            dual = {"linf": way.abs().sum(), "l2": 1.0, "l1": way.abs().max()}[norm]
            change = proximal(change, float(length * (1 - weight) * dual), norm)
        expected = torch.tensor(best if math.isfinite(best) else 0.0)
        torch.testing.assert_close(found.length[row].float(), expected, atol=1e-5, rtol=1e-5)
    assert found.success.any()


def proximal(change, times, norm):
    """The point z with the least times |z| + |z - change|^2 / 2."""
    if norm == "l1":
        return change.sign() * (change.abs() - times).clamp(min=0)
    if norm == "l2":
        return change * max(0.0, 1 - times / float(change.norm()))
    low, high = 0.0, float(change.abs().max())  # the largest size that is left
    for _ in range(45):
        middle = (low + high) / 2
        low, high = (middle, high) if float((change.abs() - middle).clamp(min=0).sum()) > times else (low, middle)
    return change.clamp(-high, high)
