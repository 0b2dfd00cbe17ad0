"""The values of all rows together: of what they are, how they are drawn, and where they are left out."""

import numpy as np
import pytest
import torch
from probe_dashboards import charts, figures
from probe_dashboards.views import ran, together

from probe import Dataset, Model, Space, plots
from probe.audit import plan_from, reading, run
from probe.report import render

IG = "integrated-gradients"  # in a link


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


@pytest.mark.slow
def test_steps_lead_from_the_output_without_the_features_to_that_of_the_row(tmp_path):
    weight = torch.tensor([[2.0, 0.0], [-1.0, 0.5], [0.5, 3.0]])
    space = Space(bounds=(-9, 9), reference=torch.ones(1, 3), names=("a", "b", "c"))
    model = Model(forward=lambda x: torch.tanh(x) @ weight, space=space, classes=("no", "yes"))
    data = Dataset(torch.rand(6, 3) * 2, torch.arange(6) % 2, space=space, classes=model.classes)
    told = {"explain": {"methods": ["saliency", "integrated_gradients"]}, "attack": {"methods": []}}
    bundle = run(plan_from({"name": "p", **told}, sources=False), model, data, tmp_path / "p")
    outputs, reference = model.logits(data.inputs), model.logits(torch.ones(1, 3))[0]
    for row, target in enumerate(outputs.argmax(1)):
        start, end = together.ends(bundle, row, IG)
        assert (start, end) == pytest.approx((float(reference[target]), float(outputs[row, target])), abs=1e-3)
    assert list(together.promising(bundle, 0)) == [IG]
    drawn = figures.FIGURES["waterfall"](bundle, "0", IG)
    assert drawn.patches[0].get_x() + drawn.patches[0].get_width() == pytest.approx(together.ends(bundle, 0, IG)[1])
    bars = charts.chart("waterfall", bundle, "0", IG)["layer"][0]["data"]["values"]
    assert bars[0]["end"] == pytest.approx(together.ends(bundle, 0, IG)[1])
    assert render(bundle).count("Steps of integrated gradients from the output") == 4


def test_the_others_are_one_step_and_the_first_at_the_bottom():
    ax = plots.waterfall(["a", "b", "c"], [1.0, -3.0, 0.5], 0.25, top=1)
    assert [(bar.get_x() + bar.get_width(), bar.get_width()) for bar in ax.patches] == [(-1.25, -3.0), (1.75, 1.5)]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["b", "2 others"]


def test_dots_lie_at_the_values_and_never_on_another_row():
    values = np.array([[0.5, -2.0], [0.5, 1.0], [0.5, 1.0], [0.1, 0.0]])
    ax = plots.beeswarm(["a", "b"], values, [[0, np.nan], [1, np.nan], [0.5, np.nan], [1, np.nan]])
    dots = np.concatenate([np.asarray(each.get_offsets()) for each in ax.collections])
    assert sorted(dots[:, 0]) == sorted(values.ravel())
    rows = dots[:, 1].round().astype(int)
    assert sorted(dots[rows == 0, 0]) == sorted(values[:, 1])  # the larger one is on top
    assert len(np.unique(dots, axis=0)) == len(dots)
