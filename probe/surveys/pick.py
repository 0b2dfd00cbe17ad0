"""Which rows to read, so that few explanations show most of what a model goes by."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor

from probe.arrays import Given
from probe.contracts import Explainer, Survey
from probe.errors import Unsupported
from probe.formatting import Unit
from probe.forms import Tokens
from probe.method import param
from probe.model import Model
from probe.registry import build, discover
from probe.shapes import Evidence, Inputs, Labels
from probe.tensors import wide

USUAL = {"method": "lime"}

Sizes = Float[Tensor, "rows things"]  # of the values of each feature, or of each word


class Picked(NamedTuple):
    """The rows in the order in which they are picked, and the coverage once each is read."""

    rows: Int[Tensor, " picks"]
    coverage: Float[Tensor, " picks"]  # as a share of that of all rows


@dataclass(frozen=True, kw_only=True)
class SubmodularPick(Survey):
    """The rows whose explanations together show the most important features (SP-LIME, arXiv:1602.04938, section 4).

    Reading an explanation shows its `features` largest values. A feature's importance is the root of the sum of its
    values' sizes over the rows that show it, and the coverage of some rows is the importance of what they show. Each
    pick adds the most coverage; the picks cover at least 1 - 1/e, 63 %, of what the best choice of as many rows does.
    Rows that add nothing follow in their order. In texts a feature is a word, wherever it stands.

    Items are the picked rows, by their number in the data. The evidence of an example is the share of what its own
    explanation shows that the rows picked so far show too, in [0, 1]; its mean is higher where few rows tell of all
    others. `explainer` explains the answer that is decided for, unless given by Lime. `method.picked(model, inputs)`
    gives the rows and their coverage.

    Raises:
        Unsupported: if each example has features of its own.

    Example:
        >>> import torch
        >>> from probe import Dataset, Model, Space
        >>> from probe.explainers import InputXGradient
        >>> from probe.surveys import SubmodularPick
        >>> model = Model(forward=lambda x: torch.stack([9 + x.sum(1), x[:, 0] * 0], 1), space=Space(bounds=(0, 9)))
        >>> x = torch.tensor([[4.0, 0.0, 0.0], [3.0, 2.0, 0.0], [0.0, 0.0, 1.0]])
        >>> method = SubmodularPick(explainer=InputXGradient(), count=2)
        >>> method.picked(model, x).rows.tolist()  # the second shows two features, the third another one
        [1, 2]
        >>> method(model, Dataset(x, torch.zeros(3, dtype=torch.long), space=model.space)).to_frame()["item"].tolist()
        ['row 1', 'row 2']
    """

    unit: ClassVar[Unit] = "share"
    reduction: ClassVar[str] = "mean of the first"
    item: ClassVar[str] = "row to read"
    asks: ClassVar[str] = "what explanations show that the rows up to here show too"

    explainer: Explainer | None = param(None, "what explains each row; none: Lime")
    count: int = param(5, "rows that are picked; no more than there are", low=1, high=1000)
    features: int = param(5, "features with the largest values that an explanation shows", low=1, high=1000)

    def items(self, model: Model, inputs: Inputs) -> tuple[str, ...]:
        return tuple(f"pick {at + 1}" for at in range(min(self.count, len(inputs))))

    def named(self, items: tuple[str, ...], evidence: Evidence, rows: Tensor) -> tuple[str, ...]:
        return tuple(f"row {int(rows[at])}" for at in evidence[..., 1].argmax(0).tolist())

    def along(self) -> str:
        return "order of picks"

    def examine(self, model: Model, inputs: Inputs, labels: Labels) -> Evidence:
        sizes = self._sizes(model, inputs)
        rows, _ = self._chosen(sizes)
        shown = ((sizes[rows] > 0).cumsum(0) > 0).to(sizes)
        total = sizes.sum(1, keepdim=True)
        # An explanation that shows nothing holds nothing that is missing.
        share = torch.where(total > 0, sizes @ shown.T / total.clamp(min=torch.finfo(sizes.dtype).tiny), 1.0)
        picked = rows == torch.arange(len(sizes), device=rows.device)[:, None]
        return torch.stack([share.clamp(max=1.0), picked.to(share)], 2)

    def picked(self, model: Model, inputs: Given) -> Picked:
        """The picked rows by their number among the inputs, and the coverage once each of them is read."""
        return self._chosen(self._sizes(model, model.check(inputs)))

    def _chosen(self, sizes: Sizes) -> Picked:
        importance, there = sizes.sum(0).sqrt(), sizes > 0
        left, free = importance.clone(), torch.ones(len(sizes), dtype=torch.bool, device=sizes.device)
        rows, coverage = [], []
        for _ in range(min(self.count, len(sizes))):
            gain = (there.to(left) @ left).masked_fill(~free, -1.0)
            best = int((gain == gain.max()).nonzero()[0])  # the first of equals, on every device
            free[best] = False
            left = left.masked_fill(there[best], 0.0)
            rows.append(best)
            coverage.append(1 - left.sum() / importance.sum() if bool(importance.any()) else left.new_ones(()))
        return Picked(torch.tensor(rows, device=sizes.device), torch.stack(coverage))

    def _sizes(self, model: Model, inputs: Inputs) -> Sizes:
        """The sizes of the values that each explanation shows, in columns of features or words; 0 for all others."""
        if model.space.differs(inputs):
            raise Unsupported(
                f"{self.name()} asks which rows show the same features, and each example has features of its own; "
                "give one grouping for all, such as probe.squares(height, width, side)"
            )
        explainer = self.explainer or cast(Explainer, build(discover("explainer"), USUAL))
        sizes = wide(explainer(model, inputs, model.targets(inputs)).by_feature()).abs()
        sizes = sizes if sizes.device.type == "mps" else sizes.double()
        if isinstance(model.space.form_of(inputs), Tokens) and model.space.features is None:
            words, ids = inputs.unique(return_inverse=True)  # type: ignore[no-untyped-call]  # torch leaves it untyped
            sizes = sizes.new_zeros(len(sizes), len(words)).scatter_add_(1, ids.flatten(1), sizes)
        order = sizes.argsort(dim=1, descending=True, stable=True)
        kept = torch.zeros_like(sizes, dtype=torch.bool).scatter_(1, order[:, : self.features], value=True)
        return torch.where(kept, sizes, 0.0)
