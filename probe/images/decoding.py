"""One image file as brightness, and what is to be known of how it was read."""

import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from probe.errors import DataError
from probe.images.common import Size

PIXELS = 2**26  # of one file, counted before it is decompressed
OPAQUE = 255
DEEPEST = 16  # bits of a number


@dataclass(frozen=True, eq=False)
class Decoded:
    """An image as brightness from 0 to 1, (channels, height, width)."""

    pixels: NDArray[np.float32]
    moving: bool  # whether it has frames after the first
    clear: bool  # whether a pixel is transparent, in part or wholly
    brightest: int | None  # the largest number of a file of 16 bits; None of any other

    def without_pixels(self) -> "Decoded":
        """What is to be known of it alone."""
        return replace(self, pixels=self.pixels[:0])


def told(read: Sequence[Decoded]) -> Iterator[str]:
    """What is to be known of how images were read: frames, transparent pixels, and numbers that may have fewer bits."""
    if moving := sum(each.moving for each in read):
        yield f"{moving:,} of {len(read):,} images have several frames, of which the first is read"
    if clear := sum(each.clear for each in read):
        yield f"{clear:,} of {len(read):,} images have transparent pixels, which are read in the colour that they hide"
    deep = [each.brightest for each in read if each.brightest is not None]
    bits = max(deep, default=2**DEEPEST).bit_length()
    if 0 < bits < DEEPEST:
        yield (
            f"the brightest number in {len(deep):,} images of {DEEPEST} bits is {max(deep):,}, as if they had {bits}: "
            f"they are read as {DEEPEST} bits, so dark; where they have {bits}, multiply them by "
            f"{2 ** (DEEPEST - bits)} and save them again"
        )


@contextmanager
def opened(file: Path | BytesIO, shown: str) -> Iterator[Any]:
    """The image in a file, while it is looked at: what Pillow raises becomes one sentence."""
    from PIL import Image

    try:
        with Image.open(file) as image:
            if image.width * image.height > PIXELS:
                raise DataError(
                    f"{shown} has {image.width:,} x {image.height:,} pixels, expected {PIXELS:,} at most; scale it down"
                )
            yield image
    except (OSError, ValueError, SyntaxError, struct.error, Image.DecompressionBombError) as error:
        if isinstance(error, DataError):
            raise
        reason = error if isinstance(file, Path) or "BytesIO" not in str(error) else "its format is not supported"
        raise DataError(f"{shown} cannot be read as an image: {reason}; save it again, or leave it out") from None


def _in_bytes(image: Any) -> Any:
    """An image of bytes: numbers of 16 bits, or from 0 to 1, are scaled to them, where Pillow would cut them off."""
    from PIL import Image

    if image.mode[0] not in "IF":
        return image
    numbers, brightest = np.asarray(image, dtype=np.float64), 1 if image.mode[0] == "F" else 2**16 - 1
    if not bool(((numbers >= 0) & (numbers <= brightest)).all()):
        raise ValueError(f"its numbers are not all from 0 to {brightest}, black to white")
    return Image.fromarray((numbers * (255 / brightest)).round().astype(np.uint8))


def decoded(file: Path | BytesIO, size: Size, channels: int, shown: str) -> Decoded:
    """The image in a file as brightness from 0 to 1, (channels, height, width); `shown` is its name in messages.

    Raises:
        DataError: if it is none, or too large.
    """
    from PIL import Image, ImageOps

    with opened(file, shown) as image:
        frames = int(getattr(image, "n_frames", 1))
        deep = np.asarray(image).max(initial=0) if image.mode[0] == "I" else None
        clear = image.has_transparency_data and image.convert("RGBA").getchannel("A").getextrema()[0] < OPAQUE
        upright = _in_bytes(ImageOps.exif_transpose(image)).convert("RGB" if channels == 3 else "L")
    if (upright.height, upright.width) != size:
        upright = ImageOps.fit(upright, (size[1], size[0]), Image.Resampling.BILINEAR)
    pixels: NDArray[np.float32] = np.asarray(upright, dtype=np.uint8).astype(np.float32) / np.float32(255)
    pixels = pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)
    return Decoded(pixels, frames > 1, bool(clear), None if deep is None else int(deep))
