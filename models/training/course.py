"""Where a run of training is, and what came of it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor

from models.training.fitting import Fitting, fitting
from models.training.metrics import Line

Weights = Mapping[str, Tensor]
Tensors = dict[str, Tensor]
Numbers = dict[str, Any]


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
    epochs: int
    rows: int
    validation_rows: int
    seconds: float  # of all processes that worked on it, one after the other
    lines: tuple[Line, ...]  # one an epoch

    @property
    def fitting(self) -> Fitting:
        """Whether the network fits its rows too closely, or not closely enough."""
        return fitting(self.lines, self.best.number)


@dataclass
class Course:
    """Where a run is: with the state of its learner, all that it takes to go on from here."""

    epoch: int = 1
    step: int = 0  # steps done in this epoch
    losses: list[Tensor] = field(default_factory=list)  # of those steps
    lines: list[Line] = field(default_factory=list)
    best: Epoch | None = None
    weights: Weights = field(default_factory=dict)  # of the best epoch
    seconds: float = 0.0

    def state(self) -> tuple[Tensors, Numbers]:
        """All of it, as named tensors and as numbers."""
        tensors = {f"best.{name}": tensor for name, tensor in self.weights.items()}
        if self.losses:
            tensors["losses"] = torch.stack(self.losses)
        numbers = {name: getattr(self, name) for name in ("epoch", "step", "lines", "seconds")}
        return tensors, numbers | {"best": self.best and asdict(self.best)}

    @classmethod
    def restored(cls, tensors: Tensors, numbers: Numbers, device: torch.device) -> "Course":
        """Where `state` was taken."""
        course = cls(**{name: numbers[name] for name in ("epoch", "step", "lines", "seconds")})
        course.best = Epoch(**numbers["best"]) if numbers["best"] else None
        course.weights = {n.removeprefix("best."): t for n, t in tensors.items() if n.startswith("best.")}
        course.losses = list(tensors.get("losses", torch.zeros(0)).to(device))
        return course
