"""A denoising autoencoder for images."""

from collections.abc import Sequence

from torch import nn

from probe_models.networks.codec import Decoder, Encoder
from probe_models.networks.detector import Detector
from probe_models.networks.shapes import Codes, Images
from probe_models.networks.sides import Side


class AutoEncoder(Detector):
    """Squeezes an image through a code of few numbers (Vincent et al. 2008, doi:10.1145/1390156.1390294).

    It is trained to rebuild x from x + noise, so it learns what clothes look like rather than to copy. Once trained it
    rebuilds images as they are: r(x) = sigmoid(decode(encode(x))).
    """

    def __init__(self, side: Side = 28, widths: Sequence[int] = (16, 32), code: int = 32, channels: int = 1) -> None:
        super().__init__()
        self.encoder = Encoder(side, widths, code, nn.ReLU, channels)
        self.decoder = Decoder(side, widths, code, channels)

    def encode(self, images: Images) -> Codes:
        """The codes of images."""
        return self.encoder(images)

    def reconstruct(self, images: Images) -> Images:
        return self.decoder(self.encode(images)).sigmoid()


ARCHITECTURES = {"autoencoder": AutoEncoder}
