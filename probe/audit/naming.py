"""Whether a model and its data have what a plan names."""

from probe.audit.plan import Plan
from probe.dataset import Dataset
from probe.errors import PlanError, RangeError
from probe.model import Model
from probe.task import Classification, MultiLabel, Places, Task


def check_names(plan: Plan, model: Model, data: Dataset) -> None:
    """Raise PlanError if the plan names something that the data or the model lacks, before anything is run."""
    columns = [] if data.groups is None else list(map(str, data.groups.columns))
    if missing := set(plan.bias.groups or ()) - set(columns):
        there = f"it has {', '.join(columns)}" if columns else "it declares none"
        raise PlanError(f"bias.groups names {sorted(missing)[0]!r}, which is not a group of {data.name}; {there}")
    if isinstance(model.task, Places):
        raise PlanError(
            f"{model.name} answers at each place, and all places cannot be audited at once; audit one place "
            "at a time, as run(plan, model.only(3), data.only(3), folder), or in a plan: [model] only = 3"
        )
    if plan.data.segments and data.inputs.ndim != 4:
        raise PlanError(f"data.segments is for images, and the rows of {data.name} are not images; leave it out")
    _check_outputs(plan, model.task)
    classes = _outcomes(model.task) or data.classes
    if plan.bias.positive and plan.bias.positive not in classes:
        raise PlanError(f"bias.positive = {plan.bias.positive!r} is not a class; there are {', '.join(classes)}")


def _check_outputs(plan: Plan, task: Task) -> None:
    """Raise PlanError if the plan names an output, or one of several labels, that the task lacks."""
    if plan.attack.labels and not isinstance(task, MultiLabel):
        raise PlanError(
            "attack.labels is for a model with several labels, and this model has one answer for each row; leave it out"
        )
    if twice := [label for label in plan.attack.labels if plan.attack.labels.count(label) > 1]:
        raise PlanError(f"attack.labels names {twice[0]!r} twice; name it once")
    named = [("explain.target", plan.explain.target)] if plan.explain.target else []
    for where, name in (*named, *(("attack.labels", label) for label in plan.attack.labels)):
        try:
            task.index(name)
        except RangeError as error:
            raise PlanError(f"{where}: {error}") from None


def _outcomes(task: Task) -> tuple[str, ...]:
    """The names of the possible answers: classes, or for a label whether it is true."""
    if isinstance(task, MultiLabel):
        return tuple(name for label in task.labels for name in task.only(label).classes)
    return task.names if isinstance(task, Classification) else ()
