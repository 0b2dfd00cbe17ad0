"""What the units of a layer do: how active they are, and how much of the output passes through each."""

from abc import ABC
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from probe.contracts import Need, Survey
from probe.contracts.common import passes
from probe.errors import RangeError, Unsupported
from probe.method import param, required
from probe.model import Model
from probe.shapes import Evidence, Inputs, Labels
from probe.surveys.sites import slopes_at
from probe.tensors import spans, wide

OfUnits = Float[Tensor, "batch units"]


@dataclass(frozen=True, kw_only=True)
class OfLayer(Survey, ABC):
    """A survey whose items are the units of a layer, such as the channels of a convolution."""

    item: ClassVar[str] = "unit"

    layer: str = required('the layer, such as "conv2"; `model.layers()` lists them')
    axis: int = param(1, "the axis of its output that units are counted along: 1, or -1 for a network of words", low=-1)

    def items(self, model: Model, inputs: Inputs) -> tuple[str, ...]:
        found = model.activations(inputs[:1], at=self.layer)[self.layer]
        return tuple(f"{self.layer} unit {at}" for at in range(self.by_unit(model, found).shape[1]))

    def by_unit(self, model: Model, values: object) -> OfUnits:
        """Values of a layer, summed over all but its units.

        Raises:
            Unsupported: if the layer gives no tensor with a row for each input.
            RangeError: if it has no such axis.
        """
        if not isinstance(values, Tensor) or not values.is_floating_point() or values.ndim < 2:
            raise Unsupported(
                f"the layer {self.layer!r} of {model.name} does not give a tensor of numbers for each row; "
                f"set layer to another of {', '.join(list(model.layers())[:20])}"
            )
        if self.axis == 0 or self.axis >= values.ndim:
            raise RangeError(
                f"{type(self).__name__}.axis = {self.axis}, and the layer {self.layer!r} gives {tuple(values.shape)}, "
                f"whose first axis is the rows; set it to one of 1 to {values.ndim - 1}, or -1"
            )
        return wide(values.movedim(self.axis, 1).flatten(2).sum(2) if values.ndim > 2 else values)


@dataclass(frozen=True, kw_only=True)
class LayerActivation(OfLayer):
    """How active each unit of a layer is: its output, in the mean over its places.

    The evidence of an example is one number per unit, in the units of the layer and of any sign. A unit that is 0 for
    all examples is dead.

    Raises:
        RangeError: if there is no such layer or axis.
        Unsupported: if the layer gives no tensor, or the forward calls it several times.

    Example:
        >>> import torch
        >>> from probe import Dataset, Model, Space
        >>> from probe.surveys import LayerActivation
        >>> network = torch.nn.Sequential(torch.nn.Linear(2, 2, bias=False), torch.nn.ReLU()).eval()
        >>> _ = torch.nn.init.eye_(network[0].weight)
        >>> model = Model(forward=network, space=Space(bounds=(-9.0, 9.0)))
        >>> data = Dataset(torch.tensor([[2.0, -2.0], [4.0, -1.0]]), torch.tensor([0, 1]), space=model.space)
        >>> LayerActivation(layer="1")(model, data).to_frame()["value"].tolist()
        [3.0, 0.0]
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"layers"})
    asks: ClassVar[str] = "mean output of the unit"

    def examine(self, model: Model, inputs: Inputs, labels: Labels) -> Evidence:
        found = [model.activations(inputs[rows], at=self.layer)[self.layer] for rows in passes(model, inputs)]
        sums = [self.by_unit(model, part) for part in found]
        return torch.cat([each * each.shape[1] / part[0].numel() for each, part in zip(sums, found, strict=True)])


@dataclass(frozen=True, kw_only=True)
class LayerConductance(OfLayer):
    """How much of the output passes through each unit of a layer, from the mean reference to the input.

    Inputs go along the straight path from the space's mean reference; at each step the change of a unit is multiplied
    by the gradient of the output with respect to it, the mean of those at both ends (arXiv:1805.12233). The evidence of
    an example is one number per unit, of any sign, in units of the output that is decided for, or of `answer`. Where
    all of a network passes through the layer, they sum to output(input) - output(reference) but for the length of the
    steps.

    Raises:
        RangeError: if there is no such layer, axis or answer.
        Unsupported: if the layer gives no tensor, or the forward calls it several times.

    Example:
        >>> import torch
        >>> from probe import Dataset, Model, Space
        >>> from probe.surveys import LayerConductance
        >>> network = torch.nn.Sequential(torch.nn.Linear(2, 2, bias=False), torch.nn.Linear(2, 2, bias=False)).eval()
        >>> _ = torch.nn.init.eye_(network[0].weight), torch.nn.init.constant_(network[1].weight, 2.0)
        >>> model = Model(forward=network, space=Space(bounds=(-9.0, 9.0), reference=torch.zeros(1, 2)))
        >>> data = Dataset(torch.tensor([[1.0, -2.0], [3.0, -1.0]]), torch.tensor([0, 1]), space=model.space)
        >>> LayerConductance(layer="0")(model, data).to_frame()["value"].round(4).tolist()
        [4.0, -3.0]
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"gradients", "layers", "reference"})
    asks: ClassVar[str] = "change of the output that passes through the unit"

    answer: str = param("", "name of the class or output; by default the one that is decided for")
    steps: int = param(50, "steps of the path", low=1, high=10**6)

    def examine(self, model: Model, inputs: Inputs, labels: Labels) -> Evidence:
        targets = model.targets(inputs)
        if self.answer:
            targets = model.check_targets(self.answer, inputs)
        if model.embed is not None:
            inputs = model.points(inputs)
            model = model.over_embeddings()
        return torch.cat([self._through(model, inputs[rows], targets[rows]) for rows in passes(model, inputs)])

    def _through(self, model: Model, inputs: Inputs, targets: Labels) -> OfUnits:
        start, several = model.space.baseline(inputs), max(1, model.rows_per_pass(inputs) // len(inputs))
        places = torch.linspace(0, 1, self.steps + 1, dtype=inputs.dtype, device=inputs.device)
        total, before = torch.zeros(()), list[Tensor]()
        for span in spans(len(places), several):
            place = places[span].view(-1, *[1] * inputs.ndim)
            points = (start + place * (inputs - start)).flatten(0, 1)
            each = targets.repeat(len(place), *[1] * (targets.ndim - 1))
            found = slopes_at(model, self.layer, points, each)
            ends = [wide(each).reshape(len(place), len(inputs), *each.shape[1:]) for each in found]
            values, slopes = (torch.cat(each) for each in zip(before, ends, strict=True)) if before else ends
            total = total + ((slopes[1:] + slopes[:-1]) / 2 * values.diff(dim=0)).sum(0)
            before = [values[-1:], slopes[-1:]]
        return self.by_unit(model, total)
