"""What rows have of a feature, as classes: what a probe reads, and what a concept is."""

import torch
from jaxtyping import Int
from torch import Tensor

from probe.errors import RangeError, Unsupported
from probe.model import Model
from probe.shapes import Inputs, Labels

FEW = 20  # distinct numbers that are classes by themselves; of more, it is whether they are above their median

Kinds = Int[Tensor, " rows"]


def kinds_of_feature(model: Model, inputs: Inputs, feature: str, who: str, *, halves: bool = False) -> Kinds:
    """The class of each row by its value of a feature: its category, word or number, or whether it is above the median.

    With `halves` a number is always compared with the median, or where most are equal, with the least.

    Raises:
        RangeError: if there is no such feature.
    """
    names = model.space.feature_names(inputs)
    if feature not in names:
        some = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
        raise RangeError(f"{who} = {feature!r}, expected one of {some}")
    kept = torch.zeros(1, len(names), dtype=torch.bool, device=inputs.device)
    kept[0, names.index(feature)] = True
    columns = model.space.coordinate_mask(kept, inputs[:1])[0].flatten().nonzero()[:, 0]
    values = inputs.flatten(1)[:, columns].nan_to_num(nan=torch.inf)
    if halves:
        middle = values.sum(1).median()
        above = values.sum(1) > middle
        return above.long() if bool(above.any()) else (values.sum(1) == middle).long()
    return _classes(values)


def kinds_of_labels(model: Model, labels: Labels, who: str) -> Kinds:
    """The class of each row by its label, or whether its number is above the median.

    Raises:
        Unsupported: if a row has several labels.
    """
    if labels.ndim > 1:
        raise Unsupported(
            f"{who} reads one label of each row, and {model.name} has {tuple(labels.shape[1:])}; take one: "
            "model.only(0) and data.only(0)"
        )
    return _classes(labels[:, None])


def _classes(values: Tensor) -> Kinds:
    """Distinct rows of values by number; of one number with many values whether it is above the median."""
    distinct, found = values.unique(dim=0, return_inverse=True)  # type: ignore[no-untyped-call]  # torch leaves it untyped
    if values.shape[1] == 1 and len(distinct) > FEW and values.is_floating_point():
        return (values[:, 0] > values[:, 0].median()).long()
    kinds: Kinds = found
    return kinds
