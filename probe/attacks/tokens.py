"""Attacks that replace words."""

from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from probe.attacks.greedy import greedy_search
from probe.contracts import Aim, Attack, Need
from probe.method import param
from probe.model import Model
from probe.shapes import Inputs
from probe.tensors import spans
from probe.threats import Edits, Threat

Vectors = Float[Tensor, "words width"]
Texts = Int[Tensor, "batch tokens"]

_ENTRIES = 2**24  # of tables of all replacements that are held together, 64 MiB


@dataclass(frozen=True, kw_only=True)
class HotFlip(Attack):
    """Replace the words that raise the loss most, one after another (Ebrahimi et al. 2018, arXiv:1712.06751).

    To first order, replacing word w by v raises the loss by g . (e(v) - e(w)), with g the gradient with respect to the
    embedding at that position. The replacements with the highest first-order rise are evaluated on the model and the
    best one is kept, even if it lowers the loss, because a later one may raise it again (beam search of width one). The
    result is the best text found. No position is changed twice, and special words (absent, unknown) are neither
    replaced nor inserted.

    The loss is the log-odds of an error. The attack is deterministic. Grammar and meaning are not checked: a text that
    fools the model may not be one that a person would write.

    >>> import torch
    >>> from probe import Model, Space
    >>> from probe.attacks import HotFlip
    >>> vectors = torch.tensor([[0.0], [1.0], [-2.0]])  # of an absent word, "good" and "bad"
    >>> words = Space(form="tokens", words=("", "good", "bad"), special=(0,), bounds=(0, 2))
    >>> forward = lambda points: torch.cat([-points.sum(1), points.sum(1)], 1)
    >>> model = Model(forward=forward, embed=lambda ids: vectors[ids], space=words, classes=("bad", "good"))
    >>> found = HotFlip(eps=1)(model, torch.tensor([[1, 1, 0]]), torch.tensor([1]))
    >>> words.describe(found.perturbed)
    [['bad', 'good', '']]
    """

    threat: ClassVar[Threat] = Edits("word")
    needs: ClassVar[frozenset[Need]] = frozenset({"gradients"})

    eps: int = param(1, "words that may be replaced", low=0)
    candidates: int = param(32, "replacements tried on the model in each step, the highest first-order rises", low=1)

    def perturb(self, model: Model, inputs: Inputs, aim: Aim) -> Inputs:
        vectors = _vectors(model, inputs)
        size = max(1, _ENTRIES // (inputs[0].numel() * len(vectors)))
        propose = partial(self._replacements, model, model.over_embeddings(), vectors)
        return torch.cat([greedy_search(inputs[rows], aim[rows], propose) for rows in spans(len(inputs), size)])

    def _replacements(
        self, model: Model, over: Model, vectors: Vectors, texts: Texts, origin: Texts, aim: Aim
    ) -> Int[Tensor, "batch candidates tokens"]:
        """Each text with one word replaced, for the replacements with the highest first-order rise."""
        points = _embedded(model, texts)
        _, _, gradient = replace(aim, model=over).slope(points)
        first = int(torch.as_tensor(model.space.bounds[0]))
        # Positional embeddings cancel in the difference, so the vectors of one position serve for all.
        rise = gradient @ vectors.T - (gradient * vectors[texts - first]).sum(-1, keepdim=True)
        rise = rise.masked_fill(~_allowed(model, texts, origin), -torch.inf).flatten(1)
        chosen = rise.topk(min(self.candidates, rise.shape[1])).indices
        # In the order of positions, then words, so that ties do not depend on the sort.
        chosen = chosen.sort(1).values
        place, word = chosen // len(vectors), chosen % len(vectors) + first
        # Where there are too few replacements, the text itself is tried.
        word = torch.where(rise.gather(1, chosen).isfinite(), word, texts.gather(1, place))
        return texts[:, None].repeat(1, chosen.shape[1], 1).scatter_(2, place[:, :, None], word[:, :, None])


def _allowed(model: Model, texts: Texts, origin: Texts) -> Bool[Tensor, "batch tokens words"]:
    """Which word may replace which: a different, ordinary word, at a position that is still unchanged."""
    words = model.space.tokens(texts)
    place = model.space.mutable_mask(origin) & (texts == origin)
    return place[:, :, None] & model.space.is_word(words) & (words != texts[:, :, None])


def _vectors(model: Model, inputs: Inputs) -> Vectors:
    """The embedding of every token id at the first position."""
    return _embedded(model, model.space.tokens(inputs)[:, None])[:, 0]


def _embedded(model: Model, texts: Texts) -> Float[Tensor, "batch tokens width"]:
    return model.points(texts)
