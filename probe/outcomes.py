"""Results of certificates and surveys: radii per example, and evidence per example and item."""

from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from probe.errors import DataError
from probe.formatting import counted, digits
from probe.metering import Usage
from probe.method import Method
from probe.results.base import AnyResult, cost_in_words, named, whole
from probe.shapes import Evidence, Inputs, Labels, PerExample
from probe.space import Space
from probe.statistics import Floats
from probe.tensors import to_numpy

ABSTAINS = -1  # the class of an abstention


@runtime_checkable
class Reduces(Protocol):
    """The part of a survey that an Examination needs."""

    def config(self) -> dict[str, Any]: ...
    def reduce(self, evidence: Floats) -> float: ...
    def interval(self, evidence: Floats, level: float, draws: int, seed: int) -> tuple[float, float]: ...


@dataclass(frozen=True, eq=False, repr=False)
class Certification(AnyResult):
    """Predictions and the radii within which they cannot change.

    Radii are in the unit of the certificate's threat, such as L2 in units of the space's scale.

    >>> import torch
    >>> from probe import Model, Space
    >>> from probe.certificates import RandomizedSmoothing
    >>> forward = lambda x: torch.stack([-x[:, 0], x[:, 0]], 1)
    >>> model = Model(forward=forward, space=Space(bounds=(-9.0, 9.0)))
    >>> proof = RandomizedSmoothing(sigma=0.5)(model, torch.tensor([[2.0], [0.2]]), torch.tensor([1, 1]))
    >>> proof.certified(0.5)
    tensor([ True, False])
    """

    per_row = ("radius", "predicted", "inputs", "labels")

    radius: PerExample  # 0 where nothing is certified
    predicted: Labels  # -1 where nothing is certified
    inputs: Inputs
    labels: Labels
    level: float  # the probability with which each radius holds
    method: Method
    space: Space
    cost: Usage = field(default_factory=Usage)  # of the call that made it, also in a part of it
    classes: tuple[str, ...] = ()

    def certified(self, radius: float = 0.0) -> Tensor:
        """True where the prediction is correct and certified at this radius."""
        return (self.predicted == self.labels) & (self.radius > radius)

    def reaching(self, radius: float) -> "Certification":
        """The result with smaller radii treated as abstentions."""
        beyond = self.radius > radius
        return replace(
            self,
            radius=torch.where(beyond, self.radius, 0.0),
            predicted=torch.where(beyond, self.predicted, ABSTAINS),
        )

    def check(self) -> None:
        """Raise DataError, or an error of the space, if the fields do not fit together."""
        self.space.check(self.inputs)
        if not bool((self.radius >= 0).all()) or bool((self.radius[self.predicted == ABSTAINS] > 0).any()):
            raise DataError("radii are below 0, none, or above 0 where nothing is certified")
        if len(self) and (int(self.predicted.min()) < ABSTAINS or int(self.labels.min()) < 0):
            raise DataError("decisions or labels name classes that are not there")

    @property
    def names(self) -> tuple[str, ...]:
        return self.classes

    def to_frame(self) -> pd.DataFrame:
        """One row per example: label, prediction (None for an abstention), and radius."""
        none = self.predicted == ABSTAINS
        decided = named(self.predicted.clamp(min=0), self.classes).astype(object)
        decided[to_numpy(none)] = None
        columns = {"label": named(self.labels, self.classes), "predicted": decided, "radius": to_numpy(self.radius)}
        return pd.DataFrame(columns)

    def told(self, index: int) -> str:
        """The prediction and radius of one example, as text."""
        row = self[index].to_frame().iloc[0]
        if row["predicted"] is None:
            return f"nothing is certified; the label is {row['label']}"
        right = "which is the label" if row["predicted"] == row["label"] else f"and the label is {row['label']}"
        return f"{row['predicted']} up to radius {digits(float(row['radius']), 4)}, {right}"

    def _in_words(self) -> tuple[str, ...]:
        certified = self.certified()
        radii = f", median radius {digits(float(self.radius[certified].median()), 4)}" if bool(certified.any()) else ""
        return (
            f"Certification of {counted(len(self), 'example')} by {self.method}",
            f"{int(certified.sum())} right and certified{radii}; each radius holds with probability {self.level:g}",
            cost_in_words(self.cost),
        )


@dataclass(frozen=True, eq=False, repr=False)
class Examination(AnyResult):
    """Evidence of each example for each item, such as a feature.

    >>> import torch
    >>> from probe import Dataset, Model, Space
    >>> from probe.surveys import PermutationImportance
    >>> model = Model(forward=lambda x: torch.stack([-x[:, 0], x[:, 0]], 1), space=Space(names=("debt", "age")))
    >>> x = torch.rand(40, 2, generator=torch.Generator().manual_seed(0))
    >>> found = PermutationImportance()(model, Dataset(x, torch.ones(40, dtype=torch.long), space=model.space))
    >>> found.items, len(found.to_frame())
    (('debt', 'age'), 2)
    """

    per_row = ("evidence",)

    evidence: Evidence  # (batch, items) or (batch, items, parts)
    items: tuple[str, ...]
    method: Method
    cost: Usage = field(default_factory=Usage)  # of the call that made it, also in a part of it

    def check(self) -> None:
        """Raise DataError if the fields do not fit together."""
        if self.evidence.ndim < 2 or self.evidence.shape[1] != len(self.items):
            raise DataError(f"evidence {tuple(self.evidence.shape)} for {len(self.items)} items")
        if not isinstance(self.method, Reduces):
            raise DataError(f"{self.method} is no survey")

    def to_frame(self, level: float = 0.95, draws: int = 1000, seed: int = 0) -> pd.DataFrame:
        """One row per item: its value over all examples, the interval of that, and n."""
        method = self.method
        if not isinstance(method, Reduces):
            raise DataError(f"{method} is no survey")
        evidence = to_numpy(self.evidence).astype(np.float64)
        rows = []
        for at, item in enumerate(self.items):
            part = evidence[:, at]
            rows.append((whole(item), method.reduce(part), *method.interval(part, level, draws, seed), len(part)))
        return pd.DataFrame(rows, columns=["item", "value", "low", "high", "n"])

    def _in_words(self) -> tuple[str, ...]:
        return f"Examination of {len(self.items)} items on {len(self)} examples by {self.method}", cost_in_words(
            self.cost
        )
