"""Certificates by interval bounds."""

from dataclasses import dataclass

from torch import Tensor

from probe.certificates.bounded import BoundedCertificate
from probe.certificates.bounds import Bounds, Slopes
from probe.certificates.nodes import Traced
from probe.certificates.region import Region


@dataclass(frozen=True, kw_only=True)
class IntervalBounds(BoundedCertificate):
    """Intervals of each number in the network, from the inputs to the logits (IBP, arXiv:1810.12715).

    Fast, and tight only for networks that were trained for it. The leads of the decided class are bounded from the last
    activations on as linear functions, as in the paper. For an L2 ball, what depends on the input by linear steps alone
    is bounded exactly, and what follows by intervals. The search tries `steps` radii up to `most`, and returns the
    largest at which every lead stays above 0: a lower bound of the distance to the nearest input with another decision
    within the bounds of the space, in units of its scale; immutable coordinates stay. Sums are computed in the
    precision of the inputs, so that a lead must exceed 1e-5 of the largest logit.

    Example:
        >>> import torch
        >>> from probe import Model, Space
        >>> net = torch.nn.Sequential(torch.nn.Linear(2, 2, bias=False)).eval()
        >>> _ = net[0].weight.data.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
        >>> model = Model(forward=net, space=Space(bounds=(-9.0, 9.0)))
        >>> proof = IntervalBounds()(model, torch.tensor([[2.0, 0.0]]), torch.tensor([0]))
        >>> round(float(proof.radius[0]), 3)
        1.0

    Raises:
        Unsupported: if the model is not a classifier, or reads tokens or graphs, or has a step that cannot be bounded;
            linear and convolutional layers, pools, batch normalisation, sums, ReLU, leaky ReLU, sigmoid, tanh, GELU,
            SiLU, clamps and a last softmax can.
    """

    def bounds(self, network: Traced, region: Region) -> Bounds:
        return Bounds(network, region, tight=False)

    def leads(self, bounds: Bounds, functions: Tensor) -> Tensor:
        return bounds.lowest(len(bounds.network.nodes) - 1, Slopes(functions), whole=False)
