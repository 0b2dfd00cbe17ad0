"""What a forger can do who holds a bundle and knows probe: change anything, recompute what follows, and sign anew."""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from probe.audit import read
from probe.audit.bundle import Bundle, digest
from probe.audit.findings import assess
from probe.errors import IntegrityError
from probe.report import render


def sign(folder: Path, change: Callable[[Bundle], Any]) -> Bundle:
    """Change a bundle and write it with digests that fit."""
    bundle = read(folder)
    change(bundle)
    bundle.save()
    return bundle


def redraw(bundle: Bundle) -> None:
    """Compute findings and tables of whatever evidence there is, and draw the page."""
    assessment = assess(bundle)
    tables = {f"tables/{name}.csv" for name in (*assessment.tables, "groups")}
    for file in [f for f in bundle.manifest["files"] if f.startswith("tables/") and f not in tables]:
        del bundle.manifest["files"][file]
    for name, table in assessment.tables.items():
        bundle.write_table(name, table)
    bundle.manifest["findings"] = [finding.to_json() for finding in assessment.findings]
    bundle.save()
    with suppress(IntegrityError):  # no page can be drawn without predictions
        bundle.write_report(render(bundle))


def without_step(folder: Path, *names: str) -> Bundle:
    """A bundle whose steps of these names were cut out, with all that follows from them."""
    manifest = json.loads((folder / "audit.json").read_text())
    manifest["steps"] = [step for step in manifest["steps"] if step["name"] not in names]
    for name in names:
        manifest["files"].pop(f"arrays/{name}.npz", None)
        manifest["contents"].pop(f"arrays/{name}.npz", None)
        (folder / f"arrays/{name}.npz").unlink(missing_ok=True)
    manifest["digest"] = digest(manifest)
    (folder / "audit.json").write_text(json.dumps(manifest))
    bundle = read(folder)
    redraw(bundle)
    return bundle
