"""One browser and one viewer for all tests that need them, started as `probe dashboard` starts it."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
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
READY = "[data-testid=stApp][data-test-script-state=notRunning]"
SERVED = ("table", "image", "prose", "graph", "proofs", "interrupted", "hostile")
# What the lab offers: a network of each form of input.
MODELS = {
    "table": "german-mlp",
    "image": "fashion-mlp",
    "text": "reviews-cnn",
    "graph": "motif-gcn",
    "series": "ecg-tcn",
}


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
            process.terminate()
    assert "Traceback" not in (folder / "log").read_text()


@pytest.fixture(scope="session")
def address(bundles, tmp_path_factory):
    """The address of a viewer over audits of each kind, whose lab offers a network of each form."""
    folder = tmp_path_factory.mktemp("served")
    for name in SERVED:
        shutil.copytree(getattr(bundles, name).folder, folder / name)
    with serving(folder, tuple(MODELS.values())) as served:
        yield served.address


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
