"""What follows from evidence, aspect by aspect, on bundles written by hand."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from probe.audit import assess, reading
from probe.audit.families import families
from probe.statistics import wilson
from tests.audit.handmade import bundle, pairs

N = 10
LABELS = np.array([0, 1] * 5)
PLAN = {"explain": {"sample": 0}, "attack": {"sample": 0}, "bias": {"groups": []}}


def predictions(answers, labels=LABELS):
    logits = np.where(np.eye(2)[answers] == 1, np.log(9.0), 0.0)  # each answer is sure by 0.9
    right = (answers == labels).astype(float)
    return {
        "rows": np.arange(len(labels)), "labels": labels, "logits": logits, "measured-accuracy": right,
        "measured-calibration_error": np.stack([np.full(len(labels), 0.9), right], 1),
    }  # fmt: skip


def found(made):
    return {finding.check: finding for finding in assess(made).findings}


def test_performance_findings_follow_from_the_arrays(tmp_path):
    answers = LABELS.copy()
    answers[:2] = 1 - answers[:2]  # 8 of 10 are right
    accuracy, calibration = list(
        assess(bundle(tmp_path / "b", {"predictions": predictions(answers)}, **PLAN)).findings
    )[:2]
    assert (accuracy.check, accuracy.status, accuracy.estimate, accuracy.n) == ("accuracy", "inconclusive", 0.8, 10)
    assert (accuracy.low, accuracy.high) == (pytest.approx(0.4902, abs=1e-4), pytest.approx(0.9433, abs=1e-4))
    assert (accuracy.threshold, accuracy.direction, accuracy.unit) == (0.8, "at least", "share")
    assert (calibration.check, calibration.status, calibration.direction) == (
        "calibration error",
        "inconclusive",
        "at most",
    )
    assert calibration.estimate == pytest.approx(0.1)
    for at, status in ((0.4, "pass"), (0.95, "fail")):
        made = bundle(tmp_path / status, {"predictions": predictions(answers)}, **PLAN, checks={"accuracy": at})
        assert found(made)["accuracy"].status == status


def explained(own, random, residual):
    rows = np.arange(4)
    values = np.ones((4, 2))
    return {
        "rows": rows, "targets": LABELS[:4], "values": values, "by_feature": values,
        "measured-deletion": pairs(own, random), "measured-insertion": pairs(own, random),
        "measured-completeness": pairs([residual] * 4, [10.0] * 4),
    }  # fmt: skip


def test_explanation_findings_follow_from_the_arrays(tmp_path):
    """A curve that falls early is good for deletion and bad for insertion."""
    made = bundle(
        tmp_path / "b",
        {
            "predictions": predictions(LABELS),
            "instances": {"rows": np.arange(4), "inputs": np.ones((4, 2))},
            "explain-lime": explained([0.2] * 4, [0.5] * 4, 1.0),
            "explain-integrated_gradients": explained([0.5] * 4, [0.2] * 4, 0.1),
        },
        **{**PLAN, "explain": {"sample": 4, "methods": ["lime", "integrated_gradients"]}},
    )
    told = {check: (f.status, round(f.estimate, 6)) for check, f in found(made).items() if f.aspect == "explanation"}
    assert told == {
        "lime: deletion beats random order": ("pass", 0.3),
        "lime: insertion beats random order": ("fail", -0.3),
        "lime: adds up": ("fail", 0.1),
        "integrated_gradients: deletion beats random order": ("fail", -0.3),
        "integrated_gradients: insertion beats random order": ("pass", 0.3),
        "integrated_gradients: adds up": ("pass", 0.01),
    }
    assert {f.about for f in found(made).values() if f.aspect == "explanation"} == {"explanation"}
    notes = {check: f.note for check, f in found(made).items()}
    assert notes["lime: insertion beats random order"] == "worse than random order"
    mixed = explained([0.2, 0.5, 0.2, 0.5], [0.5, 0.2, 0.5, 0.2], 1.0)
    made.write_arrays("explain-lime", mixed)
    assert found(made)["lime: deletion beats random order"].status == "inconclusive"


def attacked(fallen):
    """Rows that fall at the first and at the second radius; all are right to begin with."""
    success = np.isin(np.arange(N), fallen[0]), np.isin(np.arange(N), fallen[0] + fallen[1])
    success = np.stack(success)
    predicted = np.where(success, 1 - LABELS, LABELS)
    return {
        "rows": np.arange(N), "inputs": np.ones((1, 2)), "eps": np.array([0.1, 0.2]), "clean": np.ones(N, bool),
        "success": success, "predicted": predicted, "movable": np.ones((2, N), bool),
        "probability": np.full((2, N), 0.9), "shown": np.ones((2, 1, 2)), "moved": np.zeros((2, 1, 2)),
        "measured-robust_accuracy": (predicted == LABELS).astype(float),
    }  # fmt: skip


@pytest.mark.parametrize(("single", "comparison"), [([1], "fail"), ([0], "pass")])
def test_robustness_findings_follow_from_the_arrays(tmp_path, single, comparison):
    made = bundle(
        tmp_path / "b",
        {
            "predictions": predictions(LABELS),
            "attack-fgsm": attacked(([], single)),
            "attack-pgd": attacked(([], [0, 2, 3, 4, 5, 6, 7, 8, 9])),
        },
        **{**PLAN, "attack": {"sample": N, "methods": ["fgsm", "pgd"], "eps": ["0.1", "0.2"]}},
        checks={"robust_eps": "0.2"},
    )
    told = {check: (f.status, f.estimate) for check, f in found(made).items() if f.aspect == "robustness"}
    left = 0.1 if single == [0] else 0.0  # the worst case of each row over both attacks
    assert told == {
        # An attack that misses what a weaker one finds is no ground for a pass.
        "withstands FGSM and PGD at eps 0.1": ("inconclusive" if comparison == "fail" else "pass", 1.0),
        "withstands FGSM and PGD at eps 0.2": ("fail", left),
        "robust at eps 0.2": ("fail", left),
        "PGD finds what FGSM finds": (comparison, 0.1 if single == [1] else 0.0),
    }
    curve = assess(made).tables["robustness"].set_index(["attack", "eps"])["robust_accuracy"]
    assert (curve["none", 0.0], curve["fgsm", 0.2], curve["pgd", 0.2]) == (1.0, 0.9, pytest.approx(0.1))


def test_bias_findings_follow_from_the_arrays(tmp_path):
    """Half of one group and all of the other get the favourable answer, and every label is favourable."""
    labels, sex = np.ones(400, int), np.array(["f", "m"] * 200)
    answers = np.where((sex == "f") & (np.arange(400) % 4 == 0), 0, 1)
    made = bundle(
        tmp_path / "b",
        {"predictions": predictions(answers, labels)},
        pd.DataFrame({"sex": sex}),
        **{**PLAN, "bias": {"positive": "yes"}},
    )
    told = {check: (f.status, f.estimate) for check, f in found(made).items() if f.aspect == "bias"}
    assert told["demographic parity difference by sex"] == ("fail", 0.5)
    assert told["demographic parity ratio by sex"] == ("fail", 0.5)
    made = bundle(
        tmp_path / "even",
        {"predictions": predictions(np.where(np.arange(400) % 4 < 2, 0, 1), labels)},
        pd.DataFrame({"sex": sex}),
        **{**PLAN, "bias": {"positive": "yes"}},
        checks={"demographic_parity_difference": 0.3},
    )
    assert found(made)["demographic parity difference by sex"].status == "pass"


def test_a_step_that_did_not_run_is_a_finding_that_says_so(tmp_path):
    made = bundle(tmp_path / "b", {"predictions": predictions(LABELS)}, **PLAN)
    broken = replace(made.manifest.steps[0], name="attack-pgd", status="not run", note="why")
    made.change(steps=(*made.manifest.steps, broken))
    finding = found(made)["attack-pgd"]
    assert (finding.status, finding.note, finding.estimate) == ("not run", "why", None)


@pytest.mark.parametrize(
    ("name", "kind", "method", "said"),
    [
        ("attack-pgd", "attack", {"method": "pgd"}, "attacking by PGD"),
        ("explain-kernel_shap", "explainer", {"method": "kernel_shap"}, "explaining by kernel shap"),
        ("survey-interactions", "survey", {"method": "interactions"}, "surveying by interactions"),
        ("instances", "instances", {}, "choosing the rows that are explained"),
    ],
)
def test_whoever_reads_of_a_step_that_did_not_run_reads_words(tmp_path, name, kind, method, said):
    made = bundle(tmp_path / "b", {"predictions": predictions(LABELS)}, **PLAN)
    broken = replace(made.manifest.steps[0], name=name, kind=kind, method=method, title="PGD", status="error")
    made.change(steps=(*made.manifest.steps, broken))
    made.change(findings=tuple(assess(made).findings))
    shown = [finding.check for part in reading.register(made.manifest) for finding in part.findings]
    for read in (shown, [each.check for each in reading.missing(made)]):
        assert said in read
        assert name not in read
    assert name in {finding.check for finding in made.manifest.findings}


def test_the_class_with_the_lowest_accuracy_under_attack_is_named(tmp_path):
    attack = {"sample": N, "methods": ["pgd"], "eps": ["0.1", "0.2"]}
    plan = {**PLAN, "attack": attack, "bias": {"min_group_size": 3}, "checks": {"robust_eps": "0.2"}}
    arrays = {"predictions": predictions(LABELS), "attack-pgd": attacked(([], [1, 3]))}  # two rows of the second class
    made = bundle(tmp_path / "b", arrays, **plan)
    found = reading.Attacks(made, families(made.manifest)[0])
    assert [[(point.value, point.n) for point in curve.points] for curve in found.by_class] == [
        [(1.0, 5), (1.0, 5)], [(1.0, 5), (0.6, 5)]
    ]  # fmt: skip
    ((of, name, point),) = found.lowest
    assert (of, name, point.eps, point.value) == ("class", made.manifest.model.classes[1], 0.2, 0.6)
    assert (point.low, point.high) == pytest.approx(tuple(map(float, wilson(3, 5, 1 - 0.05 / 2))))  # of two classes
    larger = {**plan, "bias": {"min_group_size": 6}}
    small = bundle(tmp_path / "small", arrays, **larger)
    assert reading.Attacks(small, families(small.manifest)[0]).lowest == []
