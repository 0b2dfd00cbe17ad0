"""The lab used in a real browser: explained, attacked with the slider, edited by words.

Texts have all of these; each other form is drawn in `test_lab.py`.
"""

import pytest

from tests.dashboards.browsers import LONG, MODELS, READY, open_link

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def test_a_text_is_explained_attacked_and_edited(page):
    expect = pytest.importorskip("playwright.sync_api").expect
    complaints = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    open_link(page, f"/lab?model={MODELS['text']}&row=3&view=explain")
    page.get_by_text("Keep them side by side").wait_for()
    page.get_by_text("The values add up to").first.wait_for(state="attached")
    page.wait_for_selector(READY)

    view = page.locator(".st-key-view")
    view.get_by_text("Attack", exact=True).click()
    slider = page.get_by_role("slider").first
    slider.wait_for()
    page.wait_for_selector(READY)  # a key that is pressed while the page is drawn may be lost
    at = slider.get_attribute("aria-valuenow")
    slider.press("ArrowLeft" if at not in ("0", slider.get_attribute("aria-valuemin")) else "ArrowRight")
    expect(slider).not_to_have_attribute("aria-valuenow", at, timeout=LONG)
    page.get_by_text("Measured change").wait_for()

    view.get_by_text("What if", exact=True).click()
    word = page.get_by_label("word 0", exact=True)
    word.wait_for()
    word.fill("good")
    word.press("Enter")
    page.get_by_text("Distance from the input").wait_for()
    assert complaints == []
