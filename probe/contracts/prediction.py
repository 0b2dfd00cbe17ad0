"""A model's answers to a dataset."""

from dataclasses import replace

from probe.dataset import Dataset
from probe.model import Model
from probe.results import Prediction


def predict(model: Model, data: Dataset) -> Prediction:
    """The model's answers to a dataset."""
    inputs = model.check(data.inputs)
    return Prediction.of(model, inputs, model.check_labels(data.labels, inputs))


def suited(model: Model, data: Dataset) -> Dataset:
    """The data in the floating type of the model's weights, as an audit asks about it."""
    inputs = model.cast(data.inputs)
    return data if inputs is data.inputs else replace(data, inputs=inputs)
