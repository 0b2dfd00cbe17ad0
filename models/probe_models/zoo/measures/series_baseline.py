"""How well a linear model does on summaries of the same time series."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from probe import Dataset, Model
from probe_models.datasets import reader
from probe_models.zoo.measures.lead import lead

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)


def series_baseline(model: Model, data: Dataset) -> dict[str, Any]:
    """The accuracy of logistic regression on quantiles and spectrum of each channel, and how far ahead the model is.

    It learns from the training split, and is not told when something happens.
    """
    train, labels = reader(data.name.split()[0]).read("train"), data.labels.numpy()
    linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    linear.fit(_summaries(train), train.labels.numpy())
    ours = model.predict(data.inputs).cpu().numpy() == labels
    return lead("linear_baseline", ours, linear.predict(_summaries(data)) == labels)


def _summaries(data: Dataset) -> NDArray[np.float64]:
    """Quantiles and the sizes of all frequencies of each channel (rows, numbers)."""
    series = data.inputs.double().numpy()
    quantiles = np.moveaxis(np.quantile(series, QUANTILES, axis=2), 0, 2)
    return np.concatenate([quantiles, np.abs(np.fft.rfft(series, axis=2))], 2).reshape(len(series), -1)
