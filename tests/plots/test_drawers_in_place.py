"""What drawings of explanations keep in place: the border of a planted truth, and the nodes of an attacked graph."""

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgba

from probe import Model, Space, plots
from probe.explainers import Saliency
from probe.palette import TRUTH
from probe.plots.drawers import Example, Values


def edges(ax):
    found = [each for each in ax.collections if each.get_label() == "planted truth"]
    return [] if not found else [tuple(map(tuple, line.tolist())) for line in found[0].get_segments()]


def test_the_border_goes_along_the_edges_of_the_planted_pixels_of_any_channel_and_of_the_image():
    truth = np.zeros((2, 3, 4))
    truth[0, 1, 1], truth[1, 1, 2], truth[0, 0, 3] = 1, 1, 1
    drawer = plots.drawer_of({"name": "image"})
    example = Example(np.random.default_rng(0).random((1, 3, 4)), [], truth=truth)
    ax = drawer.explained(example, Values(np.ones((1, 3, 4)), np.ones(12)))
    inside = {(1, 1), (1, 2), (0, 3)}
    wanted = set()
    for row, column in inside:
        left, right, top, bottom = column - 0.5, column + 0.5, row - 0.5, row + 0.5
        sides = {
            (row - 1, column): ((left, top), (right, top)),
            (row + 1, column): ((left, bottom), (right, bottom)),
            (row, column - 1): ((left, top), (left, bottom)),
            (row, column + 1): ((right, top), (right, bottom)),
        }
        wanted |= {side for beside, side in sides.items() if beside not in inside}
    assert set(edges(ax)) == wanted
    assert len(edges(ax)) == len(wanted)
    (lines,) = (each for each in ax.collections if each.get_label() == "planted truth")
    assert tuple(lines.get_edgecolor()[0]) == pytest.approx(to_rgba(TRUTH))
    assert not edges(drawer.explained(Example(example.inputs, []), Values(np.ones((1, 3, 4)), np.ones(12))))


def test_an_attribution_with_a_planted_truth_is_drawn_with_its_border():
    model = Model(forward=torch.nn.Flatten().eval(), space=Space(bounds=(0.0, 1.0)))
    mask = torch.zeros(1, 1, 3, 3, dtype=torch.bool)
    mask[0, 0, 1, 1] = True
    found = Saliency()(model, torch.rand(1, 1, 3, 3, generator=torch.Generator().manual_seed(0)), torch.tensor([0]))
    assert len(edges(found.planted(mask).plot())) == 4
    assert not edges(found.plot())


def test_a_graph_after_an_attack_is_drawn_where_its_nodes_stood_before():
    ring = np.roll(np.eye(6), 1, 0) + np.roll(np.eye(6), -1, 0)
    cut = ring.copy()
    cut[0, 1] = cut[1, 0] = 0
    drawer, values = plots.drawer_of({"name": "graph"}), Values(np.zeros((6, 6)), np.zeros(15))

    def places(example):
        return np.concatenate([line.get_xydata() for line in drawer.explained(example, values).get_lines()])

    before, after = Example(ring, []), Example(cut, [], like=ring)
    assert np.array_equal(places(before), places(after))
    assert not np.allclose(places(before), places(Example(cut, [])))
