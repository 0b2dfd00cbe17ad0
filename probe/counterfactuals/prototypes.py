"""Counterfactuals on the way to what is typical of another class."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from probe.contracts import Aim, Counterfactual, Need
from probe.contracts.common import learned, refuse_missing
from probe.counterfactuals.near import distance, put_back, refuse_unmoved
from probe.errors import Unsupported
from probe.method import param
from probe.model import Model
from probe.shapes import Candidates, Inputs, References
from probe.tensors import column, spans

_HALVINGS = 12  # of the way to a point that was reached
_ENTRIES = 2**24  # changes of coordinates held at a time, 64 MiB


@dataclass(frozen=True, kw_only=True)
class PrototypeCounterfactual(Counterfactual):
    """The nearest point on the way to a class prototype that gets the wanted answer, made sparse (arXiv:1907.02584).

    A prototype of a class is the mean of the `neighbours` training rows nearest to the input of which the model decides
    for it; as in the variant of the paper without an encoder, rows are compared as inputs, by L1 in units of the
    space's scale. Of all classes the prototypes are tried, and the way to each that is reached is halved until the
    nearest point is found; then features are put back, the least changed first, as long as the answer stays. So what
    changes is what tells the classes apart, towards values that rows have. It needs no gradients and always ends.
    Whole numbers stay whole, numbers within bounds, and categories and what `Space.mutable` fixes as they are.

    The nearest, by L1 in units of the scale, is first; there are at most as many as other classes. Where none is found,
    the candidate is the input itself. A plan names the training rows by `[data] train`.

    Raises:
        Unsupported: if the model has no training rows, or does not decide for a class; for words and graphs, whose
            values are no numbers to be moved; if numbers are missing.

    Example:
        >>> import torch
        >>> from probe import Model, Space
        >>> from probe.counterfactuals import PrototypeCounterfactual
        >>> known = torch.tensor([[0.1, 0.5], [0.2, 0.5], [0.8, 0.5], [0.9, 0.5]])
        >>> forward = lambda x: torch.stack([0.5 - x[:, 0], x[:, 0] - 0.5], 1)
        >>> model = Model(forward=forward, space=Space(), training=(known, torch.tensor([0, 0, 1, 1])))
        >>> found = PrototypeCounterfactual()(model, torch.tensor([[0.3, 0.4]]))
        >>> found.candidates.round(decimals=2)  # what does not matter is as it was
        tensor([[[0.5000, 0.4000]]])
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"training data"})

    count: int = param(1, "candidates for each input, at most", low=1, high=1000)
    neighbours: int = param(5, "training rows of a class that make its prototype", low=1, high=10**4)

    def search(self, model: Model, inputs: Inputs, aim: Aim) -> Candidates:
        refuse_unmoved(self.name(), model, inputs)
        refuse_missing(self, inputs)
        if model.task.kind != "classification":
            raise Unsupported(
                f"{self.name()} goes to what is typical of a class, and {model.name} decides for "
                f"{model.task.units[1]}; use GrowingSpheres"
            )
        assert model.training is not None
        known = learned(model)
        refuse_missing(self, known)
        decided = model.decide(model.logits(known))
        found = []
        for answer in torch.unique(decided).tolist():
            prototype = self._prototype(model, inputs, known[decided == answer])
            found.append(put_back(model, inputs, self._nearest(model, inputs, prototype, aim), aim))
        far = torch.stack([distance(model, each, inputs) for each in found], 1)
        # The input itself, which is no counterfactual, comes last.
        order = torch.where(far == 0, torch.inf, far).argsort(dim=1, stable=True)
        candidates = torch.stack(found, 1)[torch.arange(len(inputs))[:, None], order][:, : self.count]
        rest = inputs[:, None].expand(-1, self.count - candidates.shape[1], *inputs.shape[1:])
        return torch.cat([candidates, rest], 1)

    def _prototype(self, model: Model, inputs: Inputs, rows: References) -> Inputs:
        """The mean of the rows that are nearest to each input."""
        found = []
        for span in spans(len(inputs), max(1, _ENTRIES // rows.numel())):
            origins = inputs[span].repeat_interleave(len(rows), 0)
            others = rows.repeat(len(inputs[span]), *[1] * (rows.ndim - 1))
            far = distance(model, others, origins).view(-1, len(rows))
            nearest = far.argsort(dim=1, stable=True)[:, : self.neighbours]
            found.append(rows[nearest].mean(1))
        return torch.cat(found)

    def _nearest(self, model: Model, inputs: Inputs, prototype: Inputs, aim: Aim) -> Inputs:
        """The nearest point on the way to a prototype that is reached; the input where the prototype is not."""
        low, high = inputs.new_zeros(len(inputs)), inputs.new_ones(len(inputs))
        found, reached = self._asked(model, inputs, prototype, high, aim)
        found = torch.where(column(reached, inputs), found, inputs)
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            there, nearer = self._asked(model, inputs, prototype, middle, aim)
            nearer = nearer & reached
            found = torch.where(column(nearer, inputs), there, found)
            low, high = torch.where(nearer, low, middle), torch.where(nearer, middle, high)
        return found

    def _asked(self, model: Model, inputs: Inputs, prototype: Inputs, place: Tensor, aim: Aim) -> tuple[Inputs, Tensor]:
        """The valid point at a place on the way, and whether it gets the wanted answer."""
        there = model.space.project(inputs + column(place, inputs) * (prototype - inputs), inputs)
        return there, aim.ask(there)[1]
