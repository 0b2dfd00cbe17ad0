"""The model that a plan names, a function for each source; what can be known of it is known before data are read."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from probe import adapters, zoo
from probe.audit.plan import Plan
from probe.cli import own_tables
from probe.cli.app import print_err
from probe.dataset import Dataset
from probe.errors import PlanError
from probe.model import Model
from probe.names import a_kind
from probe.space import Space
from probe.task import Classification, MultiLabel, Regression, Task

LISTED = 20  # the most classes that a sentence lists


@dataclass(frozen=True)
class Begun:
    """A model before its data are read."""

    finish: Callable[[Dataset], Model]
    labels: Task | None = None  # what the labels of rows are, as the plan or the model says; None: classes
    shape: tuple[int, ...] = ()  # channels, height and width of the images that it reads, where it says so
    texts: Model | None = None  # where it reads texts: what it is
    truths: tuple[tuple[str, ...], ...] = ()  # of each label of an estimator its two values, unless they are 0 and 1


def begin(plan: Plan) -> Begun:
    """Open what a plan names.

    Raises:
        PlanError: where the plan says of it what its source says by itself.
    """
    source = plan.model
    named = next(key for key in ("zoo", "onnx", "timm", "transformers", "factory") if getattr(source, key))
    if named == "zoo" and is_bare(source.zoo):
        return _bare(plan)
    return {"zoo": _zoo, "onnx": _onnx, "timm": _timm, "transformers": _transformers, "factory": _factory}[named](plan)


def is_bare(name: str) -> bool:
    """Whether this is a folder with an architecture and weights but without a card that names the training data."""
    return bool(name) and (Path(name) / "config.json").is_file() and not (Path(name) / "card.json").exists()


def listed(classes: tuple[str, ...]) -> str:
    """The first of them, in a sentence."""
    return ", ".join(classes[:LISTED]) + ", ..." * (len(classes) > LISTED)


def _zoo(plan: Plan) -> Begun:
    _refuse(plan, "the card of a zoo network already gives", "task", "outputs", "part")
    model = zoo.load(plan.model.zoo)
    return Begun(lambda data: model, model.task, _image(model.space))


def _bare(plan: Plan) -> Begun:
    from probe_models.zoo.folder import network_in

    network, embed = network_in(Path(plan.model.zoo))

    def finish(data: Dataset) -> Model:
        return replace(_module(plan, network, data), embed=embed)

    return Begun(finish, plan.model.meaning())


def _onnx(plan: Plan) -> Begun:
    """With what the file says of itself, where `probe export` wrote it and the plan says nothing else."""
    source, said = plan.model, plan.model.meaning()
    own = adapters.told(source.onnx)
    meant = own.task if said is None and own.task is not None and own.task.names else None

    def finish(data: Dataset) -> Model:
        task = meant or _meaning(plan, data)
        classes = data.classes if task is None else ()
        space = own.space or data.space
        opened = adapters.from_onnx(source.onnx, space, classes, plan.name, task=task, part=source.part)
        return opened if meant else _in_order_of(plan, opened)

    return Begun(finish, said or own.task, _image(own.space))


def _image(space: Space | None) -> tuple[int, ...]:
    """Channels, height and width of the images of a space."""
    reference = None if space is None else space.reference
    return tuple(reference.shape[1:]) if reference is not None and reference.ndim == 4 else ()


def _timm(plan: Plan) -> Begun:
    source, own = plan.model, adapters.timm_classes(plan.model.timm)
    _refuse(plan, "does not apply to a network of timm: it returns one tensor", "part")

    def finish(data: Dataset) -> Model:
        classes = plan.data.classes or own or _names(plan, data)
        model = adapters.from_timm(
            source.timm, source.weights or None, classes, plan.name, task=source.meaning(classes)
        )
        model = replace(model, space=data.space)
        return model if own else _in_order_of(plan, model)

    return Begun(finish, source.meaning(), (3, *adapters.timm_size(source.timm)))


def _transformers(plan: Plan) -> Begun:
    """Of Hugging Face, with the space of its images, and the data's names of outputs where it names none."""
    _refuse(plan, "does not apply to a folder of transformers: its outputs are the logits", "part")
    model = adapters.from_transformers(plan.model.transformers, name=plan.name, task=plan.model.meaning())
    reference = model.space.reference
    shape = () if reference is None or model.embed is not None else tuple(reference.shape[1:])

    def finish(data: Dataset) -> Model:
        fitted = model if model.embed is not None else replace(model, space=data.space)
        names, found = model.task.names, _names(plan, data)
        if not names or not are_numbered(names) or len(names) != len(found):
            return replace(fitted, task=model.task.called(found))
        return _in_order_of(plan, replace(fitted, task=model.task.short(**{model.task.units[1]: found})))

    return Begun(finish, model.task, shape, texts=model if model.embed is not None else None)


