"""F-Fidelity: do outputs of a model that is used to masked inputs depend on the top features?"""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch

from probe.contracts import Trainer, trained
from probe.dataset import Dataset
from probe.method import param
from probe.metrics.masked import Masked
from probe.metrics.subsets import Count, Explanations, Removed, Subsets, dropped
from probe.model import Model
from probe.numbers import Number
from probe.results import Attribution, Scores
from probe.shapes import Evidence, PerExample, PerFeature, Presence
from probe.tensors import generator


@dataclass(frozen=True, kw_only=True)
class FFidelity(Subsets):
    """How much more the output falls without some of the top features than without others (arXiv:2410.02970).

    A random part of the features with the largest values is replaced by the mean reference, and so is an equally large
    part of all others; no more than `most` of an input is replaced at once, so that a mask says little by its shape.
    Evidence is the mean fall of the explained output without the former (the paper's fidelity +) minus that without the
    latter (fidelity -), in output units; and its mean over random explanations with the same values in another order.
    The value is own minus random: higher is better, and 0 is no better than random. Features that equal the mean
    reference are left out.

    In the paper the output is that of a model that was trained on inputs with random masks, which knows such inputs.
    `retrained` asks one of a Trainer; called on the model itself, as in an audit, it measures how this one answers
    inputs of a kind that it may never have seen.

    Raises:
        Unsupported: if the space has no reference; or a baseline is named, and inputs are neither images nor series.

    >>> import torch
    >>> from probe import Model, Space
    >>> from probe.explainers import InputXGradient
    >>> from probe.metrics import FFidelity
    >>> weights = torch.tensor([[8.0, 0.0], [4.0, 0.0], [1.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
    >>> model = Model(forward=lambda x: x @ weights, space=Space(reference=torch.zeros(1, 5)))
    >>> found = InputXGradient()(model, torch.ones(1, 5), torch.tensor([0]))
    >>> FFidelity(share=0.4, most=0.2)(model, found).value > 1  # logits
    True
    """

    reduction: ClassVar[str] = "own minus random"
    title: ClassVar[str] = "parts of the top features change more"
    columns: ClassVar[tuple[str, ...]] = ("own", "random")

    samples: int = param(20, "random parts that are replaced, of the top features and of the others", low=2)
    shuffles: int = param(4, "random explanations to compare with: the same values in random order", low=1)
    share: Number = param(0.2, "share of features that count as the top, at least one", above=0.0, below=1.0)
    most: Number = param(0.1, "share of features that are replaced at once, at least one", above=0.0, below=1.0)

    def retrained(self, model: Model, result: Attribution, trainer: Trainer, data: Dataset) -> Scores:
        """Measure on a model that is trained like this one, on rows with random masks; the explanation is this one's.

        Args:
            model: the one that was explained.
            result: its explanation.
            trainer: trains models like it, such as `zoo.trainer("german-mlp")`.
            data: rows to train on, such as its training rows.
        """
        return self(trained(trainer, self.masked_rows(model, data), self.seed), result)

    def masked_rows(self, model: Model, data: Dataset) -> Dataset:
        """The rows, each with a random share of its features, up to `most`, replaced by the mean reference."""
        inputs, source = model.check(data.inputs), self._source(2)
        features = model.space.feature_count(inputs)
        rank = torch.rand(len(inputs), features, generator=source).argsort(1).argsort(1)
        count = (torch.rand(len(inputs), 1, generator=source) * (max(1, self.most * features) + 1)).floor()
        kept = model.space.coordinate_mask((rank >= count).to(inputs.device), inputs)
        changed = torch.where(kept, inputs, self.behind(model, inputs))
        return replace(data, inputs=changed.to(data.inputs), rows=None, groups=None)

    def _part(self, masked: Masked, rows: slice, values: Explanations) -> Evidence:
        falls = [self._fidelity(masked, rows, values[:, at]) for at in range(values.shape[1])]
        return torch.stack([falls[0], torch.stack(falls[1:]).mean(0)], 1)

    def _fidelity(self, masked: Masked, rows: slice, values: PerFeature) -> PerExample:
        """The mean fall without parts of the top features minus that without parts of the others."""
        active = masked.active[rows]
        count = active.sum(1, keepdim=True)
        order = values.masked_fill(~active, -torch.inf).argsort(dim=1, descending=True, stable=True).argsort(1)
        top = active & (order < (self.share * count).round().clamp(min=1).minimum(count - 1))
        size = (self.most * count).round().long().clamp(min=1)
        falls = [
            dropped(masked, rows, self._some(of, size.minimum(of.sum(1, keepdim=True)), stream)).mean(1)
            for stream, of in enumerate((top, active & ~top))
        ]
        return falls[0] - falls[1]

    def _some(self, of: Presence, size: Count, stream: int) -> Removed:
        """Random parts of some features, of that size."""
        source = generator(4 * self.seed + stream, torch.device("cpu"))
        noise = torch.rand(self.samples, of.shape[1], generator=source, dtype=torch.float64)
        rank = noise.expand(len(of), -1, -1).masked_fill(~of[:, None], torch.inf).argsort(2).argsort(2)
        return of[:, None] & (rank < size[:, :, None])
