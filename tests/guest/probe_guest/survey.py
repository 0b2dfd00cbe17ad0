"""A survey of whole data."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from probe.contracts import Survey
from probe.formatting import Unit
from probe.method import param
from probe.model import Model
from probe.shapes import Evidence, Inputs, Labels


@dataclass(frozen=True, kw_only=True)
class ClassRates(Survey):
    """How often each class is decided for."""

    unit: ClassVar[Unit] = "share"
    item: ClassVar[str] = "class"
    asks: ClassVar[str] = "share of the answers"
    reduction: ClassVar[str] = "proportion"

    sure: float = param(0.0, "the probability from which an answer counts", low=0.0, high=1.0)

    def items(self, model: Model, inputs: Inputs) -> tuple[str, ...]:
        return model.classes

    def examine(self, model: Model, inputs: Inputs, labels: Labels) -> Evidence:
        logits = model.logits(inputs)
        decided, sure = model.decide(logits), model.task.probabilities(logits).amax(1) >= self.sure
        return torch.stack(
            [(sure & (decided == k)).to(torch.get_default_dtype()) for k in range(len(model.classes))], 1
        )
