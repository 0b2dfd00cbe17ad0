"""The prediction before and after features are edited."""

from dataclasses import dataclass, replace

from probe.declared import param, required
from probe.errors import DataError
from probe.lab.opened import Asked
from probe.lab.requests.explain import explained, told
from probe.lab.requests.request import Explaining, Reply, Request
from probe.lab.rows import Row
from probe.lab.telling import answered, changes, differences, shown
from probe.tensors import to_numpy


@dataclass(frozen=True, kw_only=True)
class Edit(Request):
    """Edit features of an input, with predictions and explanations before and after."""

    row: Row = required("the input, with edits")
    explainer: Explaining | None = param(None, "an explainer, for the input before and after")
    target: str = param("", "the class, label or output that is explained; of each input its answer unless named")

    def answer(self, asked: Asked) -> Reply:
        if not self.row.edits:
            raise DataError('nothing is edited; give edits = {NAME: VALUE} in the row, such as {"age": "41"}')
        before = replace(self.row, edits=None).chosen(asked)
        after = self.row.chosen(asked)
        model = before.model
        input_, arrays = shown(before)
        was, of_before = answered(model.task, model.logits(before.inputs), before.label, "before_")
        is_, of_after = answered(model.task, model.logits(after.inputs), None)
        record = {
            "input": input_,
            "before": was,
            "after": is_,
            "said": list(after.said),
            **changes(model.space, before.inputs, after.inputs),
            "changed": differences(model.space, before.inputs, after.inputs),
        }
        arrays |= of_before | of_after | {"edited": to_numpy(after.inputs[0])}
        if self.explainer is not None:
            record["explanation"], more = told(model, self.explainer, explained(before, self.explainer, self.target))
            arrays |= more
            found = explained(after, self.explainer, self.target)
            record["after_explanation"], more = told(model, self.explainer, found, "after_")
            arrays |= more
        return Reply(record, arrays)
