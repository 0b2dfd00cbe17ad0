"""Shared by metrics that know where the truth lies: the features that hold it, and those that compete with them."""

from jaxtyping import Bool
from torch import Tensor

from probe.errors import Unsupported
from probe.metrics.masked import differs_from_baseline
from probe.model import Model
from probe.results import Attribution
from probe.tensors import wide

Features = Bool[Tensor, "batch features"]


def planted(model: Model, result: Attribution, what: str) -> tuple[Features, Features]:
    """The features with a coordinate of the planted truth, and all features that could have been named.

    Features that equal the mean reference are left out, unless they hold the truth: knowing where nothing is would beat
    chance.

    Raises:
        Unsupported: if nobody said where the truth lies.
    """
    if result.truth is None:
        raise Unsupported(
            f"{what} needs to know where the truth lies, and this explanation has none; write "
            "found.planted(mask), where the mask is True at the coordinates that decide"
        )
    inputs = model.check(result.inputs)
    held = model.space.by_feature(result.truth.to(device=inputs.device, dtype=wide(result.values).dtype)) > 0
    if model.space.reference is None:
        return held, held | ~held
    return held, held | differs_from_baseline(model, inputs)
