"""A page as PDF, printed by a Chromium that is on this machine: number of the page and digest stand below each."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from probe.errors import Unsupported

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge")
LARGEST = 5 * 2**20  # bytes
PATIENCE = 180  # seconds


def unprintable() -> str:
    """Why a page should not be printed by a server that others can reach, as a sentence; empty if it may."""
    if _browser() is None:
        return "There is no Chromium or Chrome on this machine to print with."
    if os.geteuid() == 0:
        return "The viewer runs as root, and a Chromium of root has no sandbox, so that the page starts none."
    return ""


def to_pdf(page: str) -> bytes:
    """A page of `render` as PDF.

    Raises:
        Unsupported: if there is no Chromium, it gave nothing, or the PDF is too large to send.
    """
    browser = _browser()
    if browser is None:
        raise Unsupported(
            "there is no Chromium or Chrome on this machine to print with; install one, or open the page in any "
            "browser and print it there"
        )
    with tempfile.TemporaryDirectory() as place:
        source, made = Path(place) / "report.html", Path(place) / "report.pdf"
        source.write_text(page, encoding="utf-8")
        command = [browser, "--headless", "--disable-gpu", "--no-first-run", "--disable-extensions"]
        command += ["--disable-background-networking", "--no-pdf-header-footer", f"--user-data-dir={place}/profile"]
        # Its sandbox refuses to start for root, as in a container.
        command += ["--no-sandbox"] * (os.geteuid() == 0)
        try:
            done = subprocess.run(
                [*command, f"--print-to-pdf={made}", source.as_uri()],
                capture_output=True, check=False, timeout=PATIENCE,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise Unsupported(f"{browser} did not print the page within {PATIENCE} s; choose fewer sections") from None
        data = made.read_bytes() if made.exists() else b""
    if not data.startswith(b"%PDF"):
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise Unsupported(f"{browser} printed nothing ({said[-1][:200] if said else f'code {done.returncode}'})")
    if len(data) > LARGEST:
        raise Unsupported(
            f"the PDF has {len(data) / 2**20:.1f} MiB, and at most {LARGEST >> 20} can be sent; choose fewer sections"
        )
    return data


def _browser() -> str | None:
    return next(filter(None, map(shutil.which, BROWSERS)), None)
