"""A model's answers to a dataset, and a check that they are still the same."""

from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from probe.dataset import Dataset
from probe.labels import check_labels
from probe.model import Model
from probe.results import Prediction
from probe.shapes import Labels, Logits, PerExample
from probe.task import Regression, Task
from probe.tensors import to_numpy, wide

FIRST = 200  # rows on which a model is run again, to recognise it by its answers
ALIKE = 1e-3  # rounding of a probability, in another batch or on another machine


def predict(model: Model, data: Dataset) -> Prediction:
    """The model's answers to a dataset.

    >>> import torch
    >>> from probe import Dataset, Model, predict
    >>> model = Model(forward=lambda x: 4 * torch.cat([x, 1 - x], 1), classes=("high", "low"))
    >>> predict(model, Dataset(torch.tensor([[0.9], [0.2]]), torch.tensor([0, 0])))
    Prediction: 1 of 2 examples right
      2 classes
    """
    Model.require(model)
    Dataset.require(data)
    check_match(model, data)
    inputs = model.check(data.inputs)
    return Prediction.of(model, inputs, model.check_labels(data.labels, inputs))


def check_match(model: Model, data: Dataset) -> None:
    """Raise DataError unless both name the same outputs and features, in one order, where both name them."""
    remedy = (
        "name them in the model's order: Dataset.from_frame(..., classes=model.task.names)"
        if model.task.one_class
        else "name the columns of the labels in the model's order"
    )
    model.task.check_names(data.classes, f"those of {data.name}", remedy)
    model.space.form.check_names(data.space.form, data.name)


def suited(model: Model, data: Dataset) -> Dataset:
    """The data in the dtype of the model's weights, with labels as its task has them, as an audit uses it.

    Where the model's space has features of each example, the data get them, unless they have their own.
    """
    Model.require(model)
    Dataset.require(data)
    check_match(model, data)
    inputs = model.cast(data.inputs)
    outliers = None if data.outliers is None else model.cast(data.outliers)
    data = data if inputs is data.inputs else replace(data, inputs=inputs, outliers=outliers)
    if isinstance(model.task, Regression):  # whole numbers, and one column, are numbers (rows,)
        labels = check_labels(data.labels, model.task, (len(data), len(model.task.outputs)))
        same = (labels.shape, labels.dtype) == (data.labels.shape, data.labels.dtype)
        data = data if same else replace(data, labels=labels)
    if model.space.differs(inputs) and not data.space.differs(inputs):
        model.space.alike(inputs)  # raises if the features are of other examples
        data = replace(data, space=replace(model.space, features=model.space.features))
    return data


def of_any_examples(model: Model, data: Dataset) -> Model:
    """The model without features of each example, for computations on some examples that need no features."""
    return replace(model, space=replace(model.space, features=None)) if data.space.differs(data.inputs) else model


def of_examples(model: Model, data: Dataset) -> Model:
    """The model with the features of these examples, if each has its own."""
    if not data.space.differs(data.inputs):
        return model
    return replace(model, space=replace(model.space, features=data.space.features))


def first_answers(model: Model, data: Dataset) -> NDArray[Any]:
    """The logits of the first rows."""
    return to_numpy(model.logits(model.check(data.inputs[:FIRST])))


def answers_as_before(model: Model, data: Dataset, before: NDArray[Any]) -> bool:
    """Whether the model gives the first rows the same logits as before, up to rounding."""
    return alike(model.task, before[:FIRST], first_answers(model, data))


def alike(task: Task, before: NDArray[Any], now: NDArray[Any]) -> bool:
    """Whether two logits of the same rows are the same, up to rounding."""
    return now.shape == before.shape and not bool((task.apart(before, now) > ALIKE).any())


def sureness(task: Task, logits: Logits, labels: Labels) -> tuple[PerExample, PerExample]:
    """The probability of the likeliest class of each row, whatever the decision threshold, and whether it is the label.

    Raises:
        Unsupported: if the task has no classes.
    """
    probabilities = task.probabilities(wide(logits))
    likeliest = task.likeliest(probabilities)
    confidence = task.pick(probabilities, likeliest)
    return confidence, (likeliest == labels).to(confidence.dtype)
