"""Rows of the data with their predictions, page by page."""

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from probe.declared import param
from probe.lab.opened import Asked
from probe.lab.requests.request import Reply, Request
from probe.lab.telling import answered, plain
from probe.tensors import to_numpy

MOST = 200  # rows of a page


@dataclass(frozen=True, kw_only=True)
class Rows(Request):
    """List a page of rows: all, or only the correct or misclassified ones."""

    start: int = param(0, "the first of them, from 0", low=0)
    count: int = param(24, "how many", low=1, high=MOST)
    only: Literal["all", "right", "wrong"] = param("all", "which rows are looked through")

    def answer(self, asked: Asked) -> Reply:
        opened = asked.opened
        among = _among(asked, self.only)
        chosen = among[self.start : self.start + self.count]
        if not len(chosen):
            return Reply(
                {"rows": [], "names": list(opened.model.space.feature_names(opened.data.inputs)), "total": len(among)}
            )
        model, part = opened.part(chosen)
        inputs = model.check(part.inputs)
        logits, labels = model.logits(inputs), model.check_labels(part.labels, inputs)
        told = [answered(model.task, logits[at : at + 1], labels[at : at + 1]) for at in range(len(part))]
        form = model.space.form_of(inputs)
        words = model.space.describe(inputs) if form.told else [[]] * len(part)
        assert part.rows is not None, "a data set numbers its rows"
        rows: list[dict[str, Any]] = [
            {
                "row": int(chosen[at]),
                "number": int(part.rows[at]),
                "words": words[at],
                "groups": {} if part.groups is None else {str(c): plain(part.groups[c].iloc[at]) for c in part.groups},
                **record,
            }
            for at, (record, _) in enumerate(told)
        ]
        arrays = {name: to_numpy(each) for name, each in (("inputs", inputs), ("logits", logits))}
        arrays["decided"] = to_numpy(model.task.predict(logits))
        if told and "probabilities" in told[0][1]:
            arrays["probabilities"] = to_numpy(model.task.probabilities(logits))
        return Reply({"rows": rows, "names": list(model.space.feature_names(inputs)), "total": len(among)}, arrays)


def _among(asked: Asked, only: str) -> Tensor:
    """The rows to list from."""
    if only == "all":
        return torch.arange(len(asked.opened.data))
    wrong = asked.opened.wrong(asked.advance)
    return (wrong if only == "wrong" else ~wrong).nonzero()[:, 0]
