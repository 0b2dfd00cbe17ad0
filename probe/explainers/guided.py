"""The gradient that passes only what is positive at each ReLU."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from torch import Tensor

from probe.contracts import Explainer, Need
from probe.errors import Unsupported
from probe.explainers.followed import Followed, Rules, floored_at_0
from probe.explainers.path import gradients
from probe.model import Model
from probe.shapes import Inputs, Labels


@dataclass(frozen=True, kw_only=True)
class GuidedBackprop(Explainer):
    """The gradient of the output by the input, of which each ReLU passes back only what is positive (arXiv:1412.6806).

    Each ReLU has the rule, whether it is a module, a function or a `clamp(min=0)`, works in place or is used again.
    Other activations pass their gradient, so that without a ReLU this is `Saliency`. Values are in output units per
    input unit and do not sum to the output. Maps look clean, but hardly depend on the upper layers or on the class that
    is asked for (arXiv:1810.03292): they show edges of the input rather than reasons for the answer.

    Raises:
        Unsupported: if the space has a category, since no step along a one-hot column leads to a real input, or a part
            of the network is compiled or scripted.

    >>> import torch
    >>> from probe import Model
    >>> from probe.explainers import GuidedBackprop
    >>> weights = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    >>> forward = lambda x: (x @ torch.tensor([[1.0, 1.0], [0.0, 1.0]])).relu() @ weights
    >>> GuidedBackprop()(Model(forward=forward), torch.tensor([[0.5, 0.5]]), torch.tensor([0])).values
    tensor([[1., 0.]])
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"gradients"})
    reads_as: ClassVar[str] = (
        "The gradient of the {output} by paths that raise it all the way: edges that the network saw, "
        "hardly specific to the answer."
    )

    @property
    def slopes(self) -> bool:
        return True

    def attribute(self, model: Model, inputs: Inputs, targets: Labels) -> Inputs:
        if "category" in model.space.kinds:
            raise Unsupported(
                "guided_backprop is the effect of a small step along a coordinate, and a category has none; "
                "use InputXGradient or IntegratedGradients, whose values add up over a category's columns"
            )
        guided = replace(model, forward=Followed(model, _Guided(self.name(), model.name)))
        return gradients(guided, inputs, targets, self.output)


class _Guided(Rules):
    def apply(self, name: str, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        found = func(*args, **kwargs)
        if (name == "relu" or floored_at_0(name, args, kwargs)) and found.requires_grad:
            found.register_hook(_positive)
        return found


def _positive(gradient: Tensor) -> Tensor:
    return gradient.clamp(min=0)
