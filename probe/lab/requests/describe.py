"""A description of the model, its inputs and the available methods."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from probe.contracts.attack import moved, usual_attacks
from probe.lab.edits import choices, places_of
from probe.lab.offering import offered
from probe.lab.opened import Asked, Opened
from probe.lab.requests.request import Reply, Request
from probe.lab.telling import plain
from probe.registry import FAMILIES
from probe.space import Space
from probe.tensors import to_numpy

LEVELS = 1000  # words of a vocabulary, or values of a category, that a form lists


@dataclass(frozen=True, kw_only=True)
class Describe(Request):
    """Describe the model, its data, and the available requests."""

    def answer(self, asked: Asked) -> Reply:
        opened = asked.opened
        model, data, like = opened.model, opened.data, opened.data.inputs[:1]
        form = model.space.form_of(like)
        low, high = (torch.as_tensor(bound).to(like.dtype) for bound in model.space.bounds)
        record = {
            "name": model.name,
            "task": plain(model.task.to_json()),
            "outputs": list(model.task.names),
            "units": list(model.task.units),
            "decides": model.task.in_words(),
            "form": plain(dict(form.record())),
            "brought_as": [way for way in form.brought_as if way != "csv" or model.space.names],
            "shape": list(like.shape[1:]),
            "moves": moved(model, like),
            "features": features(opened),
            "usual": {
                "explainers": list(form.defaults.explainers),
                "attacks": plain(list(usual_attacks(model, data.inputs))),
                "eps": list(form.defaults.eps),
            },
            "data": {
                "name": data.name,
                "rows": len(data),
                "source": data.source,
                "role": data.role,
                "groups": _groups(opened),
            },
            "notices": [*data.notices, *model.notices],
            "methods": {family: offered(family, opened) for family in FAMILIES if family != "goal"},
            "known_by": opened.known_by(),
        }
        flat = {name: to_numpy(bound.expand(like.shape[1:]).clone()) for name, bound in (("low", low), ("high", high))}
        flat["scale"] = to_numpy(model.space.scale_of(like).expand(like.shape[1:]).clone())
        return Reply(plain(record), flat)


def features(opened: Opened) -> list[dict[str, Any]]:
    """Each feature with its name, kind, possible values, and whether an attacker may change it.

    Inputs without names or kinds, such as pixels, list none; see `shape`.
    """
    space, like = opened.model.space, opened.data.inputs[:1]
    moves = space.form_of(like).moves
    if space.differs(like) or not (space.kinds or space.names) or moves != "numbers":
        return []
    count = space.feature_count(like)
    if len(space.feature_names(like)) != count or (space.names and len(space.names) != count):
        return []
    return [_feature(space, at, name, opened) for at, name in enumerate(space.feature_names(like))]


def _feature(space: Space, at: int, name: str, opened: Opened) -> dict[str, Any]:
    like = opened.data.inputs[:1]
    places = places_of(space, like, at)
    kind = space.kinds[at] if space.kinds else "continuous"
    low, high = (torch.as_tensor(bound).expand(like.shape[1:]).flatten()[places] for bound in space.bounds)
    found: dict[str, Any] = {
        "name": name,
        "kind": kind,
        "missing": bool(space.missing) and space.missing[at],
        "mutable": bool(
            space.mutable is None or torch.as_tensor(space.mutable).expand(like.shape[1:]).flatten()[places].any()
        ),
    }
    if kind == "category":
        return found | {"choices": choices(space, like, at)[:LEVELS]}
    values = opened.data.inputs.flatten(1)[:, places]
    known = values[~values.isnan()] if values.is_floating_point() else values
    seen = [float(known.min()), float(known.max())] if known.numel() else [None, None]
    return found | {"low": plain(float(low.min())), "high": plain(float(high.max())), "seen": seen}


def _groups(opened: Opened) -> dict[str, list[str]]:
    """The groups of the data: each column with its values."""
    groups = opened.data.groups
    if groups is None:
        return {}
    return {
        str(name): [str(value) for value in np.unique(groups[name].astype(str))][:LEVELS] for name in groups.columns
    }
