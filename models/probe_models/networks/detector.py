"""Anomaly detectors for images."""

import math
from abc import abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor

from probe_models.networks.network import Network
from probe_models.networks.shapes import Examples, Images, Logits, PerRow

FLAGGED = 0.05  # false positive rate among normal images
MEDIAN = 0.05  # anomaly probability of the median normal image


class Detector(Network):
    """Classifies images as ("usual", "unusual") by their reconstruction error.

    With error e(x) = mean over pixels of (x - reconstruct(x))^2, the log-odds of unusual are slope (e(x) - threshold),
    split evenly between the two logits, so that each class has a gradient.
    """

    threshold: Float[Tensor, ""]
    slope: Float[Tensor, ""]

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("threshold", torch.zeros(()))
        self.register_buffer("slope", torch.ones(()))

    @abstractmethod
    def reconstruct(self, images: Images) -> Images:
        """The reconstruction of images, from 0 to 1."""

    def errors(self, images: Images) -> PerRow:
        """Mean squared reconstruction error, at least 0; differentiable in the image."""
        return (images - self.reconstruct(images)).square().flatten(1).mean(1)

    def forward(self, inputs: Images) -> Logits:
        odds = self.slope * (self.errors(inputs) - self.threshold)
        return torch.stack((-odds / 2, odds / 2), 1)

    def adapt(self, inputs: Examples, generator: torch.Generator) -> None:
        """Start with the error as log-odds; `settle` calibrates them after training."""
        self.threshold.zero_()
        self.slope.fill_(1.0)

    @torch.no_grad()
    def settle(self, errors: PerRow) -> None:
        """Calibrate threshold and slope with the errors of normal validation images.

        A fraction FLAGGED of them is above the threshold, and the median has the anomaly probability MEDIAN.
        """
        middle, high = errors.quantile(errors.new_tensor([0.5, 1 - FLAGGED]))
        self.threshold.copy_(high)
        # If all errors are equal, any slope will do.
        self.slope.copy_(math.log(1 / MEDIAN - 1) / (high - middle).clamp(min=torch.finfo(errors.dtype).tiny))
