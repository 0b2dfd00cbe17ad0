"""Run a plan and leave a bundle: step by step, so that what is finished is never lost."""

import os
import platform
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import torch

from probe import __version__
from probe.adapters import check_fit
from probe.audit import lock
from probe.audit.assessment import assess
from probe.audit.bundle import Arrays, Bundle, create, is_unused, read
from probe.audit.consistency import check_arrays, check_steps
from probe.audit.evidence import Step, steps
from probe.audit.expected import expected_steps
from probe.audit.files import leftovers
from probe.audit.manifest import DataRecord, Manifest, ModelRecord, StepRecord, TrainingRecord, tells_inputs
from probe.audit.plan import Plan, record_of
from probe.audit.readings import Reading
from probe.audit.strict import plain
from probe.audit.verification import MALFORMED
from probe.contracts import answers_as_before, of_examples, suited
from probe.dataset import Dataset
from probe.errors import ExistsError, IntegrityError, PlanError, ProbeError, RangeError, ShapeError
from probe.images import in_segments
from probe.model import Model
from probe.study.steps import Ended, Progress, carry_out
from probe.task import Classification, MultiLabel, Places, Task
from probe.tensors import among, sha256

# In place of words that may quote inputs, where the plan has none kept.
WITHHELD = 'the reason is left out, as it may quote an input; with inputs = "shown" in [bundle] it is kept'
EVIDENCE_TABLES = ("tables/groups.csv",)  # the table that is evidence; all others follow from it


def run(
    plan: Plan, model: Model, data: Dataset, folder: str | Path, *, progress: Progress = lambda step, done, total: None
) -> Bundle:
    """Audit a model and return its bundle; a folder that holds a part of the same audit is continued.

    On Ctrl-C or a full disk the steps that were finished are assessed and the bundle is marked interrupted; then the
    exception goes on.

    Raises:
        ExistsError: if the folder holds something else, or answers that the model does not give.
    """
    plan, data = plan.resolve(form=model.space.form_of(data.inputs)), suited(model, data)
    _check_names(plan, model, data)
    data = data.sample(plan.data.sample or None, plan.seed)
    model, data = in_segments(model, data, plan.data.segments)
    model = of_examples(model, data)
    manifest = describe(plan, model, data)
    folder = Path(folder)
    if (bundle := _existing(folder, manifest)) and bundle.complete:
        _check_answers(bundle, model, data)
        return bundle
    check_fit(model, data)
    with lock.writing(folder):
        # Whoever held the lock a moment ago may have written since.
        bundle = _existing(folder, manifest)
        if bundle:
            _check_answers(bundle, model, data)
        if bundle and bundle.complete:
            return bundle
        return _run(plan, model, data, _reopen(bundle) if bundle else create(folder, manifest), progress)


def _run(plan: Plan, model: Model, data: Dataset, bundle: Bundle, progress: Progress) -> Bundle:
    try:
        if data.groups is not None and not bundle.has("tables/groups.csv"):
            bundle.write_table("groups", data.groups)
        carry_out(_planned(plan, model, data, bundle), model, _Shelf(bundle), progress)
        _finalize(bundle, "complete")
    except (KeyboardInterrupt, OSError, MemoryError):
        # On a full disk the mark cannot be written either; then the last whole manifest stays, marked as running.
        with suppress(OSError, MemoryError):
            _finalize(bundle, "interrupted")
        raise
    return bundle


def check(plan: Plan, model: Model, data: Dataset) -> None:
    """Raise PlanError, or ShapeError, where the plan cannot be run."""
    _check_names(plan.resolve(form=model.space.form_of(data.inputs)), model, data)
    check_fit(model, suited(model, data))


