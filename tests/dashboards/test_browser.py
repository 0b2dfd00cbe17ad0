"""The viewer in a real browser: started as `probe dashboard` starts it, opened by cold links."""

import shutil
import socket
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from probe_dashboards import command

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
LONG = 300_000  # milliseconds until a page is there, or a model has answered, on a busy machine
QUIET = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
QUIET += "--disable-component-update --disable-sync"
READY = "[data-testid=stApp][data-test-script-state=notRunning]"


@pytest.fixture(scope="module")
def server(bundles, tmp_path_factory):
    """The address of a viewer over a table, images and hostile names."""
    folder = tmp_path_factory.mktemp("served")
    for name in ("image", "table", "hostile"):
        shutil.copytree(getattr(bundles, name).folder, folder / name)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (folder / "log").open("w") as log, subprocess.Popen(command(folder, port), stdout=log, stderr=log) as process:
        address = f"http://127.0.0.1:{port}"
        try:
            _wait(f"{address}/_stcore/health")
            yield address
        finally:
            process.terminate()
    assert "Traceback" not in (folder / "log").read_text()


@pytest.fixture(scope="module")
def browser():
    sync = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine")
    with sync.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET.split())
        yield chromium
        chromium.close()


@pytest.fixture
def visit(server, browser):
    """Open an address in a browser that has never been there; what it asked for and complained about."""
    contexts = []

    def go(path: str) -> SimpleNamespace:
        contexts.append(browser.new_context())
        contexts[-1].set_default_timeout(LONG)
        page = contexts[-1].new_page()
        requests: list[str] = []
        complaints: list[str] = []
        page.on("request", lambda request: requests.append(request.url))
        page.on(
            "console",
            lambda message: message.type == "error" and complaints.append(f"{message.text} {message.location['url']}"),
        )
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(server + path)
        page.wait_for_selector("h1")
        page.get_by_text("Consistent with itself").first.wait_for(state="attached")
        page.get_by_text("What this does not show").first.wait_for(state="attached")  # the last that is drawn
        page.wait_for_selector(READY)
        return SimpleNamespace(page=page, requests=requests, complaints=complaints)

    yield go
    for context in contexts:
        context.close()


def test_a_cold_link_opens_each_page_and_nothing_leaves_the_machine(visit, server, bundles):
    row = bundles.image.arrays("instances")["rows"][2]
    links = {
        "/?run=table~000000000000&status=fail": "Findings",
        "/summary?run=table~000000000000&status=fail": "Findings",
        "/performance?run=table~000000000000": "Is its confidence calibrated?",
        f"/instance?run=image~000000000000&row={row}&attack=pgd&eps=0.4": f"Example {row} before and after PGD",
        "/robustness?run=table~000000000000&by=race": "When each example is first broken",
        "/bias?run=table~000000000000&by=sex&rate=fpr": "False positive rate (share of negatives) of each group",
    }
    for link, what in links.items():
        seen = visit(link)
        seen.page.get_by_text(what).first.wait_for()
        assert seen.page.get_by_text("Page not found").count() == 0
        assert [
            url for url in seen.requests if not url.startswith((server, "data:", "blob:", server.replace("http", "ws")))
        ] == []
        # Below a page's own address the viewer's client first looks for its server, and is told that it is not there.
        assert [c for c in seen.complaints if "/_stcore/" not in c] == []
        for picture in seen.page.query_selector_all("[data-testid=stImage] img"):
            assert len(picture.get_attribute("alt") or "") > 5


def test_hostile_names_are_shown_as_text_in_a_browser(visit, server):
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


def test_the_next_example_is_in_the_address_and_back_returns_to_the_last(visit, bundles):
    rows = bundles.image.arrays("instances")["rows"]
    page = visit(f"/instance?run=image~000000000000&row={rows[0]}").page
    page.get_by_role("button", name="Next").click()
    page.wait_for_url(f"**row={rows[1]}*")
    page.get_by_text(f"Example {rows[1]}, true label").first.wait_for()
    page.go_back()
    page.get_by_text(f"Example {rows[0]}, true label").first.wait_for()


def _wait(address: str) -> None:
    end = time.monotonic() + 120  # a server takes long to start on a busy machine
    while time.monotonic() < end:
        try:
            with urlopen(address) as answer:
                if answer.status == 200:
                    return
        except (URLError, ConnectionError):
            pass
        time.sleep(0.1)
    raise TimeoutError(Path(address).name)
