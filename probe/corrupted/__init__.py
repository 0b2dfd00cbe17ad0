"""The common corruptions of images (arXiv:1903.12261), made from scratch: no photos, no downloads.

Each takes images in [0, 1], (batch, channels, height, width), a severity from 0 to 4, and random numbers of each image,
and gives images that are still to be clipped. Settings are those published for images of 32 pixels; lengths grow with
the shorter side, so that an image of 28 or 224 pixels is changed as much to the eye.
"""

from collections.abc import Callable, Mapping

from torch import Tensor

from probe.corrupted import blurs, digital, noise, weather
from probe.corrupted.numbers import Numbers

Corrupt = Callable[[Tensor, int, Numbers], Tensor]
SEVERITIES = 5
TEST: Mapping[str, Corrupt] = {
    "gaussian noise": noise.gaussian,
    "shot noise": noise.shot,
    "impulse noise": noise.impulse,
    "defocus blur": blurs.defocus,
    "glass blur": blurs.glass,
    "motion blur": blurs.motion,
    "zoom blur": blurs.zoom,
    "snow": weather.snow,
    "frost": weather.frost,
    "fog": weather.fog,
    "brightness": digital.brightness,
    "contrast": digital.contrast,
    "elastic": digital.elastic,
    "pixelate": digital.pixelate,
    "jpeg": digital.jpeg,
}  # of the benchmark
VALIDATION: Mapping[str, Corrupt] = {
    "speckle noise": noise.speckle,
    "gaussian blur": blurs.gaussian,
    "spatter": weather.spatter,
    "saturate": digital.saturate,
}  # to choose settings by, so that those of the benchmark stay unseen
CORRUPTIONS = {**TEST, **VALIDATION}
