"""Open the model and the data that a plan or an argument names. Only here does probe look at the zoo."""

import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from probe_models.datasets.own import own_of
from probe_models.device import device_of
from torch import nn

from probe import adapters, images, zoo
from probe.audit.plan import Plan, plan_from, read_plan
from probe.audit.sources import DataSource, ModelSource
from probe.cli import own_tables
from probe.cli.app import print_err
from probe.cli.training_rows import learned
from probe.contracts import suited
from probe.dataset import Dataset
from probe.errors import PlanError, ProbeError, Unsupported
from probe.features import image_space
from probe.model import Model
from probe.tables import Texts, texts_from_csv
from probe.task import MultiLabel, Single

LISTED = 20  # classes that a sentence names


def plan_of(name: str) -> Plan:
    """The default plan of a network of the zoo, or of a folder that `probe train` wrote."""
    where = str(Path(name).resolve()) if "/" in name else name
    return _with_favourable(plan_from({"name": Path(name).name, "model": {"zoo": where}}))


def plan_in(path: Path) -> Plan:
    """The plan in a TOML file."""
    return _with_favourable(read_plan(path))


def _with_favourable(plan: Plan) -> Plan:
    """The same plan with the favourable class of data of the zoo, where it names none."""
    data = plan.data
    if plan.bias.positive or data.own or not (data.zoo or plan.model.zoo):
        return plan
    favourable = zoo.favourable(data.zoo or _data_of(plan.model.zoo))
    if not zoo.task(data.zoo or _data_of(plan.model.zoo)).one_class:
        return plan  # numbers are compared as they are
    if favourable:
        return replace(plan, bias=replace(plan.bias, positive=favourable))
    # Where no class is one that people would rather be put in, nobody can be treated worse.
    return replace(plan, bias=replace(plan.bias, groups=plan.bias.groups or ()))


def open_named(name: str, plan: Path | None, *, allow_code: bool = False, device: str = "") -> tuple[Model, Dataset]:
    """The model and the data that a command was given: a name or folder of the zoo, or else a plan.

    Raises:
        PlanError: unless exactly one of the two is given.
    """
    if bool(name) == (plan is not None):
        raise PlanError("name one model: a network of the zoo such as adult-mlp, its folder, or --plan plan.toml")
    return open_both(plan_of(name) if plan is None else plan_in(plan), allow_code=allow_code, device=device)


def open_both(plan: Plan, *, allow_code: bool = False, device: str = "") -> tuple[Model, Dataset]:
    """The model and the data of a plan. Only with `allow_code` is code run that the plan names.

    Raises:
        PlanError: if the model is a factory and code is not allowed.
        Unsupported: if the model cannot compute on the device.
    """
    if plan.model.factory and not allow_code:
        raise PlanError(
            f"{plan.name} takes its model from {plan.model.factory}, whose code would be run; "
            "look at that code, and then allow it: --allow-code"
        )
    if plan.model.transformers:
        model, read = _transformers(plan)
        data = read(plan.data)
        model = _fitted(plan, model, data)
    else:
        read = partial(_data, model=plan.model, seed=plan.seed, shape=_shape(plan))
        data = read(plan.data)
        model = _model(plan, data)
        if plan.data.csv:
            model, data = own_tables.suited(model, data)
    if plan.data.role:
        data = replace(data, role=plan.data.role)
    if plan.model.threshold is not None:
        model = replace(model, task=model.task.short(threshold=plan.model.threshold))
    if plan.model.zoo and plan.model.tolerance is not None:
        if model.task.kind != "regression":
            raise PlanError(
                f"[model] has tolerance, which numbers have, and {model.name} answers otherwise; leave it out"
            )
        model = replace(model, task=model.task.short(tolerance=plan.model.tolerance))
    if plan.model.batch_size:
        model = replace(model, batch_size=plan.model.batch_size)
    if plan.model.only is not None:
        model, data = one_answer(model, data, plan.model.only)
    if model.task.names and data.classes and model.task.names != data.classes:
        raise ProbeError(
            f"the model tells apart {_listed(model.task.names)}, the data {_listed(data.classes)}; "
            f"name {'the columns of data.label' if plan.model.several else 'data.classes'} in the model's order"
        )
    if device:
        model = _placed(model, device)
    data = suited(model, data)
    if plan.data.train:
        inputs, labels, said = learned(plan.data, data, plan.model.meaning(()), read)
        model = replace(model, training=(model.cast(inputs), labels))
        data = replace(data, notices=(*data.notices, *said))
    adapters.check_fit(model, data)
    return model, data


