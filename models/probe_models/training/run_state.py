"""Where a run of training is, and what came of it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor

from probe_models.training.fitting import Fitting, fitting
from probe_models.training.metrics import Line

Weights = Mapping[str, Tensor]
Tensors = dict[str, Tensor]
Numbers = dict[str, Any]
NUMBERS = ("untrained", "epoch", "step", "lines", "seconds")


@dataclass(frozen=True)
class Epoch:
    """How the network did on the validation rows after an epoch."""

    number: int
    loss: float
    accuracy: float | None


@dataclass(frozen=True)
class Trained:
    """What came of training."""

    best: Epoch
    untrained: float  # the loss on the validation rows before training
    epochs: int
    rows: int
    validation_rows: int
    seconds: float  # of all processes that worked on it, one after the other
    lines: tuple[Line, ...]  # one an epoch

    @property
    def fitting(self) -> Fitting:
        """Whether the network fits its rows too closely, or not closely enough."""
        return fitting(self.lines, self.best.number, self.untrained)


@dataclass
class RunState:
    """Where a run is: with the state of its stepper, all that it takes to go on from here."""

    weights: Weights  # of the best epoch
    untrained: float  # the loss on the validation rows before training
    epoch: int = 1
    step: int = 0  # steps done in this epoch
    losses: list[Tensor] = field(default_factory=list)  # of those steps
    lines: list[Line] = field(default_factory=list)
    best: Epoch | None = None
    seconds: float = 0.0

    def state(self) -> tuple[Tensors, Numbers]:
        """All of it, as named tensors and as numbers."""
        tensors = {f"best.{name}": tensor for name, tensor in self.weights.items()}
        if self.losses:
            tensors["losses"] = torch.stack(self.losses)
        numbers = {name: getattr(self, name) for name in NUMBERS}
        return tensors, numbers | {"best": self.best and asdict(self.best)}

    @classmethod
    def restored(cls, tensors: Tensors, numbers: Numbers, device: torch.device) -> "RunState":
        """Where `state` was taken."""
        weights = {n.removeprefix("best."): t for n, t in tensors.items() if n.startswith("best.")}
        run = cls(weights, **{name: numbers[name] for name in NUMBERS})
        run.best = Epoch(**numbers["best"]) if numbers["best"] else None
        run.losses = list(tensors.get("losses", torch.zeros(0)).to(device))
        return run
