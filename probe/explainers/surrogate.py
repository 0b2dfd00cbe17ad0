"""Local linear surrogates of a model around an input."""

from dataclasses import dataclass
from functools import lru_cache
from math import comb, exp, hypot, sqrt
from typing import ClassVar, Literal

import torch
from jaxtyping import Float64
from torch import Tensor

from probe.contracts import Explainer, Need, Sampled
from probe.errors import RangeError
from probe.explainers.alike import Active, differs_from_reference
from probe.explainers.coalitions import Values, coalition_values, every_subset, solve, to_coordinates
from probe.explainers.pairs import allocate, draw, pairs_of
from probe.method import param
from probe.model import Model
from probe.numbers import Number
from probe.shapes import Inputs, Labels, PerFeature, Presence
from probe.tensors import exact, generator, spans

Weights = Float64[Tensor, "batch coalitions"]
Draws = Float64[Tensor, " coalitions"]
PerRow = Float64[Tensor, " batch"]

_WIDTHS = (0.25, 0.5, 1.0, 2.0, 4.0)  # times kernel_width, of which one is chosen
_ENTRIES = 2**18  # of the weighted coalitions held at once, 2 MiB: a dozen such arrays stay small beside the network


@dataclass(frozen=True, kw_only=True)
class Lime(Explainer):
    """Coefficients of a weighted ridge regression of the output on the presence of features (arXiv:1602.04938).

    This is the image variant of the `lime` package, applied to any features: each is present with probability 1/2, the
    first sample is the input itself, the kernel weight is exp(-distance^2 / width^2)^(1/2) of the cosine distance to
    it, and all features are kept. Absent features take the values of the space's reference rows, over which the output
    is averaged. Where there are no more than `samples` coalitions, each is evaluated once and weighted by its expected
    number of draws: the result is deterministic and the limit of sampling. With fewer samples, but four for each
    feature, coalitions are drawn together with their complements, as many of each size as its number and kernel weight
    ask for, and those of one size share the draws expected of it: the limit is the same, the error less. A feature that
    equals its reference, such as an absent word, gets exactly 0 and is left out of the distance. Identical masked rows
    are evaluated once; at most `samples` times the reference's rows are.

    Values are in output units per feature. They do not sum to the output. Standard errors are over draws: how far a
    value may be from its limit, not how far the model is from a linear one. That is `Attribution.fidelity`, R squared
    of the fit at coalitions that are left out of it, in pairs and weighted by the kernel: 1 is a linear model, and 0 or
    less tells no more than the mean. Where all coalitions are evaluated none is left out, and where pairs are too few
    it is not known.

    With `bandwidth="auto"` five kernels, from a quarter of `kernel_width` to four times it, are fitted to the same
    samples, at no further evaluation, and each example has the one whose fit tells left-out coalitions best.

    Raises:
        RangeError: if ridge is 0 and there are too few samples for a fit; with `bandwidth="auto"`, if there are fewer
            than four for each feature.
        Unsupported: if the space has no reference.

    >>> import torch
    >>> from probe import Model, Space
    >>> from probe.explainers import Lime
    >>> weights = torch.tensor([[2.0, 0.0], [-1.0, 0.0]])
    >>> model = Model(forward=lambda x: x @ weights, space=Space(reference=torch.zeros(1, 2)))
    >>> Lime(ridge=0.0)(model, torch.tensor([[0.5, 0.5]]), torch.tensor([0])).values.round(decimals=4)
    tensor([[ 1.0000, -0.5000]])
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"reference"})

    samples: int = param(1000, "coalitions evaluated, at most", low=2, high=10**7)
    kernel_width: Number = param(0.25, "width of the kernel, in cosine distance", low=1e-6)
    bandwidth: Literal["given", "auto"] = param(
        "given", "auto: of widths around kernel_width, the one whose fit tells left-out coalitions best"
    )
    ridge: Number = param(1.0, "ridge penalty on the coefficients", low=0.0)
    seed: int = param(0, "seed of the sampled coalitions", low=0)

    def attribute(self, model: Model, inputs: Inputs, targets: Labels) -> Inputs | Sampled:
        features, home = model.space.feature_count(inputs), exact(inputs.device)
        chosen = lime_masks(features, self.samples, self.seed, self.kernel_width)
        masks, draws = chosen.to(home), expected_draws(chosen, self.samples).to(home)
        values = coalition_values(model, inputs, targets, masks, self.output)
        active = differs_from_reference(model.space, inputs)
        if self.bandwidth == "auto":
            best = self._chosen(masks, draws, values, active)
            slopes, errors = (to_coordinates(each, model.space, inputs) for each in best[:2])
            return Sampled(slopes, errors, fidelity=best[2])
        weights = kernel_weights(masks, active, self.kernel_width) * draws
        rows = spans(len(inputs), max(1, _ENTRIES // masks.numel()))
        # Of fewer draws than make pairs, some feature may have been in all, so that no error can be told.
        every = len(masks) == 2**features
        if every or not _in_pairs(features, self.samples):
            slopes = torch.cat([ridge_slopes(masks, weights[r], values[r], self.ridge, active[r]) for r in rows])
            told = local_fidelity(masks, weights, values, slopes) if every else None
            return Sampled(to_coordinates(slopes, model.space, inputs), fidelity=told)
        found = [_ridge_fit(masks, weights[r], values[r], self.ridge, active[r], chosen[1::2]) for r in rows]
        slopes, errors, told = (torch.cat(each) for each in zip(*found, strict=True))
        slopes, errors = (to_coordinates(each, model.space, inputs) for each in (slopes, errors))
        return Sampled(slopes, errors, fidelity=told)

    def _chosen(
        self, masks: Presence, draws: Draws, values: Values, active: Active
    ) -> tuple[PerFeature, PerFeature, PerRow]:
        """The coefficients of each example at the width whose fit tells most, their standard errors, and how much."""
        features, every = masks.shape[1], len(masks) == 2 ** masks.shape[1]
        if not every and not _in_pairs(features, self.samples):
            raise RangeError(
                f'Lime.bandwidth = "auto" leaves coalitions out to choose a width, and of {self.samples} samples for '
                f'{features} features none can be; set samples to at least {4 * features}, or bandwidth="given"'
            )
        if every:  # each is followed by its complement, as where they are drawn
            half = torch.arange(len(masks) // 2, device=masks.device)
            order = torch.stack([half, len(masks) - 1 - half], 1).flatten()
            masks, values, draws = masks[order], values[:, order], draws[order]
        rows, drawn = list(spans(len(values), max(1, _ENTRIES // masks.numel()))), masks[1::2].cpu()
        found = []
        for times in _WIDTHS:
            weights = kernel_weights(masks, active, times * self.kernel_width) * draws
            fits = [_ridge_fit(masks, weights[r], values[r], self.ridge, active[r], drawn) for r in rows]
            found.append([torch.cat(each) for each in zip(*fits, strict=True)])
        slopes, errors, told = (torch.stack(each) for each in zip(*found, strict=True))
        # Where no width tells anything, as of an output that never changes, it is the middle one.
        best = torch.where(told.isnan().all(0), len(_WIDTHS) // 2, told.nan_to_num(-torch.inf).max(0).indices)
        each = torch.arange(len(best), device=best.device)
        return slopes[best, each], torch.zeros_like(errors[0]) if every else errors[best, each], told[best, each]


@lru_cache(maxsize=2)
def lime_masks(features: int, samples: int, seed: int, width: float = 0.25) -> Presence:
    """All coalitions if there are at most `samples`; else the full one and random ones.

    Unless the samples are few, each is followed by its complement. The result is cached: do not modify it.
    """
    if 2**features <= samples:
        return every_subset(features)
    source = generator(seed, torch.device("cpu"))
    if not _in_pairs(features, samples):
        masks = torch.rand(samples, features, generator=source) < 0.5
        masks[0] = True
        return masks
    room = [pairs_of(features, size) for size in range(features // 2 + 1)]
    weight = [exp(-(((1 - sqrt(size / features)) / width) ** 2) / 2) for size in range(features + 1)]
    wish = [
        pairs / 2**features * max(hypot(weight[size], weight[features - size]), 1e-6) for size, pairs in enumerate(room)
    ]
    counts = allocate(room, wish, samples // 2, full={0})
    drawn = torch.cat([draw(features, size, count, source) for size, count in enumerate(counts) if count])
    return torch.stack([~drawn, drawn], 1).flatten(0, 1)


def expected_draws(masks: Presence, samples: int) -> Draws:
    """How many of `samples` uniform draws each coalition stands for: those of one size share the draws of that size."""
    sizes = masks.sum(1)
    if not _in_pairs(masks.shape[1], samples):
        return torch.full((len(masks),), samples / len(masks), dtype=torch.float64)
    counts = sizes.bincount(minlength=masks.shape[1] + 1).tolist()
    of_size = [comb(masks.shape[1], size) if count else 0 for size, count in enumerate(counts)]
    total = sum(of_size)
    each = [samples * of / (total * max(count, 1)) for of, count in zip(of_size, counts, strict=True)]
    return torch.tensor(each, dtype=torch.float64)[sizes]


def _in_pairs(features: int, samples: int) -> bool:
    """Whether complements are drawn. A pair says half as much of a linear part, which few samples are needed for."""
    return samples >= 4 * features


def kernel_weights(masks: Presence, active: Active, width: float) -> Weights:
    """Weight of each coalition for each example, in [0, 1]: 1 where all active features are present."""
    part = active.double()
    # The cosine between a 0/1 vector and the ones vector is the square root of its share of ones.
    distance = 1 - (part @ masks.double().T / part.sum(1, keepdim=True).clamp(min=1)).sqrt()
    return (-(distance**2) / width**2).exp().sqrt()


def ridge_slopes(masks: Presence, weights: Weights, values: Values, ridge: float, active: Active) -> PerFeature:
    """Coefficients of each example's weighted ridge regression with an intercept; 0 for inactive features."""
    _, right, normal, _ = _equations(masks, weights, values, ridge, active)
    return solve(normal, right[:, :, :1], "raise Lime.samples or Lime.ridge")[:, :, 0]


