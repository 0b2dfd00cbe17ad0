"""What certificates by bounds share: a radius is certified where no other class can overtake the decided one."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from probe.certificates.bounds import Bounds
from probe.certificates.nodes import Traced
from probe.certificates.region import Region
from probe.certificates.traced import traced
from probe.contracts import Certificate
from probe.errors import Unsupported
from probe.method import param
from probe.model import Model
from probe.norms import NORMS
from probe.outcomes import ABSTAINS
from probe.shapes import Inputs, Labels, PerExample
from probe.space import Space
from probe.task import Classification
from probe.threats import Ball, Threat

ROUNDING = 1e-5  # share of the largest logit by which a lead must exceed 0, as sums are rounded
NEAREST = 0.02  # the next radius keeps this share of the bracket from either end


@dataclass(frozen=True, kw_only=True)
class BoundedCertificate(Certificate):
    """Certifies the largest radius at which the lower bound of every lead of the decided class is above 0."""

    norm: Literal["linf", "l2"] = param("linf", "norm of the ball")
    most: float = param(1.0, "largest radius tried, in units of the space's scale", above=0)
    steps: int = param(12, "radii tried for each example", low=1, high=60)

    @property
    def threat(self) -> Threat:  # type: ignore[override]  # of other certificates it is the same for all
        return Ball(NORMS[self.norm].p)

    @abstractmethod
    def bounds(self, network: Traced, region: Region) -> Bounds:
        """Bounds of the network's steps."""

    @abstractmethod
    def leads(self, bounds: Bounds, functions: Tensor) -> Tensor:
        """Lower bounds of linear functions of the logits."""

    @torch.no_grad()
    def certify(self, model: Model, inputs: Inputs) -> tuple[Labels, PerExample]:
        search = Search.of(self, model, inputs)
        radius = search.largest(self.most, self.steps)
        return torch.where(radius > 0, search.labels, torch.full_like(search.labels, ABSTAINS)), radius

    def margins(self, model: Model, inputs: Inputs, labels: Labels, radius: PerExample) -> Tensor:
        """Lower bounds of the lead of each label over each other class within a radius, (rows, classes - 1).

        Classes are in their order, without the label.
        """
        with torch.no_grad():
            return Search.of(self, model, inputs, labels).leads(radius)


class Search:
    """The search for the largest certified radius of each example."""

    def __init__(  # noqa: PLR0913  what one search needs
        self,
        method: BoundedCertificate,
        space: Space,
        network: Traced,
        inputs: Inputs,
        logits: Tensor,
        labels: Labels,
        task: Classification,
    ) -> None:
        self.method, self.space, self.network, self.inputs, self.labels = method, space, network, inputs, labels
        rows, classes = logits.shape
        one = torch.eye(classes, dtype=inputs.dtype, device=inputs.device)
        others = torch.arange(classes, device=inputs.device).expand(rows, -1)
        others = others[others != labels[:, None]].view(rows, classes - 1)
        self.functions = one[labels][:, None] - one[others]
        # A threshold moves the logits, all rows alike.
        moved = task.deployed(torch.zeros_like(logits[:1]))[0].to(one)
        self.constant = moved[labels][:, None] - moved[others]
        self.least = ROUNDING * logits.abs().amax(1).to(inputs.dtype)

    @classmethod
    def of(
        cls,
        method: BoundedCertificate,
        model: Model,
        inputs: Inputs,
        labels: Labels | None = None,
        asked: Certificate | None = None,
    ) -> "Search":
        """The search for the decisions of a model, or for other labels, on behalf of the certificate that was asked.

        Raises:
            Unsupported: if the task is not one of several classes, or a step of the network cannot be bounded.
        """
        if not (isinstance(model.task, Classification) and model.task.one_class):
            raise Unsupported(
                f"{(asked or method).name()} certifies one of several classes, and the task of {model.name} is "
                f"{type(model.task).__name__}; of several labels certify one: model.only(0)"
            )
        network, logits = traced(model, inputs), model.logits(inputs)
        labels = model.decide(logits) if labels is None else labels
        return cls(method, model.space, network, inputs, logits, labels, model.task)

    def leads(self, radius: PerExample) -> Tensor:
        """Lower bounds of the lead over each other class within a radius of each example."""
        region = Region.around(self.space, self.inputs, radius, NORMS[self.method.norm].p)
        return self.within(region, torch.arange(len(self.inputs), device=self.inputs.device), self.method)

    def within(self, region: Region, rows: Tensor, method: BoundedCertificate) -> Tensor:
        """The same within a region around each of some rows, by the bounds of a method."""
        return method.leads(method.bounds(self.network, region), self.functions[rows]) + self.constant[rows]

    def excess(self, leads: Tensor, rows: Tensor) -> PerExample:
        """By how much the smallest lead of each of some rows exceeds what rounding can do."""
        least = self.least[rows]
        return leads.nan_to_num(-torch.inf).amin(1) - least if leads.shape[1] else torch.full_like(least, torch.inf)

    def largest(self, most: float, steps: int) -> PerExample:
        """The largest radius found at which all leads are above 0; 0 if there is none.

        The bracket is divided in turn where the line between its ends crosses 0, and in the middle.
        """
        low = torch.zeros_like(self.least)
        high = torch.full_like(low, most)
        at_low, at_high = self._least(low), self._least(high)
        sure = (at_low > 0) & (at_high > 0)
        low = torch.where(sure, high, low)
        never = (at_low <= 0) | sure
        for step in range(steps - 1):
            # A little before the crossing: a lead of 0 but for rounding holds in one batch and fails in another.
            crossing = (1 - NEAREST) * (at_low / (at_low - at_high)).nan_to_num(0.5)
            share = crossing.clamp(NEAREST, 1 - NEAREST) if step % 2 == 0 else 0.5
            radius = torch.where(never, low, low + (high - low) * share)
            found = self._least(radius)
            holds = (found > 0) & ~never
            fails = ~holds & ~never
            low, at_low = torch.where(holds, radius, low), torch.where(holds, found, at_low)
            high, at_high = torch.where(fails, radius, high), torch.where(fails, found, at_high)
        return low

    def _least(self, radius: PerExample) -> PerExample:
        return self.excess(self.leads(radius), torch.arange(len(self.inputs), device=self.inputs.device))
