"""The values of all rows together: of what they are, how they are drawn, and where they are left out."""

import numpy as np
import pytest
from probe_dashboards import figures
from probe_dashboards.views import ran, together

from probe import plots
from probe.audit import reading


def test_rows_are_as_high_as_their_rank_and_categories_have_no_height(bundles):
    bundle = bundles.table
    step = reading.steps(bundle.manifest, "explainer")[0]
    found, inputs = reading.swarm(bundle, step), bundle.arrays("instances")["inputs"]
    assert np.array_equal(found.values, bundle.arrays(step.name)["by_feature"])
    for feature in range(inputs.shape[1]):
        order = found.levels[:, feature].argsort(kind="stable")
        assert (np.diff(inputs[order, feature]) >= 0).all()
        assert (found.levels[:, feature].min(), found.levels[:, feature].max()) == (0, 1)


def test_the_table_has_the_numbers_of_the_figure_in_its_order(bundles):
    bundle = bundles.table
    drawn, frame = figures.FIGURES["beeswarm"](bundle, "lime"), together.table(bundle)
    assert [label.get_text() for label in drawn.get_yticklabels()] == [
        plots.style.safe_label(name, 22) for name in frame["Feature"]
    ]
    sizes = together.swarm(bundle, "lime").sizes
    numbers = together.panel(bundle).numbers
    assert numbers.set_index("feature")[ran.titles(bundle, "explainer")["lime"]].tolist() == pytest.approx(
        sizes.tolist()
    )
    assert together.shown(bundle)
    assert not together.shown(bundles.image)


def test_dots_lie_at_the_values_and_never_on_another_row():
    values = np.array([[0.5, -2.0], [0.5, 1.0], [0.5, 1.0], [0.1, 0.0]])
    ax = plots.beeswarm(["a", "b"], values, [[0, np.nan], [1, np.nan], [0.5, np.nan], [1, np.nan]])
    dots = np.concatenate([np.asarray(each.get_offsets()) for each in ax.collections])
    assert sorted(dots[:, 0]) == sorted(values.ravel())
    rows = dots[:, 1].round().astype(int)
    assert sorted(dots[rows == 0, 0]) == sorted(values[:, 1])  # the larger one is on top
    assert len(np.unique(dots, axis=0)) == len(dots)
