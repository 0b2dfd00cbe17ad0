"""Audits of odd sizes, made from a model: every page is drawn, and says what it cannot know."""

import pytest
import torch
from probe_dashboards import charts
from probe_dashboards.app import PAGES
from probe_dashboards.views import methods

import probe
from probe import Dataset, Model, Space
from tests.dashboards.test_pages import opened, text

NAMES = tuple(f"How many payments of more than 30 days were missed in the last {years} years" for years in (1, 2, 3))


@pytest.fixture(scope="module")
def single(tmp_path_factory):
    """An audit of one row, whose names are long; every part of its pages is open."""
    space = Space(bounds=(0.0, 1.0), names=NAMES, reference=torch.zeros(1, 3))
    net = torch.nn.Linear(3, 2).eval()
    torch.nn.init.constant_(net.weight[0], 1.0)
    torch.nn.init.constant_(net.bias, 0.25)
    classes = ("no", "yes")
    data = Dataset(torch.full((1, 3), 0.5), torch.tensor([1]), space=space, classes=classes, name="one row")
    model = Model(forward=net, space=space, classes=classes)
    plan = {"explain": {"methods": ["saliency", "input_x_gradient"]}, "attack": {"methods": ["fgsm"]}}
    return probe.audit(model, data, tmp_path_factory.mktemp("odd") / "single", **plan)


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_every_page_of_an_audit_of_one_row_is_drawn(single, page):
    assert "What this does not show" in text(opened(single.folder.parent, page))


def test_a_chart_of_an_estimate_without_interval_has_the_estimate_alone(single):
    chart = charts.chart("spread", single, next(iter(charts.quality.metrics(single))))
    ends = [each for layer in chart["layer"] for each in layer["data"]["values"] if "low" in each]
    assert ends
    assert all(each["low"] is None is each["high"] and each["value"] is not None for each in ends)


def test_a_page_names_no_metric_of_another_task(single):
    found = methods.named(single, "performance")
    assert "accuracy" in found
    assert not {"exact_match", "r_squared", "mean_absolute_error"} & {*found}
