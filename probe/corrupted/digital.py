"""What software does to images: brightness, contrast, colours, coarse pixels, warps and compression."""

from math import pi

import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad

from probe.corrupted.blurs import smoothed
from probe.corrupted.numbers import Numbers, at, places

BRIGHTNESS = (0.05, 0.10, 0.15, 0.20, 0.30)  # added
CONTRAST = (0.75, 0.50, 0.40, 0.30, 0.15)  # that is left
SATURATE = ((0.3, 0.0), (0.1, 0.0), (1.5, 0.0), (2.0, 0.1), (2.5, 0.2))  # times, and plus
PIXELATE = (0.95, 0.90, 0.85, 0.75, 0.65)  # of the pixels of a side that are left
JPEG = (80, 65, 58, 50, 40)  # quality
# Shares of the side: how far a place moves, how smoothly, and how much the whole is sheared.
ELASTIC = ((0.0, 0.0, 0.08), (0.05, 0.2, 0.07), (0.08, 0.06, 0.06), (0.10, 0.04, 0.05), (0.10, 0.03, 0.03))
EPS = 1e-6

LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61), (12, 12, 14, 19, 26, 58, 60, 55), (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62), (18, 22, 37, 56, 68, 109, 103, 77), (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101), (72, 92, 95, 98, 112, 100, 103, 99),
)  # fmt: skip  # ITU-T T.81, table K.1
COLOUR = (
    (17, 18, 24, 47, 99, 99, 99, 99), (18, 21, 26, 66, 99, 99, 99, 99), (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99), *(((99,) * 8,) * 4),
)  # fmt: skip  # table K.2
YCC = torch.tensor([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])


def brightness(images: Tensor, severity: int, numbers: Numbers) -> Tensor:
    """More light, of the same colour."""
    value = images.amax(1, keepdim=True)
    lit = (value + BRIGHTNESS[severity]).clamp(max=1)
    return torch.where(value > EPS, images * lit / value.clamp(min=EPS), lit)


def contrast(images: Tensor, severity: int, numbers: Numbers) -> Tensor:
    """Less contrast around the mean of each channel."""
    mean = images.mean((2, 3), keepdim=True)
    return mean + CONTRAST[severity] * (images - mean)


def saturate(images: Tensor, severity: int, numbers: Numbers) -> Tensor:
    """Paler or stronger colours; what is grey stays grey."""
    times, plus = SATURATE[severity]
    value = images.amax(1, keepdim=True)
    before = (value - images.amin(1, keepdim=True)) / value.clamp(min=EPS)
    after = (times * before + plus).clamp(0, 1)
    return torch.where(before > EPS, value - (value - images) * after / before.clamp(min=EPS), images)


def pixelate(images: Tensor, severity: int, numbers: Numbers) -> Tensor:
    """Coarser pixels."""
    sides = [max(1, int(side * PIXELATE[severity])) for side in images.shape[2:]]
    return interpolate(interpolate(images, sides, mode="area"), images.shape[2:], mode="nearest-exact")


def elastic(images: Tensor, severity: int, numbers: Numbers) -> Tensor:
    """A sheet of rubber that is sheared and pulled here and there."""
    height, width = images.shape[2:]
    side = min(height, width)
    far, smooth, shear = (share * side for share in ELASTIC[severity])
    rows, columns = places(images)
    # Where three corners of a square go decides where all of the plane goes.
    middle = torch.tensor([height / 2, width / 2])
    corners = middle + side / 3 * torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]])
    moved = corners + shear * (2 * numbers.uniform(3, 2) - 1)
    known = torch.cat([moved, torch.ones(len(images), 3, 1)], 2)
    affine = torch.linalg.solve(known, corners.expand(len(images), 3, 2))
    here = torch.stack([rows, columns, torch.ones_like(rows)], -1)
    there = here.flatten(0, 1) @ affine
    pulled = far * smoothed(2 * numbers.uniform(2, height, width) - 1, smooth) if far else torch.zeros(1, 2, 1, 1)
    down, across = there.view(-1, height, width, 2).unbind(-1)
    return at(images, down + pulled[:, 0], across + pulled[:, 1])


def jpeg(images: Tensor, severity: int, numbers: Numbers) -> Tensor:
    """Compression as JPEG: rounded cosine coefficients of blocks, and half as many pixels of colour."""
    quality = JPEG[severity]
    height, width = images.shape[2:]
    pixels = (255 * images).round()
    if images.shape[1] != 3:
        return _compressed(pixels - 128, LUMINANCE, quality)[..., :height, :width].add(128).round() / 255
    pixels = pad(pixels, (0, width % 2, 0, height % 2), mode="replicate")
    light, *colours = torch.einsum("kc,nchw->nkhw", YCC, pixels).chunk(3, 1)
    found = [_compressed(light - 128, LUMINANCE, quality)[..., :height, :width] + 128]
    for colour in colours:
        small = _compressed(interpolate(colour, scale_factor=0.5, mode="area"), COLOUR, quality)
        found.append(interpolate(small, scale_factor=2.0, mode="bilinear")[..., :height, :width])
    back = torch.einsum("ck,nkhw->nchw", torch.linalg.inv(YCC), torch.cat(found, 1))
    return back.round() / 255


def _compressed(plane: Tensor, table: tuple[tuple[int, ...], ...], quality: int) -> Tensor:
    """A plane of pixels whose blocks of 8 x 8 were transformed, rounded by a table and transformed back."""
    height, width = plane.shape[2:]
    plane = pad(plane, (0, -width % 8, 0, -height % 8), mode="replicate")
    scale = 5000 / quality if quality < 50 else 200 - 2 * quality
    steps = ((torch.tensor(table) * scale + 50) / 100).floor().clamp(1, 255)
    places = torch.arange(8.0)
    cosines = ((2 * places + 1) * places[:, None] * pi / 16).cos() / 2
    cosines[0] /= 2**0.5
    blocks = plane.unfold(2, 8, 8).unfold(3, 8, 8)
    rounded = ((cosines @ blocks @ cosines.T) / steps).round() * steps
    whole = cosines.T @ rounded @ cosines
    return whole.permute(0, 1, 2, 4, 3, 5).reshape(plane.shape)
