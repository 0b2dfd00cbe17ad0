"""Open the model and the data that a plan or an argument names. Only this module of probe reads the zoo."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from probe_models.device import device_of
from torch import nn

from probe import adapters, zoo
from probe.audit.plan import Plan, plan_from, read_plan
from probe.cli import own_tables
from probe.cli.data_sources import Reader, data_of
from probe.cli.model_sources import begin
from probe.cli.said import Said
from probe.cli.training_rows import learned, unlike
from probe.contracts import suited
from probe.dataset import Dataset
from probe.errors import PlanError, Unsupported
from probe.model import Model
from probe.task import Regression, Single, Task


def plan_of(name: str) -> Plan:
    """The default plan of a network of the zoo, or of a folder that `probe train` wrote."""
    where = str(Path(name).resolve()) if "/" in name else name
    return _with_favourable(plan_from({"name": Path(name).name, "model": {"zoo": where}}))


def plan_in(path: Path) -> Plan:
    """The plan in a TOML file."""
    return _with_favourable(read_plan(path))


def _with_favourable(plan: Plan) -> Plan:
    """The plan, with the favourable class of the zoo's data where it names none."""
    data = plan.data
    if plan.bias.positive or data.own or not (data.zoo or plan.model.zoo):
        return plan
    favourable = zoo.favourable(data.zoo or data_of(plan.model.zoo))
    if not zoo.task(data.zoo or data_of(plan.model.zoo)).one_class:
        return plan  # numbers are compared as they are
    if favourable:
        return replace(plan, bias=replace(plan.bias, positive=favourable))
        # Without a favourable class there is no worse treatment to measure.
    return replace(plan, bias=replace(plan.bias, groups=plan.bias.groups or ()))


def open_named(
    name: str,
    plan: Path | None,
    *,
    allow_code: bool = False,
    device: str = "",
    said: Said | None = None,
    learned: bool = False,
) -> tuple[Model, Dataset]:
    """The model and the data of a command: a name or folder of the zoo, or a plan; with `learned`, with training rows.

    Raises:
        PlanError: unless exactly one of the two is given.
    """
    if bool(name) == (plan is not None):
        raise PlanError("name one model: a network of the zoo such as adult-mlp, its folder, or --plan plan.toml")
    named = plan_of(name) if plan is None else plan_in(plan)
    if learned and not (named.data.train or named.data.own):
        named = replace(named, data=replace(named.data, train="train"))
    return open_both((said or Said()).into(named), allow_code=allow_code, device=device)


def open_both(plan: Plan, *, allow_code: bool = False, device: str = "") -> tuple[Model, Dataset]:
    """The model and the data of a plan. Code that the plan names is run only with `allow_code`.

    Raises:
        PlanError: if the model is a factory and code is not allowed.
        Unsupported: if the model cannot compute on the device.
    """
    for key, code in (("model", plan.model.factory), ("shadow models", plan.model.trainer)):
        if code and not allow_code:
            raise PlanError(
                f"{plan.name} takes its {key} from {code}, whose code would be run; "
                "look at that code, and then allow it: --allow-code"
            )
    begun = begin(plan)
    if plan.model.tolerance is not None and not isinstance(begun.labels, Regression):
        remedy = "leave it out" if plan.model.zoo else 'add task = "regression"'
        raise PlanError(f"[model] has tolerance, which only a regression takes; {remedy}")
    read = Reader(plan, begun)
    data = read(plan.data)
    model = begun.finish(data)
    if plan.data.csv and begun.texts is None:
        model, data = own_tables.suited(model, data)
    if plan.data.role:
        data = replace(data, role=plan.data.role)
    model = replace(model, task=_tuned(plan, model))
    if plan.model.batch_size:
        model = replace(model, batch_size=plan.model.batch_size)
    if plan.model.only is not None:
        model, data = one_answer(model, data, plan.model.only)
    named = "data.classes" if model.task.one_class else "the columns of data.label"
    model.task.check_names(data.classes, "the data's", f"name {named} in the model's order")
    if device:
        model = _placed(model, device)
    data = suited(model, data)
    if plan.data.train:
        inputs, labels, said = learned(plan.data, data, begun.labels, read)
        model = replace(model, training=(model.cast(inputs), labels))
        data = replace(data, notices=(*data.notices, *said))
    if plan.data.outliers:
        data = unlike(plan.data, data, read)
    adapters.check_fit(model, data)
    return replace(model, trainer=_trainer(plan)), data


def _trainer(plan: Plan) -> Callable[..., Any] | None:
    """What trains models like that of the plan, where the plan or the zoo says so."""
    if plan.model.only is not None:
        return None
    if plan.model.trainer:
        return adapters.function_of(plan.model.trainer)
    return partial(_train, plan.model.zoo) if plan.model.zoo in zoo.names() else None


def _train(name: str, data: Dataset, seed: int = 0) -> Model:
    """A model trained as one of the zoo; what trains is loaded only when it is asked, as it takes time and memory."""
    return zoo.trainer(name)(data, seed)


def _tuned(plan: Plan, model: Model) -> Task:
    """The model's task with the threshold or the tolerance that the plan names."""
    source, task = plan.model, model.task
    if source.threshold is not None:
        task = task.short(threshold=source.threshold)
    if source.tolerance is not None:
        task = task.short(tolerance=source.tolerance)
    return task


def one_answer(model: Model, data: Dataset, answer: str | int) -> tuple[Model, Dataset]:
    """The model and its data, reduced to one of several answers per row: a label by name, a place by number.

    Raises:
        RangeError: if there is no such answer.
        Unsupported: where a row has one answer alone.
    """
    text = str(answer)
    only = model.only(int(text) if text.isdecimal() and text.isascii() and text not in model.task.names else text)
    assert isinstance(only.task, Single), "one of several answers"
    return only, data.only(only.task.at)


def _placed(model: Model, device: str) -> Model:
    """The model on a device. Its module may be moved: it was opened here and is not shared."""
    place = device_of(device)
    if not isinstance(model.forward, nn.Module):
        if place.type == "cpu":
            return model
        raise Unsupported(
            f"{model.name} is a black box, which cannot be moved to a device; leave --device {device} out"
        )
    model.forward.to(place)
    if isinstance(model.embed, nn.Module):
        model.embed.to(place)
    return model
