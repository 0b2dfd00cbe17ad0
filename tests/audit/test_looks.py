"""Attacks of an audit that end once their share is decided: what the bundle holds, and what a verifier refuses."""

import json
import shutil

import numpy as np
import pytest
import torch

from probe import Dataset, Model, Space
from probe.anytime import anytime
from probe.audit import merge, plan_from, read, reading, run, run_shard, verify
from probe.audit.countersigning import _again
from probe.audit.strict import plain
from probe.errors import IntegrityError, PlanError
from probe.report.html import render
from tests.audit.forging import Forged
from tests.figures import figures_unwritten  # noqa: F401  a fixture

SPACE = Space(bounds=(0.0, 1.0), names=("size",))
MODEL = Model(forward=lambda x: 4 * torch.cat([x, 1 - x], 1), space=SPACE, classes=("high", "low"), name="half")
LINE = torch.linspace(0, 1, 400)
EVERY, EPS = 20, ["0.05", "0.1", "0.4"]  # .9, .8 and .2 of the rows withstand


def data():
    return Dataset(LINE[:, None], (LINE <= 0.5).long(), space=SPACE, classes=MODEL.classes, name="line")


def plan(threshold=0.6, eps="0.1", **attack):
    given = {"sample": 400, "eps": EPS, "methods": ["fgsm"], "until_decided": EVERY, **attack}
    checks = {"robust_accuracy": threshold, "robust_eps": eps}
    rest = {name: {"sample": 0} for name in ("explain", "search", "certify", "survey")}
    return plan_from({"name": "looks", "attack": given, "checks": checks, **rest}, sources=False)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return run(plan(), MODEL, data(), tmp_path_factory.mktemp("looks") / "out")


def rows_of(bundle):
    return bundle.arrays("attack-fgsm")["rows"]


def test_an_attack_ends_at_the_first_look_at_which_its_share_is_decided(whole):
    arrays = whole.arrays("attack-fgsm")
    robust, asked = arrays["measured-robust_accuracy"][1], len(arrays["rows"])
    assert EVERY <= asked < 400
    ends = np.arange(EVERY, asked + 1, EVERY)
    low, high = anytime(robust.cumsum()[ends - 1], ends)
    assert ((low >= 0.6) | (high < 0.6)).tolist() == [False] * (len(ends) - 1) + [True]
    clean = MODEL.predict(data().inputs[arrays["rows"]]).numpy()
    assert arrays["clean"].tolist() == (clean == data().labels[arrays["rows"]].numpy()).tolist()
    assert list(arrays["rows"]) != sorted(arrays["rows"])
    table = whole.table("robustness").query("attack == 'fgsm' and eps == 0.1").iloc[0]
    assert (table["low"], table["high"], table["n"]) == pytest.approx((low[-1], high[-1], asked))
    assert verify(whole.folder).status == "complete"


@pytest.mark.parametrize(("threshold", "eps", "status"), [(0.6, "0.4", "fail"), (0.8, "0.1", "inconclusive")])
def test_its_check_passes_fails_or_asks_all_rows(threshold, eps, status, tmp_path):
    bundle = run(plan(threshold, eps), MODEL, data(), tmp_path / "out")
    found = next(f for f in bundle.manifest.findings if f.check == f"withstands FGSM at eps {eps}")
    assert found.status == status
    assert (len(rows_of(bundle)) == 400) == (status == "inconclusive")
    assert f"ended after {len(rows_of(bundle))} of at most 400" in found.note
    verify(bundle.folder)


def test_report_and_reading_say_where_it_ended_and_what_its_intervals_are(whole, figures_unwritten):  # noqa: F811
    (attacks,) = reading.attacks(whole)
    assert f"every {EVERY} rows" in attacks.ended
    page = render(whole)
    assert attacks.ended in page
    assert "Wilson intervals. The attack" not in page
    point = attacks.by_class[0].points[0]
    assert point.low == pytest.approx(float(anytime(round(point.value * point.n), point.n)[0]))


@pytest.mark.parametrize("rows", [EVERY, -EVERY, -1])
def test_a_bundle_whose_attack_ends_elsewhere_is_refused(whole, rows, tmp_path):
    """A forger leaves out the rows of the last look, or goes on to one at which the figure is better."""
    folder = shutil.copytree(whole.folder, tmp_path / "out")
    forged, longer = Forged(folder), run(plan(0.8), MODEL, data(), tmp_path / "longer").arrays("attack-fgsm")
    asked = len(rows_of(whole)) + rows
    by_row = ("rows", "clean")
    cut = {
        name: array if name in ("eps",) else array[:asked] if name in by_row else array[:, :asked]
        for name, array in longer.items()
        if name not in ("inputs", "shown", "moved", "before", "after")
    }
    kept = {name: array for name, array in whole.arrays("attack-fgsm").items() if name not in cut}
    forged.write_arrays("attack-fgsm", {**kept, **cut})
    forged.redraw()
    with pytest.raises(IntegrityError, match=rf"it ends after {asked} rows of at most 400"):
        verify(folder)


def test_shards_do_it_in_one_of_them(whole, tmp_path):
    parts = [run_shard(plan(), MODEL, data(), tmp_path / str(at), f"{at}/3").folder for at in (1, 2, 3)]
    merged = merge(parts, tmp_path / "merged")
    assert merged.manifest.contents == whole.manifest.contents


def test_a_second_auditor_runs_a_tenth_of_the_rows_that_were_asked(whole):
    stored = plan_from(plain(whole.manifest.plan), sources=False)
    found = {each.step: each for each in _again(whole, "key", (stored, MODEL, data()), lambda *_: None)}
    again = found["attack-fgsm"]
    assert len(again.rows) == -(-len(rows_of(whole)) // 10)
    assert set(again.rows) <= set(rows_of(whole).tolist())
    assert again.differing == ()


def test_a_plan_that_has_no_single_share_is_refused():
    with pytest.raises(PlanError, match=r"names 2; name one, such as methods = \[\"pgd\"\]"):
        plan(methods=["fgsm", "pgd"])
    with pytest.raises(PlanError, match="leave one of the two out"):
        plan(labels=["low"])
    resolved = plan(methods=None).resolved(MODEL, data())
    assert [config["method"] for config in resolved.attack.methods] == ["pgd"]


def test_a_bundle_without_looks_is_written_as_before(whole, tmp_path):
    bundle = run(plan(until_decided=0), MODEL, data(), tmp_path / "out")
    assert "until_decided" not in json.loads((bundle.folder / "audit.json").read_text())["plan"]["attack"]
    assert read(bundle.folder).manifest.plan.attack.until_decided == 0
    assert len(rows_of(bundle)) == 400
    assert (np.diff(rows_of(bundle)) > 0).all()
