"""The lab in a real browser: explained, attacked and edited, by two people at once; an audit begun and cancelled.

Each form and task is drawn in `test_lab.py`.
"""

import re

import pytest

from probe.audit import read
from tests.dashboards.browsers import MODEL, READY, open_link, runs, until, workers_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture
def other(context):
    """The page of somebody else: the viewer knows people by their connection."""
    with context.new_page() as page:
        yield page


def test_two_people_ask_the_same_model_and_each_sees_their_own_row(page, other, viewer):
    pages, asked, complaints = {3: page, 5: other}, [], []
    for each in pages.values():
        each.on("request", lambda request: asked.append(request.url))
        each.on("pageerror", lambda error: complaints.append(str(error)))
    open_link(page, f"/lab?model={MODEL}&row=3&view=explain")
    page.get_by_text("The values add up to").first.wait_for(state="attached")
    page.locator(".st-key-view").get_by_text("Attack", exact=True).click()
    page.get_by_role("slider", name="Budget").wait_for()
    page.get_by_text("Measured change").wait_for()
    page.locator(".st-key-view").get_by_text("What if", exact=True).click()
    page.get_by_text("What would have to be different?").wait_for()
    page.wait_for_selector(READY)
    workers = workers_of(viewer.process.pid)
    open_link(other, f"/lab?model={MODEL}&row=5&view=what-if")
    assert workers_of(viewer.process.pid) == workers != []
    expect = pytest.importorskip("playwright.sync_api").expect
    for row, each in pages.items():
        expect(each.get_by_label("Row", exact=True)).to_have_value(str(row))
        expect(each.get_by_label("age", exact=True)).not_to_have_value("")
    ages = {row: each.get_by_label("age", exact=True).input_value() for row, each in pages.items()}
    assert ages[3] != ages[5]
    edited = page.get_by_label("age", exact=True)
    edited.fill("20")
    edited.press("Enter")
    page.get_by_text("Distance from the input").wait_for()
    assert other.get_by_text("Distance from the input").count() == 0
    assert other.get_by_label("age", exact=True).input_value() == ages[5]
    assert complaints == []
    assert {url.split("/")[2] for url in asked if url.startswith("http")} == {viewer.address.split("/")[2]}


def test_an_audit_is_started_watched_and_cancelled_and_its_process_is_gone(page, viewer):
    open_link(page, f"/lab?model={MODEL}&view=audit")
    start = page.get_by_role("button", name="Start the audit")
    start.wait_for()
    page.wait_for_selector(READY)
    before = workers_of(viewer.process.pid)
    assert before
    start.click()
    # Whatever step it is at: the first ones are over within a second, and may pass between two looks.
    page.get_by_text(re.compile(r": [\d,]+ of [\d,]+")).first.wait_for()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_text("This was cancelled.").wait_for()
    until(lambda: not all(map(runs, before)))
    assert read(viewer.folder / MODEL).manifest.status == "interrupted"
