"""A bundle written by hand: arrays that anybody can check in their head, and no model."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from probe import Model, Space
from probe.audit import Bundle, plan_from, read
from probe.audit.expected import Planned, metrics_of, planned
from probe.audit.manifest import PlanRecord
from probe.audit.plan import record_of
from probe.registry import discover
from tests.audit.forging import Forged


def reading(name: str, threshold: float | None) -> dict[str, Any]:
    """What an audit writes of a metric that was taken."""
    metric, model = discover("metric")[name](), Model(forward=lambda x: x, space=Space())
    return {
        "metric": name, "settings": metric.config(), "reduction": metric.reduction, "unit": metric.unit,
        "direction": metric.direction, "threshold": threshold, "title": metric.title or name.replace("_", " "),
        "notes": dict(metric.notes(model)), "status": "done", "why": "", "apart": False,
    }  # fmt: skip


def bundle(folder: Path, arrays: dict[str, dict[str, Any]], groups: pd.DataFrame | None = None, **plan: Any) -> Bundle:
    """A bundle of two classes whose steps have the arrays of that name."""
    resolved = plan_from({"name": folder.name, "model": {"zoo": "any"}, **plan}).resolve(form="table")
    n = len(arrays["predictions"]["labels"])
    data = {"name": "made up", "sha256": "d" * 64, "source": "a test", "n": n, "shape": [2], "kinds": [], "notices": []}
    data |= {"form": {"name": "table"}, "role": "unknown", "features": ["a", "b"]}
    data["groups"] = [] if groups is None else list(groups.columns)
    task = {"kind": "classification", "classes": ["no", "yes"], "threshold": None, "outputs": "logits"}
    model = {"name": "m", "sha256": "e" * 64, "classes": ["no", "yes"], "notices": [], "task": task}
    model["training"] = None
    for part in ("arrays", "tables"):
        (folder / part).mkdir(parents=True)
    manifest = {"schema": 4, "name": folder.name, "status": "complete", "created": "", "finished": None}
    manifest |= {"plan": resolved.to_json(), "model": model, "data": data, "machine": {"device": "cpu", "probe": "0"}}
    manifest |= {"steps": [], "findings": [], "files": {}, "contents": {}}
    made = Forged(folder, manifest | {"evidence_digest": "", "digest": "", "report_sha256": None})
    if groups is not None:
        made.write_table("groups", groups)
    plan_record = record_of(resolved)
    for step in planned(plan_record):
        made.write_arrays(step.name, arrays[step.name])
        made.manifest["steps"].append(_step(step, plan_record, arrays[step.name]))
    made.save()
    return read(folder)


def _step(step: Planned, plan: PlanRecord, arrays: dict[str, Any]) -> dict[str, Any]:
    names = [] if step.kind == "instances" else [metric for metric, _ in metrics_of(plan, step.kind)]
    record = {"name": step.name, "kind": step.kind, "id": step.id, "aspect": step.aspect, "method": dict(step.method)}
    record["readings"] = [reading(name, plan.threshold(name)) for name in names if f"measured-{name}" in arrays]
    of_attack = step.kind == "attack"
    record["threat"] = {"unit": "radius", "counted": False, "axis": "linf", "note": ""} if of_attack else None
    record["title"] = str(step.method["method"]).upper() if of_attack else ""
    record["answer"] = "wrong" if of_attack else ""
    record["finds"] = discover("attack")[step.method["method"]].finds if of_attack else ""
    return record | {
        "label": "",
        "caption": "",
        "certifies": "",
        "status": "done",
        "note": "",
        "seconds": 0.1,
        "forward": 1,
        "backward": 0,
    }


def pairs(own: list[float], other: list[float]) -> np.ndarray[Any, Any]:
    """Evidence of two columns."""
    return np.stack([np.array(own), np.array(other)], axis=1)
