"""Whether a probability says how often the answer is right, and by which temperature it would."""

from abc import ABC
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch

from probe.contracts import Survey
from probe.contracts.prediction import sureness
from probe.errors import Unsupported
from probe.finding import Aspect
from probe.formatting import Unit
from probe.method import param
from probe.model import Model
from probe.shapes import Evidence, Inputs, Labels, Logits, PerExample
from probe.task.temperature import leads, temperature
from probe.tensors import generator, to_numpy, wide

CPU = torch.device("cpu")
GIVEN, TEMPERED, DRAWN = "as it is", "divided by its temperature", "null: labels drawn from its probabilities"


@dataclass(frozen=True, kw_only=True)
class OfProbabilities(Survey, ABC):
    """A survey of the probabilities of classes."""

    aspect: ClassVar[Aspect] = "performance"
    item: ClassVar[str] = "probabilities"

    seed: int = param(0, "seed of the labels of the null", low=0)

    def logits(self, model: Model, inputs: Inputs) -> Logits:
        """The logits of the classes, in double precision where the device has it."""
        if not model.task.one_class:
            raise Unsupported(
                f"{self.name()} needs the probabilities of classes, and {model.name} gives "
                f"{model.task.units[1]}; of several labels, take one: model.only(0) and data.only(0)"
            )
        found = wide(model.logits(inputs))
        return found if found.device.type == "mps" else found.double()

    def chance(self, logits: Logits, at: int = 0) -> PerExample:
        """A random number between 0 and 1 for each row."""
        drawn = torch.rand(2, len(logits), generator=generator(self.seed, CPU), dtype=torch.float64)
        return drawn[at].to(logits)


@dataclass(frozen=True, kw_only=True)
class Calibration(OfProbabilities):
    """How far confidence is from the share of right answers, in root mean square, without the bias of binning noise.

    Confidence is the probability of the likeliest class, whatever the decision threshold. Rows are sorted into bins of
    equally many; of the squared gap of a bin what its noise adds is taken away (arXiv:1909.10155), so that a calibrated
    model gets about 0, in [0, 1]; lower is better. Three kinds of probabilities are compared:

    - as it is;
    - its logits divided by the temperature that suits the other half of the rows (arXiv:1706.04599);
    - the null: as it is, with labels drawn from its own probabilities, as if it were calibrated.

    Raises:
        Unsupported: if the task has no classes.

    Example:
        >>> import torch
        >>> from probe import Dataset, Model
        >>> from probe.surveys import Calibration
        >>> model = Model(forward=lambda x: torch.cat([-6 * x, 6 * x], 1), classes=("no", "yes"))
        >>> x = torch.rand(2000, 1, generator=torch.Generator().manual_seed(0))
        >>> right = torch.rand(2000, generator=torch.Generator().manual_seed(1)) < (2 * x[:, 0]).sigmoid()
        >>> found = Calibration()(model, Dataset(x, right.long(), space=model.space)).to_frame()
        >>> found["value"].round(2).tolist()  # too sure; not any more; as if it were not
        [0.24, 0.0, 0.01]
    """

    unit: ClassVar[Unit] = "points"
    better: ClassVar[Literal["higher", "lower"]] = "lower"
    reduction: ClassVar[str] = "debiased calibration error"
    asks: ClassVar[str] = "calibration error without the bias of binning noise"

    bins: int = param(15, "bins of confidence with equally many rows", low=1, high=10**4)

    def items(self, model: Model, inputs: Inputs) -> tuple[str, ...]:
        return GIVEN, TEMPERED, DRAWN

    def examine(self, model: Model, inputs: Inputs, labels: Labels) -> Evidence:
        logits = self.logits(model, inputs)
        confidence, right = sureness(model.task, logits, labels)
        drawn = (self.chance(logits) < confidence).to(confidence)
        tempered = logits / self.temperatures(logits, labels)[:, None]
        pairs = (confidence, right), sureness(model.task, tempered, labels), (confidence, drawn)
        return torch.stack([torch.stack(pair, 1) for pair in pairs], 1)

    def temperatures(self, logits: Logits, labels: Labels) -> PerExample:
        """The temperature for each row, which suits the rows of the other half."""
        half, ahead = self.chance(logits, at=1) < 0.5, to_numpy(leads(logits, labels)).astype(np.float64)
        suited = [temperature(ahead[to_numpy(part)]) for part in (half, ~half)]
        return torch.where(half, suited[1], suited[0]).to(logits)


@dataclass(frozen=True, kw_only=True)
class Temperature(OfProbabilities):
    """The temperature that logits are to be divided by, so that probabilities fit the labels best (arXiv:1706.04599).

    It is positive: above 1 the model is too sure of its answers, below 1 not sure enough. It is sought from 0.05 to 20.
    The null has labels drawn from the model's own probabilities, whose temperature is 1. The evidence of an example is
    by how much each class is ahead of the label's.

    Raises:
        Unsupported: if the task has no classes.

    Example:
        >>> import torch
        >>> from probe import Dataset, Model
        >>> from probe.surveys import Temperature
        >>> model = Model(forward=lambda x: torch.cat([-6 * x, 6 * x], 1), classes=("no", "yes"))
        >>> x = torch.rand(2000, 1, generator=torch.Generator().manual_seed(0))
        >>> right = torch.rand(2000, generator=torch.Generator().manual_seed(1)) < (2 * x[:, 0]).sigmoid()
        >>> found = Temperature()(model, Dataset(x, right.long(), space=model.space)).to_frame()
        >>> found["value"].round(0).tolist()
        [6.0, 1.0]
    """

    reduction: ClassVar[str] = "temperature"
    asks: ClassVar[str] = "temperature of its logits"

    def items(self, model: Model, inputs: Inputs) -> tuple[str, ...]:
        return GIVEN, DRAWN

    def examine(self, model: Model, inputs: Inputs, labels: Labels) -> Evidence:
        logits = self.logits(model, inputs)
        below = model.task.probabilities(logits).cumsum(1)
        drawn = (self.chance(logits)[:, None] * below[:, -1:] > below).sum(1).clamp(max=logits.shape[1] - 1)
        return torch.stack([leads(logits, each) for each in (labels, drawn)], 1)
