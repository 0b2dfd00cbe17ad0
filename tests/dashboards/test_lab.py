"""The lab's pages over models in this process: what is asked, and what is drawn of the answers."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from probe_dashboards import lab as labs
from probe_dashboards.views.lab import attacks, commands, own, waiting
from probe_dashboards.views.lab.settings import fields, filled

import probe
from probe import report
from probe.audit.plan import plan_from
from probe.lab import Answer, Job, LabError, Source
from probe.lab.jobs import Progress
from probe.lab.offering import settings
from probe.lab.opened import Opened
from probe.lab.worker import respond
from tests.cli.conftest import page_of
from tests.dashboards.test_pages import show, text  # noqa: F401  a fixture
from tests.lab.subjects import FORMS, TASKS, opened


class Here:
    """A desk that answers in this process, at once."""

    def __init__(self, **opened: Opened) -> None:
        self._opened = opened
        self.sources = {key: Source.named(key) for key in opened}
        self._jobs: dict[str, Job] = {}
        self.asked: list[dict] = []

    def ask(self, owner, source, request, arrays=None):
        self.asked.append(dict(request))
        frame, found = respond(self._opened[source], dict(request), dict(arrays or {}), lambda told: None)
        name = f"{owner} {len(self._jobs)}"
        done = frame["frame"] == "answer"
        state = "done" if done else {"refused": "refused"}.get(frame["frame"], "failed")
        answer = Answer(frame["answer"], found) if done else None
        self._jobs[name] = Job(name, source, request, state, answer=answer, error=frame.get("sentence", ""))
        return self._jobs[name]

    def job(self, owner, name):
        if name not in self._jobs:
            raise LabError("none such")
        return self._jobs[name]

    def wait(self, owner, name, seconds=0.0):
        return self._jobs[name]


PLAN = """
[explain]
methods = ["input_x_gradient"]
sample = 2
[attack]
methods = ["fgsm"]
eps = ["0.1"]
"""


def people(runs: Path) -> Opened:
    columns = {"age": [25.0, 40.0, 61.0, 33.0] * 6, "job": ["clerk", "<b>smith</b>", "clerk", "nurse"] * 6}
    frame = pd.DataFrame(columns | {"hired": ["no", "yes", "no", "yes"] * 6, "sex": ["f", "m"] * 12})
    data = probe.Dataset.from_frame(frame, label="hired", groups=["sex"], features=["age", "job", "sex"])
    weights = torch.linspace(-1, 1, data.inputs.shape[1])
    model = probe.Model(
        forward=lambda x: torch.stack([-(x * weights).sum(1), (x * weights).sum(1)], 1),
        space=replace(data.space, reference=data.inputs),
        classes=data.classes,
    )
    return Opened(model, data, plan_from({"name": "people", "model": {"zoo": "adult-mlp"}}), runs)


@pytest.fixture
def desk(monkeypatch, tmp_path):
    monkeypatch.setattr(report, "render", page_of)  # what a page shows, its own tests look at
    found = Here(people=people(tmp_path))
    monkeypatch.setattr(labs, "lab", lambda offer: labs.Lab(found, "somebody"))
    return found


def test_a_row_is_answered_and_explained_side_by_side(show, desk, tmp_path):  # noqa: F811
    app = show(tmp_path, "lab", model="people", row="1")
    said = text(app)
    assert "Answer" in said
    assert "True label" in said
    assert "Do they agree?" in said
    assert "What this does not show" in said
    explained = [ask for ask in desk.asked if ask["ask"] == "explain"]
    assert len(explained) > 1
    assert all(ask["row"] == {"row": 1} for ask in explained)
    assert len(app.error) == 0


def test_the_lab_shows_refusals_of_the_library_in_its_words(show, desk, tmp_path):  # noqa: F811
    app = show(tmp_path, "lab", model="people", row="1")
    app.selectbox(key="lab input").set_value("csv").run()
    app.text_area(key="lab csv").set_value("age,job,sex\nold,clerk,f").run()
    assert any("age" in warning.value and "holds texts" in warning.value for warning in app.warning)


@pytest.mark.slow
def test_what_a_link_asks_for_and_is_not_in_the_lab_is_said(show, desk, tmp_path):  # noqa: F811
    app = show(tmp_path, "lab", model="people", row="1st", view="atack")
    said = [warning.value for warning in app.warning]
    assert any("asks for view" in each and "attack" in each for each in said)
    assert any("1st, which is no number" in each for each in said)


@pytest.mark.slow
@pytest.mark.parametrize("view", ["explain", "attack", "what-if"])
@pytest.mark.parametrize("subject", [*FORMS, *TASKS])
def test_every_part_is_drawn_for_every_form_and_task(show, monkeypatch, tmp_path, subject, view):  # noqa: F811
    held = opened(*(FORMS | TASKS)[subject](), tmp_path)
    monkeypatch.setattr(labs, "lab", lambda offer: labs.Lab(Here(it=held), "somebody"))
    app = show(tmp_path, "lab", model="it", row="2", view=view)
    assert not app.exception
    assert not app.error
    said = text(app)
    assert "Answer **" in said
    assert "What this does not show" in said
    if view == "what-if":
        assert ("no features that can be edited by name" in said) == (subject not in ("table", "tokens"))
    for each in app.image:
        assert all(picture.alt for picture in each.proto.imgs)
    if view == "explain" and subject in TASKS:
        app.toggle(key="lab quality").set_value(True).run()
        assert not app.exception
        assert not app.error


@pytest.mark.slow
def test_the_quality_of_each_method_stands_beside_its_explanation(show, desk, tmp_path):  # noqa: F811
    app = show(tmp_path, "lab", model="people", row="2")
    app.toggle(key="lab quality").set_value(True).run()
    assert not app.exception
    assert not app.warning
    assert "On average" in text(app)


def test_an_edit_asks_the_model_again(show, desk, tmp_path):  # noqa: F811
    app = show(tmp_path, "lab", model="people", row="2", view="what-if")
    assert "Nothing is changed yet." in text(app)
    next(field for field in app.text_input if field.key.endswith(" age")).set_value("30").run()
    assert not app.exception
    assert not app.warning
    assert {"ask": "edit", "row": {"row": 2, "edits": {"age": "30"}}} in desk.asked
    assert "age,61,30" in text(app)


@pytest.mark.slow
def test_an_attribute_is_flipped_with_and_without_its_proxies(show, desk, tmp_path):  # noqa: F811
    said = text(show(tmp_path, "lab", model="people", row="2", view="what-if"))
    assert "Instead,Proxies changed with it,Answer" in said


@pytest.mark.slow
def test_what_is_shown_is_kept_as_a_bundle_and_an_audit_is_run(show, desk, tmp_path):  # noqa: F811
    app = show(tmp_path, "lab", model="people", row="2", view="attack")
    app.button(key="lab keep").click().run()
    assert not app.exception
    assert not app.warning
    assert any("Kept as" in each.value for each in app.success)
    app.text_input(key="lab keep name").set_value("another").run()
    assert not app.success  # under this name nothing was kept
    app.number_input(key="lab row").set_value(3).run()
    assert not app.success  # of this row nothing was kept


@pytest.mark.slow
def test_all_explanations_shown_side_by_side_are_kept(show, desk, tmp_path):  # noqa: F811
    app = show(tmp_path, "lab", model="people", row="2")
    app.multiselect(key="lab explainers people").set_value(["lime", "input_x_gradient"]).run()
    app.button(key="lab keep").click().run()
    assert not app.exception
    assert [each.value for each in app.warning] == []
    assert any("Kept as" in each.value for each in app.success)
    (kept,) = (ask for ask in desk.asked if ask["ask"] == "keep")
    assert [each["method"]["method"] for each in kept["what"]] == ["lime", "input_x_gradient"]


def test_the_lab_shows_progress_while_a_model_opens():
    job = Job("1", "it", {}, "opening", Progress(said="loading PyTorch"), seconds=3.2)
    assert waiting.progress(job, "Looking") == (0.0, "Opening the model: loading PyTorch (3 s)")


def test_numbers_of_ones_own_are_kept_with_what_they_are():
    asked = []
    desk = SimpleNamespace(ask=lambda *given: asked.append(given))
    labs.Lab(desk, "somebody").start("keep", "it", {"ask": "keep"}, {"mine": np.ones(2)})
    ((owner, model, request, arrays),) = asked
    assert (owner, model, request, list(arrays)) == ("somebody", "it", {"ask": "keep"}, ["mine"])


def test_a_counterfactual_search_lists_the_changes(show, desk, tmp_path):  # noqa: F811
    app = show(tmp_path, "lab", model="people", row="2", view="what-if")
    app.toggle(key="lab searching").set_value(True).run()
    assert not app.exception
    assert "Reached,Answer,Distance,Changed" in text(app)


@pytest.mark.slow
def test_an_audit_is_planned_started_and_found(show, desk, tmp_path):  # noqa: F811
    app = show(tmp_path, "lab", model="people", view="audit")
    app.text_area(key="lab plan people").set_value(PLAN)
    app.button(key="lab audit").click().run()
    assert not app.exception
    assert not app.warning
    assert any(each.value.startswith("Done:") for each in app.success)


@pytest.mark.slow
def test_a_plan_is_read_as_strictly_as_on_the_command_line(show, desk, tmp_path):  # noqa: F811
    app = show(tmp_path, "lab", model="people", view="audit")
    app.text_area(key="lab plan people").set_value("[attack]\nepss = [1]").run()
    assert any("eps" in each.value for each in app.warning)


def test_a_link_to_a_model_that_is_not_offered_gives_a_message(show, desk, tmp_path):  # noqa: F811
    app = show(tmp_path, "lab", model="peoples")
    assert any("which is not here" in warning.value for warning in app.warning)


def test_without_a_model_the_lab_says_how_to_offer_one(show, monkeypatch, tmp_path):  # noqa: F811
    monkeypatch.setattr(labs, "lab", lambda offer: labs.Lab(Here(), "somebody"))
    assert any("--live" in info.value for info in show(tmp_path, "lab").info)


def test_a_form_asks_for_every_setting_and_gives_back_only_what_was_changed():
    asked = fields(settings(probe.attacks.PGD))
    assert [one.name for one in asked] == [one["name"] for one in settings(probe.attacks.PGD)]
    assert filled(asked, {}) == {}
    assert filled(asked, {"steps": 7, "goal": ("targeted", {"target": "3"})}) == {
        "steps": 7,
        "goal": {"method": "targeted", "target": "3"},
    }


@pytest.mark.parametrize(
    ("largest", "counted", "first", "last", "many"),
    [("8/255", False, "1/255", "8/255", 8), ("0.4", False, "0.05", "0.4", 8), ("3", True, "1", "3", 3)],
)
def test_a_slider_has_budgets_as_they_are_written(largest, counted, first, last, many):
    found = attacks.budgets(largest, counted=counted)
    assert (found[0], found[-1], len(found)) == (first, last, many)


@pytest.mark.parametrize("largest", ["", "-1", "0", "much", "1/0"])
def test_an_invalid_budget_is_refused_in_a_sentence(largest):
    with pytest.raises(ValueError, match="budget"):
        attacks.budgets(largest, counted=False)


def test_a_file_of_numbers_is_read_without_pickle(tmp_path):
    place = tmp_path / "it.npy"
    np.save(place, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="not a file of numbers"):
        own.numbers(place.read_bytes())
    np.save(place, np.arange(4.0))
    assert own.numbers(place.read_bytes()).tolist() == [0, 1, 2, 3]


def test_the_python_beside_an_explanation_gives_the_same_values():
    request = {"ask": "explain", "method": {"method": "input_x_gradient"}, "target": ">50K"}
    command, python = commands.explained(Source.named("adult-mlp"), {"row": 3}, request)
    assert command == "probe explain adult-mlp --rows 3 --method input_x_gradient --target '>50K'"
    *lines, last = python.splitlines()
    names = {}
    exec("\n".join(lines), names)
    values = eval(last, names).values
    model, data = names["model"], names["data"]
    assert torch.equal(values, probe.explainers.InputXGradient()(model, data.inputs[3:4], torch.tensor([1])).values)


def test_the_python_beside_an_attack_runs_it_at_every_budget():
    request = {"ask": "attack", "method": {"method": "fgsm"}, "eps": ["0.1", "0.2"]}
    _, python = commands.attacked(Source.named("adult-mlp"), {"row": 3}, request, "eps")
    *lines, last = python.splitlines()
    names = {}
    exec("\n".join(lines), names)
    assert [result.method.eps for result in eval(last, names)] == [0.1, 0.2]


def test_a_row_of_ones_own_has_no_command():
    assert commands.explained(Source.named("adult-mlp"), {"csv": "1"}, {"method": {"method": "lime"}}) == ("", "")