def are_numbered(names: tuple[str, ...]) -> bool:
    """Whether the outputs have only the default names of transformers, LABEL_0, LABEL_1, ..."""
    return all(re.fullmatch(r"LABEL_\d+", name) for name in names)


def _factory(plan: Plan) -> Begun:
    source = plan.model
    print_err(f"probe: importing {source.factory}, which runs its code")
    made = adapters.from_factory(source.factory, source.weights or None)
    if isinstance(made, nn.Module):
        return Begun(partial(_module, plan, made), source.meaning())
    kind = type(made).__name__
    _refuse(plan, f"is for networks, and a {kind} has predict_proba or predict", "part")
    if source.outputs not in ("", "probabilities"):
        raise PlanError(
            f"[model] has outputs, and the outputs of a {kind} are known to be probabilities or "
            "numbers; leave outputs out"
        )
    said, found = source.meaning(), adapters.task_of(made)
    if said is not None and found is not None and source.task and said.kind != found.kind:
        raise PlanError(f'[model] has task = "{source.task}", and a {kind} predicts {found.units[1]}; leave task out')
    if found is None and callable(getattr(made, "predict_proba", None)):
        return _asked_for_probabilities(plan, made)
    task = found or said

    def finish(data: Dataset) -> Model:
        rows = own_tables.rows_of(plan.data, data) if plan.data.csv else None
        own = said.called(_names(plan, data)) if isinstance(said, Regression) else None
        model = adapters.from_estimator(
            made, data.space, _names(plan, data), plan.name, rows=rows, threshold=source.threshold, task=own
        )
        noticed = [] if rows is None else own_tables.read_otherwise(made, rows)
        return replace(model, notices=(*model.notices, *noticed))

    truths = adapters.labels_of(made) if isinstance(found, MultiLabel) else []
    own = tuple(() if {*values} <= {0, 1} else tuple(map(str, values)) for values in truths)
    return Begun(finish, task, truths=own)


def _asked_for_probabilities(plan: Plan, made: Any) -> Begun:
    """What has `predict_proba` and does not say what of."""
    source, task = plan.model, plan.model.meaning()
    if not isinstance(task, Classification | MultiLabel | None) or source.task == "places":
        raise PlanError(
            f'[model] has task = "{source.task}", and {a_kind(made)} has predict_proba, '
            "which is for classes or labels; leave task out, or return a torch.nn.Module"
        )
    labelled = replace(task, outputs="probabilities") if isinstance(task, MultiLabel) else None

    def finish(data: Dataset) -> Model:
        model = adapters.from_predict_proba(made.predict_proba, data.space, data.classes, plan.name, task=labelled)
        return _in_order_of(plan, model)

    return Begun(finish, task)


def _module(plan: Plan, module: nn.Module, data: Dataset) -> Model:
    task = _meaning(plan, data)
    classes = data.classes if task is None else ()
    return _in_order_of(
        plan, adapters.from_module(module, data.space, classes, plan.name, task=task, part=plan.model.part)
    )


def _refuse(plan: Plan, why: str, *keys: str) -> None:
    """Raise PlanError where [model] has a key that its source leaves nothing to say about."""
    if given := [key for key in keys if getattr(plan.model, key) not in ("", None)]:
        raise PlanError(f"[model] has {given[0]}, which {why}; leave it out")


def _meaning(plan: Plan, data: Dataset) -> Task | None:
    return plan.model.meaning(_names(plan, data))


def _names(plan: Plan, data: Dataset) -> tuple[str, ...]:
    """The data's names of the outputs: classes, labels, or columns of numbers."""
    return data.classes or plan.data.labels


def _in_order_of(plan: Plan, model: Model) -> Model:
    """A model without names of its outputs, which gets the classes of the data in their order."""
    names, source = model.task.names, plan.model
    if plan.data.classes or not plan.data.own or len(names) < 2:
        return model
    several = not model.task.one_class and source.task != "places"
    assumed = (
        f"the model's outputs are assumed to be, in this order: {listed(names)}; "
        f"[data] {'label' if several else 'classes'} names it"
    )
    return replace(model, notices=(*model.notices, assumed))