def describe(plan: Plan, model: Model, data: Dataset) -> Manifest:
    """The head of a manifest: what was audited, on what, with what."""
    space, like = model.space, data.inputs[:1]
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
            sha256=data.digest(),
            source=data.source,
            role=data.role,
            n=len(data),
            form=dict(space.form_of(like).record()),
            shape=tuple(like.shape[1:]),
            groups=() if data.groups is None else tuple(map(str, data.groups.columns)),
            features=tuple(space.feature_names(like)),
            kinds=tuple(space.kinds),
            notices=_quotable(data.notices, plan),
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
    """The notices; where no inputs are kept, how many there were, as they may quote cells."""
    if plan.keeps_inputs or not notices:
        return tuple(notices)
    count = f"{len(notices)} notice{'s' * (len(notices) > 1)} of how this was read"
    return (f"{count}, told when the audit began, may quote inputs and {'are' if len(notices) > 1 else 'is'} left out",)


def _training(model: Model, data: Dataset) -> TrainingRecord | None:
    """The rows that the model learned from, where they are known, and how many of the audited ones are among them."""
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
    """The task with the names that its data have, where it has none."""
    return task if task.names or not isinstance(task, Classification) else task.short(classes=names)


def _check_names(plan: Plan, model: Model, data: Dataset) -> None:
    """Raise PlanError where the plan names what the data or the model lacks, before anything is run."""
    columns = [] if data.groups is None else list(map(str, data.groups.columns))
    if missing := set(plan.bias.groups or ()) - set(columns):
        there = f"it has {', '.join(columns)}" if columns else "it declares none"
        raise PlanError(f"bias.groups names {sorted(missing)[0]!r}, which is no group of {data.name}; {there}")
    if isinstance(model.task, Places):
        raise PlanError(
            f"{model.name} answers at each place, and an audit of all places at once is not made yet; audit one place "
            "at a time, as run(plan, model.only(3), data.only(3), folder), or in a plan: [model] only = 3"
        )
    if plan.data.segments and data.inputs.ndim != 4:
        raise PlanError(f"data.segments is for images, and the rows of {data.name} are none; leave it out")
    _check_outputs(plan, model.task)
    classes = _outcomes(model.task) or data.classes
    if plan.bias.positive and plan.bias.positive not in classes:
        raise PlanError(f"bias.positive = {plan.bias.positive!r} is no class; there are {', '.join(classes)}")


def _check_outputs(plan: Plan, task: Task) -> None:
    """Raise PlanError where the plan names an output, or one of several labels, that the task does not have."""
    if plan.attack.labels and not isinstance(task, MultiLabel):
        raise PlanError("attack.labels names labels, and a row of this model has one answer; leave it out")
    if twice := [label for label in plan.attack.labels if plan.attack.labels.count(label) > 1]:
        raise PlanError(f"attack.labels names {twice[0]!r} twice; name it once")
    named = [("explain.target", plan.explain.target)] if plan.explain.target else []
    for where, name in (*named, *(("attack.labels", label) for label in plan.attack.labels)):
        try:
            task.index(name)
        except RangeError as error:
            raise PlanError(f"{where}: {error}") from None


def _outcomes(task: Task) -> tuple[str, ...]:
    """What an answer can be, by name: a class, or that a label is true or not."""
    if isinstance(task, MultiLabel):
        return tuple(name for label in task.labels for name in task.only(label).classes)
    return task.names if isinstance(task, Classification) else ()


def _existing(folder: Path, manifest: Manifest) -> Bundle | None:
    """The bundle in the folder if it is of the same audit; None if there is none, and nothing in its way."""
    if not (folder / "audit.json").exists():
        if not is_unused(folder):
            raise ExistsError(f"{folder} exists, is no audit, and is left as it is; choose another --out")
        return None
    bundle = read(folder)
    old, new = plain(bundle.manifest), plain(manifest)
    parts = ("plan", "model", "data") if bundle.complete else ("plan", "model", "data", "machine")
    for part in parts:
        if differing := _difference(old[part], new[part], part):
            raise ExistsError(
                f"{folder} holds another audit ({differing}), and is left as it is; "
                "choose another folder with --out, or --replace it"
            )
    return bundle


def _check_answers(bundle: Bundle, model: Model, data: Dataset) -> None:
    """Raise ExistsError where a model whose weights cannot be seen answers otherwise than the one that was audited."""
    done = any(step.name == "predictions" and step.status == "done" for step in bundle.manifest.steps)
    if not done or model.digest() is not None:
        return
    if answers_as_before(model, data, bundle.arrays("predictions")["logits"]):
        return
    raise ExistsError(
        f"{bundle.folder} holds an audit of {model.name} when it answered otherwise, and is left as it is; "
        "choose another folder with --out, or --replace it"
    )


