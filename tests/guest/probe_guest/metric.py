"""A metric of explanations."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from probe.contracts import Metric
from probe.finding import Lens
from probe.model import Model
from probe.results import Attribution
from probe.shapes import Evidence


@dataclass(frozen=True, kw_only=True)
class Sparseness(Metric[Attribution]):
    """Gini index of the sizes of the values, in [0, 1]; higher is better, 1 a single feature (arXiv:1810.06583)."""

    lens: ClassVar[Lens] = "explanation"

    def measure(self, model: Model, result: Attribution) -> Evidence:
        sizes = result.by_feature().abs().sort(1).values
        n = sizes.shape[1]
        rank = torch.arange(1, n + 1, device=sizes.device, dtype=sizes.dtype)
        total = sizes.sum(1).clamp(min=1e-12)
        return ((2 * rank - n - 1) * sizes).sum(1) / (n * total)
