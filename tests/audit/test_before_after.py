"""What an attack broke is explained again, as it was before; what a bundle says of it can be checked."""

import shutil
from html import unescape

import numpy as np
import pytest
import torch
from probe_dashboards import figures
from probe_dashboards.views import attacked, before_after

from probe import explainers
from probe.audit import reading, run, verify
from probe.audit.reading import agreement
from probe.errors import IntegrityError
from probe.report import render, sections
from probe.statistics import ranks
from tests.audit.conftest import images, small_plan
from tests.audit.forging import Forged, sign
from tests.dashboards.conftest import unfolded
from tests.dashboards.test_pages import opened

__all__ = ["unfolded"]

pytestmark = pytest.mark.slow  # the audit that all look at is made once

STEP = "attack-fgsm"
PARTS = {
    "explain": {"sample": 30, "methods": ["saliency", "input_x_gradient"], "metrics": []},
    "attack": {"sample": 40, "methods": ["fgsm"], "eps": ["0.02", "0.1"]},
}


@pytest.fixture(scope="module")
def model():
    return images()[0]


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    """An audit whose attack broke rows that it also explained."""
    bundle = run(
        small_plan("again", bias={"groups": []}, **PARTS), *images(), tmp_path_factory.mktemp("runs") / "again"
    )
    Forged(bundle.folder).redraw()
    return bundle


@pytest.fixture
def copy(broken, tmp_path):
    return shutil.copytree(broken.folder, tmp_path / "copy")


def test_the_rows_that_an_attack_broke_and_that_are_explained_are_explained_after_it_too(broken):
    stored, known = broken.arrays(STEP), broken.arrays("instances")["rows"]
    kept = stored["rows"][: len(stored["inputs"])]
    fell = kept[stored["success"][:, : len(kept)].any(0)]
    assert len(stored["explained"]) > 2
    assert set(stored["explained"].tolist()) == set(fell.tolist()) & set(known.tolist())


@pytest.mark.parametrize("name", ["Saliency", "InputXGradient"])
def test_they_are_the_explainers_own_values_of_the_attacked_input_and_the_same_output(broken, model, name):
    explainer = getattr(explainers, name)()
    stored, clean = broken.arrays(STEP), broken.arrays(f"explain-{explainer.name()}")
    for at, row in enumerate(stored["explained"].tolist()):
        place, there = reading.place(stored, row), reading.place(clean, row)
        point = stored["shown"][stored["success"][:, place].argmax(), place]
        target = torch.tensor([int(clean["targets"][there])])
        values = explainer(model, torch.from_numpy(point)[None], target).values[0].numpy()
        assert np.allclose(stored[f"values-{explainer.name()}"][at], values, atol=1e-5)
        found = reading.before_after(broken, STEP, row)[explainer.name()]
        assert found.before.tolist() == clean["by_feature"][there].tolist()
        assert found.numbers[1].tolist() == stored[f"values-{explainer.name()}"][at].tolist()


def test_the_agreement_is_that_of_the_features_that_have_a_value(broken):
    (first, *_), stored = reading.agreements(broken), broken.arrays(STEP)
    each = [reading.before_after(broken, STEP, int(row))["saliency"] for row in stored["explained"]]
    told = [(e.before != 0) | (e.after != 0) for e in each]
    slow = [np.corrcoef(ranks(e.before[t]), ranks(e.after[t]))[0, 1] for e, t in zip(each, told, strict=True)]
    assert [e.correlation for e in each] == pytest.approx(slow)
    assert (first.over.value, first.lowest, first.n) == pytest.approx((np.mean(slow), min(slow), len(slow)))
    empty = np.zeros(0)
    assert np.isnan(agreement._correlated(empty, empty))


