"""Evaluate a model on coalitions of features, as Shapley values and LIME both do."""

from collections.abc import Callable, Iterator
from math import comb

import torch
from jaxtyping import Float64, Int
from torch import Tensor

from probe.errors import RangeError
from probe.explainers.alike import differs, differs_from_reference, numbered, unlike
from probe.explainers.nearby import Nearby
from probe.model import Model
from probe.recall import Fresh
from probe.shapes import Inputs, Labels, PerFeature, Presence
from probe.space import Space
from probe.tensors import exact, spans

Values = Float64[Tensor, "batch coalitions"]
Weighed = Float64[Tensor, "batch coalitions references"]
Weigh = Callable[[slice, slice], Weighed]  # of some inputs and coalitions
Chosen = Int[Tensor, " coalitions"]

_PAIRS = 2**18  # coalitions before references that are compared together, some 16 MiB of bookkeeping


def coalition_values(
    model: Model, inputs: Inputs, targets: Labels, masks: Presence, output: str, *, near: bool = False
) -> Values:
    """The target's output when only the features of a coalition are present, averaged over all reference rows.

    All absent features are taken from the same reference row. Identical masked rows are evaluated once, and what the
    model's `recall` knows from another method is not evaluated again. No more than one pass of masked inputs is held in
    memory. Where coalitions lack neighbouring features alone (`near`), a network computes what they reach of an image.
    """
    recall, asked = model.recall, Nearby(model, inputs, follow=near)
    if recall is None or not recall.fits(model):
        return _evaluated(asked, targets, masks, output)
    known = recall.known(model.space, inputs, targets, output)
    active = differs_from_reference(model.space, inputs)
    return recall.values(known, active, masks, lambda new: _evaluated(asked, targets, masks, output, new))


def weighed_values(model: Model, inputs: Inputs, targets: Labels, masks: Presence, output: str, weigh: Weigh) -> Values:
    """The same in the mean by weights that sum to 1 over references; rows of the weight 0 are not evaluated."""
    return _evaluated(Nearby(model, inputs, follow=False), targets, masks, output, weigh=weigh)


def _evaluated(
    nearby: Nearby,
    targets: Labels,
    masks: Presence,
    output: str,
    new: Fresh | None = None,
    weigh: Weigh | None = None,
) -> Values:
    """The same, evaluated; 0 for coalitions that are not `new`, (batch, coalitions)."""
    model, inputs = nearby.model, nearby.inputs
    references, home = model.space.references(inputs), exact(inputs.device)
    numbers, absent, masks = numbered(model.space, references).to(home), ~masks.to(home), masks.to(inputs.device)
    values = torch.zeros(len(inputs), len(masks), dtype=torch.float64, device=home)
    for rows, some in _blocks(len(inputs), len(masks), len(references)):
        differing = differs(model.space, inputs[rows], references).to(home)
        first, kinds = unlike(differing, numbers, absent[some])
        weights = None if weigh is None else weigh(rows, some)
        asked = None
        if new is not None or weights is not None:
            asked = torch.zeros(len(first), dtype=torch.bool, device=home)
            wanted = weights > 0 if weights is not None else new[rows, some].to(home)  # type: ignore[index]  # one is given
            asked[kinds[wanted]] = True
            first = first[asked]
        # Filled in place: small tensors kept between passes would scatter over memory and have it grow.
        found = values.new_zeros(len(first))
        for span in spans(len(first), model.rows_per_pass(inputs)):
            pair = first[span].to(inputs.device)
            row, coalition = pair // kinds[0].numel(), pair // len(references) % kinds.shape[1]
            kept = model.space.coordinate_mask(masks[some].index_select(0, coalition), inputs)
            # index_select is five times as fast on a CPU as indexing with brackets.
            behind = references.index_select(0, pair % len(references))
            shown = torch.where(kept, inputs[rows].index_select(0, row), behind)
            found[span] = nearby.target_outputs(shown, row + rows.start, targets[rows][row], output).to(found)
        if asked is not None:
            found = torch.zeros(len(asked), dtype=torch.float64, device=home).masked_scatter(asked, found)
        each = found[kinds]
        values[rows, some] = each.sum(2) / len(references) if weights is None else (each * weights).sum(2)
    return values


def every_subset(features: int) -> Presence:
    """All 2^features coalitions: the empty one first, the full one last."""
    return (torch.arange(2**features)[:, None] >> torch.arange(features)).bitwise_and(1).bool()


def subsets(features: int, size: int, chosen: Chosen) -> Presence:
    """The coalitions of one size with the `chosen` ranks in lexicographic order."""
    masks = torch.zeros(len(chosen), features, dtype=torch.bool)
    left = comb(features, size) - 1 - chosen  # how many coalitions follow
    for more in range(size, 0, -1):
        # So many follow those whose next feature has so many features behind it.
        after = torch.tensor([comb(behind, more) for behind in range(features)])
        behind = torch.searchsorted(after, left, right=True) - 1
        masks.scatter_(1, (features - 1 - behind)[:, None], value=True)
        left = left - after[behind]
    return masks


def random_subsets(features: int, size: int, count: int, source: torch.Generator) -> Presence:
    """Uniformly random coalitions of one size."""
    order = torch.rand(count, features, generator=source, dtype=torch.float64).argsort(1)
    return torch.zeros(count, features, dtype=torch.bool).scatter_(1, order[:, :size], value=True)


def solve(normal: Tensor, right: Tensor, remedy: str) -> Tensor:
    """Solve the normal equations (..., features, features) of a fit for all columns of `right` at once.

    Raises:
        RangeError: if the coalitions do not determine the fit; `remedy` is added to the message.
    """
    factor, failed = torch.linalg.cholesky_ex(normal)
    # Rounding can hide a missing rank: then the factor's diagonal collapses instead.
    diagonal = factor.diagonal(dim1=-2, dim2=-1)
    if bool((failed > 0).any() | (diagonal.amin(-1) < 1e-7 * diagonal.amax(-1)).any()):
        raise RangeError(f"the coalitions do not determine all {normal.shape[-1]} features; {remedy}")
    return torch.cholesky_solve(right, factor)


def to_coordinates(shares: PerFeature, space: Space, inputs: Inputs) -> Inputs:
    """Spread each feature's value evenly over its coordinates, in the inputs' dtype (the default for token ids)."""
    dtype = inputs.dtype if inputs.is_floating_point() else torch.get_default_dtype()
    return space.by_coordinate(shares, inputs.to(shares.device)).to(dtype).to(inputs.device)


def _blocks(batch: int, coalitions: int, references: int) -> Iterator[tuple[slice, slice]]:
    """Blocks of inputs and coalitions: all coalitions of some inputs, or some coalitions of one input."""
    together = max(1, _PAIRS // (coalitions * references))
    at_once = min(coalitions, max(1, _PAIRS // references))
    return ((rows, some) for rows in spans(batch, together) for some in spans(coalitions, at_once))
