"""The pictures of the README, from real runs: the report of an audit, and the viewer's lab.

    python docs/pictures.py [RUNS]

RUNS is a folder of audits; what is missing there is audited first, which takes a few minutes.
Needs Chromium and playwright.
"""

import argparse
import io
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from PIL import Image
from playwright.sync_api import Page, sync_playwright
from probe_dashboards import Offer, command

from probe.report.pdf import BROWSERS

FOLDER = Path(__file__).parent / "pictures"
AUDITED, ASKED, ROW = "adult-mlp", "fashion-cnn", 23  # an ankle boot that it takes for a sandal
WIDE, TALL = {"width": 1280, "height": 960}, {"width": 1600, "height": 1560}
WIDTH = 1280  # of a picture
COLOURS, LARGEST = 128, 200_000  # of a picture; bytes
PATIENCE = 600_000  # milliseconds in which the lab answers on a busy machine
READY = "[data-testid=stApp][data-test-script-state=notRunning]"


def keep(name: str, picture: bytes) -> None:
    """Write a screenshot with few colours."""
    packed = io.BytesIO()
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    image = image.resize((WIDTH, round(image.height * WIDTH / image.width)), Image.Resampling.LANCZOS)
    image.quantize(COLOURS).save(packed, "PNG", optimize=True)
    assert packed.tell() < LARGEST, f"{name} has {packed.tell():,} bytes; take less of the page"
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / name).write_bytes(packed.getvalue())
    sys.stderr.write(f"{name}: {packed.tell():,} bytes\n")


def audited(runs: Path) -> Path:
    """The audit that is shown; it is made, or continued, if it is not complete."""
    done = subprocess.run([sys.executable, "-m", "probe.cli", "audit", AUDITED, "--out", str(runs)], check=False)
    assert done.returncode in (0, 1), f"probe audit ended with code {done.returncode}"
    return runs / AUDITED


@contextmanager
def viewer(runs: Path) -> Iterator[str]:
    """The address of a viewer whose lab offers a network."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    with subprocess.Popen(command(runs, port, offer=Offer(live=(ASKED,))), stdout=subprocess.DEVNULL) as process:
        try:
            for _ in range(600):
                try:
                    urlopen(f"{address}/_stcore/health", timeout=5)
                    break
                except (URLError, OSError):
                    time.sleep(0.2)
            yield address
        finally:
            process.terminate()


def report(page: Page, bundle: Path) -> None:
    """The first page of the report."""
    page.goto((bundle / "report.html").resolve().as_uri())
    keep("report.png", page.screenshot())


def lab(page: Page, address: str) -> None:
    """Why a network takes a picture for something else: explanations side by side, and whether they agree."""
    page.set_viewport_size(TALL)
    page.goto(f"{address}/lab?model={ASKED}&row={ROW}&view=explain")
    page.get_by_text("Do they agree?").wait_for(timeout=PATIENCE)
    page.wait_for_selector(READY)
    page.wait_for_timeout(2000)
    keep("lab.png", page.screenshot())


def main() -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="?", default="runs", type=Path)
    runs = parser.parse_args().runs
    bundle = audited(runs)
    browser = next(filter(None, map(shutil.which, BROWSERS)))
    with sync_playwright() as playwright, viewer(runs) as address:
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox", "--disable-gpu"])
        page = chromium.new_page(viewport=WIDE)
        report(page, bundle)
        lab(page, address)
        chromium.close()


if __name__ == "__main__":
    main()
