"""Batches of fixed rows, the units of work of an audit: they depend on plan and inputs, not on who runs them."""

from torch import Tensor

from probe.model import Model
from probe.tensors import rows_per_pass

EXPLAINED = 10  # rows explained and measured together
FEWEST = 100  # examples for which an attack succeeds early free room for others
MOST = {"cpu": 1024}  # rows of predictions or attacks together, so that tables too are cut into batches
MOST_ACCELERATOR = 8192


def unit_of(inputs: Tensor) -> int:
    """The rows of a unit of an attack, a search or a certificate."""
    return max(FEWEST, min(rows_per_pass(inputs), _most(inputs)))


def unit_of_predictions(model: Model, inputs: Tensor) -> int:
    """The rows of a unit of predictions: whole passes, which are those of all rows at once."""
    each = model.rows_per_pass(inputs)
    return each * max(1, _most(inputs) // each)


def _most(inputs: Tensor) -> int:
    return MOST.get(inputs.device.type, MOST_ACCELERATOR)
