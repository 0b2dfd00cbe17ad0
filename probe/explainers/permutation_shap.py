"""Shapley values from random orders of the features and their reverses."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Float64, Int
from torch import Tensor

from probe.contracts import Explainer, Need, Sampled
from probe.explainers.alike import differs_from_reference
from probe.explainers.coalitions import coalition_values, to_coordinates
from probe.method import param
from probe.model import Model
from probe.shapes import Inputs, Labels
from probe.tensors import exact, generator

Orders = Int[Tensor, "orders features"]
Gains = Float64[Tensor, "batch orders features"]


@dataclass(frozen=True, kw_only=True)
class PermutationShap(Explainer):
    """Shapley values as mean gains over random orders of the features (doi:10.1016/j.cor.2008.04.004), and reverses.

    Features are added to the reference one by one, in an order and in its reverse (antithetic, arXiv:2104.12199); the
    gain of a feature is the output with it less that before. The mean over an order and its reverse is exact for games
    of order 2 or less. All examples share the orders, masked rows that are equal are evaluated once, and absent
    features take the values of the space's reference rows, over which the output is averaged.

    Values are in output units and sum to output(input) - mean output(references), with any number of orders. Standard
    errors are over pairs of orders; one pair tells none. Use `KernelShap`, which is closer at the same cost on most
    networks, unless values must be unbiased.

    Raises:
        Unsupported: if the space has no reference.

    >>> import torch
    >>> from probe import Model, Space
    >>> from probe.explainers import PermutationShap
    >>> forward = lambda x: torch.stack([4 * x[:, 0] * x[:, 1], torch.zeros(len(x))], 1)
    >>> model = Model(forward=forward, space=Space(reference=torch.zeros(1, 2)))
    >>> PermutationShap()(model, torch.tensor([[1.0, 0.5]]), torch.tensor([0])).values
    tensor([[1., 1.]])
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"reference"})
    completeness: ClassVar[Literal["baseline", "references"] | None] = "references"
    sums_by_construction: ClassVar[bool] = True

    draws: int = param(10, "pairs of an order and its reverse", low=1, high=10**6)
    seed: int = param(0, "seed of the orders", low=0)

    def attribute(self, model: Model, inputs: Inputs, targets: Labels) -> Inputs | Sampled:
        features, home = model.space.feature_count(inputs), exact(inputs.device)
        orders = self.orders(features)
        both = torch.cat([orders, orders.flip(1)])
        gains = self._gains(model, inputs, targets, both)
        pairs = (gains[:, : self.draws] + gains[:, self.draws :]) / 2
        active = differs_from_reference(model.space, inputs)
        values = to_coordinates(torch.where(active, pairs.mean(1).to(home), 0.0), model.space, inputs)
        if self.draws == 1:
            return values
        errors = torch.where(active, pairs.std(1).to(home) / self.draws**0.5, 0.0)
        # Gains that are equal but for rounding are exact.
        size = pairs.abs().amax((1, 2)).to(home)[:, None]
        return Sampled(values, to_coordinates(torch.where(errors < 1e-7 * size, 0.0, errors), model.space, inputs))

    def orders(self, features: int) -> Orders:
        """The orders, whose reverses are followed too."""
        return random_orders(features, self.draws, self.seed)

    def _gains(self, model: Model, inputs: Inputs, targets: Labels, orders: Orders) -> Gains:
        """What each feature adds in each order, in the place of the feature."""
        features, home = orders.shape[1], exact(inputs.device)
        rank = orders.argsort(1)
        # The first so many features of an order, the empty coalition first.
        masks = (rank[:, None] < torch.arange(features + 1)[:, None]).flatten(0, 1)
        values = coalition_values(model, inputs, targets, masks.to(home), self.output)
        steps = values.view(len(inputs), len(orders), features + 1).diff(dim=2)
        return steps.gather(2, rank.to(home).expand(len(inputs), -1, -1))


def random_orders(features: int, count: int, seed: int) -> Orders:
    """Uniformly random orders of the features."""
    source = generator(seed, torch.device("cpu"))
    return torch.stack([torch.randperm(features, generator=source) for _ in range(count)])
