"""Metrics of certificates."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from probe.contracts import Proportion
from probe.contracts.metric import Follows
from probe.finding import Aspect
from probe.model import Model
from probe.outcomes import Certification
from probe.shapes import Evidence


@dataclass(frozen=True, kw_only=True)
class CertifiedAccuracy(Proportion[Certification]):
    """Share of examples that are correct and certified, in [0, 1]; higher is better.

    A lower bound of the accuracy under any attack within the radius, as in `proof.reaching(0.5)`.

    Example:
        >>> import torch
        >>> from probe import Model, Space
        >>> from probe.certificates import RandomizedSmoothing
        >>> model = Model(forward=lambda x: torch.stack([-x[:, 0], x[:, 0]], 1), space=Space(bounds=(-9.0, 9.0)))
        >>> proof = RandomizedSmoothing()(model, torch.tensor([[1.0], [0.1]]), torch.tensor([1, 1]))
        >>> CertifiedAccuracy()(model, proof.reaching(0.3)).value
        0.5
    """

    aspect: ClassVar[Aspect] = "robustness"
    follows: ClassVar[Follows] = "wholly"
    threshold: ClassVar[float | None] = 0.5
    columns: ClassVar[tuple[str, ...]] = ("certified",)

    def measure(self, model: Model, result: Certification) -> Evidence:
        return result.certified().to(torch.get_default_dtype())
