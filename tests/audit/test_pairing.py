"""What two audits measured, beside each other."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from probe import Model, Prediction, Space
from probe.audit import plan_from
from probe.audit.expected import planned
from probe.audit.pairing import Pair, compare
from probe.audit.plan import record_of
from probe.cli.commands import app
from probe.formatting import radius
from probe.metrics import Accuracy
from probe.statistics import Estimate, paired
from tests.audit.handmade import bundle
from tests.audit.test_assess import LABELS, PLAN, attacked, explained, predictions
from tests.audit.test_proofs import audited


def answers(*wrong):
    found = LABELS.copy()
    found[list(wrong)] = 1 - found[list(wrong)]
    return predictions(found)


def explaining(*methods):
    return {**PLAN, "explain": {"sample": 4, "methods": list(methods)}}


def instances():
    return {"rows": np.arange(4), "inputs": np.ones((4, 2))}


def pairs(one, other):
    return {(p.subject, p.metric): p for p in compare(one, other).pairs}


def test_paired_differences_equal_those_of_the_library(tmp_path):
    one = bundle(tmp_path / "one", {"predictions": answers(0, 1, 2)}, **PLAN)
    other = bundle(tmp_path / "other", {"predictions": answers(2)}, **PLAN)
    found = compare(one, other)
    pair = next(p for p in found.pairs if p.metric == "accuracy")
    assert (pair.first.value, pair.second.value, pair.difference.value) == pytest.approx((0.7, 0.9, 0.2))
    model = Model(forward=lambda x: x, space=Space())
    scores = [
        Accuracy()(model, Prediction(torch.from_numpy(b.arrays("predictions")["logits"]), torch.from_numpy(LABELS)))
        for b in (one, other)
    ]
    assert pair.difference[:3] == pytest.approx(scores[1].minus(scores[0]))
    assert pair.difference.n == 10
    assert pair.verdict == "no difference shown"
    assert "the data are the same in both" in found.notes


def test_a_difference_is_better_or_worse_by_the_direction_of_its_metric():
    pair = Pair(
        aspect="performance", subject="", metric="m", unit="share", direction="at least",
        first=None, second=None, difference=Estimate(0.2, 0.1, 0.3, 9),
    )  # fmt: skip
    assert pair.verdict == "better"
    assert replace(pair, direction="at most").verdict == "worse"
    assert replace(pair, difference=Estimate(-0.2, -0.3, -0.1, 9)).verdict == "worse"
    assert replace(pair, difference=Estimate(0.0, -0.1, 0.1, 9)).verdict == "no difference shown"
    assert replace(pair, difference=Estimate(0.0, np.nan, np.nan, 1)).verdict == "not compared"
    assert replace(pair, difference=None).verdict == "not compared"


def test_methods_are_paired_by_their_settings_and_the_rest_has_a_reason(tmp_path):
    twins = [{"method": "lime", "samples": 50}, {"method": "lime", "samples": 60}]
    one = bundle(
        tmp_path / "one",
        {
            "predictions": answers(), "instances": instances(),
            **dict.fromkeys(names(explaining(*twins)), explained([0.2] * 4, [0.5] * 4, 1.0)),
        },
        **explaining(*twins),
    )  # fmt: skip
    other = bundle(
        tmp_path / "other",
        {
            "predictions": answers(), "instances": instances(),
            **dict.fromkeys(names(explaining(twins[1], "saliency")), explained([0.3] * 4, [0.5] * 4, 1.0)),
        },
        **explaining(twins[1], "saliency"),
    )  # fmt: skip
    found = pairs(one, other)
    assert found["lime (samples = 60)", "deletion"].difference[:3] == pytest.approx((-0.1, -0.1, -0.1))
    assert found["lime (samples = 60)", "deletion"].verdict == "worse"
    alone = found["lime (samples = 50)", "deletion"]
    assert (alone.second, alone.verdict) == (None, "not compared")
    assert alone.note == "the second audit has none: its settings differ"
    assert found["saliency", "deletion"].note == "the first audit has none: its plan does not name saliency"


def test_one_method_with_other_settings_is_paired_and_they_are_named(tmp_path):
    made = [
        bundle(
            tmp_path / f"b{n}",
            {"predictions": answers(), "instances": instances(), "explain-lime": explained([0.2] * 4, [0.5] * 4, 1.0)},
            **explaining({"method": "lime", "samples": n}),
        )
        for n in (50, 60)
    ]
    pair = pairs(*made)["lime", "deletion"]
    assert pair.note == "measured with samples = 50 and 60"
    assert pair.difference.value == 0


def test_other_data_is_not_paired_and_some_rows_are_paired_over_those(tmp_path):
    one = bundle(tmp_path / "one", {"predictions": answers(0)}, **PLAN)
    other = bundle(tmp_path / "other", {"predictions": answers(1)}, **PLAN)
    other.change(data=replace(other.manifest.data, sha256="f" * 64))
    found = compare(one, other)
    assert {p.difference for p in found.pairs} == {None}
    assert "no paired difference: the audits use different data" in found.pairs[0].note
    assert any(
        note.startswith("the data differ: made up and made up, other rows of the same name") for note in found.notes
    )
    made = []
    for rows in ([0, 1, 2, 3], [2, 3, 4, 5]):
        arrays = explained([0.1 * row for row in rows], [0.5] * 4, 1.0) | {"rows": np.array(rows)}
        parts = {"predictions": answers(), "instances": instances() | {"rows": np.array(rows)}, "explain-lime": arrays}
        made.append(bundle(tmp_path / str(rows[0]), parts, **explaining("lime")))
    pair = pairs(*made)["lime", "deletion"]
    assert (pair.difference.n, pair.difference.value) == (2, 0.0)
    assert pair.note == "the difference is over the 2 common rows"


def test_attacks_are_paired_at_each_radius_that_both_try(tmp_path):
    plan = {**PLAN, "attack": {"sample": 10, "methods": ["pgd"], "eps": ["0.1", "0.2"]}}
    one = bundle(tmp_path / "one", {"predictions": answers(), "attack-pgd": attacked(([], [0, 1]))}, **plan)
    arrays = attacked(([0], [1, 2]))
    arrays = {k: v[1:] if k in PER_RADIUS else v for k, v in arrays.items()}
    plan = {**PLAN, "attack": {"sample": 10, "methods": ["pgd"], "eps": ["0.2"]}}
    other = bundle(tmp_path / "other", {"predictions": answers(), "attack-pgd": arrays}, **plan)
    found = pairs(one, other)
    assert found["PGD", "robust accuracy at 0.2"].difference.value == pytest.approx(-0.1)
    alone = found["PGD", "robust accuracy at 0.1"]
    assert (alone.second, alone.note) == (None, "the second audit has none: its plan lacks that radius")


def test_a_paired_interval_is_narrower_than_two_apart_where_rows_move_together():
    rows = np.random.default_rng(0).normal(size=200)
    difference = paired(rows + 0.1, rows)
    assert difference.value == pytest.approx(0.1)
    assert (difference.low, difference.high) == (pytest.approx(0.1), pytest.approx(0.1))
    assert np.isnan(paired(rows[:1], rows[1:2]).low)


def test_a_few_rows_that_differ_do_not_make_an_audit_better(tmp_path):
    ends = [
        bundle(tmp_path / name, {"predictions": answers(*wrong)}, **PLAN)
        for name, wrong in (("few", range(5)), ("some", range(6)), ("none", []))
    ]
    few, some = (pairs(one, ends[2])["", "accuracy"] for one in ends[:2])
    assert few.tested == (0, 5, 0.0625)
    assert (few.verdict, some.verdict) == ("no difference shown", "better")  # 2 / 2**5 and 2 / 2**6
    assert few.test == "0 rows count in the first audit alone, 5 in the second alone: McNemar's exact p = 0.062"
    assert compare(*ends[1:]).to_frame()["mcnemar_p"][0] == 2 / 2**6
    assert compare(*ends[1:]).to_json()["pairs"][0]["mcnemar"] == {"first": 0, "second": 6, "p": 2 / 2**6}


@pytest.mark.parametrize("form", ["text", "json", "csv"])
def test_compare_prints_paired_readings_as_text_and_json(tmp_path, form, monkeypatch):
    monkeypatch.setattr("probe.audit.verify", lambda folder: None)  # what is written by hand has no tables
    for name, wrong in (("one", range(7)), ("other", [])):
        bundle(tmp_path / name, {"predictions": answers(*wrong)}, **PLAN)
    done = CliRunner().invoke(app, ["compare", str(tmp_path / "one"), str(tmp_path / "other"), "--format", form])
    assert done.exit_code == 0, done.output
    if form == "json":
        pair = json.loads(done.stdout)["pairs"][0]
        assert (pair["metric"], pair["first"]["value"], pair["second"]["value"]) == ("accuracy", 0.3, 1.0)
    elif form == "csv":
        assert done.stdout.splitlines()[0].startswith("aspect,subject,metric,unit,direction,first,first_low")
    else:
        assert "difference 70.0" in done.stdout
        assert "over 10 rows: better" in done.stdout
        assert "7 in the second alone: McNemar's exact p" in done.stdout


def test_an_unknown_form_is_refused(tmp_path):
    done = CliRunner().invoke(app, ["compare", str(tmp_path), str(tmp_path), "--format", "page"])
    assert done.exit_code == 2
    assert "there are text, json, csv" in done.output


PER_RADIUS = ("eps", "success", "predicted", "movable", "probability", "shown", "moved", "measured-robust_accuracy")


def names(plan):
    resolved = plan_from({"name": "x", "model": {"zoo": "any"}, **plan}).resolve(form="table")
    return [step.name for step in planned(record_of(resolved)) if step.kind == "explainer"]


@pytest.mark.slow
def test_certificates_are_paired_at_each_radius_and_surveys_item_by_item(tmp_path):
    def made(name, sigma):
        smoothing = {"method": "randomized_smoothing", "draws": 500, "sigma": sigma}
        certify = {"sample": 40, "eps": ["0.05", "0.5"], "methods": [smoothing]}
        return audited(tmp_path / name, certify=certify, survey={"methods": ["permutation_importance"]})

    first, second = made("one", 0.25), made("two", 0.5)
    found = {(pair.subject, pair.metric): pair for pair in compare(first, second).pairs}
    table = first.table("surveys")
    for item, value in zip(table["item"], table["value"], strict=True):
        pair = found["permutation importance", f"permutation importance: {item}"]
        assert pair.first.value == pytest.approx(value)
        # Who is judged by how much a feature matters? Nobody.
        assert pair.verdict == "not judged"
    rows = first.table("readings")
    for eps in (0.05, 0.5):
        (value,) = rows.loc[(rows["metric"] == "certified_accuracy") & (rows["eps"] == eps), "value"]
        (pair,) = (pair for key, pair in found.items() if key[1] == f"certified accuracy at {radius(eps)}")
        assert pair.first.value == value
        assert pair.difference.n == 40
