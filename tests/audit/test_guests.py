"""Methods from outside of probe in a whole audit: each kind, two settings of one, read again without the package."""

import shutil
from html import unescape
from itertools import pairwise

import pytest
from probe_dashboards.views import attacked, evidence, explained, proofs

from probe import load, registry
from probe.audit import plan_from, read, reading, run, verify
from probe.audit.estimate import estimate
from probe.audit.pairing import compare
from probe.errors import IntegrityError, ProbeError
from probe.plots.drawers import Drawer, drawer_of
from probe.report import render
from tests import guest
from tests.audit.forging import Forged
from tests.guest import bundle as guests

pytestmark = pytest.mark.slow  # the audit that all look at is made once


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    guest.install(folder)
    return folder


@pytest.fixture(scope="module")
def audited(site, tmp_path_factory):
    with guest.installed(site):
        return guests.audited(tmp_path_factory.mktemp("runs") / "guests")


def test_every_guest_runs_in_an_audit_also_with_two_settings(audited):
    methods = [step.method["method"] for step in audited.manifest.steps if step.method]
    assert all(step.done for step in audited.manifest.steps), [step.note for step in audited.manifest.steps]
    assert methods == [
        *["through_layer"] * 2,
        "saliency",
        *["bisect"] * 2,
        *["towards_reference"] * 2,
        *["lipschitz"] * 2,
        *["class_rates"] * 2,
    ]
    names = [step.name for step in audited.manifest.steps]
    assert len(set(names)) == len(names)


def test_an_audit_of_guests_is_verified_where_they_are_not_installed(audited):
    guest.forget()
    assert verify(audited.folder).done == len(audited.manifest.steps)


def test_checks_of_a_guests_metric_survey_and_certificate_become_findings(audited):
    found = {finding.check: finding for finding in audited.manifest.findings}
    share = found["through_layer (layer = 0): largest share"]
    assert (share.threshold, share.status, share.about) == (0.5, "pass", "explanation")
    rate = found["class_rates (sure = 0): share of the answers: north"]
    assert (rate.estimate, rate.threshold, rate.direction, rate.status) == (0.5, 0.3, "at least", "pass")
    assert rate.note == "one of 2 items, each with its own interval"
    robust = found["lipschitz (norm = spectral): robust at eps 0.5"]
    other = found["towards_reference (steps = 20): another answer is found"]
    assert (other.threshold, other.about) == (0.1, "explanation")
    assert (robust.estimate, robust.threshold, robust.status) == (0.65, 0.45, "pass")
    assert robust.note == "proved"


def test_an_example_without_certificate_is_not_counted_as_refuted(audited):
    far = next(f for f in audited.manifest.findings if f.check == "lipschitz (norm = spectral): robust at eps 1")
    assert far.high < far.threshold
    assert far.status == "inconclusive"
    assert "may still be robust" in far.note


def test_the_estimate_of_time_counts_every_guest(site, monkeypatch):
    clock = iter(range(10_000))
    monkeypatch.setattr("probe.audit.estimate.time.perf_counter", lambda: float(next(clock)))
    with guest.installed(site):
        asked = guests.model()
        data = guests.data(asked.space)
        seconds = {
            part: estimate(plan_from(guests.PLAN | without, sources=False), asked, data)
            for part, without in {
                "all": {},
                "explain": {"explain": {"methods": []}},
                "metrics": {"explain": guests.PLAN["explain"] | {"metrics": ["largest_share"]}},
                "attack": {"attack": {"methods": []}},
                "search": {"search": {"methods": []}, "checks": {}},
                "certify": {"certify": {"methods": []}, "checks": {}},
                "survey": {"survey": {"methods": []}, "checks": {}},
            }.items()
        }
    # Each try takes a second by this clock, also one of twelve rows: what does not grow with the rows is counted once.
    # Half a second for each of twelve attacked inputs and of three explainers, which explain what both attacks broke.
    again = 2 * 12 * 3 / 2
    assert {part: seconds["all"] - without for part, without in seconds.items()} == {
        "all": 0,
        "explain": 3 * 3 * 12 / 2 + again,
        "metrics": 3 * 12 / 2,
        "attack": 2 + again,
        "search": 2,
        "certify": 2,
        "survey": 2,
    }
    assert asked.usage.forward == 0


@pytest.fixture(scope="module")
def results(site, tmp_path_factory):
    """What each guest gives, by its name, and the folder that it is saved in."""
    folder = tmp_path_factory.mktemp("results")
    with guest.installed(site):
        asked = guests.model()
        data, known = guests.data(asked.space), registry.methods()
        explained = known["through_layer"](layer="0")(asked, data.inputs)
        made = {
            "through_layer": explained,
            "bisect": known["bisect"](goal=known["next_class"]())(asked, data.inputs, data.labels),
            "lipschitz": known["lipschitz"](norm="frobenius")(asked, data.inputs, data.labels),
            "towards_reference": known["towards_reference"](steps=3)(asked, data.inputs),
            "class_rates": known["class_rates"](sure=0.8)(asked, data),
            "largest_share": known["largest_share"]()(asked, explained),
        }
        for name, result in made.items():
            result.save(folder / name)
    return folder, made


