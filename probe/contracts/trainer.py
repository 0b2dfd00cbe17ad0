"""A Trainer trains a model on data. `probe` itself trains nothing: methods that need training take a Trainer."""

from dataclasses import replace
from typing import Protocol, runtime_checkable

from probe.dataset import Dataset
from probe.errors import ContractError
from probe.model import Model
from probe.names import a_kind


@runtime_checkable
class Trainer(Protocol):
    """Trains a new model on a dataset; the same rows and seed give the same model.

    Any function of the two is one, and so is `zoo.trainer("adult-mlp")`, which uses the recipe of that network.

    >>> import torch
    >>> from probe import Dataset, Model
    >>> def nearest_mean(data: Dataset, seed: int = 0) -> Model:
    ...     means = torch.stack([data.inputs[data.labels == k].mean(0) for k in range(2)])
    ...     return Model(forward=lambda x: -torch.cdist(x, means))
    >>> data = Dataset(torch.tensor([[0.0], [0.1], [0.8], [0.9]]), torch.tensor([0, 0, 1, 1]))
    >>> trained(nearest_mean, data).predict(torch.tensor([[0.3], [0.7]])).tolist()
    [0, 1]
    """

    def __call__(self, data: Dataset, seed: int = 0) -> Model:
        """A model trained on these rows, in eval mode."""


def trained(trainer: Trainer, data: Dataset, seed: int = 0) -> Model:
    """Run a trainer and check its model; the model gets the data as its training rows.

    Raises:
        ContractError: if it returns no Model, the model does not accept its training rows, or the rows were changed.
    """
    name, before = getattr(trainer, "__name__", type(trainer).__name__), data.digest()
    model = trainer(data, seed)
    if not isinstance(model, Model):
        raise ContractError(f"the trainer {name} returned {a_kind(model)}, expected a probe.Model")
    if data.digest() != before:
        raise ContractError(f"the trainer {name} changed the rows that it was given; let it work on a copy")
    rows = model.check(model.cast(data.inputs[:1]))
    model.check_labels(data.labels[:1], rows)
    return model if model.training is not None else replace(model, training=(data.inputs, data.labels))
