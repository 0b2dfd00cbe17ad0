"""How fast the viewer is, and how much memory it takes, in a browser of this machine: to JSON.

Run it on a quiet machine; it needs Chromium, and fashion-cnn of the zoo:

    python benchmarks/viewer.py
"""

import json
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from playwright.sync_api import Browser, Error, Page, sync_playwright
from probe_dashboards import Offer, command

import probe

HERE = Path(__file__).resolve().parents[1]
RESULT = HERE / "benchmarks" / "results" / "viewer.json"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
READY = "[data-testid=stApp][data-test-script-state=notRunning]"
PAGES = ("performance", "rows", "instance", "explanations", "robustness", "evidence", "summary")
USERS, RUNS, PATIENCE = 10, 200, 30_000  # the last in milliseconds
# Run in a process of its own: the listing alone, cold.
LISTING = """
import sys, time
from probe_dashboards.views import runs
before = time.process_time()
found, broken = runs.listing(sys.argv[1])
print(time.process_time() - before, len(found), len(broken))
"""


def bundle(folder: Path, side: int) -> float:
    """Write an audit of images of a size, and return its own in MB."""
    shape = (3, side, side)
    draws = torch.Generator().manual_seed(0)
    weights = torch.randn(2, *shape, generator=draws) / 100
    images = torch.rand(200, *shape, generator=draws)
    space = probe.Space(bounds=(0, 1))
    model = probe.Model(forward=lambda x: torch.einsum("nijk,cijk->nc", x, weights), space=space, classes=("a", "b"))
    data = probe.Dataset(images, model.predict(images), classes=("a", "b"), space=space)
    explain = {"sample": 75, "methods": ["saliency", "input_x_gradient"], "metrics": []}
    probe.audit(model, data, folder, explain=explain, attack={"methods": ["fgsm"], "eps": ["0.01", "0.02"]})
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def many(one: Path, folder: Path) -> None:
    """Write 200 audits that differ in their folders."""
    for at in range(RUNS):
        (folder / f"run-{at:03}").mkdir(parents=True)
        shutil.copy(one / "audit.json", folder / f"run-{at:03}" / "audit.json")


@contextmanager
def served(runs: Path, offer: Offer | None = None) -> Iterator[tuple[str, int, float]]:
    """The address of a viewer, its process, and when its command was given."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    begun = time.perf_counter()
    with subprocess.Popen(command(runs, port, offer=offer), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as it:
        try:
            for _ in range(600):
                with socket.socket() as tried:
                    if tried.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.05)
            yield f"http://127.0.0.1:{port}", it.pid, begun
        finally:
            it.terminate()


def settled(page: Page, before: str = "") -> str:
    """Wait until a page with another heading is whole, and return its heading."""
    page.wait_for_function("was => ![was, undefined].includes(document.querySelector('h1')?.innerText)", arg=before)
    page.get_by_text("What this does not show").first.wait_for()
    page.wait_for_selector(READY)
    return page.locator("h1").first.inner_text()


def memory(pid: int) -> dict[str, Any]:
    """The peak memory of the viewer in MiB, and whether torch is in it."""
    status = Path(f"/proc/{pid}/status").read_text()
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    return {"peak_mib": round(peak / 2**10), "torch": "libtorch" in Path(f"/proc/{pid}/maps").read_text()}


def pages(browser: Browser, runs: Path) -> dict[str, Any]:
    """The first page from the command, and each change of page by a link of the sidebar, each page for the 2nd time."""
    with served(runs) as (address, pid, begun):
        page = browser.new_page()
        page.set_default_timeout(PATIENCE)
        page.goto(address)
        title = settled(page)
        first = time.perf_counter() - begun
        seconds: dict[str, list[float]] = {name: [] for name in PAGES}
        for _ in range(4):
            for name in PAGES:
                before = time.perf_counter()
                page.locator(f"[data-testid=stSidebar] a[href*='{name}']").first.click()
                title = settled(page, title)
                seconds[name].append(round(time.perf_counter() - before, 2))
        page.close()
        changes = {name: {"first": each[0], "then": statistics.median(each[1:])} for name, each in seconds.items()}
        return {"first_page_s": round(first, 2), "page_change_s": changes, "viewer": memory(pid)}


def users(runs: Path) -> dict[str, Any]:
    """Ten browsers at once, each of which opens each page; how many pages showed an error."""
    with served(runs) as (address, pid, _), ThreadPoolExecutor(USERS) as pool:
        before = time.perf_counter()
        found = list(pool.map(lambda _: _visits(address), range(USERS)))
        return {
            "users": USERS,
            "pages": USERS * len(PAGES),
            "errors": sum(found),
            "seconds": round(time.perf_counter() - before, 1),
            "viewer": memory(pid),
        }


def _visits(address: str) -> int:
    wrong = 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        page = browser.new_page()
        page.set_default_timeout(PATIENCE)
        for name in PAGES:
            try:
                page.goto(f"{address}/{name}")
                settled(page)
            except Error:
                wrong += 1
            wrong += page.locator("[data-testid=stException], [data-testid=stAlertContentError]").count() > 0
        browser.close()
    return wrong


def slider(browser: Browser, runs: Path) -> dict[str, Any]:
    """Steps of the budget in the lab, of PGD against one image of fashion-cnn."""
    with served(runs, Offer(live=("fashion-cnn",))) as (address, pid, _):
        page = browser.new_page()
        page.set_default_timeout(PATIENCE)
        page.goto(f"{address}/lab")
        thumb = page.get_by_role("slider", name="Budget").first
        thumb.wait_for()
        page.wait_for_selector(READY)
        seconds = []
        for key in ("ArrowLeft", "ArrowRight") * 4:
            thumb.focus()
            before = time.perf_counter()
            page.keyboard.press(key)
            page.wait_for_selector("[data-testid=stApp]:not([data-test-script-state=notRunning])", timeout=5000)
            page.wait_for_selector(READY)
            seconds.append(round(time.perf_counter() - before, 2))
        page.close()
        return {"steps_s": seconds, "median_s": statistics.median(seconds), "viewer": memory(pid)}


def listed(folder: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", LISTING, str(folder)],
        capture_output=True, text=True, check=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(str(HERE / part) for part in (".", "models", "dashboards"))},
    )  # fmt: skip
    seconds, found, broken = done.stdout.split()
    size = (folder / "run-000" / "audit.json").stat().st_size
    return {"runs": int(found), "broken": int(broken), "cpu_s": round(float(seconds), 3), "manifest_bytes": size}


def main() -> None:
    result: dict[str, Any] = {
        "machine": f"{os.cpu_count()} CPU cores, {platform.machine()}",
        "load_before": [round(load, 1) for load in os.getloadavg()],
        "python": platform.python_version(),
        "streamlit": version("streamlit"),
        "pandas": version("pandas"),
        "commit": subprocess.check_output(["git", "-C", HERE, "rev-parse", "--short", "HEAD"], text=True).strip(),
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        result["bundle_mb"] = round(bundle(folder / "large" / "images", 96), 1)
        bundle(folder / "small", 16)
        many(folder / "small", folder / "many")
        result["listing"] = listed(folder / "many")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
            result |= pages(browser, folder / "large")
            result["attack_slider"] = slider(browser, folder / "large")
            browser.close()
        result["users"] = users(folder / "large")
    result["load_after"] = [round(load, 1) for load in os.getloadavg()]
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
