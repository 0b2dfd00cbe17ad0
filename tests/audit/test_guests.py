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
