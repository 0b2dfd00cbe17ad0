import numpy as np
import pytest
from matplotlib.colors import to_hex

from probe import plots
from probe.palette import AGAINST, FOR, MUTED
from probe.plots.graph import WIDEST, layout


def ring(count):
    return np.roll(np.eye(count), 1, 0) + np.roll(np.eye(count), -1, 0)


def path(count):
    return np.eye(count, k=1) + np.eye(count, k=-1)


def lines(ax):
    """Every line that is drawn: its colour and its width, by the layer it lies in."""
    return [
        [(to_hex(c).upper(), w) for c, w in zip(layer.get_colors(), layer.get_linewidths(), strict=True)]
        for layer in ax.collections
    ]


def test_nodes_of_a_ring_lie_on_a_circle_and_those_of_a_path_on_a_line():
    at = layout(ring(8))
    apart = np.linalg.norm(at - at.mean(0), axis=1)
    np.testing.assert_allclose(apart, apart.mean(), rtol=1e-3)
    steps = np.diff(layout(path(6)), axis=0)
    np.testing.assert_allclose(steps, np.broadcast_to(steps[0], steps.shape), atol=0.1)
    np.testing.assert_allclose(np.linalg.norm(steps, axis=1), 1, atol=0.01)


def test_the_graph_layout_lowers_its_stress():
    random = np.random.default_rng(3)
    edges = path(9)
    hops = np.abs(np.subtract.outer(np.arange(9), np.arange(9)))

    def stress(at):
        apart = np.linalg.norm(at[:, None] - at, axis=2)
        return float(((apart - hops) ** 2)[hops > 0] @ (1.0 / hops[hops > 0] ** 2))

    best = stress(layout(edges))
    assert all(best <= stress(layout(edges) + random.normal(scale=0.1, size=(9, 2))) for _ in range(50))


@pytest.mark.parametrize("edges", [np.zeros((1, 1)), np.zeros((5, 5)), np.ones((5, 5)) - np.eye(5)])
def test_no_two_nodes_of_a_layout_share_a_position(edges):
    at = layout(edges)
    apart = np.linalg.norm(at[:, None] - at, axis=2) + 9 * np.eye(len(at))
    assert np.isfinite(at).all()
    assert apart.min() > 0.3


def test_edges_are_as_wide_as_their_values_and_coloured_by_sign():
    edges, values = path(4), np.zeros((4, 4))
    values[0, 1] = values[1, 0] = 2.0
    values[1, 2] = values[2, 1] = -1.0
    values[0, 3] = values[3, 0] = 9.0  # no edge
    thin, wide = lines(plots.graph(edges, values))
    assert thin == [(MUTED, 0.9)] * 3
    assert wide[0] == (FOR, WIDEST)
    assert wide[1] == (AGAINST, WIDEST / 2)
    assert wide[2][1] == 0


def test_values_beyond_the_limit_are_as_wide_as_it_and_no_values_draw_nothing_wide():
    edges = path(3)
    assert [w for _, w in lines(plots.graph(edges, 4 * edges, limit=2.0))[1]] == [WIDEST, WIDEST]
    assert [w for _, w in lines(plots.graph(edges, 0 * edges))[1]] == [0, 0]
    assert len(lines(plots.graph(edges))) == 1


def test_added_edges_are_red_and_removed_edges_blue():
    before, after = path(4), path(4)
    after[0, 1] = after[1, 0] = 0
    after[0, 3] = after[3, 0] = 0.5
    ax = plots.edge_changes(before, after)
    old, came, went = lines(ax)
    assert len(old) == 3
    assert [colour for colour, _ in came] == [FOR]
    assert [colour for colour, _ in went] == [AGAINST]
    assert came[0][1] < went[0][1]
    assert ax.get_xlabel() == "2 edges moved: 1 up, 1 down"
    most = plots.edge_changes(before, after, top=1)
    assert most.get_xlabel() == "the 1 that moved most of 2 edges: 1 down"
    assert plots.edge_changes(before, before).get_xlabel() == "0 edges moved: none"


def test_symmetrise_adds_both_entries_of_an_edge():
    graph = np.arange(12.0).reshape(3, 4)
    np.testing.assert_array_equal(plots.symmetrise(graph), [[0, 5, 10], [5, 10, 15], [10, 15, 20]])
