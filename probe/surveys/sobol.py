"""How much of the variance of the output each feature explains, alone and with others."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from probe.contracts import Survey
from probe.method import param
from probe.model import Model
from probe.shapes import Evidence, Inputs, Labels
from probe.surveys.dependence import answer_of
from probe.surveys.outliers import APART, shuffled
from probe.tensors import generator, wide

PARTS = ("alone", "with others")
SPLIT = ": "


@dataclass(frozen=True, kw_only=True)
class SobolIndices(Survey):
    """The share of the output's variance by a feature alone, and by all that it takes part in (doi:10.1137/0916069).

    Inputs are rows whose features are each from another row of the data, so independent of each other. The output is
    asked for two such rows, and for the first with one feature of the second (Jansen 1999,
    doi:10.1016/S0010-4655(98)00154-4). *Alone* is the first-order index, *with others* the total one; their difference
    is what interactions bring. Both are about 0 to 1, and by chance slightly outside; first-order ones sum to at most
    1, to 1 where nothing interacts. Rows are asked about that cannot be, where features depend on each other.

    Raises:
        RangeError: if there is no such answer.

    Example:
        >>> import torch
        >>> from probe import Dataset, Model, Space
        >>> from probe.surveys import SobolIndices
        >>> forward = lambda x: torch.stack([-2 * x[:, 0] - x[:, 1], 2 * x[:, 0] + x[:, 1]], 1)
        >>> model = Model(forward=forward, space=Space(bounds=(-9, 9), names=("age", "debt")))
        >>> x = torch.randn(500, 2, generator=torch.Generator().manual_seed(0))
        >>> data = Dataset(x, torch.zeros(500, dtype=torch.long), space=model.space)
        >>> found = SobolIndices()(model, data).to_frame().set_index("item")["value"]  # by hand 4/5 and 1/5
        >>> [round(found[f"{name}: with others"].item(), 1) for name in ("age", "debt")]
        [0.8, 0.2]
    """

    reduction: ClassVar[str] = "share of the total"
    split: ClassVar[str] = SPLIT
    asks: ClassVar[str] = "share of the variance of the output that the feature explains"

    answer: str = param("", "name of the class or output; by default the last one")
    seed: int = param(0, "seed of the rows", low=0)

    def items(self, model: Model, inputs: Inputs) -> tuple[str, ...]:
        return tuple(f"{name}{SPLIT}{part}" for name in model.space.feature_names(inputs) for part in PARTS)

    def examine(self, model: Model, inputs: Inputs, labels: Labels) -> Evidence:
        source = generator(APART + self.seed, torch.device("cpu"))
        one, other = shuffled(model, inputs, source), shuffled(model, inputs, source)
        targets = answer_of(self, model, inputs)

        def ask(rows: Inputs) -> torch.Tensor:
            found = wide(model.target_outputs(rows, targets, "logit"))
            return found if found.device.type == "mps" else found.double()

        first, second = ask(one), ask(other)
        whole = (first - second) ** 2 / 2
        found = []
        for at in range(model.space.feature_count(inputs)):
            kept = torch.arange(model.space.feature_count(inputs), device=inputs.device)[None] == at
            mixed = ask(
                torch.where(model.space.coordinate_mask(kept, inputs[:1]).view(1, *inputs.shape[1:]), other, one)
            )
            found += [whole - (second - mixed) ** 2 / 2, (first - mixed) ** 2 / 2]
        return torch.stack([torch.stack(found, 1), whole[:, None].expand(-1, len(found))], 2)
