"""Permutation importance."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

from probe.contracts import Survey
from probe.formatting import Unit
from probe.method import param
from probe.model import Model
from probe.shapes import Evidence, Inputs, Labels
from probe.tensors import generator, parted, unequal


@dataclass(frozen=True, kw_only=True)
class PermutationImportance(Survey):
    """The increase in errors when the values of a feature are shuffled between examples (Breiman 2001).

    The evidence of an example is the share of `repeats` shuffles in which it is misclassified, minus 1 if it is
    misclassified without shuffling: in [-1, 1], and 0 if the feature does not matter. Its mean is the drop in accuracy.
    Importance is underestimated for correlated features: it describes this model, not the world (arXiv:1905.03151).

    Example:
        >>> import torch
        >>> from probe import Dataset, Model, Space
        >>> model = Model(forward=lambda x: torch.stack([-x[:, 0], x[:, 0]], 1), space=Space(bounds=(-9.0, 9.0)))
        >>> x = torch.tensor([[1.0, 5.0], [-1.0, 3.0]]).repeat(50, 1)
        >>> found = PermutationImportance()(model, Dataset(x, (x[:, 0] > 0).long(), space=model.space)).to_frame()
        >>> found["value"].round(1).tolist()
        [0.5, 0.0]
    """

    unit: ClassVar[Unit] = "points"
    better: ClassVar[Literal["higher", "lower"]] = "lower"
    asks: ClassVar[str] = "drop in accuracy when the feature is shuffled"

    repeats: int = param(5, "shuffles", low=1, high=10**5)
    seed: int = param(0, "seed of the shuffles", low=0)

    def examine(self, model: Model, inputs: Inputs, labels: Labels) -> Evidence:
        source = generator(self.seed, torch.device("cpu"))
        orders = [torch.randperm(len(inputs), generator=source).to(inputs.device) for _ in range(self.repeats)]
        before = model.task.wrong(model.logits(inputs), labels).to(torch.get_default_dtype())
        features = model.space.feature_count(inputs)
        columns = []
        for feature in range(features):
            kept = torch.zeros(len(inputs), features, dtype=torch.bool, device=inputs.device)
            kept[:, feature] = True
            chosen = model.space.coordinate_mask(kept, inputs)
            after = torch.zeros_like(before)
            for order in orders:
                shuffled = torch.where(chosen, inputs[order], inputs)
                # An example that keeps its own value gets the same prediction.
                wrong, (_, other) = before.clone(), parted(unequal(shuffled, inputs).flatten(1).any(1))
                if len(other):
                    wrong[other] = model.task.wrong(model.logits(shuffled[other]), labels[other]).to(before)
                after += wrong
            columns.append(after / self.repeats - before)
        return torch.stack(columns, 1)
