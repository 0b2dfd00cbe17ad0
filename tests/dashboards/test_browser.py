"""The viewer in a real browser, opened by links: cold ones, and as a step from page to page."""

import io
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from tests.dashboards.browsers import READY, open_link, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture
def visit(page):
    """Open an address; what the page asked for and complained about."""
    seen = SimpleNamespace(page=page, requests=[], complaints=[])

    def complained(message):
        if message.type == "error":
            seen.complaints.append(f"{message.text} {message.location['url']}")

    heard = {
        "request": lambda request: seen.requests.append(request.url),
        "console": complained,
        "pageerror": lambda error: seen.complaints.append(str(error)),
    }
    for event, hear in heard.items():
        page.on(event, hear)

    def go(path: str, *, cold: bool = False) -> SimpleNamespace:
        seen.requests.clear()
        seen.complaints.clear()
        (page.goto if cold else partial(open_link, page))(path)
        page.wait_for_selector("h1")
        page.get_by_text("Consistent with itself").first.wait_for(state="attached")
        page.get_by_text("What this does not show").first.wait_for(state="attached")  # the last that is drawn
        page.wait_for_selector(READY)
        return seen

    yield go
    for event, hear in heard.items():
        page.remove_listener(event, hear)


def test_a_cold_link_opens_each_page_and_nothing_leaves_the_machine(visit, address, bundles):
    attacked = bundles.image.arrays("attack-pgd")
    fallen = attacked["rows"][attacked["success"].all(0)]
    row = np.intersect1d(bundles.image.arrays("instances")["rows"], fallen)[0]
    links = {
        "/?run=table~000000000000&status=fail": "Findings",
        f"/instance?run=image~000000000000&row={row}&attack=pgd&eps=0.4": f"Example {row} before and after PGD",
        "/bias?run=table~000000000000&by=sex&rate=fpr": "False positive rate (share of negatives) of each group",
    }
    for link, what in links.items():
        seen = visit(link, cold=True)
        seen.page.get_by_text(what).first.wait_for()
        assert seen.page.get_by_text("Page not found").count() == 0
        assert [
            url
            for url in seen.requests
            if not url.startswith((address, "data:", "blob:", address.replace("http", "ws")))
        ] == []
        # Below a page's own address the viewer's client first looks for its server, and is told that it is not there.
        assert [c for c in seen.complaints if "/_stcore/" not in c] == []
        for picture in seen.page.query_selector_all("[data-testid=stImage] img"):
            assert len(picture.get_attribute("alt") or "") > 5


def test_hostile_names_are_shown_as_text_in_a_browser(visit):
    for page in ("", "bias"):
        seen = visit(f"/{page}?run=hostile~000000000000")
        for selector in (
            "a[href*=evil]",
            "img[src*=evil]",
            "a[href^=javascript]",
            ".katex",
            "[data-testid=stMain] script",
        ):
            assert seen.page.query_selector_all(selector) == [], (page, selector)
        assert [url for url in seen.requests if "evil" in url] == []


def test_figures_and_charts_follow_the_theme_while_the_page_is_open(visit):
    page = visit("/robustness?run=table~000000000000").page
    page.get_by_role("button", name="Zoom this figure").first.click()
    page.locator("[data-testid=stVegaLiteChart]").locator("canvas, svg").first.wait_for(state="attached")
    page.wait_for_selector(READY)
    drawn = [page.locator(f"[data-testid={name}]:visible").first for name in ("stVegaLiteChart", "stImage")]
    for scheme, paper in {"light": 255, "dark": 23}.items():
        page.emulate_media(color_scheme=scheme)
        for each in drawn:
            until(lambda each=each, paper=paper: _contrast(each, paper) > 170)


def _contrast(drawn, paper):
    """How far the brightness of text, which has no hue, is from that of the page."""
    pixels = np.asarray(Image.open(io.BytesIO(drawn.screenshot())).convert("RGB")).astype(int)
    grey = pixels[np.ptp(pixels, axis=2) < 12]
    return np.abs(grey - paper).max()


def test_the_next_example_is_in_the_address_and_back_returns_to_the_last(visit, bundles):
    rows = bundles.image.arrays("instances")["rows"]
    page = visit(f"/instance?run=image~000000000000&row={rows[0]}").page
    page.get_by_role("button", name="Next").click()
    page.wait_for_url(f"**row={rows[1]}*")
    page.get_by_text(f"Example {rows[1]}, true label").first.wait_for()
    page.go_back()
    page.get_by_text(f"Example {rows[0]}, true label").first.wait_for()
