"""Methods from outside of probe in a whole audit: each kind, two settings of one, read again without the package."""

import pytest

from probe.audit import verify
from tests import guest
from tests.guest import bundle as guests


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
    assert methods == [*["through_layer"] * 2, "saliency", *["bisect"] * 2, *["lipschitz"] * 2, *["class_rates"] * 2]
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
    assert rate.note == "one of 2 items, each with an interval of its own"
    robust = found["lipschitz (norm = spectral): robust at eps 0.5"]
    assert (robust.estimate, robust.threshold, robust.status) == (0.65, 0.45, "pass")
    assert robust.note == "proved"


def test_what_a_certificate_does_not_certify_is_not_refuted(audited):
    far = next(f for f in audited.manifest.findings if f.check == "lipschitz (norm = spectral): robust at eps 1")
    assert far.high < far.threshold
    assert far.status == "inconclusive"
    assert "may be robust all the same" in far.note
