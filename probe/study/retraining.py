"""Sanity checks of explanations by retraining on permuted labels."""

from dataclasses import replace

import torch

from probe.contracts import Explainer, Trainer, trained
from probe.dataset import Dataset
from probe.shapes import PerExample
from probe.statistics import ranks
from probe.tensors import generator, to_numpy


def permuted_labels(
    explainer: Explainer, trainer: Trainer, data: Dataset, rows: Dataset, *, seed: int = 0
) -> PerExample:
    """Rank correlation between explanations of a model and of one trained on permuted labels (arXiv:1810.03292).

    Both are trained on the same rows with the same seed. Near 0, the explanation depends on what was learned; near 1,
    it would be the same for any labels, like that of an edge detector.

    Args:
        explainer: the explainer to test.
        trainer: trains both models, such as `zoo.trainer("adult-mlp")`.
        data: training data of both.
        rows: explained with both, for the class that the first model predicts.
        seed: of training and of the permutation.

    Returns:
        Spearman's correlation over the features of each row, in [-1, 1]; 0 if all features have the same value.

    >>> import torch
    >>> from probe import Dataset, Model, study
    >>> from probe.explainers import InputXGradient
    >>> def trainer(data: Dataset, seed: int = 0) -> Model:  # a linear model by least squares
    ...     x, y = data.inputs, torch.nn.functional.one_hot(data.labels, 2).float()
    ...     weights = torch.linalg.lstsq(x, y).solution
    ...     return Model(forward=lambda rows: 9 * rows @ weights)
    >>> x = torch.rand(200, 4, generator=torch.Generator().manual_seed(0))
    >>> data = Dataset(x, (x[:, 0] > 0.5).long())
    >>> study.permuted_labels(InputXGradient(), trainer, data, data[:2]).shape
    torch.Size([2])
    """
    order = torch.randperm(len(data), generator=generator(seed, torch.device("cpu")))
    model = trained(trainer, data, seed)
    other = trained(trainer, replace(data, labels=data.labels[order]), seed)
    first = explainer(model, rows.inputs)
    second = explainer(other, rows.inputs, first.targets)
    places = [torch.from_numpy(ranks(to_numpy(each.by_feature().abs()))) for each in (first, second)]
    one, two = (each - each.mean(1, keepdim=True) for each in places)
    size = one.norm(dim=1) * two.norm(dim=1)
    return torch.where(size > 0, (one * two).sum(1) / size.clamp(min=1e-12), 0.0)
