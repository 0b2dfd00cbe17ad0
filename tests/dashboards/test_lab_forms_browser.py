"""The lab used in a real browser for each form of input: explained, attacked with the slider, edited."""

import socket
import subprocess

import pytest
from probe_dashboards import Offer, command

from tests.dashboards.test_browser import LONG, READY, _wait, browser  # noqa: F401  a fixture

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
MODELS = {"image": "fashion-mlp", "text": "reviews-cnn", "graph": "motif-gcn", "series": "ecg-tcn"}


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """A viewer whose lab offers a network of each form."""
    folder = tmp_path_factory.mktemp("lab")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    argv = command(folder, port, offer=Offer(live=tuple(MODELS.values())))
    with (folder / "log").open("w") as log, subprocess.Popen(argv, stdout=log, stderr=log) as process:
        try:
            _wait(f"http://127.0.0.1:{port}/_stcore/health")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
    assert "Traceback" not in (folder / "log").read_text()


@pytest.mark.parametrize("form", MODELS)
def test_a_model_of_each_form_is_explained_attacked_and_edited(address, browser, form):  # noqa: F811
    expect = pytest.importorskip("playwright.sync_api").expect
    context = browser.new_context()
    context.set_default_timeout(LONG)
    page, complaints = context.new_page(), []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{address}/lab?model={MODELS[form]}&row=3&view=explain")
    page.get_by_text("Keep them side by side").wait_for()
    page.get_by_text("The values add up to").first.wait_for(state="attached")
    page.wait_for_selector(READY)
    for picture in page.query_selector_all("[data-testid=stImage] img"):
        assert len(picture.get_attribute("alt") or "") > 5

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
    if form == "text":
        word = page.get_by_label("word 0", exact=True)
        word.wait_for()
        word.fill("good")
        word.press("Enter")
        page.get_by_text("Distance from the input").wait_for()
    else:
        page.get_by_text("no features that can be edited by name").wait_for()
    assert complaints == []
    context.close()
