"""How accurate a model is on images under noise, blur, weather and what software does to them."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from probe.contracts import Survey
from probe.corrupted import CORRUPTIONS, SEVERITIES, TEST, VALIDATION
from probe.corrupted.numbers import Numbers
from probe.errors import RangeError, Unsupported
from probe.finding import Aspect
from probe.formatting import Unit
from probe.method import param
from probe.model import Model
from probe.shapes import Evidence, Inputs, Labels

NONE, ALL, SPLIT = "none", "mean of all", ", severity "
COLOURED = ("saturate",)  # of three channels alone


@dataclass(frozen=True, kw_only=True)
class Corruptions(Survey):
    """Accuracy under the 15 common corruptions of images, in five severities (arXiv:1903.12261), in [0, 1].

    Higher is better. Corruptions are made from the images themselves, by the numbers published for 32 pixels, whose
    lengths grow with the shorter side; frost and spatters are drawn, where those of the benchmark are photos, so that
    figures are near to but not those of its files. Noise follows from the pixels of an image and the seed. Images must
    have finite bounds, and corruptions stay in them. With `extra` there are also the four that are kept apart to
    choose settings by; saturation is left out of grey images.

    The evidence of an example is 1 where the answer is right, else 0, without a corruption, under each, and the share
    of all of them under which it is right, whose mean is the mean accuracy: 1 - the mean corruption error, which is not
    divided by that of another model.

    Raises:
        Unsupported: if inputs are not images (channels, height, width) with finite bounds, or answers are not judged.
        RangeError: if a corruption or a severity does not exist.

    Example:
        >>> import torch
        >>> from probe import Dataset, Model
        >>> from probe.surveys import Corruptions
        >>> def dark(x):  # is the image darker than grey?
        ...     return torch.stack([x.flatten(1).mean(1) - 0.5, 0.5 - x.flatten(1).mean(1)], 1)
        >>> x = torch.full((9, 1, 28, 28), 0.42)
        >>> method = Corruptions(names=("brightness", "contrast"), severities=(1, 5))
        >>> data = Dataset(x, torch.ones(9).long())
        >>> method(Model(forward=dark), data).to_frame().set_index("item")["value"].to_dict()
        {'none': 1.0, 'brightness, severity 1': 1.0, 'brightness, severity 5': 0.0, 'contrast, severity 1': 1.0, \
'contrast, severity 5': 1.0, 'mean of all': 0.75}
    """

    aspect: ClassVar[Aspect] = "robustness"
    unit: ClassVar[Unit] = "share"
    reduction: ClassVar[str] = "proportion"
    item: ClassVar[str] = "corruption"
    split: ClassVar[str] = SPLIT
    asks: ClassVar[str] = "accuracy under a corruption"

    names: tuple[str, ...] = param((), "the corruptions; default: the 15 of the benchmark")
    severities: tuple[int, ...] = param((1, 2, 3, 4, 5), "severities, from 1 to 5")
    extra: bool = param(False, "whether to add the four that settings are chosen by")
    seed: int = param(0, "seed of the noise", low=0)

    def items(self, model: Model, inputs: Inputs) -> tuple[str, ...]:
        named = (f"{name}{SPLIT}{severity}" for name in self.chosen(inputs) for severity in self.severities)
        return NONE, *named, ALL

    def chosen(self, inputs: Inputs) -> tuple[str, ...]:
        """The names of the corruptions of such inputs.

        Raises:
            RangeError: if a corruption or a severity does not exist.
        """
        names = self.names or tuple(TEST)
        names += tuple(name for name in VALIDATION if self.extra and name not in names)
        if unknown := [name for name in names if name not in CORRUPTIONS]:
            known = ", ".join(CORRUPTIONS)
            raise RangeError(f"Corruptions.names holds {unknown[0]!r:.40}, expected some of {known}")
        if not self.severities or not all(1 <= severity <= SEVERITIES for severity in self.severities):
            raise RangeError(f"Corruptions.severities = {self.severities}, expected some of 1, 2, 3, 4, 5")
        return tuple(name for name in names if name not in COLOURED or inputs.shape[1] == 3)

    def examine(self, model: Model, inputs: Inputs, labels: Labels) -> Evidence:
        names = self.chosen(inputs)
        found = [self._right(model, inputs, labels)]
        for name in names:
            for severity in self.severities:
                found.append(self._right(model, self.corrupted(model, inputs, name, severity), labels))
        each = torch.stack(found, 1)
        return torch.cat([each, each[:, 1:].mean(1, keepdim=True)], 1)

    def corrupted(self, model: Model, inputs: Inputs, name: str, severity: int) -> Inputs:
        """The inputs under one corruption, within the bounds.

        Raises:
            Unsupported: if they are no images with finite bounds.
        """
        low, high = (torch.as_tensor(end).to(inputs) for end in model.space.bounds)
        if inputs.ndim != 4 or not inputs.is_floating_point():
            raise Unsupported(
                f"{self.name()} changes images (channels, height, width) of numbers, and {model.name} reads "
                f"{tuple(inputs.shape[1:])} of {inputs.dtype}; leave it out"
            )
        if not bool((high - low).isfinite().all()):
            raise Unsupported(
                f"{self.name()} changes images from black to white, and {model.name} has infinite bounds; set "
                "Space(bounds=(0.0, 1.0)), or those of your images"
            )
        plain = ((inputs - low) / (high - low)).float().cpu()
        numbers = Numbers(plain, self.seed, list(CORRUPTIONS).index(name), severity)
        moved = CORRUPTIONS[name](plain, severity - 1, numbers).clamp(0, 1)
        return model.space.project(low + (high - low) * moved.to(inputs), inputs)

    def _right(self, model: Model, inputs: Inputs, labels: Labels) -> Evidence:
        right = ~model.task.wrong(model.logits(inputs), labels)
        return right.flatten(1).all(1).to(torch.get_default_dtype()) if right.ndim > 1 else right.to(torch.float32)
