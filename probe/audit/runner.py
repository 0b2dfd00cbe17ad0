"""Run a plan and leave a bundle: step by step, so that what is finished is never lost."""

import os
import platform
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from copy import copy
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from probe import __version__
from probe.audit.bundle import Bundle, create, read
from probe.audit.evidence import Step, steps
from probe.audit.findings import assess
from probe.audit.plan import Plan
from probe.dataset import Dataset
from probe.errors import ExistsError, PlanError, ProbeError, Unsupported
from probe.model import Model
from probe.study import check_fit

KEPT = ("tables/groups.csv",)  # the table that is evidence; all others follow from it

Progress = Callable[[str, int, int], None]  # step, examples done, examples in all


def run(
    plan: Plan, model: Model, data: Dataset, folder: str | Path, *, progress: Progress = lambda step, done, total: None
) -> Bundle:
    """Audit a model and return its bundle; a folder that holds a part of the same audit is continued.

    On Ctrl-C or a full disk the steps that were finished are assessed and the bundle is marked interrupted; then the
    exception goes on.

    Raises:
        ExistsError: if the folder holds something else.
    """
    plan = plan.resolve(form=model.space.form_of(data.inputs))
    _check_names(plan, model, data)
    data = data.sample(plan.data.sample or None, plan.seed)
    manifest = describe(plan, model, data)
    bundle = _begun(Path(folder), manifest)
    if bundle and bundle.complete:
        return bundle
    check_fit(model, data)
    bundle = _reopen(bundle) if bundle else create(folder, manifest)
    try:
        if data.groups is not None and not bundle.has("tables/groups.csv"):
            bundle.write_table("groups", data.groups)
        for step in steps(plan, model, data):
            if not _finished(bundle, step):
                _record(bundle, step, model, progress)
        _conclude(bundle, "complete")
    except (KeyboardInterrupt, OSError):
        # On a full disk the mark cannot be written either; then the last whole manifest stays, marked as running.
        with suppress(OSError):
            _conclude(bundle, "interrupted")
        raise
    return bundle


def check(plan: Plan, model: Model, data: Dataset) -> None:
    """Raise PlanError, or ShapeError, where the plan cannot be run."""
    _check_names(plan.resolve(form=model.space.form_of(data.inputs)), model, data)
    check_fit(model, data)


def describe(plan: Plan, model: Model, data: Dataset) -> dict[str, Any]:
    """The head of a manifest: what was audited, on what, with what."""
    space, like = model.space, data.inputs[:1]
    return {
        "name": plan.name,
        "plan": plan.to_json(),
        "model": {
            "name": model.name,
            "sha256": model.digest(),
            "classes": list(model.classes or data.classes),
            "threshold": model.threshold,
            "notices": list(model.notices) or None,
        },
        "data": {
            "name": data.name,
            "sha256": data.digest(),
            "source": data.source,
            "n": len(data),
            "form": space.form_of(like),
            "shape": list(like.shape[1:]),
            "groups": [] if data.groups is None else list(map(str, data.groups.columns)),
            "features": list(space.feature_names(like)),
            "kinds": list(space.kinds),
            "notices": list(data.notices) or None,
        },
        "machine": {
            "device": str(model.device),
            "processor": platform.machine(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "probe": __version__,
            **{name: version(name) for name in ("torch", "numpy", "captum")},
        },
    }


def _check_names(plan: Plan, model: Model, data: Dataset) -> None:
    """Raise PlanError where the plan names what the data or the model lacks, before anything is run."""
    columns = [] if data.groups is None else list(map(str, data.groups.columns))
    if missing := set(plan.bias.groups or ()) - set(columns):
        there = f"it has {', '.join(columns)}" if columns else "it declares none"
        raise PlanError(f"bias.groups names {sorted(missing)[0]!r}, which is no group of {data.name}; {there}")
    classes = model.classes or data.classes
    if plan.bias.positive and plan.bias.positive not in classes:
        raise PlanError(f"bias.positive = {plan.bias.positive!r} is no class; there are {', '.join(classes)}")


def _begun(folder: Path, manifest: Mapping[str, Any]) -> Bundle | None:
    """The bundle in the folder if it is of the same audit; None if there is none."""
    if not (folder / "audit.json").exists():
        return None
    bundle = read(folder)
    parts = ("plan", "model", "data") if bundle.complete else ("plan", "model", "data", "machine")
    for part in parts:
        if differing := _difference(bundle.manifest[part], manifest[part], part):
            raise ExistsError(
                f"{folder} holds another audit ({differing}), and is left as it is; "
                "choose another folder with --out, or --replace it"
            )
    return bundle


def _reopen(bundle: Bundle) -> Bundle:
    """Take back what was concluded from a part of the evidence: until all of it is there, nothing follows."""
    files = {name: sha for name, sha in bundle.manifest["files"].items() if name in KEPT or name.startswith("arrays/")}
    bundle.manifest.update(status="running", findings=[], files=files)
    bundle.save()
    return bundle


def _difference(old: Any, new: Any, where: str) -> str:
    """The first setting in which two manifests differ, in words; nothing where they agree."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = dict.fromkeys((*old, *new))
        return next(filter(None, (_difference(old.get(k), new.get(k), f"{where}.{k}") for k in keys)), "")
    return "" if old == new else f"{where} was {str(old)[:60]}, now {str(new)[:60]}"


def _finished(bundle: Bundle, step: Step) -> bool:
    return any(done["name"] == step.name for done in bundle.manifest["steps"])


def _record(bundle: Bundle, step: Step, model: Model, progress: Progress) -> None:
    """Run one step, and write down how it ended."""
    done, before, started = 0, copy(model.usage), time.perf_counter()

    def tick(examples: int) -> None:
        nonlocal done
        done += examples
        progress(step.name, done, step.total)

    progress(step.name, 0, step.total)
    status, note = "done", ""
    try:
        bundle.write_arrays(step.name, step.work(tick))
    except Unsupported as error:
        status, note = "not run", str(error)
    except ProbeError as error:
        status, note = "error", str(error)
    cost = model.usage - before
    bundle.manifest["steps"].append(
        {
            "name": step.name,
            "lens": step.lens,
            "method": step.method,
            "moves": step.moves,
            "title": step.title,
            "checks": step.checks,
            "status": status,
            "note": note,
            "seconds": round(time.perf_counter() - started, 2),
            "forward": cost.forward,
            "backward": cost.backward,
        }
    )
    bundle.save()
    progress(step.name, step.total, step.total)


def _conclude(bundle: Bundle, status: str) -> None:
    assessment = assess(bundle)
    for name, table in assessment.tables.items():
        bundle.write_table(name, table)
    bundle.manifest["findings"] = [finding.to_json() for finding in assessment.findings]
    bundle.manifest["finished"] = datetime.now(UTC).isoformat(timespec="seconds")
    bundle.manifest["status"] = status
    # A report of what had been finished before is out of date now.
    bundle.manifest.pop("report_sha256", None)
    bundle.save()
