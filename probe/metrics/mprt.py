"""Parameter randomisation: does an explanation change when the network forgets what it has learned?"""

from dataclasses import dataclass
from typing import ClassVar

import torch

from probe.contracts import Explainer, Metric
from probe.finding import Aspect
from probe.formatting import Unit
from probe.method import param
from probe.metrics.again import explainer_of
from probe.metrics.randomised import alike, cascade
from probe.model import Model
from probe.results import Attribution
from probe.shapes import Evidence, PerFeature
from probe.tensors import wide


@dataclass(frozen=True, kw_only=True)
class MPRT(Metric[Attribution]):
    """How much an explanation changes as layers get random weights, from the top down (MPRT, arXiv:1810.03292).

    A copy of the network gets random weights in its last layer, then in the last two, and so on to all of them, and is
    explained each time by the same method for the same output. Evidence is the rank correlation (Spearman) with the
    explanation of the trained network, averaged over these stages; 1, that of an explanation which ignores the network;
    and 0, the best possible on average. The value is 1 minus own: higher is better, 0 is an explanation that does not
    depend on what was learned, and about 1 is one that forgets all of it at once. Values may lie a little above 1 by
    chance.

    Raises:
        Unsupported: if the model is a function, so that it has no weights to randomise.

    >>> import torch
    >>> from probe import Model
    >>> from probe.explainers import Saliency
    >>> from probe.metrics import MPRT
    >>> network = torch.nn.Sequential(torch.nn.Linear(9, 5), torch.nn.ReLU(), torch.nn.Linear(5, 2)).eval()
    >>> model = Model(forward=network)
    >>> MPRT()(model, Saliency()(model, torch.rand(4, 9))).value > 0.1
    True
    """

    aspect: ClassVar[Aspect] = "explanation"
    unit: ClassVar[Unit] = "signed"
    reduction: ClassVar[str] = "skill"
    title: ClassVar[str] = "depends on the weights"
    columns: ClassVar[tuple[str, ...]] = ("own", "unchanged", "best")

    absolute: bool = param(True, "compare absolute values, so that a change of sign is none")
    stages: int = param(8, "groups of layers, each made random in its turn; at most one for each layer", low=1)
    seed: int = param(0, "seed of the random weights", low=0)

    def suits(self, result: Attribution) -> bool:
        return isinstance(result.method, Explainer)

    def measure(self, model: Model, result: Attribution) -> Evidence:
        inputs = model.check(result.inputs)
        targets = model.check_targets(result.targets, inputs)
        explainer = explainer_of(result, self.name())
        own = self._sizes(model.space.by_feature(wide(result.values).to(inputs.device)))
        found = [
            alike(own, self._sizes(explainer(each, inputs, targets).by_feature()))
            for each in cascade(model, inputs, self.stages, self.seed, self.name())
        ]
        mean = torch.stack(found).mean(0)
        return torch.stack([mean, torch.ones_like(mean), torch.zeros_like(mean)], 1)

    def _sizes(self, values: PerFeature) -> PerFeature:
        return values.abs() if self.absolute else values
