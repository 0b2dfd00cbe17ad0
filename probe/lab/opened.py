"""What a worker holds: one model with the data that it is looked at with."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from probe.audit.plan import Plan
from probe.cli.sources import open_both, plan_in, plan_of
from probe.contracts import of_examples
from probe.dataset import Dataset
from probe.errors import ProbeError
from probe.lab.process import Setup
from probe.lab.sources import Source
from probe.model import Model


@dataclass(frozen=True, eq=False)
class Opened:
    """A model, its data, and the plan that they were opened by; nothing of it is one person's."""

    model: Model
    data: Dataset
    plan: Plan
    runs: Path = field(default_factory=lambda: Path("runs"))
    allow_code: bool = False

    def known_by(self) -> str:
        """A digest of weights and data, by which answers are known to be this model's."""
        parts = (self.model.digest(), self.data.digest(), repr(self.model.task), repr(self.model.space))
        return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()

    def of(self, data: Dataset) -> Model:
        """The model, with the features of these examples where each has its own."""
        return of_examples(self.model, data)


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
