"""What detectors of unusual images have in common."""

import math
from abc import abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor

from probe_models.networks.network import Network
from probe_models.networks.shapes import Examples, Images, Logits, PerRow

FLAGGED = 0.05  # part of the usual images that count as unusual all the same
MEDIAN = 0.05  # probability that the median of them is unusual


class Detector(Network):
    """Tells ("usual", "unusual") by how badly an image can be rebuilt by what has seen usual ones only.

    With error e(x) = mean over pixels of (x - reconstruct(x))^2, the log-odds of unusual are slope (e(x) - threshold).
    They are shared by the two logits evenly, so that each class has a gradient.
    """

    threshold: Float[Tensor, ""]
    slope: Float[Tensor, ""]

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("threshold", torch.zeros(()))
        self.register_buffer("slope", torch.ones(()))

    @abstractmethod
    def reconstruct(self, images: Images) -> Images:
        """Images after the way through the code and back, from 0 to 1."""

    def errors(self, images: Images) -> PerRow:
        """Mean squared difference of images from what they are rebuilt as; 0 or more, smooth in the image."""
        return (images - self.reconstruct(images)).square().flatten(1).mean(1)

    def forward(self, inputs: Images) -> Logits:
        odds = self.slope * (self.errors(inputs) - self.threshold)
        return torch.stack((-odds / 2, odds / 2), 1)

    def adapt(self, inputs: Examples, generator: torch.Generator) -> None:
        """Begin with odds that are the error itself; `settle` takes better ones from other images, after training."""
        self.threshold.zero_()
        self.slope.fill_(1.0)

    @torch.no_grad()
    def settle(self, errors: PerRow) -> None:
        """Set threshold and slope by the errors of usual images that were not trained on.

        Of these, a part of FLAGGED lies above the threshold, and the median is unusual with probability MEDIAN.
        """
        middle, high = errors.quantile(errors.new_tensor([0.5, 1 - FLAGGED]))
        self.threshold.copy_(high)
        # Were all errors the same, any slope would do.
        self.slope.copy_(math.log(1 / MEDIAN - 1) / (high - middle).clamp(min=torch.finfo(errors.dtype).tiny))
