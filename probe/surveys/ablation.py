"""What an answer loses when a part of the network is taken out."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from probe.contracts.common import passes
from probe.method import param
from probe.model import Model
from probe.shapes import Evidence, Inputs, Labels
from probe.surveys.sites import OfSites, tensor_of
from probe.tensors import wide


@dataclass(frozen=True, kw_only=True)
class Ablation(OfSites):
    """What the answer loses without a layer, a unit of it, or a head of attention (arXiv:1905.10650).

    What the site gives is replaced by its mean over the rows, so that only what differs between rows is lost, or by 0,
    which the rest of the network may never have seen. The evidence of an example is the explained output as it is less
    what it is without the site, of any sign, in units of the output that is decided for, or of `answer`: higher where
    the site supports the answer. What other parts make up for is not lost, so that 0 does not say that it does nothing.

    Raises:
        RangeError: if there is no such layer, axis, head or answer.
        Unsupported: if a layer gives no tensor with a row for each input, or the forward calls it several times.

    Example:
        >>> import torch
        >>> from probe import Dataset, Model, Space
        >>> from probe.surveys import Ablation
        >>> network = torch.nn.Sequential(torch.nn.Linear(2, 2, bias=False), torch.nn.Linear(2, 2, bias=False)).eval()
        >>> _ = torch.nn.init.eye_(network[0].weight), torch.nn.init.eye_(network[1].weight)
        >>> model = Model(forward=network, space=Space(bounds=(-9.0, 9.0)))
        >>> data = Dataset(torch.tensor([[2.0, 0.0], [4.0, 1.0]]), torch.tensor([0, 0]), space=model.space)
        >>> Ablation(layers=("0",), part="unit", by="zero")(model, data).to_frame().set_index("item")["value"].to_dict()
        {'0, unit 0': 3.0, '0, unit 1': 0.0}
    """

    asks: ClassVar[str] = "what the output loses without the site"

    by: Literal["mean", "zero"] = param("mean", "what takes its place: its mean over the rows, or 0")
    answer: str = param("", "name of the class or output; by default the one that is decided for")
    output: Literal["logit", "probability"] = param("logit", "the output: logit or probability")

    def examine(self, model: Model, inputs: Inputs, labels: Labels) -> Evidence:
        sites = self.sites(model, inputs)
        targets = model.check_targets(self.answer, inputs) if self.answer else model.targets(inputs)
        before = model.target_outputs(inputs, targets, self.output)
        instead = self._instead(model, inputs, tuple(dict.fromkeys(site.address for site in sites)))
        found = []
        for site in sites:
            with model.edited({site.address: site.put(instead[site.address])}) as without:
                found.append(wide(before - without.target_outputs(inputs, targets, self.output)))
        return torch.stack(found, 1)

    def _instead(self, model: Model, inputs: Inputs, addresses: tuple[str, ...]) -> dict[str, Tensor]:
        """What takes the place of each address, (1, ...)."""
        sums: dict[str, Tensor] = {}
        for rows in passes(model, inputs)[: None if self.by == "mean" else 1]:
            for address, output in model.activations(inputs[rows], at=addresses).items():
                # In double precision, so that passes of any size have the same mean.
                part = wide(tensor_of(output)).sum(0, keepdim=True, dtype=_type(output))
                sums[address] = sums[address] + part if address in sums else part
        return {address: total / len(inputs) * (self.by == "mean") for address, total in sums.items()}


def _type(output: object) -> torch.dtype:
    return torch.float32 if tensor_of(output).device.type == "mps" else torch.float64
