"""What axe-core finds on the pages: nothing, on wide and on narrow screens, light and dark.

All rules are asked of the light pages. When the reader's scheme changes they are dark with the same elements, so only
the rules of colours are asked then.
"""

import re
import shutil
import socket
import subprocess
from itertools import product

import pytest
from probe_dashboards import Offer, command
from probe_dashboards.app import PAGES, WIDE

from probe.report import render
from tests.dashboards.test_browser import LONG, READY, _wait, browser  # noqa: F401  a fixture
from tests.dashboards.test_pages import PROVED

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
SIZES = ({"width": 1280, "height": 1000}, {"width": 390, "height": 900})
MODEL = "german-mlp"
COLOURS = ("color-contrast", "link-in-text-block")
SHOWN = "scheme => getComputedStyle(document.querySelector('[data-testid=stApp]')).colorScheme === scheme"
# Nodes that Streamlit makes by itself: the rule, and the selector or the markup by which they are known.
STREAMLITS = {
    # The box of the sidebar, while it slides away on a narrow screen.
    "scrollable-region-focusable": 'data-testid="stSidebarContent"',
}


def links():
    """Every page of the viewer and of the lab, with an audit that it has something to say of."""
    for name in PAGES:
        kind = "proofs" if name in PROVED else "table"
        yield f"/{name}?run={kind}~000000000000"
    yield from (f"/instance?run={kind}~000000000000" for kind in ("image", "prose", "graph"))
    yield "/summary?run=interrupted~000000000000"
    yield from (f"/{name}" for name in WIDE)
    yield from (f"/lab?model={MODEL}&row=3&view={view}" for view in ("explain", "attack", "what-if", "audit"))


@pytest.fixture(scope="module")
def address(bundles, tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    for name in ("table", "image", "prose", "graph", "proofs", "interrupted"):
        shutil.copytree(getattr(bundles, name).folder, folder / name)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    argv = command(folder, port, offer=Offer(live=(MODEL,)))
    with (folder / "log").open("w") as log, subprocess.Popen(argv, stdout=log, stderr=log) as process:
        try:
            _wait(f"http://127.0.0.1:{port}/_stcore/health")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


@pytest.fixture
def page(browser):  # noqa: F811
    context = browser.new_context()
    context.set_default_timeout(LONG)
    yield context.new_page()
    context.close()


@pytest.fixture(scope="module")
def reports(bundles, tmp_path_factory):
    """The addresses of reports, by the kind of bundle."""
    folder = tmp_path_factory.mktemp("reports")
    for name in ("table", "image", "prose", "proofs", "hostile"):
        (folder / f"{name}.html").write_text(render(getattr(bundles, name)))
    return {path.stem: path.as_uri() for path in sorted(folder.iterdir())}


def test_axe_finds_nothing_on_any_page(page, address):
    found = {}
    for link in links():
        page.set_viewport_size(SIZES[0])
        page.emulate_media(color_scheme="light")
        page.goto(address + link)
        page.get_by_text("What this does not show").wait_for()
        page.wait_for_selector(READY)
        while page.get_by_role("button", name="Cancel", exact=True).count():  # a model is asked
            page.wait_for_timeout(300)
        for scheme, size in product(("light", "dark"), SIZES):
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size(size)
            page.wait_for_function(SHOWN, arg=scheme)
            page.wait_for_selector(READY)
            page.wait_for_timeout(500)
            for said in _findings(page, scheme):
                found.setdefault(said, f"{link} at {size['width']}, {scheme}")
    assert found == {}


def test_axe_finds_nothing_on_a_report(page, reports):
    found = []
    for name, link in reports.items():
        page.goto(link)
        for scheme, size in product(("light", "dark"), SIZES):
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size(size)
            found += [(name, scheme, size, said) for said in _findings(page, scheme)]
    assert found == []


def test_the_clauses_of_a_report_wrap_in_the_width_there_is(page, reports):
    page.goto(reports["table"])
    for width in (1280, 1000, 800):
        page.set_viewport_size({"width": width, "height": 800})
        beyond = "box => box.scrollWidth - box.clientWidth"
        assert page.locator("#crosswalk .scroll").evaluate(beyond) <= 0, width


def test_axe_finds_pale_text_in_both_schemes(page):
    page.set_content("<p style='color: #777; background: #888'>Pale</p>")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert "color-contrast" in [rule for rule, *_ in _findings(page, scheme)]


def _findings(page, scheme):
    """The rule, the selector and the markup of each node that axe complains about, but for those of Streamlit."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    options = {"runOnly": {"type": "rule", "values": COLOURS}} if scheme == "dark" else None
    nodes = [
        (rule["id"], " ".join(map(str, node["target"])), node["html"][:200])
        for rule in axe.run(page, options=options).response["violations"]
        for node in rule["nodes"]
    ]
    return [each for each in nodes if not re.search(STREAMLITS.get(each[0], "(?!)"), each[1] + each[2])]
