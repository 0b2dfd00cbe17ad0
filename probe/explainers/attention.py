"""Attention weights followed through all layers of a transformer."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from probe.contracts import Explainer, Need
from probe.errors import Unsupported
from probe.explainers.followed import PRODUCTS, SCALES, Attended, Followed, Rules
from probe.explainers.maps import enlarged
from probe.model import Model
from probe.shapes import Inputs, Labels
from probe.tensors import wide

Weights = Float[Tensor, "batch asking tokens"]  # of one layer, what each asking token takes of each token
PerToken = Float[Tensor, "batch tokens"]


@dataclass(frozen=True, kw_only=True)
class Attention(Explainer, ABC):
    """Follows attention weights from the answer to the tokens of the input, and spreads them over the input."""

    needs: ClassVar[frozenset[Need]] = frozenset({"gradients", "layers", "attention"})

    @abstractmethod
    def taken(self, weights: Tensor, slopes: Tensor) -> Weights:
        """What each token takes of each in one layer, from its weights (batch, heads, asking, tokens) and gradients."""

    def attribute(self, model: Model, inputs: Inputs, targets: Labels) -> Inputs:
        return _laid(model, self._tokens(model, inputs, targets), inputs)

    def by_token(self, model: Model, embedded: Tensor, targets: Labels) -> Tensor:
        found = self._tokens(model, embedded, targets)
        extra = found.shape[1] - embedded.shape[1]
        if extra not in (0, 1):
            raise Unsupported(
                f"{model.name} attends among {found.shape[1]} tokens, and its inputs have {embedded.shape[1]}; "
                "choose a method that asks about features, such as KernelShap"
            )
        return found[:, extra:].to(embedded)

    def _tokens(self, model: Model, inputs: Tensor, targets: Labels) -> PerToken:
        """How much of each token is in the answer: in the first if only that is read, else in those read."""
        seen = _Weights(self.name(), model.name, len(inputs))
        followed = replace(model, forward=Followed(model, seen))
        with torch.enable_grad(), followed.backward():
            explained = followed.task.explained(followed(inputs.detach().requires_grad_()), self.output)
            outputs = followed.task.pick(explained, targets)
            if not seen.layers:
                raise Unsupported(
                    f"{self.name()} saw no attention among tokens in {model.name}; "
                    "use IntegratedGradients or KernelShap"
                )
            slopes = torch.autograd.grad(outputs.sum(), seen.layers, allow_unused=True)
        like = wide(seen.layers[0].detach())
        total = torch.eye(like.shape[-1], dtype=like.dtype, device=like.device).expand(len(inputs), -1, -1)
        own = total  # what they would hold without any attention
        for weights, slope, asked in zip(seen.layers, slopes, seen.asked, strict=True):
            step = self.taken(wide(weights.detach()), torch.zeros_like(weights) if slope is None else wide(slope))
            if step.shape[2] != total.shape[1]:
                raise Unsupported(
                    f"a layer of {model.name} attends among {step.shape[2]} tokens and one before among "
                    f"{total.shape[1]}, so that they cannot be followed; use IntegratedGradients or KernelShap"
                )
            # A query that is a weight of the network is no token, and holds nothing of its own.
            total = self.joined(step, total) if asked else step @ total
            own = own[:, : step.shape[1]] * asked
        total = self.result(total, own)
        first_alone = total.shape[1] == 1 or _summary_first(model, inputs, total.shape[2])
        if first_alone:
            return total[:, 0]
        # A network that reads on from left to right answers from its last token; what no answer reads does not count.
        read = torch.zeros_like(seen.layers[-1]) if slopes[-1] is None else slopes[-1]
        share = (read != 0).any(1).any(2).to(total)
        share = torch.where(share.any(1, keepdim=True), share, 1.0)
        return (share[:, :, None] * total).sum(1) / share.sum(1, keepdim=True)

    def result(self, total: Weights, own: Weights) -> Weights:
        """The result, from what tokens hold in the end and what they would hold without any attention."""
        return total

    def joined(self, step: Weights, total: Weights) -> Weights:
        """What the tokens hold of the input after one layer more, which adds to what they held."""
        return total[:, : step.shape[1]] + step @ total


@dataclass(frozen=True, kw_only=True)
class AttentionRollout(Attention):
    """How much of each token is in the answer, by the product of all layers' attention weights (arXiv:2005.00928).

    Each layer's weights are averaged over heads, and half of what a token holds stays its own, as it does in the
    residual sum; a query that is a weight of the network, as in attention pooling, holds nothing. Where a summary
    token (CLS) stands first, its row is given, else the mean of those rows of the last layer that the output depends
    on: of all tokens where they are averaged, of the last alone where that answers. Weights are seen as they are
    computed, by `scaled_dot_product_attention` or a softmax over tokens. The grid of an image's patches is inferred
    from their number and laid over it by linear interpolation; all channels share a place evenly.

    Values are shares, at least 0, and sum to 1 but for the summary's own. They are the same for each class, and not in
    output units: where the model looked, not what it made of it.

    Raises:
        Unsupported: if the network has no attention, or its tokens are neither words nor a grid over the input.

    >>> import torch
    >>> from probe import zoo
    >>> from probe.explainers import AttentionRollout
    >>> found = AttentionRollout()(zoo.load("reviews-transformer"), zoo.data("reviews").inputs[:2])
    >>> found.values.sum(1).round(decimals=3)
    tensor([1., 1.])
    """

    reads_as: ClassVar[str] = "Where the model looked, whatever it made of it for the {output}: the redder, the more."

    def taken(self, weights: Tensor, slopes: Tensor) -> Weights:
        return weights.mean(1)

    def joined(self, step: Weights, total: Weights) -> Weights:
        return super().joined(step, total) / 2


@dataclass(frozen=True, kw_only=True)
class GradientAttention(Attention):
    """Attention weights times their positive gradients, through all layers (arXiv:2103.15679).

    Of each layer's weights times their gradients only what is positive is averaged over heads and added to what tokens
    hold. What a token holds of itself without any attention is taken off, so that a token that nothing attends to has
    0. Unlike `AttentionRollout` it depends on the class. Tokens, grid and summary are as there.

    Values are at least 0, in no unit that adds up. They show what raises the output, not what lowers it.

    Raises:
        Unsupported: if the network has no attention, or its tokens are neither words nor a grid over the input.

    >>> import torch
    >>> from probe import zoo
    >>> from probe.explainers import GradientAttention
    >>> found = GradientAttention()(zoo.load("reviews-transformer"), zoo.data("reviews").inputs[:2])
    >>> bool((found.values >= 0).all())
    True
    """

    reads_as: ClassVar[str] = (
        "Where attention raises the {output} of the answer: the redder, the more. What lowers it is not shown."
    )

    def taken(self, weights: Tensor, slopes: Tensor) -> Weights:
        return (weights * slopes).clamp(min=0).mean(1)

    def result(self, total: Weights, own: Weights) -> Weights:
        return (total - own).clamp(min=0)


class _Weights(Rules):
    """Collects the attention weights of each layer, and lets the gradient through them."""

    def __init__(self, method: str, model: str, rows: int) -> None:
        super().__init__(method, model)
        self.rows = rows
        self.layers: list[Tensor] = []  # (batch, heads, asking, tokens)
        self.asked: list[bool] = []  # of each, whether its queries are of tokens, not weights of the network
        self._unasked: dict[int, Tensor] = {}  # scores of such weights, by identity, and held

    def apply(self, name: str, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if name == "scaled_dot_product_attention":
            return self._attended(Attended(*args, **kwargs))
        if name == "multi_head_attention_forward":
            raise Unsupported(
                f"{self.method} sees the weights of scaled_dot_product_attention and of softmax, and "
                f"{self.model} has torch's MultiheadAttention; use IntegratedGradients or KernelShap"
            )
        found = func(*args, **kwargs)
        product = name in PRODUCTS - SCALES
        if not self.follows(args[0]) if product else name != "softmax" and id(args[0]) in self._unasked:
            self._unasked[id(found)] = found
        axis = kwargs["dim"] if "dim" in kwargs else args[1] if len(args) > 1 else None
        if name == "softmax" and found.ndim in (3, 4) and axis in (-1, found.ndim - 1):
            return self._kept(found, asked=id(args[0]) not in self._unasked)
        return found

    def _kept(self, weights: Tensor, *, asked: bool) -> Tensor:
        # A matrix among tokens, not the shares of some classes at each place.
        if len(weights) == self.rows and weights.shape[-2] in (1, weights.shape[-1]) and weights.requires_grad:
            self.asked.append(asked or weights.shape[-2] > 1)
            self.layers.append(weights if weights.ndim == 4 else weights[:, None])
            return self.layers[-1] if weights.ndim == 4 else self.layers[-1][:, 0]
        return weights

    def _attended(self, given: Attended) -> Tensor:
        """Attention with weights that are seen."""
        scores, mask = given.query @ given.key.mT * given.factor, given.attn_mask
        if given.is_causal:
            mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
        if mask is not None:
            scores = scores.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else scores + mask
        weights = (scores - scores.amax(-1, keepdim=True).detach()).exp()
        weights = weights / weights.sum(-1, keepdim=True)
        return self._kept(weights, asked=self.follows(given.query)) @ given.value


def _summary_first(model: Model, inputs: Tensor, tokens: int) -> bool:
    """Whether a token more than those of the input stands before them."""
    if not model.space.form_of(inputs).near:
        return inputs.ndim == 3 and tokens == inputs.shape[1] + 1
    return _grid(inputs, tokens) is None and _grid(inputs, tokens - 1) is not None


def _grid(inputs: Tensor, tokens: int) -> tuple[int, ...] | None:
    """The grid of so many patches over the sides of an image, as square as can be; over a series, their number."""
    sides = inputs.shape[2:]
    if len(sides) == 1:
        return (tokens,) if 0 < tokens <= sides[0] else None
    fits = [
        (down, tokens // down)
        for down in range(1, tokens + 1)
        if tokens % down == 0 and down <= sides[0] and tokens // down <= sides[1]
    ]
    # A patch is about as high as it is wide: within a half, which a wrong count of tokens rarely meets.
    near = [(abs(sides[0] / down - sides[1] / across), down, across) for down, across in fits]
    good = [each for each in near if each[0] <= 0.5 * min(sides[0] / each[1], sides[1] / each[2])]
    return min(good)[1:] if good else None


def _laid(model: Model, found: PerToken, inputs: Inputs) -> Inputs:
    """What each token has, over the places of an image or a series."""
    if not model.space.form_of(inputs).near:
        raise Unsupported(
            f"attention is laid over words, images and series, and inputs of {model.name} are none of them; "
            "choose a method that asks about features, such as IntegratedGradients or KernelShap"
        )
    first = _summary_first(model, inputs, found.shape[1])
    grid = _grid(inputs, found.shape[1] - first)
    if grid is None:
        raise Unsupported(
            f"{found.shape[1]} tokens of {model.name} are no grid over inputs {tuple(inputs.shape[1:])}; "
            "choose a method that asks about features, such as IntegratedGradients or KernelShap"
        )
    one = enlarged(found[:, int(first) :].view(len(inputs), 1, *grid), inputs.shape[2:])
    # Interpolation keeps the mean of no map: shares are to stay shares.
    one = one * (found[:, int(first) :].sum(1) / one.flatten(1).sum(1).clamp(min=1e-30)).view(-1, *[1] * (one.ndim - 1))
    return (one / inputs.shape[1]).expand_as(inputs).to(inputs.dtype)
