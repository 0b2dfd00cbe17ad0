"""A variational autoencoder for images."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from probe.tensors import spans
from probe_models.networks.codec import Decoder, Encoder
from probe_models.networks.detector import Detector
from probe_models.networks.shapes import Codes, Images, PerRow
from probe_models.networks.sides import Side


class VariationalAutoEncoder(Detector):
    """A model of how images come about, and of the codes that they came from (Kingma and Welling, arXiv:1312.6114).

    A code z ~ N(0, I) gives each pixel the log-odds d(z) of being white. The encoder answers an image by a normal
    distribution of codes with mean m and variance v in each coordinate. Both learn to make large the lower bound of
    log p(x): ELBO = E[sum over pixels of x log s + (1 - x) log(1 - s)] - KL, with s = sigmoid(d(m + sqrt(v) noise))
    and KL = 1/2 sum over coordinates of (m^2 + v - 1 - log v).

    Brightness lies between 0 and 1, for which the pixels' likelihood (Bernoulli) is no density. So the ELBO compares
    with others of the same kind only, not with those of images made black and white.
    """

    def __init__(self, side: Side = 28, widths: Sequence[int] = (16, 32), code: int = 20, channels: int = 1) -> None:
        super().__init__()
        self.code = code
        self.encoder = Encoder(side, widths, 2 * code, nn.ReLU, channels)
        self.decoder = Decoder(side, widths, code, channels)

    def encode(self, images: Images) -> tuple[Codes, Codes]:
        """Mean and log-variance of the codes that images may have come from."""
        mean, log_variance = self.encoder(images).chunk(2, 1)
        return mean, log_variance

    def reconstruct(self, images: Images) -> Images:
        """What the mean code of each image gives, so that the answer does not depend on a draw."""
        return self.decoder(self.encode(images)[0]).sigmoid()

    def elbo(self, images: Images, noise: Codes) -> PerRow:
        """A draw of the ELBO in nats, by standard normal noise; below 0, higher is better."""
        mean, log_variance = self.encode(images)
        odds = self.decoder(mean + (log_variance / 2).exp() * noise)
        # This cross-entropy is the negative log-likelihood, computed without rounding 1 - s to 0.
        unlikely = F.binary_cross_entropy_with_logits(odds, images, reduction="none").flatten(1).sum(1)
        return -unlikely - divergence(mean, log_variance)

    @torch.no_grad()
    def generate(self, count: int, random: torch.Generator) -> Float[Tensor, "{count} channels height width"]:
        """Images: the brightness that codes drawn from N(0, I) give."""
        codes = torch.randn(count, self.code, generator=random).to(self.threshold.device)
        return torch.cat([self.decoder(codes[rows]).sigmoid() for rows in spans(count, 500)])


def divergence(mean: Codes, log_variance: Codes) -> PerRow:
    """KL(N(mean, variance) || N(0, I)) of rows, in nats: 1/2 sum of (mean^2 + variance - 1 - log variance)."""
    return (mean.square() + log_variance.exp() - 1 - log_variance).sum(1) / 2


ARCHITECTURES = {"vae": VariationalAutoEncoder}
