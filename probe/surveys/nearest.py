"""The training rows that a layer takes for the nearest to a row."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from probe.contracts import Need, Survey
from probe.contracts.common import learned, passes, without_training
from probe.errors import RangeError, Unsupported
from probe.formatting import Unit
from probe.method import param, required
from probe.model import Model
from probe.shapes import Evidence, Inputs, Labels
from probe.tensors import spans, wide

_ENTRIES = 2**24  # distances held at a time, 64 MiB


class Cases(NamedTuple):
    """Training rows, nearest first, by their numbers among those of the model, and how far each is."""

    rows: Int[Tensor, "batch cases"]
    distances: Float[Tensor, "batch cases"]


@dataclass(frozen=True, kw_only=True)
class NearestCases(Survey):
    """The nearest training rows in a layer, and whether they have the label that is decided for (arXiv:1803.04765).

    Rows are compared by the Euclidean distance of what the layer gives for them; equal ones keep the order of the
    training rows. The evidence of an example is 1 for each case whose training label is the model's decision, else 0:
    where few are, the decision has little support in what was learned. `method.cases(model, inputs)` gives the rows
    themselves and their distances. A plan names the training rows by `[data] train`.

    Raises:
        RangeError: if there are fewer training rows than `count`, or no such layer.
        Unsupported: if the model has no training rows, the layer gives no tensor, or a row has no single class.

    Example:
        >>> import torch
        >>> from probe import Dataset, Model, Space
        >>> from probe.surveys import NearestCases
        >>> network = torch.nn.Sequential(torch.nn.Linear(2, 2, bias=False), torch.nn.Identity()).eval()
        >>> _ = torch.nn.init.eye_(network[0].weight)
        >>> known = torch.tensor([[1.0, 0.0], [0.0, 1.0], [2.0, 0.0]]), torch.tensor([0, 1, 1])
        >>> model = Model(forward=network, space=Space(bounds=(-9.0, 9.0)), training=known)
        >>> data = Dataset(torch.tensor([[0.9, 0.0], [0.0, 3.0]]), torch.tensor([0, 1]), space=model.space)
        >>> method = NearestCases(layer="0", count=2)
        >>> method.cases(model, data.inputs).rows.tolist()
        [[0, 2], [1, 0]]
        >>> method(model, data).to_frame()["value"].tolist()
        [1.0, 0.0]
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"layers", "training data"})
    unit: ClassVar[Unit] = "share"
    reduction: ClassVar[str] = "proportion"
    item: ClassVar[str] = "case"
    asks: ClassVar[str] = "nearest training rows whose label is the decision"

    layer: str = required("the layer, such as the one before the last; `model.layers()` lists them")
    count: int = param(5, "training rows for each input", low=1, high=1000)

    def items(self, model: Model, inputs: Inputs) -> tuple[str, ...]:
        return tuple(f"nearest {at + 1}" for at in range(self.count))

    def examine(self, model: Model, inputs: Inputs, labels: Labels) -> Evidence:
        if model.task.kind != "classification":
            raise Unsupported(
                f"{self.name()} compares labels with the class that is decided for, and {model.name} decides for "
                f"{model.task.units[1]}; ask {self.name()}.cases(model, inputs) for the rows alone"
            )
        rows, _ = self.cases(model, inputs)
        assert model.training is not None
        known = torch.as_tensor(model.training[1]).to(rows.device)
        decided = model.decide(model.logits(inputs))
        return (known[rows] == decided[:, None]).to(torch.get_default_dtype())

    def cases(self, model: Model, inputs: Inputs) -> Cases:
        """The nearest training rows to each input."""
        if model.training is None:
            raise without_training(self.name(), model)
        known = learned(model)
        if len(known) < self.count:
            raise RangeError(f"NearestCases.count = {self.count}, and {model.name} has {len(known)} training rows")
        there, here = self._seen(model, known), self._seen(model, model.check(inputs))
        found = []
        for span in spans(len(here), max(1, _ENTRIES // len(there))):
            # By differences: what is far from 0 would lose digits in a product.
            far = torch.cdist(here[span], there, compute_mode="donot_use_mm_for_euclid_dist")
            found.append(far.sort(dim=1, stable=True))
        order, far = (torch.cat([each[at] for each in found])[:, : self.count] for at in (1, 0))
        return Cases(order, far)

    def _seen(self, model: Model, inputs: Inputs) -> Float[Tensor, "rows numbers"]:
        """What the layer gives for some rows, flat."""
        parts = [model.activations(inputs[rows], at=self.layer)[self.layer] for rows in passes(model, inputs)]
        if not all(isinstance(part, Tensor) and part.is_floating_point() and part.ndim > 1 for part in parts):
            raise Unsupported(
                f"the layer {self.layer!r} of {model.name} does not give a tensor of numbers for each row; "
                f"set layer to another of {', '.join(list(model.layers())[:20])}"
            )
        return wide(torch.cat(parts).flatten(1))
