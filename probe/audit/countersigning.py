"""Run a random tenth of an audit again, and sign how far the results agree."""

import platform
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from probe.audit.bundle import Bundle
from probe.audit.evidence import steps
from probe.audit.manifest import StepRecord
from probe.audit.plan import Plan
from probe.audit.preparing import prepared
from probe.audit.signing import keys
from probe.audit.signing.countersignatures import (
    COMPARED,
    TOLERANCE,
    Again,
    Countersignature,
    check_second,
    chosen,
    comparable,
    rows_of,
    too_many,
    write,
)
from probe.contracts import predict
from probe.dataset import Dataset
from probe.errors import IntegrityError, PlanError
from probe.model import Model
from probe.study.steps import Progress
from probe.tensors import to_numpy


def countersign(
    bundle: Bundle,
    key: str | Path,
    plan: Plan,
    model: Model,
    data: Dataset,
    *,
    progress: Progress = lambda step, done, total: None,
) -> Countersignature:
    """Run a tenth of the rows of each step again, compare, and sign the result in a file beside the bundle.

    Args:
        bundle: one that was verified.
        key: the second auditor's private key, of the kinds that `sign` takes.
        plan: the plan of the bundle.
        model: the model that was audited.
        data: the rows that were audited, as the plan opens them.
        progress: told of each step.

    Raises:
        PlanError: if the audit is not complete, or the key signed it itself.
        IntegrityError: if model or data are others, or more rows differ than another processor can explain.
    """
    if not bundle.complete:
        raise PlanError(f"{bundle.name} is {bundle.manifest.status}; it has to be complete to be counter-signed")
    held = keys.opened(key)
    check_second(bundle, held.fingerprint)
    plan, model, data = prepared(plan, model, data)
    for part, given in (("model", model.digest()), ("data", data.digest(planted=True))):
        if given != getattr(bundle.manifest, part).sha256:
            raise IntegrityError(f"the {part} is not the one that was audited: its digest differs")
    found = _again(bundle, held.fingerprint, (plan, model, data), progress)
    if too_many(found):
        first = next(each for each in found if each.differing)
        many = sum(len(each.differing) for each in found)
        raise IntegrityError(
            f"{many} of {sum(len(each.rows) for each in found)} rows that were run again differ by more than "
            f"{TOLERANCE:g}, first row {first.differing[0]} of {first.step}; nothing was signed"
        )
    return write(bundle, held, found, f"{platform.machine()}, {model.device}, torch {torch.__version__}")


def _again(bundle: Bundle, key: str, subject: tuple[Plan, Model, Dataset], progress: Progress) -> list[Again]:
    plan, model, data = subject
    wanted = {step.name: step for step in comparable(bundle)}
    attacked = {row for step in wanted.values() if step.kind == "attack" for row in rows_of(bundle, step)}

    def tenth(section: str, rows: Any) -> Any:
        # An attack may have ended before it asked all.
        there = [row for row in rows.tolist() if section != "attack" or row in attacked]
        return torch.tensor(chosen(bundle.manifest.digest, key, there), dtype=torch.long)

    plan = replace(plan, attack=replace(plan.attack, until_decided=0))  # each of these rows
    found = []
    for step in steps(plan, model, data, tenth):
        if step.name not in wanted:
            continue
        record = wanted[step.name]
        rows = rows_of(bundle, record)
        few = chosen(bundle.manifest.digest, key, rows)
        progress(step.name, 0, len(few))
        if record.kind == "predictions":
            part = data[torch.tensor(few, dtype=torch.long)]
            made: Mapping[str, Any] = {"logits": to_numpy(predict(model, part).logits)}
        else:
            made = step.work(lambda _: None)
        found.append(Again(step=step.name, of=len(rows), rows=few, differing=_differing(bundle, record, few, made)))
    return found


def _differing(bundle: Bundle, step: StepRecord, few: tuple[int, ...], made: Mapping[str, Any]) -> tuple[int, ...]:
    """The rows whose results are not those of the bundle."""
    stored = bundle.arrays(step.name)
    place = {row: at for at, row in enumerate(rows_of(bundle, step))}
    at = [place[row] for row in few]
    differs = np.zeros(len(few), dtype=bool)
    for name, axis in COMPARED[step.kind].items():
        if name not in stored:
            continue
        before, after = (np.moveaxis(np.asarray(each), axis, 0) for each in (stored[name], made[name]))
        whole, before = before, before[at]
        if before.shape != after.shape:
            raise IntegrityError(f"{name} of {step.name} has another shape when it is run again")
        differs |= _apart(before, after, whole).reshape(len(few), -1).any(1)
    return tuple(row for row, off in zip(few, differs.tolist(), strict=True) if off)


def _apart(before: Any, after: Any, whole: Any) -> Any:
    if before.dtype.kind != "f":
        return before != after
    finite = np.abs(whole[np.isfinite(whole)])
    limit = TOLERANCE * float(finite.max()) if finite.size else 0.0
    return ~np.isclose(before, after, rtol=TOLERANCE, atol=limit, equal_nan=True)
