"""What is shown can be kept: the runner's own bundle of it, which verify passes and whose arrays are what was shown."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from probe import segments
from probe.audit import read, verify
from probe.audit.plan import table_in
from probe.lab.requests.plan import read_text, usual
from tests.lab.subjects import FORMS, TASKS, ask, opened, refusal

ROW = {"row": 3}


@pytest.fixture
def images(tmp_path):
    return opened(*FORMS["images"](), runs=tmp_path)


@pytest.fixture
def people(tmp_path):
    return opened(*FORMS["table"](), runs=tmp_path)


def test_an_explanation_is_kept_as_a_bundle_with_its_arrays(images, tmp_path, drawn):
    request = {"ask": "explain", "row": ROW, "method": {"method": "kernel_shap", "seed": 3}, "target": "b"}
    _, shown = ask(images, request)
    record, _ = ask(images, {"ask": "keep", "what": request, "name": "kept"})
    assert record["folder"] == "kept"
    verify(tmp_path / "kept")
    bundle = read(tmp_path / "kept")
    assert bundle.complete
    assert (tmp_path / "kept" / "report.html").is_file()
    assert bundle.manifest.digest == record["digest"]
    kept = bundle.arrays("explain-kernel_shap")
    assert np.array_equal(kept["values"][0], shown["values"])
    assert np.array_equal(kept["by_feature"][0], shown["by_feature"])
    assert kept["targets"].tolist() == [1]
    assert bundle.manifest.data.n == 1
    assert "row 3" in bundle.manifest.data.name


def test_explanations_side_by_side_are_kept_in_one_bundle(images, tmp_path):
    methods = ["saliency", {"method": "lime", "seed": 5}, "input_x_gradient"]
    requests = [{"ask": "explain", "row": ROW, "method": each, "target": "c"} for each in methods]
    shown = [ask(images, each)[1] for each in requests]
    ask(images, {"ask": "keep", "what": requests, "name": "kept"})
    verify(tmp_path / "kept")
    bundle = read(tmp_path / "kept")
    for name, arrays in zip(("saliency", "lime", "input_x_gradient"), shown, strict=True):
        assert np.array_equal(bundle.arrays(f"explain-{name}")["values"][0], arrays["values"])


def test_keeping_what_one_bundle_cannot_hold_is_refused(images):
    request = {"ask": "explain", "row": ROW, "method": "saliency"}
    for other in ({**request, "row": {"row": 2}}, {**request, "target": "a"}, {**request, "ask": "attack"}):
        other = {**other, "method": "fgsm"} if other["ask"] == "attack" else other
        refused = {key: value for key, value in other.items() if key != "target" or other["ask"] == "explain"}
        sentence = refusal(images, {"ask": "keep", "what": [request, refused], "name": "kept"})
        assert "keep each of these by itself" in sentence


@pytest.mark.parametrize(("target", "method"), [("2:name", "kernel_shap"), ("0:other", "saliency")])
def test_an_explanation_at_a_place_is_kept_as_that_place_alone(tmp_path, target, method):
    held = opened(*TASKS["places"](), runs=tmp_path)
    request = {"ask": "explain", "row": {"row": 1}, "method": method, "target": target}
    _, shown = ask(held, request)
    ask(held, {"ask": "keep", "what": request, "name": "kept"})
    verify(tmp_path / "kept")
    bundle = read(tmp_path / "kept")
    assert np.array_equal(bundle.arrays(f"explain-{method}")["values"][0], shown["values"])
    assert (str(bundle.manifest.plan.model["only"]), bundle.manifest.plan.explain.target) == tuple(target.split(":"))


def test_an_explanation_of_one_of_several_labels_is_kept(tmp_path):
    held = opened(*TASKS["labels"](), runs=tmp_path)
    request = {"ask": "explain", "row": {"row": 1}, "method": "saliency", "target": "young"}
    _, shown = ask(held, request)
    ask(held, {"ask": "keep", "what": request, "name": "kept"})
    verify(tmp_path / "kept")
    assert np.array_equal(read(tmp_path / "kept").arrays("explain-saliency")["values"][0], shown["values"])


@pytest.mark.slow
def test_an_image_of_ones_own_has_the_segments_that_an_audit_gives_it(tmp_path):
    held = opened(*FORMS["images"](), runs=tmp_path, segments=3)
    mine = held.data.inputs[1].numpy()
    own, kept = {"array": "mine"}, []
    for row, arrays in (({"row": 1}, {}), (own, {"mine": mine})):
        request = {"ask": "explain", "row": row, "method": "kernel_shap", "target": "a"}
        _, shown = ask(held, request, arrays)
        assert np.array_equal(shown["features"], segments(held.data.inputs[1], 3).numpy())
        kept.append(shown["values"])
        ask(held, {**request, "ask": "quality", "sample": 2}, arrays)
        ask(held, {"ask": "keep", "what": request, "name": f"kept-{next(iter(row))}"}, arrays)
        verify(tmp_path / f"kept-{next(iter(row))}")
        bundle = read(tmp_path / f"kept-{next(iter(row))}")
        assert np.array_equal(bundle.arrays("explain-kernel_shap")["values"][0], shown["values"])
    assert np.array_equal(*kept)


def with_own_features(name):
    """The subject with features that each example has of its own, which the model is not told."""
    model, data = FORMS[name]()
    rows = data.inputs
    owner = {
        "images": lambda: segments(rows, 4),
        "tokens": lambda: torch.tensor([[0, 0, 1, 1], [0, 1, 1, 1], [0, 1, 2, 3], [0, 0, 0, 0]]),
        "graphs": lambda: torch.as_tensor(data.space.features).expand(rows.shape).contiguous(),
    }[name]()
    plain = replace(model.space, features=None)
    return replace(model, space=plain), replace(data, space=replace(data.space, features=owner))


@pytest.mark.parametrize("name", ["images", "tokens", "graphs"])
def test_an_input_of_ones_own_has_the_features_that_are_named_with_it(tmp_path, name):
    held = opened(*with_own_features(name), runs=tmp_path)
    arrays = {"mine": held.data.inputs[1].numpy(), "mine_of": held.data.space.features[1].numpy()}
    request = {"ask": "explain", "row": {"row": 1}, "method": "kernel_shap"}
    _, expected = ask(held, request)
    own = {**request, "row": {"array": "mine", "features": "mine_of"}}
    _, shown = ask(held, own, arrays)
    assert np.array_equal(shown["by_feature"], expected["by_feature"])
    assert np.array_equal(shown["values"], expected["values"])
    if name == "images":
        ask(held, {"ask": "keep", "what": own, "name": "kept"}, arrays)
        verify(tmp_path / "kept")
        assert np.array_equal(read(tmp_path / "kept").arrays("explain-kernel_shap")["values"][0], shown["values"])
    record, alone = ask(held, {**request, "row": {"array": "mine"}}, arrays)
    assert alone["by_feature"].size == held.data.inputs[1].numel()
    assert "each coordinate is one" in record["input"]["said"][0]
    arrays["mine_of"] = arrays["mine_of"][:1].astype(float)
    assert "expected whole numbers of shape" in refusal(held, own, arrays)
    arrays["mine_of"] = np.full(held.data.inputs[1].shape, 7)
    assert "without a gap" in refusal(held, own, arrays)


@pytest.mark.slow
def test_an_attack_is_kept_as_a_bundle_with_its_arrays(images, tmp_path, drawn):
    requests = [{"ask": "attack", "row": {"row": at}, "method": "pgd", "eps": ["0.9"]} for at in range(6)]
    answers = [(each, *ask(images, each)) for each in requests]
    # Where an attack fails, a bundle holds the input as it was.
    request, _, shown = next(each for each in answers if each[1]["steps"][0]["success"])
    ask(images, {"ask": "keep", "what": request, "name": "kept"})
    verify(tmp_path / "kept")
    kept = read(tmp_path / "kept").arrays("attack-pgd")
    assert np.array_equal(kept["shown"][0, 0], shown["perturbed"][0])
    assert kept["success"].tolist() == [[True]]
    assert kept["predicted"][0].tolist() == shown["decided"].tolist()


@pytest.mark.slow
def test_the_explanation_before_an_attack_is_kept_with_it(images, tmp_path):
    request = {"ask": "attack", "row": {"row": 1}, "method": "pgd", "eps": ["0.1"], "explainer": "saliency"}
    for name, target in (("of-answer", {}), ("of-class", {"target": "a"})):
        _, shown = ask(images, request | target)
        ask(images, {"ask": "keep", "what": request | target, "name": name})
        verify(tmp_path / name)
        kept = read(tmp_path / name)
        assert np.array_equal(kept.arrays("explain-saliency")["values"][0], shown["values"])
        assert kept.has("arrays/attack-pgd.npz")


def test_an_edited_row_is_kept_and_says_how_it_was_edited(people, tmp_path):
    row = {"row": 3, "edits": {"colour": "blue"}}
    request = {"ask": "explain", "row": row, "method": "input_x_gradient"}
    _, shown = ask(people, request)
    ask(people, {"ask": "keep", "what": request, "name": "kept"})
    verify(tmp_path / "kept")
    bundle = read(tmp_path / "kept")
    assert np.array_equal(bundle.arrays("explain-input_x_gradient")["values"][0], shown["values"])
    said = " ".join(bundle.manifest.data.notices)
    assert "colour is blue in place of red" in said
    assert "label is not known" in said


def test_a_counterfactual_of_a_row_of_ones_own_is_kept(people, tmp_path, drawn):
    row = {"cells": {"age": 40, "colour": "blue", "sex": "male"}}
    request = {"ask": "counterfactual", "row": row, "method": "nearest_reference"}
    _, shown = ask(people, request)
    ask(people, {"ask": "keep", "what": request, "name": "kept"})
    verify(tmp_path / "kept")
    kept = read(tmp_path / "kept")
    (step,) = [step.name for step in kept.manifest.steps if step.kind == "search" or "nearest" in step.name]
    assert any(
        np.array_equal(array.reshape(-1), shown["candidates"].reshape(-1)) for array in kept.arrays(step).values()
    )


def test_an_attack_on_one_label_is_kept_for_that_label(tmp_path):
    held = opened(*TASKS["labels"](), runs=tmp_path)
    request = {"ask": "attack", "row": {"row": 0}, "method": "fgsm", "eps": ["0.9"], "only": "young"}
    ask(held, {"ask": "keep", "what": request, "name": "kept"})
    verify(tmp_path / "kept")
    assert read(tmp_path / "kept").manifest.plan.model["only"] == "young"


def test_an_existing_folder_of_that_name_is_left_unchanged(images, tmp_path):
    request = {"ask": "explain", "row": ROW, "method": "saliency"}
    ask(images, {"ask": "keep", "what": request, "name": "kept"})
    before = (tmp_path / "kept" / "audit.json").read_bytes()
    other = {**request, "row": {"row": 2}}
    assert "give another name" in refusal(images, {"ask": "keep", "what": other, "name": "kept"})
    assert (tmp_path / "kept" / "audit.json").read_bytes() == before


PLAN = """
[explain]
methods = ["input_x_gradient"]
sample = 2
[attack]
methods = ["fgsm"]
eps = ["0.1"]
[checks]
accuracy = 0.5
"""


@pytest.mark.slow
def test_an_audit_writes_a_bundle_that_verify_passes(people, tmp_path):
    told = []
    record, _ = ask(people, {"ask": "audit", "text": PLAN, "name": "mine"}, told=told.append)
    verify(tmp_path / "mine")
    assert record["status"] == "complete"
    assert {finding["check"] for finding in record["findings"]} >= {"accuracy"}
    assert any(each["said"] == "attack-fgsm" for each in told)
    json.dumps(record, allow_nan=False)


@pytest.mark.slow
def test_a_plan_is_shown_checked_and_estimated(people):
    record, _ = ask(people, {"ask": "plan"})
    assert "[explain]" in record["text"]
    assert "[model]" not in record["text"]
    again, _ = ask(people, {"ask": "plan", "text": record["text"]})
    assert again["name"] == record["name"] == "tiny"
    assert record["rows"] == 8
    assert record["seconds"] > 0


@pytest.mark.parametrize("subject", ["table", *TASKS])
def test_the_usual_plan_names_no_metric_that_the_task_leaves_out(tmp_path, subject):
    held = opened(*(FORMS | TASKS)[subject](), runs=tmp_path)
    plan = table_in(usual(held).encode(), "it")
    named = {each["method"] for each in plan["predict"]["metrics"]}
    numbers = held.model.task.kind == "regression"
    assert ({"r_squared", "mean_absolute_error"} <= named) is numbers
    assert ("calibration_error" in named) is not numbers
    assert not {"r_squared", "accuracy", "calibration_error"} - named & plan["checks"].keys()
    assert read_text(held, usual(held)).predict.metrics


@pytest.mark.slow
def test_an_audit_that_is_cancelled_keeps_what_is_done(people, tmp_path, monkeypatch):
    from probe.attacks import FGSM

    monkeypatch.setattr(FGSM, "perturb", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        ask(people, {"ask": "audit", "text": PLAN, "name": "mine"})
    bundle = read(tmp_path / "mine")
    assert bundle.manifest.status == "interrupted"
    assert "explain-input_x_gradient" in {step.name for step in bundle.manifest.steps}
    assert (tmp_path / "mine" / "report.html").is_file()
    monkeypatch.undo()
    record, _ = ask(people, {"ask": "audit", "text": PLAN, "name": "mine"})
    assert record["status"] == "complete"
