"""Class activation maps: what a convolutional layer sees, weighted by what the output makes of it."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from probe.contracts import Explainer, Need
from probe.errors import Unsupported
from probe.forms import Image, Series
from probe.internals import Edit
from probe.method import param
from probe.model import Model
from probe.shapes import Inputs, Labels
from probe.tensors import wide

Maps = Float[Tensor, "batch channels *places"]
OneMap = Float[Tensor, "batch *places"]


@dataclass(frozen=True, kw_only=True)
class Laid(Explainer, ABC):
    """Weighs the maps that a layer gives, and spreads their sum over the input."""

    needs: ClassVar[frozenset[Need]] = frozenset({"layers"})
    reads_as: ClassVar[str] = (
        "Where the layer sees what raises the {output} of the answer: the deeper the red, the more. "
        "What lowers it is not shown."
    )

    layer: str = param("", 'the layer whose maps are weighed, such as "conv2"; empty: the last convolution')

    @abstractmethod
    def summed(self, model: Model, inputs: Inputs, targets: Labels, address: str) -> OneMap:
        """One map of each example, from those of the layer at an address."""

    def attribute(self, model: Model, inputs: Inputs, targets: Labels) -> Inputs:
        if not isinstance(model.space.form_of(inputs), Image | Series):
            raise Unsupported(
                f"{self.name()} needs images or series, and inputs of {model.name} are neither; "
                "choose a method that asks about features, such as IntegratedGradients or KernelShap"
            )
        one = self.summed(model, inputs, targets, self.layer or self._last(model))[:, None]
        return (enlarged(one, inputs.shape[2:]) / inputs.shape[1]).expand_as(inputs).to(inputs.dtype)

    def check_maps(self, model: Model, maps: object, inputs: Inputs, address: str) -> None:
        """Raise Unsupported unless a layer gives maps that can be laid over the inputs."""
        if not isinstance(maps, Tensor) or not maps.is_floating_point():
            raise Unsupported(
                f"the layer {address!r} of {model.name} does not give a tensor of numbers; {self._others(model)}"
            )
        if maps.ndim != inputs.ndim:
            raise Unsupported(
                f"the layer {address!r} of {model.name} gives {tuple(maps.shape)} for inputs {tuple(inputs.shape)}, "
                f"which cannot be laid over them as maps; {self._others(model)}"
            )

    def _last(self, model: Model) -> str:
        found = _convolutions(model)
        if not found:
            some = ", ".join(list(model.layers())[:20])
            raise Unsupported(
                f"{self.name()} needs a convolutional layer, and {model.name} has none; "
                f"set layer to one that gives (batch, channels, height, width), among {some}"
            )
        return found[-1]

    def _others(self, model: Model) -> str:
        found = _convolutions(model)
        return f"set layer to one that gives maps, such as {found[-1]!r}" if found else "choose another method"


@dataclass(frozen=True, kw_only=True)
class ActivationMap(Laid, ABC):
    """Weighs the maps that a layer gives by the gradient of the output."""

    needs: ClassVar[frozenset[Need]] = frozenset({"gradients", "layers"})

    @abstractmethod
    def weighed(self, maps: Maps, slopes: Maps) -> OneMap:
        """One map of each example, from those of a layer and the gradient of the output by them."""

    def summed(self, model: Model, inputs: Inputs, targets: Labels, address: str) -> OneMap:
        kept: list[Tensor] = []

        def watch(output: Tensor) -> Tensor:
            self.check_maps(model, output, inputs, address)
            torch.set_grad_enabled(True)  # from here on; until now nothing was kept for a way back
            kept[:] = [output.detach().requires_grad_()]
            return kept[0].clone()  # the next layer may work in place

        edits: dict[str, Edit] = {address: watch}
        with model.edited(edits) as watched, watched.backward():
            with torch.no_grad():
                outputs = watched(inputs)
            # A forward that sets the mode itself, around the layer, has set it back.
            with torch.enable_grad():
                outputs = outputs if outputs.requires_grad else watched(inputs)
                picked = watched.task.pick(watched.task.explained(outputs, self.output), targets)
                (slopes,) = torch.autograd.grad(picked.sum(), kept[0])
        return self.weighed(wide(kept[0].detach()), wide(slopes))


@dataclass(frozen=True, kw_only=True)
class GradCAM(ActivationMap):
    """The maps of a layer, each weighted by the mean gradient of the output over it (arXiv:1610.02391).

    The sum of the weighted maps is laid over the input by linear interpolation. As in the paper, only what raises
    the output is kept: values are at least 0, in output units per unit of the layer, and do not sum to the output. All
    channels of the input share a place's value evenly. What it shows is no finer than the layer.

    Raises:
        RangeError: if there is no such layer.
        Unsupported: if inputs are no images or series, the network has no convolution and no layer is named, the
            forward calls the layer several times, or what the layer gives are no maps.

    >>> import torch
    >>> from probe import Model
    >>> from probe.explainers import GradCAM
    >>> layers = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3, padding=1), torch.nn.Flatten(), torch.nn.Linear(64, 2))
    >>> found = GradCAM(layer="0")(Model(forward=layers.eval()), torch.rand(3, 1, 4, 4))
    >>> found.values.shape, bool((found.values >= 0).all())
    (torch.Size([3, 1, 4, 4]), True)
    """

    def weighed(self, maps: Maps, slopes: Maps) -> OneMap:
        return torch.einsum("bc,bc...->b...", slopes.flatten(2).mean(2), maps).relu()


@dataclass(frozen=True, kw_only=True)
class LayerCAM(ActivationMap):
    """The maps of a layer, each place weighted by its own positive gradient (doi:10.1109/TIP.2021.3089943).

    Unlike `GradCAM`, which has one weight for a whole map, it is of use at early layers too, whose maps are finer. The
    sum of the weighted maps is laid over the input by linear interpolation, and only what raises the output is
    kept: values are at least 0, in output units, and do not sum to the output. All channels of the input share a
    place's value evenly.

    Raises:
        RangeError: if there is no such layer.
        Unsupported: if inputs are no images or series, the network has no convolution and no layer is named, the
            forward calls the layer several times, or what the layer gives are no maps.

    >>> import torch
    >>> from probe import Model
    >>> from probe.explainers import LayerCAM
    >>> layers = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3, padding=1), torch.nn.Flatten(), torch.nn.Linear(64, 2))
    >>> found = LayerCAM()(Model(forward=layers.eval()), torch.rand(3, 1, 4, 4))
    >>> found.values.shape, bool((found.values >= 0).all())
    (torch.Size([3, 1, 4, 4]), True)
    """

    def weighed(self, maps: Maps, slopes: Maps) -> OneMap:
        return (slopes.relu() * maps).sum(1).relu()


def _convolutions(model: Model) -> list[str]:
    return [name for name, layer in model.layers().items() if isinstance(layer, nn.Conv1d | nn.Conv2d)]


def enlarged(maps: Tensor, size: Sequence[int]) -> Tensor:
    """Maps laid over so many places by linear interpolation."""
    mode = "bilinear" if len(size) == 2 else "linear"
    return nn.functional.interpolate(maps, size=tuple(size), mode=mode, align_corners=False)
