"""Random logit: is the explanation of another output another one?"""

from dataclasses import dataclass
from typing import ClassVar

import torch

from probe.contracts import Explainer, Metric
from probe.errors import Unsupported
from probe.finding import Aspect
from probe.formatting import Unit
from probe.method import param
from probe.metrics.again import explainer_of
from probe.metrics.randomised import alike
from probe.model import Model
from probe.results import Attribution
from probe.shapes import Evidence
from probe.tensors import generator, wide


@dataclass(frozen=True, kw_only=True)
class RandomLogit(Metric[Attribution]):
    """How different the explanations of other outputs are (random logit, arXiv:1912.09818).

    The method explains another output of the same model, drawn at random, for each example. Evidence is the rank
    correlation (Spearman) of the two explanations; 1, that of an explanation which ignores what it explains; and 0,
    that of unrelated ones. The value is 1 minus own, in [0, 2]: higher is better, 0 is the same explanation for every
    output, 1 an unrelated one, and 2 the reverse, as for the two outputs of a model with two classes.

    Raises:
        Unsupported: if the model has only one output.

    >>> import torch
    >>> from probe import Model
    >>> from probe.explainers import Saliency
    >>> from probe.metrics import RandomLogit
    >>> weights = torch.tensor([[4.0, -4.0], [2.0, -2.0], [1.0, -1.0]])
    >>> model = Model(forward=lambda x: x @ weights)
    >>> RandomLogit()(model, Saliency()(model, torch.full((1, 3), 0.5))).value
    2.0
    """

    aspect: ClassVar[Aspect] = "explanation"
    unit: ClassVar[Unit] = "signed"
    reduction: ClassVar[str] = "skill"
    title: ClassVar[str] = "depends on the output"
    columns: ClassVar[tuple[str, ...]] = ("own", "unchanged", "unrelated")

    others: int = param(1, "other outputs to explain; at most all of them", low=1)
    seed: int = param(0, "seed of the other outputs", low=0)

    def suits(self, result: Attribution) -> bool:
        return isinstance(result.method, Explainer) and len(result.classes) != 1

    def measure(self, model: Model, result: Attribution) -> Evidence:
        inputs = model.check(result.inputs)
        targets = model.check_targets(result.targets, inputs)
        explainer = explainer_of(result, self.name())
        outputs = model.logits(inputs[:1])[0].numel()
        if outputs < 2:
            raise Unsupported(
                f"{self.name()} explains another output, and {model.name} has only one; leave this metric out"
            )
        own = model.space.by_feature(wide(result.values).to(inputs.device))
        drawn = torch.randperm(outputs - 1, generator=generator(self.seed, torch.device("cpu")))[: self.others]
        # By as much further for all examples, so that an example does not depend on its batch.
        found = [
            alike(own, explainer(model, inputs, (targets + further) % outputs).by_feature())
            for further in (drawn + 1).tolist()
        ]
        mean = torch.stack(found).mean(0)
        return torch.stack([mean, torch.ones_like(mean), torch.zeros_like(mean)], 1)
