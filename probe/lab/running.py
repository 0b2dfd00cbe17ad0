"""Audits in a lab, with the runner, bundle and report of the command line."""

from contextlib import suppress
from pathlib import Path
from typing import Any

from probe.audit import Bundle, Plan, read, run, verify
from probe.cli.pages import drawn
from probe.cli.summary import document
from probe.dataset import Dataset
from probe.errors import ExistsError, PlanError, ProbeError
from probe.lab.opened import Advance, Opened
from probe.lab.telling import plain
from probe.lock import writing
from probe.model import Model


def audited(opened: Opened, plan: Plan, subject: tuple[Model, Dataset], advance: Advance) -> dict[str, Any]:
    """Run a plan into a folder of the lab's runs, and summarise the findings.

    Raises:
        ExistsError: if the folder holds something else.
    """
    folder = opened.runs / plan.name
    try:
        bundle = run(plan, *subject, folder, progress=lambda step, done, total: advance(done, total, step))
    except ExistsError:
        raise ExistsError(
            f"{plan.name!r} is the name of something else in the folder of runs, which is left as it is; "
            "give another name"
        ) from None
    except KeyboardInterrupt:
        _report(folder)
        raise
    verify(folder)
    if not bundle.manifest.report_sha256:
        with writing(folder):
            bundle.write_report(drawn(bundle))
    found = document(bundle)
    told: dict[str, Any] = plain({key: found[key] for key in ("name", "status", "digest", "verdict", "findings")})
    return told | {"folder": plan.name}


def checked_name(name: str) -> str:
    """The name of a run, which becomes a folder.

    Raises:
        PlanError: if it is not a valid folder name.
    """
    if not name or name.startswith(".") or not all(c.isalnum() or c in "-_." for c in name) or len(name) > 100:
        raise PlanError(f"name = {name!r:.60} becomes a folder; use letters, digits, '-', '_' and '.'")
    return name


def _report(folder: Path) -> None:
    """Write the report of the finished steps."""
    with suppress(ProbeError, OSError), writing(folder):
        bundle: Bundle = read(folder)
        if bundle.manifest.status == "interrupted":
            bundle.write_report(drawn(bundle))
