"""A form of input: directions, where 359 and 1 are near each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from probe.forms import Form
from probe.forms.form import Coordinates

POINTS = ("north", "east", "south", "west")


@dataclass(frozen=True, kw_only=True, repr=False)
class Compass(Form):
    """Directions in degrees, from 0 to 360."""

    name: ClassVar[str] = "compass"
    told: ClassVar[bool] = True
    feature: ClassVar[str] = "direction {}"

    def scaled_change(self, moved: Coordinates, origin: Coordinates, scale: Tensor) -> Coordinates:
        """The shorter way round."""
        return ((moved - origin + 180) % 360 - 180) / scale

    def describe(self, row: Sequence[float], feature: int, places: Sequence[int]) -> str:
        return ", ".join(f"{row[at]:.0f} degrees, {POINTS[round(row[at] / 90) % 4]}" for at in places)
