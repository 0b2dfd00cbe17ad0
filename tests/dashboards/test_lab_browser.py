"""The lab in real browsers: two people at once, and an audit that is started, watched and cancelled."""

import os
import re
import subprocess
import time

import pytest

from probe.audit import read
from tests.dashboards.browsers import LONG, READY, serving

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A viewer whose lab offers one network."""
    with serving(tmp_path_factory.mktemp("lab"), ("adult-mlp",)) as found:
        found.workers = set()
        yield found
    _until(lambda: not any(map(_runs, found.workers)))


@pytest.fixture
def visit(served, browser):
    contexts = []

    def go(path):
        contexts.append(browser.new_context())
        contexts[-1].set_default_timeout(LONG)
        page = contexts[-1].new_page()
        page.complaints, page.asked = [], []
        page.on("request", lambda request: page.asked.append(request.url))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.goto(served.address + path)
        page.wait_for_selector("h1")
        return page

    yield go
    for context in contexts:
        context.close()


def test_two_people_ask_the_same_model_and_each_sees_their_own_row(visit, served):
    expect = pytest.importorskip("playwright.sync_api").expect
    pages = {row: visit(f"/lab?model=adult-mlp&row={row}&view=what-if") for row in (3, 5)}
    for row, page in pages.items():
        page.get_by_text("What would have to be different?").wait_for(timeout=LONG)
        expect(page.get_by_label("Row", exact=True)).to_have_value(str(row), timeout=LONG)
        expect(page.get_by_label("age", exact=True)).not_to_have_value("", timeout=LONG)
    served.workers.update(_workers(served.process.pid))
    assert len(served.workers) == 1
    ages = {row: page.get_by_label("age", exact=True).input_value() for row, page in pages.items()}
    assert ages[3] != ages[5]
    edited = pages[3].get_by_label("age", exact=True)
    edited.fill("20")
    edited.press("Enter")
    pages[3].get_by_text("Distance from the input").wait_for(timeout=LONG)
    assert pages[5].get_by_text("Distance from the input").count() == 0
    assert pages[5].get_by_label("age", exact=True).input_value() == ages[5]
    for page in pages.values():
        assert page.complaints == []
        assert {url.split("/")[2] for url in page.asked if url.startswith("http")} == {served.address.split("/")[2]}


def test_an_audit_is_started_watched_and_cancelled_and_its_process_is_gone(visit, served):
    page = visit("/lab?model=adult-mlp&view=audit")
    page.get_by_role("button", name="Start the audit").wait_for(timeout=LONG)
    page.wait_for_selector(READY)
    before = _workers(served.process.pid)
    assert before
    page.get_by_role("button", name="Start the audit").click()
    # Whatever step it is at: the first ones are over within a second, and may pass between two looks.
    page.get_by_text(re.compile(r": [\d,]+ of [\d,]+")).first.wait_for(timeout=LONG)
    page.get_by_role("button", name="Cancel").click()
    page.get_by_text("This was cancelled.").wait_for(timeout=LONG)
    _until(lambda: not any(map(_runs, before)))
    assert read(served.folder / "adult-mlp").manifest.status == "interrupted"


def _workers(server):
    found = subprocess.run(["pgrep", "-P", str(server), "-f", "probe.lab.worker"], capture_output=True, text=True)
    return [int(line) for line in found.stdout.split()]


def _runs(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _until(true, seconds=60):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.1)
