"""What the lab's pages call what was measured."""

import pytest
from probe_dashboards.views.lab import attacks, explanations, inputs

import probe
from probe.lab import Answer
from probe.lab.offering import offered
from tests.lab.subjects import FORMS, opened


def test_lengths_are_named_as_norms_and_counts_by_what_is_counted():
    assert inputs.lengths({"linf": 0.5, "l2": 1.25, "l1": None}) == "L\N{INFINITY} 0.5, L2 1.25"
    assert inputs.lengths({"words": 2}) == "2 words"


def test_a_change_is_measured_in_what_the_budget_counts_and_as_the_budget_is_written():
    def said(threat, **step):
        return attacks.measured(Answer({"threat": threat, "steps": [step]}, {}), 0)

    flipped = {"eps": "2", "length": 1.0, "lengths": {"linf": 1.0, "l2": 2**0.5}}
    assert said({"unit": "edge", "counted": True, "axis": ""}, **flipped) == "1 edge, L\N{INFINITY} 1, L2 1.41"
    words = {"eps": "2", "length": 2.0, "lengths": {"words": 2.0}}
    assert said({"unit": "word", "counted": True, "axis": ""}, **words) == "2 words"
    ball, pixels = {"unit": "radius", "counted": False, "axis": "linf"}, {"linf": 12 / 255, "l2": 1.0}
    assert said(ball, eps="12/255", length=12 / 255, lengths=pixels) == "L\N{INFINITY} 12/255, L2 1"
    assert said(ball, eps="0.1", length=0.1, lengths={"linf": 0.1}) == "L\N{INFINITY} 0.1"
    assert said(ball, eps=None, length=0.1, lengths={"linf": 0.1}) == "L\N{INFINITY} 0.1"


@pytest.mark.parametrize(
    ("attack", "said"),
    [
        (probe.attacks.PGD(), "Largest radius, L\N{INFINITY}"),
        (probe.attacks.DDN(), "Largest radius, L2"),
        (probe.attacks.HotFlip(), "Largest budget, words"),
    ],
)
def test_the_largest_budget_is_asked_for_in_the_unit_of_the_threat(attack, said):
    assert attacks.asked(attack.threat.to_json()) == said


def test_a_method_has_the_title_that_an_audit_gives_it():
    found = opened(*FORMS["images"]())
    assert offered("attack", found)["hot_flip"]["title"] == "HotFlip"
    assert offered("explainer", found)["kernel_shap"]["title"] == "kernel shap"


def test_one_input_is_not_called_inputs():
    assert explanations.cost({"forward": 1, "backward": 1}) == "Cost: 1 input forward, 1 backward."
    assert explanations.cost({"forward": 1000, "backward": 0}) == "Cost: 1,000 inputs forward, 0 backward."


def test_a_figure_is_drawn_again_where_any_of_what_it_shows_differs_and_only_there():
    import numpy as np
    from probe_dashboards.screens.lab.asked import fingerprint

    from probe.plots import Example, Values

    def shown(value=0.0, word="a", name="f", limit=None, kind=np.float32):
        large = np.zeros((3, 400, 400), dtype=kind)
        large[1, 7, 7] = value
        example = Example(large, [name, "g"], [word, ""])
        return fingerprint({"name": "image"}, example, Values(large, large.ravel(), [1, 2], limit))

    others = [shown(value=1e-6), shown(word="b"), shown(name="fg"), shown(limit=1.0), shown(kind=np.float64)]
    assert shown() == shown()
    assert len({shown(), *others}) == 6
    assert fingerprint(["a", "b"]) != fingerprint(["a"], "b") != fingerprint(["ab"])
