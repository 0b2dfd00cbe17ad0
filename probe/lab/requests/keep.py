"""What was shown, kept as a bundle that anybody can verify: the same method over the same input."""

from collections.abc import Mapping
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


def _table(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError
    return dict(value)


Asking = Annotated[Any, Kind("a request, as a table", "requests", _table)]


@dataclass(frozen=True, kw_only=True)
class Keep(Request):
    """Run what was shown once more, by the runner of audits, into the folder of runs."""

    pure: ClassVar[bool] = False
    keeps: ClassVar[bool] = True

    what: Asking = required("the request whose answer is kept: explain, attack or counterfactual")
    name: str = required("of the run")

    def answer(self, asked: Asked) -> Reply:
        from probe.lab.requests import read  # which lists this module too

        what = read(self.what)
        if not isinstance(what, Explain | Attack | Counterfactual):
            raise PlanError(f"{what.called()} is not kept as a bundle; explain, attack and counterfactual are")
        opened, name = asked.opened, checked_name(self.name)
        chosen = what.row.chosen(asked)
        only = "" if isinstance(what, Explain) else what.only
        chosen = chosen.only(only)
        plan = plan_from(_plan(opened, what, name, only))
        model, data = _subject(opened, chosen, _label(what, chosen))
        return Reply(audited(opened, plan, (model, data), asked.advance))


def _plan(opened: Opened, what: Explain | Attack | Counterfactual, name: str, only: str) -> dict[str, Any]:
    held = opened.plan.to_json()
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
        return plan | {"explain": {"methods": [config], "sample": 1, "target": what.target}}
    if isinstance(what, Counterfactual):
        return plan | {"search": {"methods": [config], "sample": 1}}
    eps = [each for each in what.eps if each] or ([str(config[what.method.budget])] if what.method.budget else [])
    if not eps:
        raise Unsupported(f"{what.method.name()} has no budget of its own; name those that are kept: eps")
    method = {key: value for key, value in config.items() if key != what.method.budget}
    return plan | {"attack": {"methods": [method], "eps": eps, "sample": 1}}


def _label(what: Request, chosen: Chosen) -> Tensor:
    if isinstance(what, Attack):
        return what.labels(chosen)
    return chosen.label if chosen.label is not None else chosen.model.decide(chosen.model.logits(chosen.inputs))


def _subject(opened: Opened, chosen: Chosen, label: Tensor) -> tuple[Model, Dataset]:
    """The model, and the one input as a data set that says where it came from."""
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
