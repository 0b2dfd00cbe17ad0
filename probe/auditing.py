"""A whole audit in one call: the plan, the run, the verification and the report."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from probe.audit.bundle import Bundle
from probe.audit.plan import Plan, plan_from
from probe.audit.runner import run
from probe.audit.verification import verify
from probe.dataset import Dataset
from probe.errors import PlanError
from probe.lock import writing
from probe.model import Model
from probe.report import render

Progress = Callable[[str, int, int], None]


def audit(
    model: Model, data: Dataset, folder: str | Path, /, *, progress: Progress = lambda *_: None, **sections: Any
) -> Bundle:
    """Audit a model on a dataset, into a folder with the evidence, the findings and report.html.

    >>> from tempfile import TemporaryDirectory
    >>> import torch
    >>> import probe
    >>> model = probe.Model(forward=lambda x: 4 * torch.cat([x, 1 - x], 1), classes=("high", "low"))
    >>> x = torch.linspace(0, 1, 50)[:, None]
    >>> data = probe.Dataset(x, (x[:, 0] < 0.5).long(), classes=("high", "low"))
    >>> with TemporaryDirectory() as runs:
    ...     bundle = probe.audit(model, data, f"{runs}/mine", explain={"methods": []}, attack={"eps": ["0.1"]})
    ...     bundle.table("findings")[["check", "status"]].values.tolist()[:2]
    [['accuracy', 'pass'], ['calibration error', 'inconclusive']]

    A folder that holds a part of the same audit is continued; one that holds all of it is verified and shown again.

    Args:
        model: what is audited.
        data: the rows that it is audited on, with labels.
        folder: what the audit is written into; its name is the name of the audit, unless `name` says another.
        progress: told the step, the examples that are done, and how many there are.
        sections: the sections of a plan, by name: explain, attack, bias, checks, data, seed. Each key has a default.

    Returns:
        The bundle: `bundle.table("findings")` holds the findings, `bundle.folder` the files.

    Raises:
        PlanError: if a section or key is none of a plan's.
        ExistsError: if the folder holds something else.
        IntegrityError: if the folder holds an audit that was changed.
    """
    plan = plan_from({"name": Path(folder).name} | sections, sources=False)
    _check_given(plan)
    bundle = run(plan, model, data, folder, progress=progress)
    verify(bundle.folder)
    if not bundle.manifest.report_sha256:
        with writing(bundle.folder):
            bundle.write_report(render(bundle))
    return bundle


def _check_given(plan: Plan) -> None:
    """Raise PlanError if a section sets what the given model and data define themselves."""
    if plan.sourced:
        return
    kept = {"sample", "segments"}  # keys that say how data are used
    for section in (plan.model, plan.data):
        usual, where = vars(type(section)()), "data" if section is plan.data else "model"
        if said := [key for key, value in vars(section).items() if key not in kept and value != usual[key]]:
            raise PlanError(f"[{where}] has {said[0]}, and the {where} is given as an object; set it there instead")
