"""A survey of whole data."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from probe.contracts import Survey
from probe.formatting import Unit
from probe.model import Model
from probe.shapes import Evidence, Inputs, Labels


@dataclass(frozen=True, kw_only=True)
class ClassRates(Survey):
    """How often each class is decided for."""

    unit: ClassVar[Unit] = "share"
    item: ClassVar[str] = "class"
    asks: ClassVar[str] = "share of the answers"
    reduction: ClassVar[str] = "proportion"

    def items(self, model: Model, inputs: Inputs) -> tuple[str, ...]:
        return model.classes

    def examine(self, model: Model, inputs: Inputs, labels: Labels) -> Evidence:
        decided = model.decide(model.logits(inputs))
        return torch.stack([(decided == k).to(torch.get_default_dtype()) for k in range(len(model.classes))], 1)
