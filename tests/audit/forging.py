"""What a forger can do who holds a bundle and knows probe: change anything, recompute what follows, and sign anew."""

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from probe import npz
from probe.audit import read
from probe.audit.assessment import assess
from probe.audit.bundle import Bundle, parse
from probe.audit.canonical import digest, dump, evidence_digest
from probe.audit.manifest import Manifest
from probe.audit.strict import typed
from probe.errors import IntegrityError
from probe.report import render


class Forged:
    """A bundle whose manifest is plain data that anybody may change; `save` signs it."""

    def __init__(self, folder: Path, manifest: dict[str, Any] | None = None) -> None:
        self.folder = Path(folder)
        self.manifest = manifest or json.loads((self.folder / "audit.json").read_text())

    def arrays(self, name: str) -> npz.Arrays:
        return npz.unpack((self.folder / f"arrays/{name}.npz").read_bytes(), name)

    def table(self, name: str) -> Any:
        return parse((self.folder / f"tables/{name}.csv").read_bytes())

    def write_arrays(self, name: str, arrays: Any) -> None:
        data = npz.pack(arrays)
        self._write(f"arrays/{name}.npz", data)
        self.manifest["contents"][f"arrays/{name}.npz"] = npz.fingerprint(npz.unpack(data, name))

    def write_table(self, name: str, table: Any) -> None:
        self._write(f"tables/{name}.csv", table.to_csv(index=False).encode())

    def write_report(self, html: str) -> None:
        (self.folder / "report.html").write_text(html)
        self.manifest["report_sha256"] = hashlib.sha256(html.encode()).hexdigest()

    def save(self) -> None:
        with suppress(IntegrityError):
            self.manifest = typed(Manifest, self.manifest, "forged").to_json()  # its parts in order
        with suppress(LookupError, TypeError, AttributeError):  # of what is no manifest at all there is no digest
            self.manifest["evidence_digest"] = evidence_digest(self.manifest)
        self.manifest["digest"] = digest(self.manifest)
        (self.folder / "audit.json").write_bytes(dump(self.manifest))

    def redraw(self) -> None:
        """Compute findings and tables of whatever evidence there is, and draw the page."""
        self.save()
        assessment = assess(read(self.folder))
        tables = {f"tables/{name}.csv" for name in (*assessment.tables, "groups")}
        for file in [f for f in self.manifest["files"] if f.startswith("tables/") and f not in tables]:
            del self.manifest["files"][file]
        for name, table in assessment.tables.items():
            self.write_table(name, table)
        self.manifest["findings"] = [finding.to_json() for finding in assessment.findings]
        self.save()
        with suppress(IntegrityError):  # no page can be drawn without predictions
            self.write_report(render(read(self.folder)))
            self.save()

    def _write(self, file: str, data: bytes) -> None:
        (self.folder / file).write_bytes(data)
        self.manifest["files"][file] = hashlib.sha256(data).hexdigest()


def curves(areas: Any, outputs: Any, at: int = 0, steps: int = 16) -> Any:
    """Curves with these areas, (rows, 2), which show these outputs at one end and 0 at the other, and are level."""
    level = (areas - outputs[:, None] / (2 * steps)) / (1 - 1 / steps)
    drawn = np.repeat(level[:, :, None], steps + 1, axis=2)
    drawn[:, :, at], drawn[:, :, -1 - at] = outputs[:, None], 0
    share = np.broadcast_to(np.linspace(0, 1, steps + 1), (len(drawn), 1, steps + 1))
    return np.concatenate([drawn, share], axis=1)


def sign(folder: Path, change: Callable[[Forged], Any]) -> Forged:
    """Change a bundle and write it with digests that fit."""
    forged = Forged(folder)
    change(forged)
    forged.save()
    return forged


def without_step(folder: Path, *names: str, redraw: bool = True) -> Bundle:
    """A bundle whose steps of these names were cut out, with all that follows from them unless it is not looked at."""
    forged = Forged(folder)
    manifest = forged.manifest
    manifest["steps"] = [step for step in manifest["steps"] if step["name"] not in names]
    for name in names:
        manifest["files"].pop(f"arrays/{name}.npz", None)
        manifest["contents"].pop(f"arrays/{name}.npz", None)
        (folder / f"arrays/{name}.npz").unlink(missing_ok=True)
    forged.redraw() if redraw else forged.save()
    return read(folder)
