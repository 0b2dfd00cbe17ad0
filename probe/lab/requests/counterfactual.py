"""Counterfactuals of one input."""

from dataclasses import dataclass
from typing import Annotated, Any

from probe.declared import param, required
from probe.lab.opened import Asked
from probe.lab.requests.request import Reply, Request, method_of
from probe.lab.rows import Row
from probe.lab.telling import answered, changes, cost, differences, joined, plain, shown
from probe.numbers import as_written
from probe.results import Counterfactuals
from probe.tensors import to_numpy

Searching = Annotated[Any, method_of("counterfactual")]


@dataclass(frozen=True, kw_only=True)
class Counterfactual(Request):
    """Search counterfactuals of one input, best first."""

    row: Row = required("the input")
    method: Searching = required("what searches")
    only: str = param("", "of several labels or places the one whose answer is to change")

    def answer(self, asked: Asked) -> Reply:
        chosen = self.row.chosen(asked).only(self.only)
        model, space = chosen.model, chosen.model.space
        found: Counterfactuals = self.method(model, chosen.inputs)
        input_, arrays = shown(chosen)
        clean, of_clean = answered(model.task, model.logits(chosen.inputs), chosen.label, "clean_")
        candidates, more = [], []
        for at in range(found.candidates.shape[1]):
            moved = found.candidates[:, at]
            record, of_each = answered(model.task, model.logits(moved), None)
            candidates.append(
                {
                    "reached": bool(found.reached[0, at]),
                    "distance": plain(found.distance()[0, at]),
                    "differences": differences(space, chosen.inputs, moved),
                    **changes(space, chosen.inputs, moved),
                    **record,
                }
            )
            change = to_numpy(space.by_feature(space.scaled_change(moved, chosen.inputs)))
            more.append({"candidates": to_numpy(moved), "moved": change, **of_each})
        record = {
            "input": input_,
            "clean": clean,
            "method": as_written(self.method.config()),
            "candidates": candidates,
            "cost": cost(found.cost),
        }
        return Reply(record, arrays | of_clean | joined(more))