CHANGES = {
    "but not of which rows": lambda a: a.pop("explained"),
    "are not those of the plan": lambda a: a.pop("values-saliency"),
    "does not explain again those of its first 24 rows": lambda a: a.update(
        {name: part[1:] for name, part in a.items() if name.startswith(("explained", "values-"))}
    ),
    "that it broke and that are explained": lambda a: a.update(
        explained=a["rows"][~a["success"].any(0)][: len(a["explained"])]
    ),
    "a row is named twice": lambda a: a.update(explained=a["explained"][:1].repeat(len(a["explained"]))),
    "not the sums of its values": lambda a: a.update({"explained-saliency": a["explained-saliency"] + 1}),
    "hold NaN or infinity": lambda a: a.update({"values-saliency": a["values-saliency"] * np.nan}),
}


@pytest.mark.parametrize("said", CHANGES)
def test_explanations_of_attacked_inputs_that_contradict_the_evidence_are_refused(copy, said):
    def change(bundle):
        arrays = dict(bundle.arrays(STEP))
        CHANGES[said](arrays)
        bundle.write_arrays(STEP, arrays)

    sign(copy, change)
    with pytest.raises(IntegrityError, match=said):
        verify(copy)


def test_a_bundle_without_them_is_read_and_says_so(copy):
    def older(bundle):
        parts = bundle.arrays(STEP).items()
        bundle.write_arrays(STEP, {n: a for n, a in parts if not n.startswith(("explained", "values-"))})
        bundle.redraw()

    sign(copy, older)
    assert verify(copy).status == "complete"
    bundle = Forged(copy)
    row = str(_row(bundle))
    assert "This attacked input was not explained" in _text(opened(copy.parent, "instance", row=row))


def test_a_plan_that_keeps_no_inputs_keeps_values_by_feature_alone(tmp_path):
    bundle = run(small_plan("none", bias={"groups": []}, bundle={"inputs": "none"}, **PARTS), *images(), tmp_path / "n")
    names = set(bundle.arrays(STEP))
    assert {"explained", "explained-saliency"} <= names
    assert not {name for name in names if name.startswith("values-")}
    assert verify(bundle.folder).status == "complete"
    assert reading.agreements(bundle)
    assert "rank correlation" in render(bundle)


def test_instance_and_report_show_both_on_one_scale(broken):
    row = _row(broken)
    app = opened(broken.folder.parent, "instance", row=str(row))
    assert "Explanations before and after" in [each.value for each in app.header]
    assert "with the same settings and seed, explain the attacked input" in _text(app)
    assert not app.error
    eps = attacked.smallest_successful_radius(broken, row, "fgsm")
    drawn = [before_after.drawn(broken, row, "fgsm", eps, method) for method in ("saliency", "input_x_gradient")]
    assert len({values.limit for pair in drawn for _, values in pair}) == 1
    assert all(np.abs(values.by_feature).sum() == pytest.approx(1) for pair in drawn for _, values in pair)
    before, after = (
        figures.svg("before_after", broken, str(row), "fgsm", eps, "saliency", when) for when in before_after.WHEN
    )
    assert before != after
    page = render(broken)
    assert "Explanations before and after" in page
    assert "saliency, after" in page


def test_the_report_draws_both_by_a_method_on_one_scale(broken, monkeypatch):
    kind, limits = type(sections.common.drawer(broken)), {}
    explained = kind.explained

    def seen(self, example, values, *, title="", ax=None):
        limits[title] = values.limit
        return explained(self, example, values, title=title, ax=ax)

    monkeypatch.setattr(kind, "explained", seen)
    sections.before_after.blocks(broken)
    assert limits["before: saliency"] == limits["after: saliency"] > 0
    assert limits["before: input x gradient"] == limits["after: input x gradient"] != limits["after: saliency"]


def _row(bundle) -> int:
    stored = bundle.arrays(STEP)
    fell = stored["success"].any(0)
    kept = stored["rows"][: len(stored["inputs"])]
    return int(next(row for at, row in enumerate(kept) if fell[at] and row in bundle.arrays("instances")["rows"]))


def _text(app) -> str:
    return unescape(" ".join(each.value for each in (*app.markdown, *app.text)))
