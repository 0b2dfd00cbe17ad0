"""What a worker holds: one model and its data."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from probe.audit.plan import Plan
from probe.cli.sources import open_both, plan_in, plan_of
from probe.contracts import of_any_examples, of_examples
from probe.dataset import Dataset
from probe.errors import DataError, ProbeError
from probe.images import featured, in_segments, segments
from probe.lab.process import Setup
from probe.lab.sources import Source
from probe.model import Model
from probe.tensors import spans

Advance = Callable[[int, int, str], None]  # done, total (0: unknown) and the unit


@dataclass(frozen=True, eq=False)
class Opened:
    """A model, its data, and the plan that opened them; it holds nothing of any owner."""

    model: Model
    data: Dataset
    plan: Plan
    runs: Path = field(default_factory=lambda: Path("runs"))
    allow_code: bool = False
    _found: dict[str, Tensor] = field(default_factory=dict, init=False, repr=False)

    def known_by(self) -> str:
        """A digest of weights and data that identifies answers of this model."""
        parts = (
            self.model.digest(),
            self.data.digest(),
            repr(self.model.task),
            repr(self.model.space),
            self.plan.data.segments,
        )
        return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()

    def wrong(self, advance: Advance) -> Tensor:
        """Which rows are misclassified, (rows,); computed once.

        Raises:
            Unsupported: if predictions cannot be correct or wrong.
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

    def part(self, rows: slice | Tensor) -> tuple[Model, Dataset]:
        """Some rows of the data, and the model with their features where each example has its own."""
        model, part = in_segments(self.model, self.data[rows], self.plan.data.segments)
        return of_examples(model, part), part

    def of_own(self, inputs: Tensor, features: Tensor | None = None) -> tuple[Model, tuple[str, ...]]:
        """The model for an input of somebody's own (1, *shape), with its features, and what is to be known of them.

        Where each example has features of its own, those of this input are its segments, or as somebody says.
        """
        model = of_any_examples(self.model, self.data)
        if self.plan.data.segments and features is None:
            features = segments(inputs, self.plan.data.segments)
        if features is not None:
            return replace(model, space=featured(model.space, features)), ()
        if not self.data.space.differs(self.data.inputs):
            return model, ()
        said = "each row of the data has features of its own, and of this input none were named: each coordinate is one"
        return model, (said,)


@dataclass(frozen=True, eq=False)
class Asked:
    """The context of a request: the model, the arrays sent with it, and the callback for progress."""

    opened: Opened
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    advance: Advance = lambda done, total, said: None

    def array(self, name: str) -> NDArray[Any]:
        """An array by name.

        Raises:
            DataError: if no array of that name was sent.
        """
        if name not in self.arrays:
            raise DataError(
                f"the request names an array {name!r:.60}, and came with {', '.join(self.arrays) or 'none'}"
            )
        return self.arrays[name]


def open_source(source: Source, setup: Setup) -> Opened:
    """Open a model that the operator offers.

    Raises:
        ProbeError: if it is not offered, or model or data cannot be opened.
    """
    if source.why:
        raise ProbeError(source.why)
    plan = plan_in(Path(source.plan)) if source.plan else plan_of(source.zoo)
    model, data = open_both(plan, allow_code=setup.allow_code, device=setup.device)
    return Opened(model, data, plan, Path(setup.runs), setup.allow_code)
