"""How fast the viewer is in a browser, and how much memory it takes: to JSON.

Run it on a quiet machine; it needs Chromium, playwright, and fashion-cnn of the zoo:

    python benchmarks/viewer.py [PART ...]
"""

import asyncio
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import pandas as pd
import torch
from playwright.async_api import Browser as AsyncBrowser
from playwright.async_api import Error, async_playwright
from playwright.sync_api import Browser, Page, sync_playwright

import probe

HERE = Path(__file__).resolve().parents[1]
RESULT = HERE / "benchmarks" / "results" / "viewer.json"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
READY = "[data-testid=stApp][data-test-script-state=notRunning]"
# Asked in each frame: what waits for an element by playwright asks every half second in the end.
WHOLE = f"""was => ![was, undefined].includes(document.querySelector("h1")?.innerText)
    && [...document.querySelectorAll("h2")].some(each => each.innerText == "What this does not show")
    && document.querySelector("{READY}") !== null"""
PAGES = ("performance", "rows", "instance", "explanations", "robustness", "bias", "evidence", "methods", "summary")
VISITED = ("summary", "performance", "instance")  # by each of many users at once
LIVE = "fashion-cnn"
ASKED = {"first_page_s": 3, "page_change_s": 0.3, "step_s": 0.5, "errors": 0, "viewer_mib": 300, "listing_s": 0.1}
PATHS = os.environ | {"PYTHONPATH": os.pathsep.join(str(HERE / part) for part in (".", "models", "dashboards"))}
USERS, RUNS, TURNS, STEPS, PATIENCE = 10, 200, 2, 8, 300_000  # the last in milliseconds
# Run in a process of its own: the listing alone, cold.
LISTING = """
import sys, time
from probe_dashboards.views import runs
before, cpu = time.perf_counter(), time.process_time()
found, broken = runs.listing(sys.argv[1])
assert not broken
print(time.perf_counter() - before, time.process_time() - cpu, len(found))
"""


def bundle(folder: Path, side: int) -> float:
    """Write an audit of images of people in groups, and return its size in MB."""
    shape, draws = (3, side, side), torch.Generator().manual_seed(0)
    weights = torch.randn(2, *shape, generator=draws) / 100
    images = torch.rand(200, *shape, generator=draws)
    space = probe.Space(bounds=(0, 1))
    model = probe.Model(forward=lambda x: torch.einsum("nijk,cijk->nc", x, weights), space=space, classes=("a", "b"))
    labels = torch.where(torch.rand(200, generator=draws) < 0.1, 1 - model.predict(images), model.predict(images))
    groups = pd.DataFrame({"sex": ["f", "m"] * 100, "race": ["x", "y", "z", "y"] * 50})
    data = probe.Dataset(images, labels, classes=("a", "b"), space=space, groups=groups)
    explain = {"sample": 75, "methods": ["saliency", "input_x_gradient"], "metrics": []}
    probe.audit(model, data, folder, explain=explain, attack={"methods": ["fgsm"], "eps": ["0.01", "0.02"]})
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


@contextmanager
def served(runs: Path, *live: str) -> Iterator[tuple[str, int, float]]:
    """The address of a viewer, its process, and when its command was given."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    begun = time.perf_counter()
    argv = [sys.executable, "-m", "probe.cli", "dashboard", str(runs), f"--port={port}", *(f"--live={n}" for n in live)]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=PATHS) as it:
        try:
            for _ in range(PATIENCE // 50):
                with socket.socket() as tried:
                    if tried.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.05)
            yield f"http://127.0.0.1:{port}", it.pid, begun
        finally:
            it.terminate()


def processor(pid: int) -> float:
    """The seconds of processor that a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def viewer(pid: int) -> dict[str, Any]:
    """The peak memory of the viewer in MiB, and whether torch is in it."""
    status = Path(f"/proc/{pid}/status").read_text()
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    return {"peak_mib": round(peak / 2**10), "torch": "libtorch" in Path(f"/proc/{pid}/maps").read_text()}


def timed(pid: int, act: Callable[[], object]) -> tuple[float, float]:
    """How long something takes, and how much of the viewer's processor."""
    wall, cpu = time.perf_counter(), processor(pid)
    act()
    return round(time.perf_counter() - wall, 2), round(processor(pid) - cpu, 2)


def said(times: list[tuple[float, float]]) -> dict[str, float]:
    """The first time, and the median of the others."""
    then = times[1:] or times
    return {"first": times[0][0], "then": median(t[0] for t in then), "then_viewer_cpu": median(t[1] for t in then)}


def settled(page: Page, before: str = "") -> None:
    """Wait until a page with another heading is whole."""
    page.wait_for_function(WHOLE, arg=before)


def opened(browser: Browser) -> Page:
    """A browser window."""
    page = browser.new_context().new_page()
    page.set_default_timeout(PATIENCE)
    return page


