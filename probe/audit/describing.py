"""The head of a manifest: what was audited, on what, with what."""

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version

import torch

from probe.audit.manifest import DataRecord, Manifest, ModelRecord, TrainingRecord, UnitsRecord
from probe.audit.plan import Plan, record_of
from probe.dataset import Dataset
from probe.errors import ShapeError
from probe.model import Model
from probe.task import Classification, Task
from probe.tensors import among, sha256
from probe.units import measures
from probe.version import __version__


def describe(plan: Plan, model: Model, data: Dataset) -> Manifest:
    """The head of a manifest: plan, model, data and machine."""
    space, like = model.space, data.inputs[:1]
    level, scale = measures(space, like)
    return Manifest(
        name=plan.name,
        status="running",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        plan=record_of(plan),
        model=ModelRecord(
            name=model.name,
            sha256=model.digest(),
            classes=tuple(model.task.names or data.classes),
            task=_named(model.task, data.classes).to_json(),
            training=_training(model, data),
            notices=_quotable(model.notices, plan),
        ),
        data=DataRecord(
            name=data.name,
            sha256=data.digest(planted=True),
            source=data.source,
            role=data.role,
            n=len(data),
            form=dict(space.form_of(like).record()),
            shape=tuple(like.shape[1:]),
            groups=() if data.groups is None else tuple(map(str, data.groups.columns)),
            features=tuple(space.feature_names(like)),
            kinds=tuple(space.kinds),
            notices=_quotable(data.notices, plan),
            units=UnitsRecord(level=level, scale=scale),
        ),
        machine={
            "device": str(model.device),
            "processor": platform.machine(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "probe": __version__,
            **{name: version(name) for name in ("torch", "numpy")},
        },
    )


def _quotable(notices: Sequence[str], plan: Plan) -> tuple[str, ...]:
    """The notices; only their number if no inputs are kept, as notices may quote cells."""
    if plan.keeps_inputs or not notices:
        return tuple(notices)
    count = f"{len(notices)} notice{'s' * (len(notices) > 1)} about how the data were read"
    return (
        f"{count}, shown when the audit began, may quote inputs and {'are' if len(notices) > 1 else 'is'} left out",
    )


def _training(model: Model, data: Dataset) -> TrainingRecord | None:
    """The model's training rows, if they are known, and how many of the audited rows are among them."""
    if model.training is None:
        return None
    inputs, labels = (torch.as_tensor(part) for part in model.training)
    if inputs.shape[1:] != data.inputs.shape[1:]:
        raise ShapeError(
            f"the training rows of {model.name} have shape {tuple(inputs.shape[1:])}, and those of {data.name} "
            f"{tuple(data.inputs.shape[1:])}; give them as the model reads them"
        )
    shared = int(among(data.inputs, inputs).sum())
    return TrainingRecord(n=len(inputs), sha256=sha256({"inputs": inputs, "labels": labels}), shared=shared)


def _named(task: Task, names: tuple[str, ...]) -> Task:
    """The task, with the data's names if it has none."""
    return task if task.names or not isinstance(task, Classification) else task.short(classes=names)
