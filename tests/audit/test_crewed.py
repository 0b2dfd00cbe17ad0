"""An audit by workers: whoever is lost, its evidence is that of one process, bit for bit."""

import pytest
import torch

from probe.audit import crewed, run, verify
from probe.audit.crewed import Workers
from probe.errors import ForwardError, Unsupported
from probe.explainers import Lime, Saliency
from tests.audit import test_shards
from tests.audit.conftest import SMALL, table
from tests.audit.test_shards import LIGHT, plan_of
from tests.crews import crew

_small_units = test_shards._small_units
CHANGES = {
    "explain": {"sample": 25, **LIGHT},
    "attack": {**SMALL["attack"], "sample": 40},
    "certify": {"sample": 0},
    "survey": {"sample": 30, "methods": [{"method": "permutation_importance"}]},
    "search": {"sample": 0},
}


def opened():
    return plan_of("table", **CHANGES), *table(60)


def by(folder, working, opens=opened, **named):
    return run(*opened(), folder, workers=Workers(working, opens, torch.get_num_threads()), **named)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        test_shards._small_units.__wrapped__(patch)
        return run(*opened(), tmp_path_factory.mktemp("whole") / "whole")


def same(bundle, whole):
    assert bundle.manifest.contents == whole.manifest.contents
    assert bundle.manifest.evidence_digest == whole.manifest.evidence_digest
    costs = [[(step.name, step.forward, step.backward) for step in each.manifest.steps] for each in (bundle, whole)]
    assert costs[0] == costs[1]


def test_an_audit_of_two_workers_some_lost_is_that_of_one_process(whole, tmp_path):
    lost = [None, ("predictions", slice(0, 60)), ("explain-lime", slice(10, 20)), ("attack-pgd", slice(0, 16))]
    said, seen = [], []
    working, place = crew(2, lost, said.append)
    bundle = by(tmp_path / "out", working, progress=lambda *step: seen.append(step))
    same(bundle, whole)
    assert len(said) == len(lost)
    assert verify(bundle.folder).status == "complete"
    assert {step.name for step in bundle.manifest.steps} <= {name for name, done, total in seen if done == total}
    asked = [message for message in place.answered if message]
    assert len({(name, unit.start) for name, unit in asked}) == len(asked), "no unit is asked twice"


def test_an_interrupted_audit_is_continued_by_workers(whole, tmp_path):
    def stop(step, done, total):
        if step == "explain-lime":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(*opened(), tmp_path / "out", progress=stop)
    working, place = crew(2)
    bundle = by(tmp_path / "out", working)
    same(bundle, whole)
    assert "explain-kernel_shap" not in {message[0] for message in place.answered if message}


@pytest.mark.slow
def test_a_step_that_fails_says_what_one_process_says_of_it(tmp_path, monkeypatch):
    def refuses(self, *given):
        raise Unsupported("not today")

    def fails(self, *given):
        raise ForwardError("broken")

    monkeypatch.setattr(Saliency, "attribute", refuses)
    monkeypatch.setattr(Lime, "attribute", fails)
    whole, working = run(*opened(), tmp_path / "whole"), crew(2)[0]
    bundle = by(tmp_path / "out", working)
    assert {"not run", "error"} < {step.status for step in bundle.manifest.steps}
    assert bundle.manifest.contents == whole.manifest.contents


def test_workers_that_are_lost_each_time_leave_the_audit_interrupted(whole, tmp_path):
    working, _ = crew(2, [("attack-pgd", slice(16, 32))] * 3)
    with pytest.raises(ChildProcessError, match=r"3 times at \('attack-pgd', 16\)"):
        by(tmp_path / "out", working)
    assert run(*opened(), tmp_path / "out").manifest.contents == whole.manifest.contents


def test_a_worker_that_opens_something_else_ends_the_audit(tmp_path):
    def other():
        return plan_of("table", **CHANGES), *table(57)

    with pytest.raises(ChildProcessError, match=r"could not begin: it opened something else than the caller: data"):
        by(tmp_path / "out", crew(2)[0], other)


def test_a_worker_of_another_version_ends_the_audit(tmp_path, monkeypatch):
    told = crewed._versions
    versions = iter([{}, {"torch": "1.0"}])
    monkeypatch.setattr(crewed, "_versions", lambda head: told(head) | next(versions))
    with pytest.raises(ChildProcessError, match=r"torch was .*, now 1\.0"):
        by(tmp_path / "out", crew(1)[0])


def test_a_defect_in_a_worker_is_raised_where_it_is_asked(tmp_path, monkeypatch):
    monkeypatch.setattr(crewed.Worker, "__call__", lambda self, message: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        by(tmp_path / "out", crew(1)[0])
