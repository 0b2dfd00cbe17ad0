"""The prediction for an input."""

from dataclasses import dataclass

from probe.declared import required
from probe.lab.opened import Asked
from probe.lab.requests.request import Reply, Request
from probe.lab.rows import Row
from probe.lab.telling import answered, shown


@dataclass(frozen=True, kw_only=True)
class Answer(Request):
    """Predict one input, with probabilities."""

    row: Row = required("the input")

    def answer(self, asked: Asked) -> Reply:
        chosen = self.row.chosen(asked)
        logits = chosen.model.logits(chosen.inputs)
        record, arrays = answered(chosen.model.task, logits, chosen.label)
        input_, more = shown(chosen)
        return Reply({"input": input_, "answer": record}, {**arrays, **more})
