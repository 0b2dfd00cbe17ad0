"""Metrics of counterfactuals: do they change the prediction, and with how few changes?"""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

from probe.contracts import Metric, Proportion
from probe.contracts.metric import Follows
from probe.finding import Aspect
from probe.model import Model
from probe.results import Counterfactuals
from probe.shapes import Evidence


@dataclass(frozen=True, kw_only=True)
class Validity(Proportion[Counterfactuals]):
    """Share of examples with a candidate that gets the desired prediction, in [0, 1]; higher is better.

    >>> import torch
    >>> from probe import Model, Space
    >>> from probe.counterfactuals import NearestReference
    >>> from probe.metrics import Validity
    >>> space = Space(reference=torch.tensor([[0.6], [0.9]]))
    >>> model = Model(forward=lambda x: 4 * torch.cat([x, 1 - x], 1), space=space)
    >>> found = NearestReference()(model, torch.tensor([[0.25], [0.75]]))
    >>> Validity()(model, found).value  # no reference row is answered otherwise than the second input
    0.5
    """

    aspect: ClassVar[Aspect] = "explanation"
    follows: ClassVar[Follows] = "wholly"
    title: ClassVar[str] = "another answer is found"
    columns: ClassVar[tuple[str, ...]] = ("found",)

    def measure(self, model: Model, result: Counterfactuals) -> Evidence:
        return result.found().to(torch.get_default_dtype())


@dataclass(frozen=True, kw_only=True)
class ChangedFeatures(Metric[Counterfactuals]):
    """Mean number of features that an example's candidates change; lower is better.

    A candidate that equals the input changes none, so read this together with Validity.

    >>> import torch
    >>> from probe import Model, Space
    >>> from probe.counterfactuals import NearestReference
    >>> from probe.metrics import ChangedFeatures
    >>> space = Space(reference=torch.tensor([[0.9, 0.5]]))
    >>> model = Model(forward=lambda x: 4 * torch.stack([x[:, 0], 1 - x[:, 0]], 1), space=space)
    >>> found = NearestReference()(model, torch.tensor([[0.25, 0.5]]))
    >>> ChangedFeatures()(model, found).value
    1.0
    """

    aspect: ClassVar[Aspect] = "explanation"
    follows: ClassVar[Follows] = "wholly"
    better: ClassVar[Literal["higher", "lower"]] = "lower"
    columns: ClassVar[tuple[str, ...]] = ("changed",)

    def measure(self, model: Model, result: Counterfactuals) -> Evidence:
        return result.changed().to(torch.get_default_dtype()).mean(1)