def one_answer(model: Model, data: Dataset, answer: str | int) -> tuple[Model, Dataset]:
    """The model and its data with one of the several answers of a row: a label by its name, a place by its number.

    Raises:
        RangeError: if there is no such answer.
        Unsupported: where a row has one answer alone.
    """
    text = str(answer)
    only = model.only(int(text) if text.isdecimal() and text.isascii() and text not in model.task.names else text)
    assert isinstance(only.task, Single), "one of several answers"
    return only, data.only(only.task.at)


def _placed(model: Model, device: str) -> Model:
    """The model on a device; its module was opened here and is nobody else's."""
    place = device_of(device)
    if not isinstance(model.forward, nn.Module):
        if place.type == "cpu":
            return model
        raise Unsupported(f"{model.name} is a black box, which computes where it does; leave --device {device} out")
    model.forward.to(place)
    if isinstance(model.embed, nn.Module):
        model.embed.to(place)
    return model


def _data(source: DataSource, model: ModelSource, seed: int, shape: tuple[int, ...] = ()) -> Dataset:
    """The examples; images of the shape (channels, height, width) that the model reads, where that is known."""
    if source.folder or source.npz:
        return _images(source, shape)
    if not source.csv:
        return zoo.data(source.zoo or _data_of(model.zoo), split=source.split)
    return own_tables.read_table(source, seed, exact=bool(model.factory), task=model.meaning(()))


def _images(source: DataSource, shape: tuple[int, ...]) -> Dataset:
    size = source.size or shape[1:]
    how: dict[str, Any] = {"classes": source.classes or None, "size": (size[0], size[1]) if size else None}
    if source.folder:
        data = images.from_folder(source.folder, channels=source.channels or (shape[0] if shape else 3), **how)
    else:
        inputs = source.features[0] if source.features else "inputs"
        keys = images.Keys(inputs=inputs, labels=next(iter(source.labels), "labels"), groups=source.groups)
        data = images.from_npz(source.npz, keys=keys, **how)
    if source.squares and data.inputs.ndim == 4:
        channels, height, width = data.inputs.shape[1:]
        space = image_space(channels, height, width, side=source.squares, bounds=data.space.bounds)
        data = replace(data, space=space)
    return data


def _shape(plan: Plan) -> tuple[int, ...]:
    """Channels, height and width that the model reads, where it says so before it sees an image."""
    if not (plan.data.folder or plan.data.npz):
        return ()
    if plan.model.timm:
        return (3, *adapters.timm_size(plan.model.timm))
    if plan.model.zoo and not _is_bare(plan.model.zoo):
        reference = zoo.load(plan.model.zoo).space.reference
        return tuple(reference.shape[1:]) if reference is not None and reference.ndim == 4 else ()
    return ()


def _data_of(name: str) -> str:
    """The data set that a model of the zoo is judged on: mostly the one that it learned from."""
    if _is_bare(name):
        raise PlanError(f'{name} has no card that names its data; [data] needs csv = "file.csv" or zoo = "adult"')
    data = zoo.card(name)["data"]
    return name if own_of(data) else str(data.get("judged_on", data["name"]))


