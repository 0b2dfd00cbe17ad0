"""What a worker holds: one model with the data that it is looked at with."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from probe.audit.plan import Plan
from probe.cli.sources import open_both, plan_in, plan_of
from probe.contracts import of_examples
from probe.dataset import Dataset
from probe.errors import DataError, ProbeError
from probe.lab.process import Setup
from probe.lab.sources import Source
from probe.model import Model
from probe.tensors import spans

Advance = Callable[[int, int, str], None]  # how much is done, of how much (0: not known), and of what


@dataclass(frozen=True, eq=False)
class Opened:
    """A model, its data, and the plan that they were opened by; nothing of it is one person's."""

    model: Model
    data: Dataset
    plan: Plan
    runs: Path = field(default_factory=lambda: Path("runs"))
    allow_code: bool = False
    _found: dict[str, Tensor] = field(default_factory=dict, init=False, repr=False)

    def known_by(self) -> str:
        """A digest of weights and data, by which answers are known to be this model's."""
        parts = (self.model.digest(), self.data.digest(), repr(self.model.task), repr(self.model.space))
        return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()

    def wrong(self, advance: Advance) -> Tensor:
        """Which rows are answered wrongly, (rows,); found once, as it is the same for everybody.

        Raises:
            Unsupported: where no answer is right or wrong.
        """
        if "wrong" not in self._found:
            inputs = self.model.check(self.data.inputs)
            parts, count = [], len(inputs)
            for part in spans(count, self.model.rows_per_pass(inputs)):
                advance(part.start, count, "rows")
                parts.append(self.model.logits(inputs[part]))
            labels = self.model.check_labels(self.data.labels, inputs)
            self._found["wrong"] = self.model.task.wrong(torch.cat(parts), labels)
        return self._found["wrong"]

    def of(self, data: Dataset) -> Model:
        """The model, with the features of these examples where each has its own."""
        return of_examples(self.model, data)


@dataclass(frozen=True, eq=False)
class Asked:
    """What a request is answered with: the model, the arrays that came with it, and who is told how far it is."""

    opened: Opened
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    advance: Advance = lambda done, total, said: None

    def array(self, name: str) -> NDArray[Any]:
        """An array that the request names.

        Raises:
            DataError: if none of that name came with it.
        """
        if name not in self.arrays:
            raise DataError(
                f"the request names an array {name!r:.60}, and came with {', '.join(self.arrays) or 'none'}"
            )
        return self.arrays[name]


def open_source(source: Source, setup: Setup) -> Opened:
    """Open what an operator offers.

    Raises:
        ProbeError: if it is not offered, or model or data cannot be opened.
    """
    if source.why:
        raise ProbeError(source.why)
    plan = plan_in(Path(source.plan)) if source.plan else plan_of(source.zoo)
    model, data = open_both(plan, allow_code=setup.allow_code, device=setup.device)
    return Opened(model, data, plan, Path(setup.runs), setup.allow_code)
