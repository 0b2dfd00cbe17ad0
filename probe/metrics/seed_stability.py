"""Seed stability: how much of an explanation is the draw of its method?"""

from dataclasses import dataclass, fields, replace
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from probe.contracts import Explainer, Metric
from probe.errors import Unsupported
from probe.finding import Aspect
from probe.formatting import Unit
from probe.method import param
from probe.metrics.again import explainer_of
from probe.model import Model
from probe.results import Attribution
from probe.shapes import Evidence, PerExample
from probe.tensors import wide

Draws = Float[Tensor, "seeds batch features"]


@dataclass(frozen=True, kw_only=True)
class SeedStability(Metric[Attribution]):
    """How little the values of a method that draws vary between its seeds, against values in random order.

    The method explains the same inputs again with other seeds. Evidence is the variance of a feature's value between
    seeds, averaged over features and divided by what it is if each seed's values stand in random order; 1, that of
    random order; and 0, the best possible. Own may be above 1 where seeds contradict each other more than chance would.
    The value is 1 minus own: higher is better, 1 is the same values for every seed, and 0 is no steadier than random.
    Features that are 0 for every seed are left out. A standard error that a method tells of itself should agree with
    the square root of the variance. Values that are the same for every seed may still be wrong.

    Raises:
        Unsupported: if the values were not made by an explainer with a seed.

    >>> import torch
    >>> from probe import Model
    >>> from probe.explainers import SmoothGrad
    >>> from probe.metrics import SeedStability
    >>> weights = torch.tensor([[4.0, 0.0], [2.0, 0.0], [0.0, 0.0], [-1.0, 0.0]])
    >>> model = Model(forward=lambda x: x @ weights)
    >>> SeedStability()(model, SmoothGrad()(model, torch.full((1, 4), 0.5))).value  # a constant gradient
    1.0
    """

    aspect: ClassVar[Aspect] = "explanation"
    unit: ClassVar[Unit] = "signed"
    reduction: ClassVar[str] = "skill"
    threshold: ClassVar[float | None] = 0.0  # no steadier than random values
    title: ClassVar[str] = "steady over seeds"
    columns: ClassVar[tuple[str, ...]] = ("own", "random", "best")

    seeds: int = param(5, "seeds that are compared, the explanation's own among them", low=2, high=10**4)

    def suits(self, result: Attribution) -> bool:
        return isinstance(result.method, Explainer) and _seeded(result.method)

    def measure(self, model: Model, result: Attribution) -> Evidence:
        inputs = model.check(result.inputs)
        targets = model.check_targets(result.targets, inputs)
        explainer = explainer_of(result, self.name())
        if not _seeded(explainer):
            raise Unsupported(
                f"{self.name()} compares the seeds of a method, and {explainer.name()} draws nothing; leave this "
                "metric out"
            )
        first = int(explainer.config()["seed"])
        others = [replace(explainer, seed=first + more) for more in range(1, self.seeds)]  # type: ignore[call-arg]  # it has a seed
        own = wide(result.values).to(inputs.device)
        again = [wide(each(model, inputs, targets).values) for each in others]
        draws = torch.stack([model.space.by_feature(values).double() for values in (own, *again)])
        within, random = _variances(draws)
        share = within / random.clamp(min=torch.finfo(random.dtype).tiny)
        evidence = torch.stack([share, torch.ones_like(share), torch.zeros_like(share)], 1)
        return torch.where(random[:, None] > 0, evidence, 0.0).to(own.dtype)


def _seeded(method: Explainer) -> bool:
    return "seed" in {each.name for each in fields(method)}


def _variances(draws: Draws) -> tuple[PerExample, PerExample]:
    """The variance between seeds, averaged over features, and its expectation if each seed's values are shuffled.

    A shuffled value has the variance of its seed's values, and seeds may differ in their mean.
    """
    shown = (draws != 0).any(0)
    count = shown.sum(1).clamp(min=1)
    within = (draws.var(0) * shown).sum(1) / count
    mean = (draws * shown).sum(2) / count
    spread = ((draws - mean[..., None]).square() * shown).sum(2) / count
    return within, spread.mean(0) + mean.var(0)
