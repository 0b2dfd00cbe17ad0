"""What was shown, kept as a bundle that anybody can verify: the same methods over the same input."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor

from probe.audit.plan import plan_from
from probe.conversion import Kind
from probe.dataset import Dataset
from probe.declared import required
from probe.errors import PlanError, Unsupported
from probe.lab.opened import Asked, Opened
from probe.lab.requests.attack import Attack
from probe.lab.requests.counterfactual import Counterfactual
from probe.lab.requests.explain import Explain
from probe.lab.requests.request import Reply, Request
from probe.lab.rows import Chosen
from probe.lab.running import audited, checked_name
from probe.model import Model
from probe.numbers import as_written
from probe.task import Places

Kept = Explain | Attack | Counterfactual


def _table(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError
    return dict(value)


def _tables(value: Any, where: str) -> tuple[Mapping[str, Any], ...]:
    if not isinstance(value, list | tuple):
        return (_table(value, where),)
    if not value:
        raise ValueError
    return tuple(_table(each, where) for each in value)


Asking = Annotated[Any, Kind("a request, as a table", "requests", _table)]
AskingOften = Annotated[Any, Kind("a request, as a table, or a list of them", "lists of requests", _tables)]


@dataclass(frozen=True, kw_only=True)
class Keep(Request):
    """Run a shown request again through the audit runner, into the folder of runs."""

    pure: ClassVar[bool] = False
    keeps: ClassVar[bool] = True

    what: AskingOften = required(
        "the request whose answer is kept: explain, attack or counterfactual; or several explanations of one answer"
    )
    name: str = required("of the run")

    def answer(self, asked: Asked) -> Reply:
        what = self._read()
        opened, name = asked.opened, checked_name(self.name)
        chosen = what[0].row.chosen(asked)
        only, target = _named(what[0], chosen.model)
        chosen = chosen.only(only)
        plan = plan_from(_plan(opened, what, name, (only, target)))
        model, data = _subject(opened, chosen, _label(what[0], chosen))
        return Reply(audited(opened, plan, (model, data), asked.advance))

    def _read(self) -> Sequence[Kept]:
        from probe.lab.requests import read  # which lists this module too

        asked = [read(each) for each in self.what]
        found = [each for each in asked if isinstance(each, Kept)]
        if len(found) < len(asked):
            other = next(each for each in asked if not isinstance(each, Kept))
            raise PlanError(f"{other.called()} is not kept as a bundle; explain, attack and counterfactual are")
        about = [(each.row, each.target) if isinstance(each, Explain) else None for each in found]
        if len(found) > 1 and (None in about or any(each != about[0] for each in about)):
            raise PlanError(
                "a bundle keeps an attack, a counterfactual, or explanations of one answer to one input; "
                "keep each of these by itself"
            )
        return found


def _named(what: Kept, model: Model) -> tuple[str, str]:
    """Which of several answers is asked about alone, and what is explained of it.

    A bundle holds one place, and an explanation is of a class at one.
    """
    if not isinstance(what, Explain):
        target = what.target if isinstance(what, Attack) and not isinstance(model.task, Places) else ""
        return what.only, target
    if isinstance(model.task, Places) and what.target:
        model.task.index(what.target)
        place, _, name = what.target.partition(":")
        return place, name
    return "", what.target


def _plan(opened: Opened, asked: Sequence[Kept], name: str, named: tuple[str, str]) -> dict[str, Any]:
    what, (only, target), held = asked[0], named, opened.plan.to_json()
    config = as_written(what.method.config())
    none: dict[str, Any] = {"methods": [], "sample": 1}
    plan = {
        "name": name,
        "model": held["model"] | ({"only": int(only) if only.isdecimal() else only} if only else {}),
        "data": held["data"],
        "explain": none,
        "attack": {**none, "eps": []},
        "bias": {"groups": []},
    }
    if isinstance(what, Explain):
        methods = [as_written(each.method.config()) for each in asked]
        return plan | {"explain": {"methods": methods, "sample": 1, "target": target}}
    if isinstance(what, Counterfactual):
        return plan | {"search": {"methods": [config], "sample": 1}}
    eps = [each for each in what.eps if each] or ([str(config[what.method.budget])] if what.method.budget else [])
    if not eps:
        raise Unsupported(f"{what.method.name()} has no budget of its own; name those that are kept: eps")
    method = {key: value for key, value in config.items() if key != what.method.budget}
    plan |= {"attack": {"methods": [method], "eps": eps, "sample": 1}}
    if what.explainer is None:
        return plan
    # Of the input as it was: a bundle holds no explanation of an attacked one.
    explained = [as_written(what.explainer.config())]
    return plan | {"explain": {"methods": explained, "sample": 1, "target": named[1]}}


def _label(what: Request, chosen: Chosen) -> Tensor:
    if isinstance(what, Attack):
        return what.labels(chosen)
    return chosen.label if chosen.label is not None else chosen.model.decide(chosen.model.logits(chosen.inputs))


def _subject(opened: Opened, chosen: Chosen, label: Tensor) -> tuple[Model, Dataset]:
    """The model, and the input as a dataset with its origin."""
    own = chosen.data
    number = None if own is None or own.rows is None else int(own.rows[0])
    said = ("one input, chosen in a lab", *chosen.said)
    if chosen.label is None:
        said = (*said, "its label is not known, and the answer of the model stands for it")
    elif label is not chosen.label:
        said = (*said, "the answer of the model stands for its label")
    whole = opened.data
    data = Dataset(
        chosen.inputs.cpu(),
        label.cpu(),
        space=chosen.model.space if own is None else own.space,
        classes=() if label.is_floating_point() else chosen.model.task.names,
        name=f"{whole.name}, row {number}" if number is not None else "an input of somebody's own",
        rows=torch.tensor([number if number is not None else 0]),
        source=whole.source,
        role=whole.role if not chosen.said and own is not None else "unknown",
        notices=said,
    )
    return replace(chosen.model, space=data.space), data