def test_a_result_of_a_guest_is_saved_and_loaded(results, site):
    folder, made = results
    with guest.installed(site):
        for name, result in made.items():
            again = load(folder / name)
            assert again.to_frame().equals(result.to_frame()), name
            assert repr(again) == repr(result)


@pytest.mark.parametrize(
    "name", ["through_layer", "bisect", "towards_reference", "lipschitz", "class_rates", "largest_share"]
)
def test_a_result_of_a_guest_names_the_missing_package(results, name):
    guest.forget()
    with pytest.raises(ProbeError, match=r"where another package brings it|install the package that brings it"):
        load(results[0] / name)


def test_two_audits_of_guests_are_paired_reading_by_reading(audited, site, tmp_path):
    other = [{"method": "lipschitz", "norm": "frobenius"}]
    plan = guests.PLAN | {
        "certify": guests.PLAN["certify"] | {"methods": other},
        "survey": {"methods": ["class_rates"]},
    }
    plan |= {"explain": guests.PLAN["explain"] | {"methods": guests.PLAN["explain"]["methods"][:1]}}
    with guest.installed(site):
        asked = guests.model()
        plan = plan_from(plan | {"attack": {"methods": []}}, sources=False)
        second = run(plan, asked, guests.data(asked.space), tmp_path / "other")
    pairs = compare(audited, second).pairs
    found = {(pair.subject, pair.metric): pair for pair in pairs}
    certified = found["lipschitz (norm = frobenius)", "certified accuracy at 0.5"]
    # The rows agree, which 40 of them are too few to say of all.
    assert (certified.difference.value, certified.difference.n, certified.verdict) == (0, 40, "no difference shown")
    assert found["lipschitz (norm = spectral)", "certified accuracy at 0.5"].second is None
    rates = found["class rates (sure = 0)", "class rates: north"]
    assert (rates.difference.value, rates.difference.n, rates.verdict) == (0, 40, "not judged")
    assert found["through layer (layer = 0)", "largest share"].difference == (0, 0, 0, 12)


def test_report_viewer_and_comparison_need_no_guest(audited):
    guest.forget()
    again = read(audited.folder)
    page = render(again)
    for word in ("largest share", "Bisect", "lipschitz", "class_rates", "through layer (layer = 0)"):
        assert word in page, word
    assert {pair.verdict for pair in compare(again, again).pairs} <= {
        "no difference shown",
        "not judged",
        "not compared",
    }
    assert isinstance(drawer_of(again.manifest.data.form), Drawer)


def test_a_reduction_that_is_not_installed_is_named_where_an_audit_is_verified(audited, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(audited.folder, folder)
    forged = Forged(folder)
    step = next(step for step in forged.manifest["steps"] if step["kind"] == "explainer")
    step["readings"][0]["reduction"] = "middle"
    forged.save()
    with pytest.raises(IntegrityError, match=r"cannot be verified here: no reduction named 'middle'.*install that"):
        verify(folder)


def test_every_guest_is_shown_by_report_and_viewer(audited):
    page = unescape((audited.folder / "report.html").read_text())
    rows = reading.measured(audited)
    shown = evidence.measured(audited)
    kinds = {step.name: step.kind for step in audited.manifest.steps}
    assert {kinds[row.step] for row in rows} == {
        *("predictions", "explainer", "attack", "counterfactual", "certificate", "survey")
    }
    assert len(shown) == len(rows)
    for row, line in zip(rows, shown.itertuples(index=False), strict=True):
        assert row.written.value in page
        assert row.method in page
        assert row.named in page
        assert line[:2] == (row.method or "the model", row.named)
        assert line[2].replace("\N{NO-BREAK SPACE}", " ") == str(row.written)
    assert any("largest share" in badge for badge in explained.badges(audited, next(iter(explained.methods(audited)))))
    assert len(attacked.attack_titles(audited)) == 2
    assert [len(found) for found in proofs.certificates(audited).values()] == [2]
    assert [list(proofs.items(found)["Class"]) for found in proofs.surveys(audited).values()] == [
        ["elsewhere", "north"]
    ] * 2
    assert "turned most" in page  # the guest's drawing of attacked inputs


def test_a_certificate_of_a_guest_is_read_radius_by_radius_with_its_abstentions(audited):
    first, second = reading.certificates(audited)
    assert [row.at for row in first.rows] == ["eps 0", "eps 0.5", "eps 1"]
    assert first.axis == "l2"
    assert (first.caption, first.threshold) == ("proved", 0.45)
    assert first.abstentions.value == 0
    assert [row.status for row in first.rows] == ["", "pass", "inconclusive"]
    assert all(one.value >= other.value for one, other in pairwise(first.rows))
    assert second.settings == "norm = frobenius"