def local_fidelity(masks: Presence, weights: Weights, values: Values, slopes: PerFeature) -> PerRow:
    """R squared of a fit over all coalitions, weighted by the kernel; NaN where the output is the same for all."""
    share = weights / weights.sum(1, keepdim=True)
    off = values - slopes @ masks.double().T
    return _explained(share, off - (share * off).sum(1, keepdim=True), values)


def _explained(share: Weights, off: Values, values: Values) -> PerRow:
    """One minus the squared residuals as a share of what the values vary around their mean."""
    around = values - (share * values).sum(1, keepdim=True)
    varies = (share * around**2).sum(1)
    # What is left of rounding is no variance.
    same = varies <= (1e-12 * values.abs().amax(1).clamp(min=1e-150)) ** 2
    return torch.where(same, torch.nan, 1 - (share * off**2).sum(1) / varies)


def _ridge_fit(
    masks: Presence, weights: Weights, values: Values, ridge: float, active: Active, drawn: Tensor
) -> tuple[PerFeature, PerFeature, PerRow]:
    """The coefficients, their standard errors over the drawn pairs, each left out in turn, and R squared at those.

    `drawn` are the second coalitions of the pairs.
    """
    present, right, normal, centred = _equations(masks, weights, values, ridge, active)
    solved = solve(normal, right, "raise Lime.samples or Lime.ridge")
    slopes, moved = solved[:, :, :1], solved[:, :, 1:]
    off, share = centred - (present @ slopes)[:, :, 0], weights / weights.sum(1, keepdim=True)
    left = 1 - share - (present.mT * moved).sum(1)
    # Both of a pair are left out: the two equations for their residuals are solved.
    one, two = slice(0, None, 2), slice(1, None, 2)
    first = -share[:, two] - (present[:, one].mT * moved[:, :, two]).sum(1)
    second = -share[:, one] - (present[:, two].mT * moved[:, :, one]).sum(1)
    apart = (left[:, one] * left[:, two] - first * second).clamp(min=1e-6)
    off_one = (left[:, two] * off[:, one] - first * off[:, two]) / apart
    off_two = (left[:, one] * off[:, two] - second * off[:, one]) / apart
    each = moved[:, :, one] * off_one[:, None] + moved[:, :, two] * off_two[:, None]
    left_out = torch.stack([off_one, off_two], 2).flatten(1)
    return slopes[:, :, 0], _spread(each, drawn).sqrt(), _explained(share, left_out, values)