def _model(plan: Plan, data: Dataset) -> Model:
    source, name = plan.model, plan.name
    if source.onnx:
        return _in_order_of(plan, adapters.from_onnx(source.onnx, data.space, data.classes, name))
    if source.timm:
        own = adapters.timm_classes(source.timm)
        model = adapters.from_timm(source.timm, source.weights or None, plan.data.classes or own or data.classes, name)
        model = replace(model, space=data.space)
        return model if own else _in_order_of(plan, model)
    if _is_bare(source.zoo):
        from probe_models.zoo.folder import network_in

        network, embed = network_in(Path(source.zoo))
        model = adapters.from_module(network, data.space, data.classes, name)
        return _in_order_of(plan, replace(model, embed=embed))
    if source.zoo:
        return zoo.load(source.zoo)
    print_err(f"probe: importing {source.factory}, which runs its code")
    made = adapters.from_factory(source.factory, source.weights or None)
    if isinstance(made, nn.Module):
        task = plan.model.meaning(_names(plan, data))
        classes = data.classes if task is None else ()
        return _in_order_of(plan, adapters.from_module(made, data.space, classes, name, task=task, part=source.part))
    if hasattr(made, "classes_"):
        rows = own_tables.rows_of(plan.data, data) if plan.data.csv else None
        cut = None if isinstance(source.threshold, tuple) else source.threshold
        model = adapters.from_estimator(made, data.space, data.classes, name, rows=rows, threshold=cut)
        said = [] if rows is None else own_tables.read_otherwise(made, rows)
        return replace(model, notices=(*model.notices, *said))
    task = source.meaning(_names(plan, data)) if source.task == "multilabel" else None
    labelled = replace(task, outputs="probabilities") if isinstance(task, MultiLabel) else None
    return _in_order_of(
        plan, adapters.from_predict_proba(made.predict_proba, data.space, data.classes, name, task=labelled)
    )


def _in_order_of(plan: Plan, model: Model) -> Model:
    """A model whose outputs have no names of their own, so that the classes of the data are taken as they come."""
    names = model.task.names
    if plan.data.classes or not plan.data.own or len(names) < 2:
        return model
    named = "[data] label" if plan.model.several else "[data] classes"
    assumed = f"the model's outputs are assumed to be, in this order: {_listed(names)}; {named} names it"
    return replace(model, notices=(*model.notices, assumed))


def _names(plan: Plan, data: Dataset) -> tuple[str, ...]:
    """What the data call the outputs: classes, labels, or the columns of numbers."""
    return data.classes or (plan.data.labels if plan.data.csv else ())


def _listed(classes: tuple[str, ...]) -> str:
    return ", ".join(classes[:LISTED]) + ", ..." * (len(classes) > LISTED)


def _is_bare(zoo: str) -> bool:
    """Whether this is a folder with an architecture and its weights, and no card that says what it learned from."""
    return bool(zoo) and (Path(zoo) / "config.json").is_file() and not (Path(zoo) / "card.json").exists()


def _transformers(plan: Plan) -> tuple[Model, Callable[[DataSource], Dataset]]:
    """A classifier of Hugging Face, and what reads texts or images for it."""
    folder = plan.model.transformers
    model = adapters.from_transformers(folder, name=plan.name)
    if model.embed is None:
        reference = model.space.reference
        shape = () if reference is None else tuple(reference.shape[1:])
        return model, partial(_data, model=plan.model, seed=plan.seed, shape=shape)
    if not plan.data.csv or len(plan.data.features) != 1:
        raise PlanError('[data] needs csv = "file.csv" and the one column with the texts: features = ["text"]')

    def read(source: DataSource) -> Dataset:
        return texts_from_csv(
            source.csv,
            Texts(source.features[0], partial(adapters.token_ids, folder), model.space),
            label=next(iter(source.labels)),
            groups=source.groups,
            classes=source.classes or (None if _are_numbered(model.classes) else model.classes),
            how=own_tables.how(source),
        )

    return model, read


def _fitted(plan: Plan, model: Model, data: Dataset) -> Model:
    """A classifier of Hugging Face with the space of its images, and the data's classes where it names none."""
    if model.embed is None:
        model = replace(model, space=data.space)
    if _are_numbered(model.classes) and len(model.classes) == len(data.classes):
        model = _in_order_of(plan, replace(model, task=model.task.short(classes=data.classes)))
    return model


def _are_numbered(classes: tuple[str, ...]) -> bool:
    """Whether nobody named the classes: transformers then calls them LABEL_0, LABEL_1, ..."""
    return all(re.fullmatch(r"LABEL_\d+", name) for name in classes)
