"""The maps of a layer, weighed by what the output is when the rest of the input is hidden."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from probe.contracts import Need
from probe.explainers.maps import Laid, Maps, OneMap, enlarged
from probe.model import Model
from probe.shapes import Inputs, Labels
from probe.tensors import column, spans, wide


@dataclass(frozen=True, kw_only=True)
class ScoreCAM(Laid):
    """The maps of a layer, each weighted by the output for an input that is masked with it (arXiv:1910.01279).

    No gradient is followed. Each map is laid over the input by linear interpolation and scaled to [0, 1], the input is
    blended with the mean reference by it, and the increase of the output over that at the mean reference is its score;
    as in the paper's algorithm, the weights are the exponentials of the scores over their sum. The sum of the weighted
    maps is laid over the input, and only what is positive is kept: values are at least 0, in units of the layer, and do
    not sum to the output. All channels of the input share a place's value evenly. It costs one evaluation a map.

    Raises:
        RangeError: if there is no such layer.
        Unsupported: if inputs are no images or series, the space has no reference, the network has no convolution and
            no layer is named, the forward calls the layer several times, or what the layer gives are no maps.

    >>> import torch
    >>> from probe import Model, Space
    >>> from probe.explainers import ScoreCAM
    >>> layers = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3, padding=1), torch.nn.Flatten(), torch.nn.Linear(64, 2))
    >>> model = Model(forward=layers.eval(), space=Space(bounds=(0, 1), reference=torch.zeros(1, 1, 4, 4)))
    >>> found = ScoreCAM()(model, torch.rand(3, 1, 4, 4))
    >>> found.values.shape, bool((found.values >= 0).all()), found.cost.forward  # 4 maps, the input, and its reference
    (torch.Size([3, 1, 4, 4]), True, 18)
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"layers", "reference"})

    def summed(self, model: Model, inputs: Inputs, targets: Labels, address: str) -> OneMap:
        maps = model.activations(inputs, address)[address]
        self.check_maps(model, maps, inputs, address)
        maps = wide(maps)
        scores = self._scores(model, inputs, targets, maps)
        weights = (scores - scores.amax(1, keepdim=True)).exp()
        weights = weights / weights.sum(1, keepdim=True)
        return (weights.view(*weights.shape, *[1] * (maps.ndim - 2)) * maps).sum(1).relu()

    def _scores(self, model: Model, inputs: Inputs, targets: Labels, maps: Maps) -> Tensor:
        """The increase of the output by what each map shows, (batch, channels)."""
        behind, channels = model.space.baseline(inputs), maps.shape[1]
        numbers, found = torch.arange(len(inputs) * channels, device=inputs.device), []
        for span in spans(len(numbers), model.rows_per_pass(inputs)):
            row = numbers[span] // channels
            one = enlarged(maps.flatten(0, 1)[numbers[span], None], inputs.shape[2:])
            low, high = (column(of, one) for of in (one.flatten(1).amin(1), one.flatten(1).amax(1)))
            # A map that is the same everywhere points nowhere: it shows nothing.
            mask = ((one - low) / (high - low).clamp(min=torch.finfo(one.dtype).tiny)).to(inputs.dtype)
            found.append(
                model.target_outputs(behind + mask * (inputs[row] - behind), targets[row], self.output).to(maps)
            )
        nothing = model.target_outputs(behind.expand_as(inputs), targets, self.output).to(maps)
        return torch.cat(found).view(len(inputs), channels) - nothing[:, None]
