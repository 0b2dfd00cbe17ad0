"""One browser and one viewer for all tests that need them, started as `probe dashboard` starts it."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from probe_dashboards import Offer, command

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
LONG = 120_000  # milliseconds until a page is there, or a model has answered, on a busy machine
QUIET = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
QUIET += "--disable-component-update --disable-sync"
APP = "[data-testid=stApp]"
READY = f"{APP}[data-test-script-state=notRunning]"
# Go there; whether the page has begun to change: where a script was running, it may go on with the new link unseen.
GO = """link => new Promise(begun => {
  const app = document.querySelector('[data-testid=stApp]');
  new MutationObserver(() => begun(true)).observe(app, {attributeFilter: ['data-test-script-state']});
  setTimeout(() => begun(false), 5000);
  history.pushState({}, '', link);
  dispatchEvent(new PopStateEvent('popstate'));
})"""
# Nothing half faded; and behind the tables no shades of overflow, over which axe decides no contrast.
STILL = """
* { transition: none !important; animation: none !important }
.linked { background-image: none !important }
"""
SERVED = ("table", "image", "prose", "graph", "proofs", "interrupted", "hostile")
# What the lab offers; the first is open from the start, and the only one that is asked.
MODEL, *_ = MODELS = "german-mlp", "reviews-cnn"


@contextmanager
def serving(folder: Path, live: tuple[str, ...]) -> Iterator[SimpleNamespace]:
    """A viewer over a folder; its log must tell of no error."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    argv = command(folder, port, offer=Offer(live=live))
    with (folder / "log").open("w") as log, subprocess.Popen(argv, stdout=log, stderr=log) as process:
        address = f"http://127.0.0.1:{port}"
        try:
            _wait(f"{address}/_stcore/health")
            yield SimpleNamespace(address=address, process=process, folder=folder)
        finally:
            workers = workers_of(process.pid)
            process.terminate()
    until(lambda: not any(map(runs, workers)))
    assert "Traceback" not in (folder / "log").read_text()


@pytest.fixture(scope="session")
def viewer(bundles, tmp_path_factory):
    """A viewer over audits of each kind, with a lab."""
    folder = tmp_path_factory.mktemp("served")
    for name in SERVED:
        shutil.copytree(getattr(bundles, name).folder, folder / name)
    with serving(folder, MODELS) as served:
        yield served


@pytest.fixture(scope="session")
def address(viewer):
    return viewer.address


@pytest.fixture(scope="session")
def browser():
    sync = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine")
    with sync.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET.split())
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def context(browser, address):
    """What pages have in common: what the browser has fetched and compiled, which takes longer than to draw a page."""
    with browser.new_context(base_url=address) as context:
        context.set_default_timeout(LONG)
        yield context


@pytest.fixture(scope="session")
def tab(context):
    with context.new_page() as page:
        yield page


@pytest.fixture
def page(tab):
    """The tab that tests share, for what it has compiled it keeps; as wide and light as a new one."""
    tab.set_viewport_size({"width": 1280, "height": 720})
    tab.emulate_media(color_scheme="light", reduced_motion="no-preference")
    return tab


def open_link(page, link: str) -> None:
    """Open a page as a step back in the browser would: to load the viewer anew takes longer than to draw most pages."""
    if not (page.evaluate(f"'still' in window && !!document.querySelector('{APP}')") and page.evaluate(GO, link)):
        page.goto(link)
    page.get_by_text("What this does not show").first.wait_for()
    page.wait_for_selector(READY)
    for _ in range(300):  # a model is asked
        if not page.get_by_role("button", name="Cancel", exact=True).count():
            break
        page.wait_for_timeout(300)
    else:
        pytest.fail(f"{link} asks its model for more than 90 s")
    if not page.evaluate("'still' in window"):
        page.add_style_tag(content=STILL)
        page.evaluate("still = true")


def open_all(page) -> dict[str, int]:
    """Open all that is folded away, and ask for all charts that zoom, until no more appear; how many are there then.

    What was open on another page before stays open on this one.
    """
    clicks = 0
    closed = page.locator("[data-testid=stMain] details:not([open]) > summary")
    static = page.get_by_role("button", name="Zoom this figure")
    for wanted in (closed, static, closed):
        while wanted.count():
            before = wanted.count()
            wanted.first.click()
            clicks += 1
            page.wait_for_selector(READY)
            for _ in range(300):
                if wanted.count() != before:
                    break
                page.wait_for_timeout(20)
            page.wait_for_timeout(100)
            page.wait_for_selector(READY)
            assert clicks < 100, "more and more appear"
    charts = page.locator("[data-testid=stVegaLiteChart]")
    for at in range(charts.count()):
        charts.nth(at).locator("canvas, svg").first.wait_for(state="attached")
    return {"parts": page.locator("[data-testid=stMain] details[open]").count(), "charts": charts.count()}


def workers_of(server: int) -> list[int]:
    """The processes that hold the models of a viewer's lab."""
    found = subprocess.run(["pgrep", "-P", str(server), "-f", "probe.lab.worker"], capture_output=True, text=True)
    return [int(line) for line in found.stdout.split()]


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def until(true: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.1)


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
