"""Layer-wise relevance propagation."""

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import torch
from torch.autograd.graph import get_gradient_edge

from probe.contracts import Explainer, Need
from probe.errors import RangeError, Unsupported
from probe.explainers.followed import Followed
from probe.explainers.relevance import Relevance, Rule
from probe.method import param
from probe.model import Model
from probe.numbers import Number
from probe.shapes import Inputs, Labels
from probe.tensors import wide


@dataclass(frozen=True, kw_only=True)
class LRP(Explainer):
    """The output as relevance, passed back layer by layer in parts of what made it (doi:10.1371/journal.pone.0130140).

    Weights share relevance out by the rule of their kind of layer: *epsilon* in parts of the whole sum, *gamma* with
    what agrees with the sum counted 1 + gamma times, *z+* by what raises the sum alone; *box* is for the first layer,
    whose inputs lie within the space's bounds (doi:10.1007/978-3-030-28954-6_10). The default is the composite of that
    chapter without the box. Activations pass relevance on, sums share it, the largest takes all; batch normalisation
    has the epsilon rule, layer, group, instance and RMS normalisation that of arXiv:2202.07304, whose deviation is a
    constant, and inputs that are standardised first keep the relevance of what they became. Operations are
    followed as they are called, so that functions, residual sums, and activations that are used again or work in place
    have their rule; one without is refused with its line. That no relevance is lost is checked in each run.

    Values are in output units. They sum to the output but for what biases and `eps` absorb.

    Raises:
        RangeError: if the first layer is to have the box rule, and the space is not bounded.
        Unsupported: if an operation has no rule, such as attention or a gate, or relevance is lost.

    >>> import torch
    >>> from probe import Model, Space
    >>> from probe.explainers import LRP
    >>> first, second = torch.nn.Linear(3, 3, bias=False), torch.nn.Linear(3, 1, bias=False)
    >>> _ = torch.nn.init.constant_(first.weight, 2.0), torch.nn.init.constant_(second.weight, 3.0)
    >>> layers = torch.nn.Sequential(first, torch.nn.ReLU(), second).eval()
    >>> model = Model(forward=lambda x: torch.cat([layers(x), -layers(x)], 1), space=Space(bounds=(0, 9)))
    >>> LRP()(model, torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([0])).values.round(decimals=2)
    tensor([[18., 36., 54.]])
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"gradients"})
    reads_as: ClassVar[str] = "Red carried what raises the {output} of the answer, blue what lowers it."

    convolution: Rule = param("gamma", "the rule of convolutions")
    dense: Rule = param("epsilon", "the rule of linear layers")
    first: Literal["alike", "box"] = param("alike", "the rule of the first layer: alike, that of its kind, or box")
    eps: Number = param(1e-6, "epsilon: added to the size of each sum that relevance is divided by", above=0.0)
    gamma: Number = param(0.25, "gamma: extra weight of what agrees with the sum, in the rule of that name", low=0.0)

    def attribute(self, model: Model, inputs: Inputs, targets: Labels) -> Inputs:
        if self.output != "logit":
            raise Unsupported(
                "lrp shares out a score, and a probability has no parts; set output='logit', or use IntegratedGradients"
            )
        rules = Relevance(
            self.name(), model.name, convolution=self.convolution, dense=self.dense, eps=self.eps, gamma=self.gamma,
            box=self._box(model, inputs),
        )  # fmt: skip
        followed = replace(model, forward=Followed(model, rules))
        with torch.enable_grad(), followed.backward():
            # Inside the forward, inputs are copies, whose gradient is asked for.
            outputs = followed.task.pick(followed(inputs.detach().requires_grad_()), targets)
            asked = [*(edge for _, edge in rules.first), get_gradient_edge(rules.absorbed)]
            found = torch.autograd.grad(outputs.sum(), asked, allow_unused=True)
        values = torch.zeros_like(inputs)
        for (numbers, _), slopes in zip(rules.first, found[:-1], strict=True):
            values = values if slopes is None else values + numbers * slopes
        absorbed = torch.zeros(()) if found[-1] is None else found[-1]
        self._check(model, wide(outputs.detach()), float(absorbed), values)
        return values

    def _box(self, model: Model, inputs: Inputs) -> tuple[torch.Tensor, torch.Tensor] | None:
        if self.first == "alike":
            return None
        bounds = [torch.as_tensor(bound).to(inputs) for bound in model.space.bounds]
        if not all(bool(bound.isfinite().all()) for bound in bounds):
            raise RangeError(
                f"LRP.first = 'box' needs inputs within bounds, and those of {model.name} have none; "
                "set Space(bounds=(low, high)) or first='alike'"
            )
        return bounds[0], bounds[1]

    def _check(self, model: Model, outputs: torch.Tensor, absorbed: float, values: Inputs) -> None:
        total, size, expected = float(wide(values).sum()), float(outputs.abs().sum()), float(outputs.sum()) - absorbed
        # In parts of the numbers that are added, as outputs may be small; of large ones no more than of 1.
        slack = 1e-3 * min(1.0, size + abs(absorbed) + float(wide(values).abs().sum()))
        if not abs(total - expected) <= 0.01 * (size + abs(absorbed)) + slack:
            raise Unsupported(
                f"lrp of {model.name} loses relevance: {total:.4g} of {expected:.4g} arrives; something in it mixes "
                "rows, or is not seen by torch; use IntegratedGradients"
            )