def _reopen(bundle: Bundle) -> Bundle:
    """Take back what was concluded from a part of the evidence: until all of it is there, nothing follows."""
    manifest, folder = bundle.manifest, bundle.folder
    kept = {file: sha for file, sha in manifest.files.items() if file in EVIDENCE_TABLES or file.startswith("arrays/")}
    try:
        for file in kept:
            bundle._bytes(file)
        check_steps(bundle)
        check_arrays(bundle)
    except MemoryError:
        raise
    except (ProbeError, *MALFORMED) as error:
        found = str(error) if isinstance(error, ProbeError) else f"{bundle.name} holds what no audit writes ({error})"
        raise IntegrityError(f"{found}; what is there cannot be continued, begin anew with --replace") from None
    # A report that is there is one that is recorded, or one that the bundle gives; at no moment is it another.
    bundle.change(report_sha256=None)
    bundle.save()
    (folder / "report.html").unlink(missing_ok=True)
    concluded = manifest.files.keys() - kept.keys()
    bundle.change(status="running", finished=None, findings=(), files=kept)
    bundle.save()
    for path in (*(folder / file for file in concluded), *leftovers(folder)):
        if not path.parent.is_symlink():
            path.unlink(missing_ok=True)
    return bundle


def _difference(old: Any, new: Any, where: str) -> str:
    """The first setting in which two manifests differ, in words; nothing where they agree."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = dict.fromkeys((*old, *new))
        return next(filter(None, (_difference(old.get(k), new.get(k), f"{where}.{k}") for k in keys)), "")
    return "" if old == new else f"{where} was {str(old)[:60]}, now {str(new)[:60]}"


@dataclass(frozen=True)
class _Shelf:
    """The bundle as the place where finished steps are kept."""

    bundle: Bundle

    def has(self, step: Step) -> bool:
        return any(done.name == step.name for done in self.bundle.manifest.steps)

    def keep(self, step: Step, made: Arrays) -> None:
        shape = self.bundle.manifest.data.shape
        kept = {name: array for name, array in made.items() if self._quotes or not tells_inputs(name, array, shape)}
        self.bundle.write_arrays(step.name, kept)

    def ended(self, step: Step, how: Ended) -> None:
        record = StepRecord(
            name=step.name,
            kind=step.planned.kind,
            id=step.planned.id,
            aspect=step.planned.aspect,
            method=step.method,
            threat=step.threat,
            answer=step.answer,
            finds=step.finds,
            title=step.title,
            label=step.planned.label,
            caption=step.caption,
            certifies=step.certifies,
            readings=tuple(map(self._told, step.readings)) if how.status == "done" else (),
            status=how.status,
            note=how.note if how.status != "error" or self._quotes else WITHHELD,
            seconds=round(how.seconds, 2),
            forward=how.cost.forward,
            backward=how.cost.backward,
        )
        self.bundle.change(steps=(*self.bundle.manifest.steps, record))
        self.bundle.save()

    @property
    def _quotes(self) -> bool:
        return self.bundle.manifest.plan.keeps_inputs

    def _told(self, reading: Reading) -> Reading:
        return replace(reading, why=WITHHELD) if reading.why and not self._quotes else reading


def _planned(plan: Plan, model: Model, data: Dataset, bundle: Bundle) -> Iterator[Step]:
    """The steps of a plan, which are those that a verifier expects."""
    for name, step in zip(expected_steps(bundle.manifest.plan), steps(plan, model, data), strict=True):
        assert name == step.name, f"{step.name} runs where a verifier expects {name}"
        yield step


def _finalize(bundle: Bundle, status: Literal["complete", "interrupted"]) -> None:
    assessment = assess(bundle)
    for name, table in assessment.tables.items():
        bundle.write_table(name, table)
    bundle.change(
        findings=tuple(assessment.findings),
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        status=status,
        report_sha256=None,  # one of what had been finished before is out of date now
    )
    bundle.save()