def _spread(each: Tensor, drawn: Presence) -> PerFeature:
    """The variance of a sum over drawn coalitions, of each size so many of all that there are."""
    sizes = drawn.sum(1)
    counts = sizes.bincount()
    of = (sizes[:, None] == torch.arange(len(counts))).to(each)  # which coalition is of which size
    rest = [1 - count / pairs_of(drawn.shape[1], size) for size, count in enumerate(counts.tolist())]
    scale = (counts / (counts - 1).clamp(min=1) * torch.tensor(rest)).to(each)
    # One alone is compared with 0, as it says nothing of how far others are from it.
    mean = (each @ of) * ((counts > 1) / counts.clamp(min=1)).to(each)
    return ((each - mean @ of.T).square() @ of) @ scale


def _equations(
    masks: Presence, weights: Weights, values: Values, ridge: float, active: Active
) -> tuple[Tensor, Tensor, Tensor, Values]:
    """Centred presence and values, the normal matrix, and its right sides: the values, then each coalition alone."""
    share = weights / weights.sum(1, keepdim=True)
    present = masks.double()
    present = present - (share @ present)[:, None]
    centred = values - (values * share).sum(1, keepdim=True)
    weighted = (present * weights[:, :, None]).mT
    unit = torch.eye(masks.shape[1], dtype=values.dtype, device=values.device)
    pairs = active[:, :, None] & active[:, None]
    normal = torch.where(pairs, weighted @ present + ridge * unit, unit)
    right = torch.where(active[:, :, None], torch.cat([weighted @ centred[:, :, None], weighted], 2), 0.0)
    return present, right, normal, centred