def shown(measure: Callable[[Browser, Path], dict[str, Any]], runs: Path) -> dict[str, Any]:
    """What is measured in a browser."""
    with sync_playwright() as playwright:
        return measure(playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET), runs)


def pages(browser: Browser, runs: Path) -> dict[str, Any]:
    """The first page from the command, and each change of page by a link of the sidebar."""
    page = opened(browser)
    with served(runs) as (address, pid, begun):
        page.goto(address)
        settled(page)
        first, cpu = time.perf_counter() - begun, processor(pid)

        def changed(name: str) -> None:
            before = page.locator("h1").first.inner_text()
            page.locator(f"[data-testid=stSidebar] a[href*='{name}']").first.click()
            settled(page, before)

        times: dict[str, list[tuple[float, float]]] = {name: [] for name in PAGES}
        for _ in range(TURNS):
            for name in PAGES:
                times[name].append(timed(pid, lambda name=name: changed(name)))
        page.close()
        return {
            "first_page": {"wall_s": round(first, 2), "viewer_cpu_s": round(cpu, 2)},
            "page_change_s": {name: said(each) for name, each in times.items()},
            "viewer": viewer(pid),
        }


def slider(browser: Browser, runs: Path) -> dict[str, Any]:
    """Steps of the budget of an attack on one row in the lab."""
    page = opened(browser)
    with served(runs, LIVE) as (address, pid, _):
        page.goto(f"{address}/lab?model={LIVE}&row=3&view=attack")
        thumb = page.get_by_role("slider", name="Budget")
        thumb.wait_for()
        page.wait_for_selector(READY)
        main = "document.querySelector('[data-testid=stMain]').innerText"

        def moved(key: str) -> None:
            before = page.evaluate(main)
            thumb.press(key)
            done = f"{main} !== was && {main}.includes('Measured change') && document.querySelector('{READY}') !== null"
            page.wait_for_function(f"was => {done}", arg=before)

        times = [timed(pid, lambda at=at: moved(("ArrowLeft", "ArrowRight")[at % 2])) for at in range(STEPS)]
        page.close()
        return {**said(times), "viewer": viewer(pid)}


async def users(runs: Path) -> dict[str, Any]:
    """Browsers at once, each of which opens each page; how many pages showed an error."""
    with served(runs) as (address, pid, _):
        before = time.perf_counter()
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
            wrong = await asyncio.gather(*(_visits(browser, address) for _ in range(USERS)))
            await browser.close()
        seconds = round(time.perf_counter() - before, 1)
        return {"users": USERS, "errors": sum(wrong), "wall_s": seconds, "viewer": viewer(pid)}


async def _visits(browser: AsyncBrowser, address: str) -> int:
    wrong, page = 0, await browser.new_page()
    page.set_default_timeout(PATIENCE)
    for name in VISITED:
        try:
            await page.goto(f"{address}/{name}")
            await page.wait_for_function(WHOLE, arg="")
            wrong += await page.locator("[data-testid=stException], [data-testid=stAlertContentError]").count() > 0
        except Error:
            wrong += 1
    return wrong


def listing(large: Path) -> dict[str, Any]:
    """The list of many audits that differ in their folders alone, in a process of its own."""
    bundle(large.parent / "small", 16)
    for at in range(RUNS):
        (large.parent / "many" / f"run-{at:03}").mkdir(parents=True)
        shutil.copy(large.parent / "small" / "audit.json", large.parent / "many" / f"run-{at:03}")
    code = [sys.executable, "-c", LISTING, str(large.parent / "many")]
    done = subprocess.run(code, capture_output=True, text=True, check=True, env=PATHS)
    wall, cpu, found = done.stdout.split()
    size = (large.parent / "small" / "audit.json").stat().st_size
    return {"runs": int(found), "wall_s": round(float(wall), 3), "cpu_s": round(float(cpu), 3), "manifest_bytes": size}


def main() -> None:
    """Measure the parts that are named, or all, and write each as soon as it is there, with the load of the machine."""
    result: dict[str, Any] = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    commit = subprocess.check_output(["git", "-C", HERE, "rev-parse", "--short", "HEAD"], text=True).strip()
    versions = {"python": platform.python_version()} | {name: version(name) for name in ("streamlit", "pandas")}
    result |= {"asked": ASKED, "machine": f"{os.cpu_count()} CPU cores, {platform.machine()}", "versions": versions}
    with tempfile.TemporaryDirectory() as name:
        large = Path(name) / "large"
        result["bundle_mb"] = round(bundle(large / "images", 96), 1)
        for part in sys.argv[1:] or PARTS:
            load = os.getloadavg()[0]
            found = PARTS[part](large)
            result[part] = {"commit": commit, "load": [round(load, 1), round(os.getloadavg()[0], 1)], **found}
            RESULT.write_text(json.dumps(result, indent=1) + "\n")


PARTS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "listing": listing,
    "pages": partial(shown, pages),
    "slider": partial(shown, slider),
    "users": lambda large: asyncio.run(users(large)),
}

if __name__ == "__main__":
    main()
