"""Paths down a parabola, against the equations written out."""

import math

import pytest
import torch
from probe_models.networks import build
from probe_models.training.optimisers import OPTIMISERS, groups, matrices, shrink

RATE, MOMENTUM, CURVATURE, STEPS = 0.03, 0.8, 2.0, 5


def walk(name):
    """Where the optimiser goes on c w^2 / 2 from w = 1."""
    weight = torch.nn.Parameter(torch.ones((), dtype=torch.float64))
    optimiser = OPTIMISERS[name]([{"params": [weight], "weight_decay": 0.0}], RATE, MOMENTUM)
    path = []
    for _ in range(STEPS):
        optimiser.zero_grad()
        (CURVATURE * weight**2 / 2).backward()
        optimiser.step()
        path.append(weight.item())
    return path


def sgd(state, w, g):
    return w - RATE * g


def momentum(state, w, g):
    state["v"] = MOMENTUM * state.get("v", 0) + g
    return w - RATE * state["v"]


def nesterov(state, w, g):
    state["v"] = MOMENTUM * state.get("v", 0) + g
    return w - RATE * (g + MOMENTUM * state["v"])


def adagrad(state, w, g):
    state["s"] = state.get("s", 0) + g**2
    return w - RATE * g / math.sqrt(state["s"])


def rmsprop(state, w, g):
    state["s"] = 0.99 * state.get("s", 0) + 0.01 * g**2
    return w - RATE * g / math.sqrt(state["s"])


def adam(state, w, g):
    state["t"] = state.get("t", 0) + 1
    state["m"] = MOMENTUM * state.get("m", 0) + (1 - MOMENTUM) * g
    state["s"] = 0.999 * state.get("s", 0) + 0.001 * g**2
    mean, square = state["m"] / (1 - MOMENTUM ** state["t"]), state["s"] / (1 - 0.999 ** state["t"])
    return w - RATE * mean / math.sqrt(square)


EQUATIONS = {"sgd": sgd, "momentum": momentum, "nesterov": nesterov, "adagrad": adagrad, "rmsprop": rmsprop}
EQUATIONS |= {"adam": adam, "adamw": adam}


@pytest.mark.parametrize("name", OPTIMISERS)
def test_optimisers_follow_their_equations(name):
    state, w, expected = {}, 1.0, []
    for _ in range(STEPS):
        w = EQUATIONS[name](state, w, CURVATURE * w)
        expected.append(w)
    assert walk(name) == pytest.approx(expected, rel=1e-6)


def test_momentum_follows_its_closed_form():
    # w[t + 1] = (1 + m - r c) w[t] - m w[t - 1] has solutions z^t with z^2 - (1 + m - r c) z + m = 0.
    z = torch.tensor(complex((1 + MOMENTUM - RATE * CURVATURE) / 2, 0))
    z = z + 1j * math.sqrt(MOMENTUM - z.real.item() ** 2)
    first = 1 - RATE * CURVATURE
    part = (first - z.conj()) / (z - z.conj())
    expected = [2 * (part * z**t).real.item() for t in range(1, STEPS + 1)]
    assert walk("momentum") == pytest.approx(expected, rel=1e-5)


def test_weight_decay_applies_to_weight_matrices_only():
    network = build("cnn", {"widths": [4], "side": 4, "classes": 2})
    held, free = groups(network, 0.3)
    assert (held["weight_decay"], free["weight_decay"]) == (0.3, 0.0)
    assert {id(p) for p in held["params"]} == {id(network.blocks[0][0].weight), id(network.head.weight)}
    assert {id(p) for p in held["params"]} == {id(p) for p in matrices(network)}
    assert len(held["params"]) + len(free["params"]) == len(list(network.parameters()))


def test_l1_shrinking_stops_at_exactly_0():
    weights = torch.tensor([1.0, -1.0, 0.25, -0.25, 0.0])
    shrink([weights], 0.5)
    assert weights.tolist() == [0.5, -0.5, 0, 0, 0]
