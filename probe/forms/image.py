"""Images, channels first."""

from dataclasses import dataclass
from typing import ClassVar

from probe.forms.form import Defaults, Form


@dataclass(frozen=True, kw_only=True, repr=False)
class Image(Form):
    """An image (channels, height, width), with the values that the model gets."""

    name: ClassVar[str] = "image"
    read_as: ClassVar[str] = "images"
    brought_as: ClassVar[tuple[str, ...]] = ("image",)
    near: ClassVar[int] = 2
    defaults: ClassVar[Defaults] = Defaults(
        explainers=("saliency", *Defaults().explainers),
        eps=("1/255", "2/255", "4/255", "8/255", "16/255"),
        sample=1000,
    )
