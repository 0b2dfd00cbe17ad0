"""Neighbours in images and series: products of three features that lie near each other, which interact the most."""

from math import prod

import torch
from jaxtyping import Float64, Int
from torch import Tensor

from probe.shapes import Inputs
from probe.space import Space

Apart = Float64[Tensor, "features features"]  # squared distances
Threes = Int[Tensor, "products 3"]
Products = Float64[Tensor, "pairs products"]

_FAR = 8.0  # sum of the three squared distances beyond which a product is left out; its weight is 0.02
_CANDIDATES = 2**22  # of three features, looked at together


def distances(space: Space, inputs: Inputs) -> Apart | None:
    """How far features are apart, squared, where 1 is the side of one; None unless these are images or series."""
    near = space.form_of(inputs).near
    if not near:
        return None
    shape = inputs.shape[1:]
    axes = torch.meshgrid(*(torch.arange(length, dtype=torch.float64) for length in shape[-near:]), indexing="ij")
    places = torch.stack([axis.expand(shape) for axis in (*axes, torch.ones(shape, dtype=torch.float64))])
    sums = space.by_feature(places)
    centres = (sums[:-1] / sums[-1].clamp(min=1)).T  # features that an example does not have lie anywhere
    side = (prod(shape[-near:]) / sums.shape[1]) ** (1 / near)
    return (centres[:, None] - centres).div(side).square().sum(2)


def near_threes(apart: Apart, most: int) -> tuple[Threes, Float64[Tensor, " products"]] | None:
    """All of three features near each other and the weight of each; None where there are none, or more than `most`."""
    one, two = torch.triu_indices(len(apart), len(apart), 1)
    close = apart[one, two] <= _FAR
    one, two = one[close], two[close]
    if len(one) * len(apart) > _CANDIDATES:
        return None
    sums = apart[one, two, None] + apart[one] + apart[two]
    pair, three = ((sums <= _FAR) & (torch.arange(len(apart)) > two[:, None])).nonzero(as_tuple=True)
    if not 0 < len(pair) <= most:
        return None
    return torch.stack([one[pair], two[pair], three], 1), (-sums[pair, three] / 2).exp()


def products_of(signs: Float64[Tensor, "pairs features"], of: Threes) -> Products:
    """The product of the signs of three features, at each pair of coalitions."""
    rows = signs.T.contiguous()  # whose rows are copied several times as fast as columns
    one, two, three = (rows.index_select(0, each) for each in of.T)
    return one.mul_(two).mul_(three).T
