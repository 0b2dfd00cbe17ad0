"""Agreement: does another method give the same features?"""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from probe.contracts import Explainer, Metric
from probe.finding import Aspect
from probe.formatting import Unit
from probe.method import param, required
from probe.model import Model
from probe.results import Attribution
from probe.shapes import Evidence
from probe.statistics import rank_correlation
from probe.tensors import to_numpy

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Agreement(Metric[Attribution]):
    """How far two methods agree about the same outputs, beyond chance (arXiv:2202.01602).

    Another explainer explains the same outputs. By `by`, evidence is Spearman's rank correlation of the values; the
    share of the largest `top` features, by absolute value, that both have; or the share of features with the same sign;
    then what two unrelated explanations would reach by chance; and 1, the best possible. The value is the lead over
    chance as a share of the best possible lead, at most 1: higher is better, 1 is full agreement and 0 is
    chance. It is taken over features to which either gives a value. Methods that agree may both be wrong.

    Raises:
        Unsupported: if the other explainer refuses the model.

    >>> import torch
    >>> from probe import Model
    >>> from probe.explainers import InputXGradient, Saliency
    >>> from probe.metrics import Agreement
    >>> weights = torch.tensor([[4.0, 0.0], [2.0, 0.0], [1.0, 0.0], [-1.0, 0.0]])
    >>> model = Model(forward=lambda x: x @ weights)
    >>> found = Saliency()(model, torch.full((1, 4), 0.5), torch.tensor([0]))
    >>> [Agreement(other=InputXGradient(), by=by, top=2)(model, found).value for by in ("rank", "top", "sign")]
    [1.0, 1.0, 1.0]
    """

    aspect: ClassVar[Aspect] = "explanation"
    unit: ClassVar[Unit] = "signed"
    reduction: ClassVar[str] = "skill"
    title: ClassVar[str] = "another method agrees"
    columns: ClassVar[tuple[str, ...]] = ("own", "chance", "best")

    other: Explainer = required("the explainer to compare with")
    by: Literal["rank", "top", "sign"] = param("rank", "what is compared: order, largest features or signs")
    top: int = param(5, "how many features count as the largest", low=1)

    def measure(self, model: Model, result: Attribution) -> Evidence:
        inputs = model.check(result.inputs)
        theirs = self.other(model, inputs, model.check_targets(result.targets, inputs)).by_feature()
        both = zip(to_numpy(model.space.by_feature(result.values)), to_numpy(theirs), strict=True)
        found = [self._compared(one.astype(np.float64), other.astype(np.float64)) for one, other in both]
        return torch.tensor(found, dtype=torch.get_default_dtype(), device=inputs.device)

    def _compared(self, one: Array, other: Array) -> tuple[float, float, float]:
        """The agreement of two explanations, that of unrelated ones, and the best; all 0 where nothing is compared."""
        shown = (one != 0) | (other != 0)
        one, other = one[shown], other[shown]
        if not len(one) or (self.by == "rank" and min(len(np.unique(one)), len(np.unique(other))) < 2):
            return 0.0, 0.0, 0.0
        if self.by == "rank":
            return rank_correlation(one, other), 0.0, 1.0
        if self.by == "sign":
            signs = np.sign(one), np.sign(other)
            chance = sum(float((signs[0] == s).mean() * (signs[1] == s).mean()) for s in (-1, 0, 1))
            return float((signs[0] == signs[1]).mean()), chance, 1.0
        top = min(self.top, len(one))
        sets = [set(np.argsort(-np.abs(each), kind="stable")[:top].tolist()) for each in (one, other)]
        return len(sets[0] & sets[1]) / top, top / len(one), 1.0
