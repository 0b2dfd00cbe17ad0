"""How a network is trained."""

from dataclasses import dataclass
from typing import Literal

from probe.errors import RangeError


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Every choice that training makes; the card records them."""

    epochs: int
    batch: int = 256
    rate: float = 1e-3  # the highest learning rate
    warmup: float = 0.2  # part of all steps in which the rate climbs; then it falls as a cosine
    weight_decay: float = 0.01
    smoothing: float = 0.0  # part of each label that is spread over all classes
    validation: float = 0.1  # part of the training rows that choose the best epoch and are never trained on
    patience: int = 10  # epochs without a lower validation loss before it stops
    augment: Literal["none", "flip and shift"] = "none"
    precision: Literal["float32", "bfloat16"] = "float32"

    def __post_init__(self) -> None:
        for name in ("epochs", "batch", "rate", "patience"):
            if not getattr(self, name) > 0:
                raise RangeError(f"Settings.{name} must be above 0; got {getattr(self, name)}")
        for name in ("warmup", "validation"):
            if not 0 < getattr(self, name) < 1:
                raise RangeError(f"Settings.{name} is a part of a whole, between 0 and 1; got {getattr(self, name)}")
