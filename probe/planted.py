"""Planted truth: a mask of what decides, such as a pasted patch, with which explanations are compared."""

from typing import Any

import torch
from torch import Tensor

from probe.errors import DataError, ShapeError


def planted_mask(mask: Any, inputs: Tensor, remedy: str) -> Tensor:
    """The mask as truth values, shaped as the inputs: True at the coordinates that decide.

    Args:
        mask: shaped as the inputs or as one example.
        inputs: the examples.
        remedy: what to do where the mask is empty for some of them.

    Raises:
        ShapeError: if the mask has another shape.
        DataError: if it is no mask, or is empty for an example.
    """
    if mask is None or isinstance(mask, str):
        raise DataError(f"the mask of the truth is {mask!r}, expected True or False for each coordinate")
    mask = torch.as_tensor(mask) != 0
    if mask.shape not in (inputs.shape, inputs.shape[1:]):
        raise ShapeError(
            f"the mask of the truth has the shape {tuple(mask.shape)}, expected that of the inputs, "
            f"{tuple(inputs.shape)}, or of one of them; write mask.expand(...)"
        )
    mask = mask.expand(inputs.shape)
    if empty := int((~mask.flatten(1).any(1)).sum()):
        raise DataError(
            f"the mask of the truth is empty for {empty} of {len(inputs)} examples, expected a coordinate at least; "
            f"{remedy}"
        )
    return mask
