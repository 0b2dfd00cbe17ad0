"""What the lab answers is what the library gives, to the bit."""

import json
from functools import cache

import numpy as np
import pytest
import torch

from probe.errors import ProbeError
from probe.explainers import KernelShap
from probe.lab.requests import requests
from probe.registry import build, discover, methods
from tests.lab.subjects import FORMS, OTHERS, TASKS, ask, opened, refusal
from tests.light import own_attacks, own_explainers

EXPLAINERS = list(own_explainers())
ATTACKS = list(own_attacks())
SHORT = {"steps": 4, "max_queries": 20, "samples": 8, "halvings": 2, "angles": 3, "shifts": 3, "rounds": 2}


@pytest.fixture(scope="module", params=[*FORMS, *TASKS])
def held(request):
    return opened(*(FORMS | TASKS)[request.param]())


@pytest.fixture(scope="module")
def people():
    return opened(*FORMS["table"]())


def same(one, other):
    assert one.dtype == other.numpy().dtype
    assert one.shape == tuple(other.shape)
    assert np.array_equal(one, other.numpy())


def tried(work):
    """What the library gives, or the sentence with which it refuses."""
    try:
        return work(), ""
    except ProbeError as error:
        return None, str(error)


@cache
def held_of(name):
    return opened(*(FORMS | TASKS | OTHERS)[name]())


def two_that_answer(number, names, check):
    """Check subjects, from another one for each method on, until two have answered; of the others, the refusals."""
    names = list(names)
    at = number % len(names)
    answered = 0
    for name in (*names[at:], *names[:at]):
        answered += check(held_of(name))
        if answered == 2:
            break
    return answered


def target_of(held):
    return "1:name" if held.model.task.kind == "places" else ""


def test_a_lab_answer_equals_the_models_output(held):
    record, arrays = ask(held, {"ask": "answer", "row": {"row": 1}})
    row = held.data.inputs[1:2]
    logits = held.model.logits(row)
    same(arrays["logits"], logits)
    same(arrays["decided"], held.model.task.predict(logits))
    same(arrays["inputs"], row[0])
    if held.model.task.kind != "regression":
        same(arrays["probabilities"], held.model.task.probabilities(logits))
    assert record["answer"]["right"] == held.model.task.correct(logits, held.data.labels[1:2])[0].tolist()
    json.dumps(record, allow_nan=False)


@pytest.mark.parametrize("name", EXPLAINERS)
def test_a_lab_explanation_equals_that_of_the_explainer(name):
    answered = two_that_answer(EXPLAINERS.index(name), FORMS | TASKS, lambda held: explained_alike(held, name))
    assert answered or {"layers", "attention"} & discover("explainer")[name].needs  # no subject has these


def explained_alike(held, name):
    method = discover("explainer")[name]()
    target = target_of(held)
    request = {"ask": "explain", "row": {"row": 1}, "method": name, "target": target}
    row = held.data.inputs[1:2]
    targets = torch.tensor([held.model.task.index(target)]) if target else None
    direct, why = tried(lambda: method(held.model, row, targets))
    if why:
        assert refusal(held, request) == why
        return False
    record, arrays = ask(held, request)
    same(arrays["values"], direct.values[0])
    same(arrays["by_feature"], direct.by_feature()[0])
    assert ("errors" in arrays) == (direct.errors is not None)
    if direct.errors is not None:
        same(arrays["errors"], direct.errors_by_feature()[0])
    said = record["explanation"]
    assert said["target"] == int(direct.targets[0])
    assert said["cost"] == {"forward": direct.cost.forward, "backward": direct.cost.backward}
    assert build(methods(), said["method"]) == method
    if method.completeness:
        gap = abs(said["sum"]) - said["promised"]
        assert abs(gap) <= said["residual"] + 1e-5
    return True


@pytest.mark.parametrize("name", ATTACKS)
def test_a_lab_attack_at_each_budget_equals_a_single_attack(name):
    """An attack fitted to training rows is refused alike: the lab's models have none."""
    answered = two_that_answer(ATTACKS.index(name), FORMS | OTHERS, lambda form: attacked_alike(form, name))
    assert bool(answered) != ("training data" in discover("attack")[name].needs)


