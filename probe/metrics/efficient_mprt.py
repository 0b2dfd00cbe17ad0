"""Parameter randomisation at the cost of one more explanation: does what is shown lose its order?"""

from dataclasses import dataclass
from typing import ClassVar

import torch

from probe.contracts import Explainer, Metric
from probe.finding import Aspect
from probe.formatting import Unit
from probe.method import param
from probe.metrics.again import explainer_of
from probe.metrics.randomised import cascade
from probe.model import Model
from probe.results import Attribution
from probe.shapes import Evidence, PerExample, PerFeature
from probe.tensors import wide


@dataclass(frozen=True, kw_only=True)
class EfficientMPRT(Metric[Attribution]):
    """How much more complex an explanation gets when all weights are random (eMPRT, arXiv:2401.06465).

    A copy of the network with random weights in all layers is explained by the same method for the same output.
    Evidence is the rise of complexity, relative to that for the trained network; complexity is the entropy of a
    histogram of the values between their smallest and largest. The value is its mean; higher is better, and 0 is an
    explanation that does not depend on what was learned. Unlike MPRT it compares no values one by one, and asks for one
    explanation, not one for each layer.

    Raises:
        Unsupported: if the model is a function, so that it has no weights to randomise.

    >>> import torch
    >>> from probe import Model
    >>> from probe.explainers import Saliency
    >>> from probe.metrics import EfficientMPRT
    >>> network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 2)).eval()
    >>> _ = torch.nn.init.zeros_(network[1].weight)
    >>> _ = torch.nn.init.ones_(network[1].weight[:, :4])  # few pixels matter, until weights are random
    >>> model = Model(forward=network)
    >>> EfficientMPRT()(model, Saliency()(model, torch.rand(4, 1, 8, 8))).value > 1
    True
    """

    aspect: ClassVar[Aspect] = "explanation"
    unit: ClassVar[Unit] = "signed"
    threshold: ClassVar[float | None] = 0.0
    title: ClassVar[str] = "loses its order with the weights"
    columns: ClassVar[tuple[str, ...]] = ("rise",)

    bins: int = param(100, "bins of the histogram", low=2, high=10**6)
    seed: int = param(0, "seed of the random weights", low=0)

    def suits(self, result: Attribution) -> bool:
        return isinstance(result.method, Explainer)

    def measure(self, model: Model, result: Attribution) -> Evidence:
        inputs = model.check(result.inputs)
        targets = model.check_targets(result.targets, inputs)
        explainer = explainer_of(result, self.name())
        random = next(cascade(model, inputs, 1, self.seed, self.name()))
        before = self._entropy(model.space.by_feature(wide(result.values).to(inputs.device)))
        after = self._entropy(explainer(random, inputs, targets).by_feature())
        # From nothing any complexity is a whole rise.
        return torch.where(before > 0, after / before.clamp(min=1e-12) - 1, (after > 0).to(after.dtype))

    def _entropy(self, values: PerFeature) -> PerExample:
        low, high = values.amin(1, keepdim=True), values.amax(1, keepdim=True)
        place = (values - low) / (high - low).clamp(min=torch.finfo(values.dtype).tiny) * self.bins
        places = place.long().clamp(max=self.bins - 1)
        counts = torch.zeros(len(values), self.bins, device=values.device).scatter_add_(
            1, places, torch.ones_like(places, dtype=torch.get_default_dtype())
        )
        return torch.special.entr(counts / values.shape[1]).sum(1)
