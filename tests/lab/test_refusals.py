"""A wrong request is refused in the sentence that the command line has, and the worker lives on."""

import pytest

from probe.cli.opening import build_method
from probe.errors import ProbeError
from probe.lab.opened import Asked
from probe.lab.requests.request import Reply, Request
from tests.lab.subjects import FORMS, ask, opened, refusal


@pytest.fixture(scope="module")
def held():
    return opened(*FORMS["images"]())


@pytest.mark.parametrize(
    ("method", "settings"),
    [
        ("kernel_shup", []),
        ("kernel_shap", ["coalitionz=3"]),
        ("kernel_shap", ["coalitions=many"]),
        ("kernel_shap", ["coalitions=-1"]),
        ("kernel_shap", ["output=logits"]),
        ("pgd", []),
    ],
)
def test_unknown_methods_and_settings_are_refused_as_on_the_command_line(held, method, settings):
    with pytest.raises(ProbeError) as error:
        build_method("explainer", method, settings)
    config = {"method": method, **dict(each.split("=") for each in settings)}
    assert refusal(held, {"ask": "explain", "row": {"row": 0}, "method": config}) == str(error.value)


WRONG = {
    "nothing": (None, "a request is a table with ask"),
    "a list": ([1], "a request is a table with ask"),
    "no ask": ({"row": {}}, "a request is a table with ask"),
    "an ask that is none": ({"ask": "explane"}, "did you mean 'explain'"),
    "a key too many": ({"ask": "answer", "row": {"row": 0}, "rows": 1}, "no setting 'rows'"),
    "no row": ({"ask": "answer"}, "lacks 'row'"),
    "a row that is a number": ({"ask": "answer", "row": 3}, "row = 3"),
    "a method that is a number": ({"ask": "explain", "row": {"row": 0}, "method": 3}, "the name of an explainer"),
    "a class that is none": (
        {"ask": "explain", "row": {"row": 0}, "method": "saliency", "target": "d"},
        "'d' is no class",
    ),
    "a budget that is none": (
        {"ask": "attack", "row": {"row": 0}, "method": "fgsm", "eps": ["much"]},
        "much",
    ),
    "too many budgets": (
        {"ask": "attack", "row": {"row": 0}, "method": "fgsm", "eps": [str(n) for n in range(1, 99)]},
        "64 at most",
    ),
    "an attack of words": ({"ask": "attack", "row": {"row": 0}, "method": "hot_flip"}, "moves tokens"),
    "an answer alone of one": (
        {"ask": "attack", "row": {"row": 0}, "method": "fgsm", "only": "a"},
        "has one answer",
    ),
    "a metric of answers": (
        {"ask": "quality", "row": {"row": 0}, "method": "saliency", "metrics": ["accuracy"]},
        "measures no explanations",
    ),
    "an estimate of nothing": ({"ask": "estimate", "of": {"ask": "nothing"}}, "nothing is asked as 'nothing'"),
    "a name that is a path": (
        {"ask": "keep", "what": {"ask": "explain", "row": {"row": 0}, "method": "saliency"}, "name": "../x"},
        "becomes a folder",
    ),
    "what is not kept": ({"ask": "keep", "what": {"ask": "rows"}, "name": "x"}, "is not kept as a bundle"),
    "a plan that is none": ({"ask": "plan", "text": "explain = "}, "not TOML"),
    "a plan with a key that is none": ({"ask": "plan", "text": "[explane]\nsample = 3"}, "did you mean 'explain'"),
    "a plan of another model": ({"ask": "plan", "text": '[model]\nzoo = "adult-mlp"'}, "leave [model] out"),
    "a plan of other data": ({"ask": "plan", "text": '[data]\ncsv = "/etc/passwd"'}, "leave all but sample out"),
}


@pytest.mark.parametrize(("request_", "said"), WRONG.values(), ids=list(WRONG))
def test_a_wrong_request_is_refused_in_a_sentence(held, request_, said):
    assert said in refusal(held, request_)


def test_a_defect_is_reported_without_its_traceback(held, monkeypatch, capsys):
    from probe.lab import requests
    from probe.lab.worker import respond

    class Broken(Request):
        def answer(self, asked: Asked) -> Reply:
            raise KeyError("oh")

    monkeypatch.setattr(requests, "requests", lambda: {"broken": Broken})
    frame, _ = respond(held, {"ask": "broken"}, {}, lambda record: None)
    assert frame["frame"] == "defect"
    assert "a defect of probe's own: KeyError: 'oh'" in frame["sentence"]
    assert "Traceback" not in frame["sentence"]
    assert "Traceback" in capsys.readouterr().err, "it is in the log"


def test_a_refusal_leaves_the_worker_as_it_was(held):
    before = ask(held, {"ask": "answer", "row": {"row": 0}})[1]
    refusal(held, {"ask": "answer", "row": {"row": 99}})
    after = ask(held, {"ask": "answer", "row": {"row": 0}})[1]
    assert all((before[name] == after[name]).all() for name in before)
