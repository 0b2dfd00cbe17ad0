"""Checks of a model before it is studied."""

import torch
from torch import Tensor

from probe.dataset import Dataset
from probe.errors import ForwardError, ShapeError
from probe.model import Model
from probe.shapes import Inputs
from probe.task import Regression

ROWS = 8
# Largest difference of two passes, relative to the largest logit. Equal passes round equally; other rows
# in the batch can select other kernels, which on an accelerator round to 10 bits.
AGAIN, ALONE, ALONE_ACCELERATOR = 0.1, 3.0, 30.0  # times the square root of the dtype's rounding step


def check_model(model: Model, rows: Tensor) -> None:
    """Check a model on up to 8 rows (rows, *shape); raise if it cannot be studied.

    Its outputs must be finite floating-point logits, one per class, equal in a second pass, and independent of the
    other rows of a batch. A module must be in eval mode.

    Raises:
        ProbeError: with what is wrong and a remedy.

    >>> import torch
    >>> import probe
    >>> from probe import Model, check_model
    >>> check_model(Model(forward=torch.nn.Linear(3, 2).eval()), torch.rand(8, 3))
    >>> noisy = Model(forward=lambda x: torch.rand(len(x), 2) * 9)
    >>> try:
    ...     check_model(noisy, torch.rand(8, 3))
    ... except probe.ProbeError as error:
    ...     print(str(error)[:60])
    model answers the same inputs differently when asked again (
    """
    Model.require(model)
    inputs = model.check(rows[: model.batch_size or ROWS][:ROWS])
    if model.batch_size != 1:
        inputs = torch.cat([inputs, inputs])[: max(2, len(inputs))]
    with torch.no_grad():
        first = _comparable(model, inputs)
        size = _size(model, first)
        apart = _apart(first, _comparable(model, inputs), size)
        if apart > AGAIN * _step(first):
            raise ForwardError(
                f"{model.name} answers the same inputs differently when asked again (by {apart:.2g} of its largest "
                "logit), so no measurement could be repeated: it is random or keeps state; "
                "let its dropout follow self.training, and remove noise from its forward"
            )
        apart = max(_apart(first[[i]], _alone(model, inputs[[i]]), size) for i in (0, len(inputs) - 1))
    if apart > (ALONE if model.device.type == "cpu" else ALONE_ACCELERATOR) * _step(first):
        raise ForwardError(
            f"{model.name} answers a row differently alone and among others (by {apart:.2g} of its largest logit): "
            "something in it mixes the rows of a batch; let batch norm use its running statistics, "
            "and normalise with fixed numbers"
        )


def check_fit(model: Model, data: Dataset) -> None:
    """Run `check_model` on the first rows of a dataset.

    If the model cannot take a row, the ShapeError names the encoded features.
    """
    row = data.inputs[:1]
    try:
        model.predict(row)
    except ForwardError as error:
        names = ", ".join(data.space.names)
        features = f", made of the features {names}" if names else ""
        raise ShapeError(f"{error}; rows have shape {tuple(row.shape[1:])}{features}") from error
    check_model(model, data.inputs)


def _alone(model: Model, row: Inputs) -> Tensor:
    try:
        return _comparable(model, row)
    except (ForwardError, ShapeError) as error:
        raise type(error)(f"{error}; it answers several rows together, but not one row alone") from error


def _comparable(model: Model, inputs: Inputs) -> Tensor:
    numbers: Tensor = model.task.comparable(model(inputs))
    return numbers


def _size(model: Model, outputs: Tensor) -> Tensor:
    """The largest absolute value, or 1; of each output of a regression its own, as each may be in any unit."""
    if isinstance(model.task, Regression):
        return outputs.abs().amax(0).clamp(min=torch.finfo(outputs.dtype).tiny)
    return outputs.abs().max().clamp(min=1)


def _apart(one: Tensor, other: Tensor, size: Tensor) -> float:
    """The largest difference, relative to a size."""
    return float(((one - other).abs() / size).max())


def _step(logits: Tensor) -> float:
    return float(torch.finfo(logits.dtype).eps ** 0.5)
