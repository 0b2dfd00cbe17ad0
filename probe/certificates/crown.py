"""Certificates by lines that are substituted backwards through the network."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from probe.certificates.bounded import BoundedCertificate
from probe.certificates.bounds import Bounds, Slopes
from probe.certificates.nodes import Traced
from probe.certificates.region import Region
from probe.method import param


@dataclass(frozen=True, kw_only=True)
class Crown(BoundedCertificate):
    """Lines below and above each activation, substituted back to the input (CROWN, arXiv:1811.00866).

    A lead of the decided class is a linear function of the last layer. Each activation in its way is replaced by the
    line that bounds it from the right side, until the lead is bounded by a linear function of the input, whose smallest
    value within the ball and the bounds of the space is known. The numbers that activations read are bounded in the
    same way first, with `inner="intervals"` by intervals alone (CROWN-IBP, arXiv:1906.06316), which is faster and
    wider. Of two bounds of a lead, by lines and by intervals, the better is taken. The search tries `steps` radii up to
    `most`, and returns the largest at which every lead stays above 0: a lower bound of the distance to the nearest
    input with another decision, in units of the space's scale; immutable coordinates stay. Sums are computed in the
    precision of the inputs, so that a lead must exceed 1e-5 of the largest logit.

    Example:
        >>> import torch
        >>> from probe import Model, Space
        >>> net = torch.nn.Sequential(torch.nn.Linear(2, 2, bias=False)).eval()
        >>> _ = net[0].weight.data.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
        >>> model = Model(forward=net, space=Space(bounds=(-9.0, 9.0)))
        >>> proof = Crown(norm="l2", most=2.0)(model, torch.tensor([[2.0, 0.0]]), torch.tensor([0]))
        >>> round(float(proof.radius[0]), 2)
        1.41

    Raises:
        Unsupported: if the model is not a classifier, or reads tokens or graphs, or has a step that cannot be bounded;
            linear and convolutional layers, pools, batch normalisation, sums, ReLU, leaky ReLU, sigmoid, tanh, GELU,
            SiLU, clamps and a last softmax can.
    """

    inner: Literal["crown", "intervals"] = param("crown", "how the inputs of activations are bounded")

    def bounds(self, network: Traced, region: Region) -> Bounds:
        return Bounds(network, region, tight=self.inner == "crown")

    def leads(self, bounds: Bounds, functions: Tensor) -> Tensor:
        last = len(bounds.network.nodes) - 1
        return torch.maximum(*(bounds.lowest(last, Slopes(functions), whole=whole) for whole in (True, False)))
