"""The viewer of a regression: answers are numbers, right within a tolerance."""

import re

import pytest
from probe_dashboards.views import attacked, examples, instance

from probe.formatting import number
from probe.report import blocks, render
from tests.dashboards.test_pages import show
from tests.figures import unwritten
from tests.test_regression import SLOPES, X, Y, audited

__all__ = ["audited", "show"]


@pytest.mark.slow
def test_the_viewer_calls_an_answer_right_within_the_tolerance_and_asks_for_no_classes(audited, show):
    bundle = audited[1]
    right = (X @ SLOPES - Y).abs() <= 0.3
    assert 0 < right.sum() < len(X)
    assert examples.right(bundle).tolist() == right.tolist()
    for row in (int(right.int().argmax()), int(right.int().argmin())):
        app = show(bundle.folder, "instance", of="all", row=str(row))
        said = next(each.value for each in app.markdown if each.value.startswith("Predicted"))
        assert ("Right" in said, "Wrong" in said) == (bool(right[row]), not right[row])
        assert "undefined" not in said
        assert not {"Answer", "Label", "Probability of the answer"} & {box.label for box in app.selectbox}
        assert instance.ranking(bundle, row)["Truth"].tolist() == [number(float(Y[row]))]


@pytest.mark.slow
def test_report_and_viewer_say_the_answer_before_an_attack_and_no_probability_of_a_number(audited, monkeypatch):
    monkeypatch.setattr(blocks, "to_svg", unwritten)
    bundle = audited[1]
    attack = bundle.arrays("attack-pgd")
    broken = int(attack["success"][1].argmax())
    row, stored = int(attack["rows"][broken]), attack["predicted"][1][broken]
    before, after = number(float(X[row] @ SLOPES)), number(float(stored[0] if stored.ndim else stored))
    assert before != number(float(Y[row]))
    (slug,) = attacked.attacks(bundle)
    said = attacked.outcome(bundle, row, slug, list(attacked.radii(bundle, slug))[1])
    assert said == f"The answer becomes {after}; without an attack it is {before}."
    drawn = re.findall(r"row (\d+): (\S+) → ", render(bundle))
    assert drawn
    assert [told for _, told in drawn] == [number(float(X[int(at)] @ SLOPES)) for at, _ in drawn]


def test_a_number_has_no_logit_and_no_probability(audited):
    bundle = audited[1]
    assert bundle.manifest.task.spoken("logit") == "output"
    attack = bundle.arrays("attack-pgd")
    (slug,) = attacked.attacks(bundle)
    told = attacked.by_radius(bundle, int(attack["rows"][0]), slug)
    assert list(told.columns) == ["Radius", "Answer", "Flipped", "L0", "L2", "L\N{INFINITY}"]


@pytest.mark.parametrize("name", ["prose", "graph"])
def test_changes_that_are_counted_have_no_length(bundles, name):
    bundle = getattr(bundles, name)
    slug = next(iter(attacked.attacks(bundle)))
    row = int(attacked.attack_arrays(bundle, slug)["rows"][0])
    told = attacked.by_radius(bundle, row, slug)
    assert list(told.columns) == ["Radius", "Answer", "Probability", "Flipped", "L0"]
    assert "the root of" not in attacked.measured_as(bundle, slug)