def attacked_alike(form, name):
    made = discover("attack")[name]
    short = {setting: value for setting, value in SHORT.items() if setting in made.__dataclass_fields__}
    method, row, label = made(**short), form.data.inputs[1:2], form.data.labels[1:2]
    whole = method.threat.counted or isinstance(getattr(method, method.budget, None), int)
    eps = ["1", "2"] if whole else ["0.05", "0.5"]
    request = {"ask": "attack", "row": {"row": 1}, "method": {"method": name, **short}, "eps": eps}
    direct, why = tried(lambda: [method(form.model, row, label, eps=each) for each in eps])
    if why:
        assert refusal(form, request) == why
        return False
    record, arrays = ask(form, request)
    for at, found in enumerate(direct):
        same(arrays["perturbed"][at], found.perturbed[0])
        same(arrays["logits"][at], found.attacked.logits[0])
        assert record["steps"][at]["success"] == bool(found.success[0])
        length = float(found.length[0])  # NaN where a threat cannot measure it, which JSON does not have
        assert record["steps"][at]["length"] == (None if length != length else length)
        assert record["steps"][at]["budget"] == float(eps[at])
        for norm, p in form.model.space.form_of(row).lengths.items():
            assert record["steps"][at]["lengths"][norm] == float(found.distance(p)[0])
    same(arrays["clean_logits"], direct[0].clean.logits)
    return True


def test_a_lab_attack_has_the_explanation_before_and_after():
    held = opened(*FORMS["images"]())
    request = {"ask": "attack", "row": {"row": 0}, "method": "fgsm", "eps": ["0.1", "0.3"], "explainer": "saliency"}
    record, arrays = ask(held, request)
    saliency, row = discover("explainer")["saliency"](), held.data.inputs[:1]
    same(arrays["values"], saliency(held.model, row).values[0])
    for at in range(2):
        moved = torch.from_numpy(arrays["perturbed"][at])[None]
        same(arrays["after_values"][at], saliency(held.model, moved).values[0])
    assert len(record["after"]) == 2


@pytest.mark.parametrize("only", ["smiling", "young"])
def test_one_of_several_labels_is_attacked_alone(only):
    held = opened(*TASKS["labels"]())
    row = held.data.inputs[:1]
    model, data = held.model.only(only), held.data.only(only)
    direct = discover("attack")["pgd"](eps=0.4)(model, row, data.labels[:1])
    record, arrays = ask(
        held, {"ask": "attack", "row": {"row": 0}, "method": {"method": "pgd", "eps": "0.4"}, "only": only}
    )
    same(arrays["perturbed"], direct.perturbed)
    assert record["clean"]["decided"] in (only, f"not {only}")
    assert record["steps"][0]["success"] == bool(direct.success[0])


def test_a_place_is_attacked_by_its_number():
    held = opened(*TASKS["places"]())
    direct = discover("attack")["fgsm"](eps=0.3)(held.model.only(2), held.data.inputs[:1], held.data.labels[:1, 2])
    _, arrays = ask(held, {"ask": "attack", "row": {"row": 0}, "method": {"method": "fgsm", "eps": 0.3}, "only": "2"})
    same(arrays["perturbed"], direct.perturbed)


SEARCHES = [name for name, kind in discover("counterfactual").items() if "training data" not in kind.needs]


@pytest.mark.parametrize("name", SEARCHES)
def test_lab_counterfactuals_equal_those_of_the_method(people, name):
    direct = discover("counterfactual")[name]()(people.model, people.data.inputs[2:3])
    record, arrays = ask(people, {"ask": "counterfactual", "row": {"row": 2}, "method": name})
    same(arrays["candidates"], direct.candidates[0])
    first = record["candidates"][0]
    assert first["reached"] == bool(direct.reached[0, 0])
    assert first["changed"] == int(direct.changed()[0, 0])
    assert first["distance"] == float(direct.distance()[0, 0])


def test_an_attacked_row_can_be_asked_about_as_an_array():
    held = opened(*FORMS["images"]())
    row = held.data.inputs[3]
    record, arrays = ask(held, {"ask": "answer", "row": {"array": "mine"}}, {"mine": row.numpy()})
    same(arrays["logits"], held.model.logits(row[None]))
    assert "label" not in record["answer"], "nobody knows what it is"


