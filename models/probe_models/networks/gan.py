"""A generative adversarial network for images."""

from collections.abc import Sequence
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

from probe.tensors import spans
from probe_models.networks.codec import Decoder, Encoder
from probe_models.networks.network import Network
from probe_models.networks.shapes import Codes, Examples, Images, Logits
from probe_models.networks.sides import Side


class AdversarialPair(Network):
    """A generator and a discriminator (Goodfellow et al., arXiv:1406.2661), after DCGAN (arXiv:1511.06434).

    The generator makes an image sigmoid(g(z)) of noise z ~ N(0, I). The discriminator gives an image the log-odds d(x)
    of being real. As a classifier it is the discriminator, with the classes ("generated", "real"); d(x) is split evenly
    between their logits.

    Unlike DCGAN's, the discriminator has no batch normalisation, so that its output does not depend on the batch.
    """

    def __init__(self, side: Side = 28, widths: Sequence[int] = (32, 64), code: int = 64, channels: int = 1) -> None:
        super().__init__()
        self.code = code
        self.generator = Decoder(side, widths, code, channels)
        self.discriminator = Encoder(side, widths, 1, partial(nn.LeakyReLU, 0.2), channels)

    def forward(self, inputs: Images) -> Logits:
        odds = self.discriminator(inputs)[:, 0]
        return torch.stack((-odds / 2, odds / 2), 1)

    def draw(self, noise: Codes) -> Images:
        """Generate images from noise."""
        return self.generator(noise).sigmoid()

    @torch.no_grad()
    def generate(self, count: int, random: torch.Generator) -> Float[Tensor, "{count} channels height width"]:
        """Generate images from noise drawn from N(0, I)."""
        noise = torch.randn(count, self.code, generator=random).to(self.discriminator.head.weight.device)
        return torch.cat([self.draw(noise[rows]) for rows in spans(count, 500)])

    def adapt(self, inputs: Examples, generator: torch.Generator) -> None:
        """Take nothing from the training images."""


ARCHITECTURES = {"gan": AdversarialPair}
