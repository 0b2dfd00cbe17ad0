"""Owen values: Shapley values of features that come in groups, which join one after the other as a whole."""

from dataclasses import dataclass
from math import factorial, isqrt

import torch
from jaxtyping import Float64, Int
from torch import Tensor

from probe.contracts import Sampled
from probe.errors import RangeError
from probe.explainers.coalitions import coalition_values, every_subset, to_coordinates
from probe.explainers.permutation_shap import PermutationShap
from probe.method import param
from probe.model import Model
from probe.shapes import Inputs, Labels, Presence
from probe.tensors import exact, generator

Groups = Int[Tensor, " features"]  # the group of each feature, from 0
Orders = Int[Tensor, "orders features"]
Weights = Float64[Tensor, "_"]
Shares = Float64[Tensor, "_ _"]


@dataclass(frozen=True, kw_only=True)
class OwenShap(PermutationShap):
    """Mean gains over the orders in which features of a group join together (doi:10.1007/978-3-642-45494-3_7).

    A two-level Shapley value: groups share the output as features of `KernelShap` do, and the features of a group share
    what it gets. Features that mean one thing, such as columns that are correlated or words of a phrase, are then not
    torn apart, and fewer coalitions are asked. `groups` has the group of each feature; without it, neighbouring
    features are in groups of about the square root of their number. With one group, or each feature in its own, they
    are Shapley values. Absent features take the values of the space's reference rows, over which the output is
    averaged.

    Values are in output units and sum to output(input) - mean output(references); those of a group sum to the Shapley
    value of the group. They are exact where no more than `coalitions` are needed, for which masked rows that are equal
    are evaluated once; else they are the means over random orders and their reverses, with standard errors over pairs.

    Raises:
        RangeError: if `groups` does not have a number for each feature.
        Unsupported: if the space has no reference.

    >>> import torch
    >>> from probe import Model, Space
    >>> from probe.explainers import OwenShap
    >>> forward = lambda x: torch.stack([4 * x.prod(1), torch.zeros(len(x))], 1)
    >>> model = Model(forward=forward, space=Space(reference=torch.zeros(1, 3)))
    >>> OwenShap(groups=(0, 0, 1))(model, torch.ones(1, 3), torch.tensor([0])).values
    tensor([[1., 1., 2.]])
    """

    groups: tuple[int, ...] = param((), "the group of each feature, in their order, such as 0, 0, 1; empty: neighbours")
    coalitions: int = param(4096, "coalitions up to which all are evaluated; 0: none, always draw", low=0, high=10**7)

    def attribute(self, model: Model, inputs: Inputs, targets: Labels) -> Inputs | Sampled:
        groups = self._grouped(model.space.feature_count(inputs))
        sizes = groups.bincount().tolist()
        if sum(2 ** min(len(sizes) - 1 + size, 60) for size in sizes) > self.coalitions:
            return super().attribute(model, inputs, targets)
        home, found = exact(inputs.device), torch.zeros(len(inputs), len(groups), dtype=torch.float64)
        for group in range(len(sizes)):
            masks, others, shares = _marginal(groups, group)
            values = coalition_values(model, inputs, targets, masks.to(home), self.output).cpu()
            found[:, groups == group] = values.view(len(inputs), len(others), -1).mT @ others @ shares
        return to_coordinates(found.to(home), model.space, inputs)

    def orders(self, features: int) -> Orders:
        """Random orders of the groups, and of the features within them."""
        groups, source = self._grouped(features), generator(self.seed, torch.device("cpu"))
        shape = self.draws, int(groups.max()) + 1
        place = torch.rand(shape, generator=source, dtype=torch.float64).argsort(1).argsort(1)
        within = torch.rand(self.draws, features, generator=source, dtype=torch.float64)
        return (place[:, groups] + within).argsort(1)

    def _grouped(self, features: int) -> Groups:
        """The group of each feature, as numbers from 0 of which none is left out."""
        if not self.groups:
            return torch.arange(features) // max(1, isqrt(features))
        if len(self.groups) != features:
            raise RangeError(
                f"OwenShap.groups has {len(self.groups)} numbers, expected one for each of the {features} features; "
                "leave it empty for groups of neighbours"
            )
        return torch.unique(torch.tensor(self.groups), return_inverse=True)[1]


def _marginal(groups: Groups, group: int) -> tuple[Presence, Weights, Shares]:
    """All coalitions of a group's features with whole other groups, and the weights by which values are added.

    The second are those of the other groups, and the third what each coalition of the group's features tells of each.
    """
    count = int(groups.max()) + 1
    own, rest = groups == group, torch.tensor([other for other in range(count) if other != group], dtype=torch.long)
    joined, inside = every_subset(count - 1), every_subset(int(own.sum()))
    present = torch.zeros(len(joined), count, dtype=torch.bool)
    present[:, rest] = joined
    masks = present[:, groups][:, None].repeat(1, len(inside), 1)
    masks[:, :, own] = inside
    sizes = inside.sum(1)
    weights = _weights(inside.shape[1])
    shares = torch.where(
        inside, weights[(sizes - 1).clamp(min=0)][:, None], -weights[sizes.clamp(max=len(weights) - 1)][:, None]
    )
    return masks.flatten(0, 1), _weights(count)[joined.sum(1)], shares


def _weights(players: int) -> Weights:
    """The share of all orders in which so many given players come before a given one, and the others after it."""
    return torch.tensor(
        [factorial(s) * factorial(players - s - 1) / factorial(players) for s in range(players)], dtype=torch.float64
    )