def test_only_misclassified_rows_are_listed_on_request(people):
    record, arrays = ask(people, {"ask": "rows", "only": "wrong"})
    assert [row["row"] for row in record["rows"]] == [0, 1]
    assert record["total"] == 2
    assert record["rows"][0]["words"] == ["30", "red", "female"]
    assert record["rows"][1]["groups"] == {"region": "south"}
    same(arrays["inputs"], people.data.inputs[:2])
    assert not any(row["right"] for row in record["rows"])
    assert ask(people, {"ask": "rows", "only": "right", "start": 1, "count": 2})[0]["rows"][0]["row"] == 3


def test_a_page_behind_the_last_row_is_empty(people):
    record, _ = ask(people, {"ask": "rows", "only": "wrong", "start": 2})
    assert (record["rows"], record["total"]) == ([], 2)


def test_the_quality_of_a_row_equals_the_metrics(people):
    record, _ = ask(
        people, {"ask": "quality", "row": {"row": 2}, "method": "kernel_shap", "sample": 4, "metrics": ["deletion"]}
    )
    deletion = discover("metric")["deletion"]()
    direct = deletion(people.model, KernelShap()(people.model, people.data.inputs[2:3]))
    assert record["here"][0]["value"] == direct.value
    assert record["here"][0]["evidence"] == direct.evidence.double().tolist()
    rows = people.data.draw(4, 0)
    assert record["rows"] == rows.tolist()
    average = deletion(people.model, KernelShap()(people.model, people.data.inputs[rows]))
    assert record["average"][0]["value"] == average.value
    assert (record["average"][0]["low"], record["average"][0]["high"]) == average.interval()


def test_the_default_quality_metrics_are_those_of_an_audit(people):
    record, _ = ask(people, {"ask": "quality", "row": {"row": 2}, "method": "input_x_gradient"})
    told = {metric["metric"]: metric for metric in record["here"]}
    assert list(told) == ["deletion", "insertion", "completeness"]
    assert told["completeness"]["value"] is None
    assert "input_x_gradient" in told["completeness"]["why"]


def test_estimate_counts_the_budgets_of_an_attack(people):
    request = {"ask": "attack", "row": {"row": 2}, "method": "pgd", "eps": ["0.1"]}
    one, more = (
        ask(people, {"ask": "estimate", "of": {**request, "eps": eps}})[0]["seconds"]
        for eps in (["0.1"], [str(number / 100) for number in range(1, 40)])
    )
    assert more > 5 * one > 0


def test_progress_is_reported_for_each_budget(people):
    told = []
    request = {"ask": "attack", "row": {"row": 2}, "method": "fgsm", "eps": ["0.1", "0.2"]}
    ask(people, request, told=told.append)
    assert [(each["done"], each["total"], each["said"]) for each in told] == [(0, 2, "budgets"), (1, 2, "budgets")]


def test_describe_lists_every_method_with_its_settings_or_why_it_does_not_suit(held):
    record, arrays = ask(held, {"ask": "describe"})
    for family in ("explainer", "attack", "counterfactual", "metric"):
        assert record["methods"][family].keys() == discover(family).keys()
    pgd = {setting["name"]: setting for setting in record["methods"]["attack"]["pgd"]["settings"]}
    assert "linf" in pgd["norm"]["choices"]
    assert pgd["steps"]["type"] == "whole"
    assert pgd["steps"]["limits"]["low"] is not None
    assert pgd["goal"]["type"] == "method"
    assert "targeted" in pgd["goal"]["choices"]
    moves = held.model.space.form_of(held.data.inputs).moves
    assert bool(record["methods"]["attack"]["pgd"]["why"]) == (moves == "tokens")
    assert arrays["low"].shape == arrays["scale"].shape == tuple(held.data.inputs.shape[1:])
    json.dumps(record, allow_nan=False)


def test_every_request_is_documented_in_probe_lab():
    assert {"answer", "attack", "audit", "counterfactual", "describe", "edit", "estimate"} <= requests().keys()
    assert {"explain", "flip", "keep", "plan", "quality", "rows"} <= requests().keys()
    import probe.lab

    for name in requests():
        assert f"\n{name}  {{" in probe.lab.__doc__, f"{name} is not written down for those who ask it"
