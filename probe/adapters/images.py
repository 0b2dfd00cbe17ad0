"""Image networks with their preprocessing inside, so that inputs are brightness from 0 to 1."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn.functional import interpolate, pad

from probe.errors import DataError
from probe.features import image_space
from probe.space import Space

MODES = {0: "nearest-exact", 2: "bilinear", 3: "bicubic"}  # as Pillow numbers them


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """The preprocessing of an image, with the parameters of its library."""

    resize: tuple[int, int] | int | None = None  # height and width, or the length of the shorter side
    mode: str = "bilinear"
    crop: tuple[int, int] | None = None  # height and width of the centre crop
    factor: float = 1.0  # factor of brightness from 0 to 1
    mean: tuple[float, ...] = (0.0,)
    deviation: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        sides = [
            side for size in (self.resize, self.crop) for side in (size if isinstance(size, tuple) else (size or 1,))
        ]
        if not all(0 < side <= 4096 for side in sides) or 0 in self.deviation or self.mode not in MODES.values():
            raise DataError(
                f"images cannot be prepared by {self}; expected sides from 1 to 4096, and no deviation of 0"
            )

    def size(self) -> tuple[int, int]:
        """Height and width that need no resizing."""
        sides = self.resize or self.crop or 224
        return sides if isinstance(sides, tuple) else (sides, sides)

    def space(self) -> Space:
        """Brightness from 0 to 1 in three channels; features are squares, and an absent one is black."""
        return image_space(3, *self.size())

    def __call__(self, images: Tensor) -> Tensor:
        """Prepared images (rows, channels, height, width); grey ones (rows, 1, ...) become three equal channels."""
        if images.shape[1] == 1 and len(self.mean) == 3:
            images = images.expand(-1, 3, -1, -1)
        images = self._cropped(self._resized(images))
        mean, deviation = (images.new_tensor(numbers)[:, None, None] for numbers in (self.mean, self.deviation))
        return (images * self.factor - mean) / deviation

    def _resized(self, images: Tensor) -> Tensor:
        size = self.resize
        if isinstance(size, int):
            shorter = min(images.shape[-2:])
            size = (int(size * images.shape[-2] / shorter), int(size * images.shape[-1] / shorter))
        if size is None or images.shape[-2:] == size:
            return images
        smooth = self.mode != "nearest-exact"
        # Antialiased like Pillow; bicubic interpolation overshoots, so it is clipped.
        return interpolate(images, size, mode=self.mode, antialias=smooth).clamp(0, 1)

    def _cropped(self, images: Tensor) -> Tensor:
        if self.crop is None:
            return images
        height, width = self.crop
        missing = (max(0, height - images.shape[-2]), max(0, width - images.shape[-1]))
        images = pad(images, (missing[1] // 2, -(-missing[1] // 2), missing[0] // 2, -(-missing[0] // 2)))
        top, left = (images.shape[-2] - height) // 2, (images.shape[-1] - width) // 2
        return images[..., top : top + height, left : left + width]


class ImageNetwork(nn.Module):
    """A network after its image preprocessing: brightness (rows, 3, height, width) -> logits."""

    def __init__(self, network: nn.Module, prepare: Preparation, logits: Callable[[nn.Module, Tensor], Tensor]) -> None:
        super().__init__()
        self.network, self.prepare, self.logits = network, prepare, logits

    def forward(self, images: Tensor) -> Tensor:
        return self.logits(self.network, self.prepare(images))
