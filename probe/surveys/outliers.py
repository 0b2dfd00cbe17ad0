"""Whether rows that are unlike the data can be told from the model's own answers, or from its layers."""

from abc import ABC
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from probe.contracts import Survey
from probe.contracts.common import beyond, learned, passes, without_training
from probe.dataset import Dataset
from probe.errors import ShapeError, Unsupported
from probe.formatting import Unit
from probe.grouping import owner
from probe.method import param
from probe.model import Model
from probe.outcomes import Examination
from probe.shapes import Evidence, Inputs, Labels
from probe.tensors import generator, wide

CPU = torch.device("cpu")
APART = 2**20  # from seeds that people draw data with: rows in the order of their own random numbers would be sorted
RIDGE = 1e-6  # of the mean variance, added to each, so that a direction without any can be divided by
UNSURE, ENERGY, MAHALANOBIS = "1 - largest probability", "energy", "Mahalanobis distance in the layer"


@dataclass(frozen=True, kw_only=True)
class Outliers(Survey, ABC):
    """A survey of scores that should be higher for outliers than for rows of the data."""

    item: ClassVar[str] = "score"

    shift: Literal["shuffled", "noise", "uniform", "given"] = param(
        "shuffled", "the outliers: features from other rows each, noise, random inputs, or those of another data set"
    )
    amount: float = param(0.5, "standard deviation of the noise, in units of the space's scale", low=0.0)
    layer: str = param("", "a layer for the Mahalanobis distance, such as the one before the last; none: left out")
    seed: int = param(0, "seed of the outliers", low=0)

    def items(self, model: Model, inputs: Inputs) -> tuple[str, ...]:
        there = (UNSURE, ENERGY) if model.task.one_class else ()
        return (*there, MAHALANOBIS) if self.layer else there

    def compared(self, model: Model, inputs: Inputs) -> Evidence:
        """The scores of each row and of its outlier, (batch, items, 2)."""
        if self.shift == "given":
            raise Unsupported(
                f"{self.name()} is to compare with another data set, and was given one alone; name it: "
                "Dataset(..., outliers=rows), in a plan [data] outliers, or set shift to shuffled, noise or uniform"
            )
        return self._compared(model, inputs, self.shifted(model, inputs))

    def among(self, model: Model, inputs: Inputs, labels: Labels, data: Dataset) -> Evidence:
        if self.shift != "given" or data.outliers is None:
            return self.examine(model, inputs, labels)
        others = data.outliers
        if len(others) < len(inputs):
            raise ShapeError(
                f"{data.name} has {len(others)} outliers for {len(inputs)} rows; give {len(others)} rows, in a plan by "
                f"[survey] sample = {len(others)}"
            )
        chosen = torch.randperm(len(others), generator=generator(self.seed, CPU))[: len(inputs)].sort().values
        model = beyond(model, inputs)
        return self._compared(model, inputs, model.check(model.cast(others[chosen.to(others.device)])))

    def against(self, model: Model, data: Dataset, outliers: Dataset) -> Examination:
        """Compare the rows of a data set with outliers from another one, of which as many are taken.

        Raises:
            ShapeError: if there are fewer outliers than rows.
            Unsupported: if the model has no scores.
        """
        given = replace(self, shift="given")
        if len(outliers) < len(data):
            raise ShapeError(
                f"{outliers.name} has {len(outliers)} rows for {len(data)} of {data.name}; "
                f"compare with data[:{len(outliers)}]"
            )
        before = replace(model, usage=type(model.usage)())
        inputs = before.check(data.inputs)
        before = beyond(before, inputs)
        other = before.check(outliers.sample(len(data), self.seed).inputs)
        items = given.items(before, inputs)
        if not items:
            raise Unsupported(f"{self.name()} examines each {self.item}, and {model.name} has none; set layer")
        evidence = given._compared(before, inputs, other)
        return Examination(evidence, items, given, before.usage)

    def scores(self, model: Model, inputs: Inputs) -> Float[Tensor, "batch items"]:
        """Each score of some inputs, in the order of `items`: the higher, the less like the data."""
        found: list[Tensor] = []
        if model.task.one_class:
            task, logits = model.task.short(threshold=None), wide(model.logits(inputs))
            # The log-odds of another class: a probability of nearly 1 would be rounded.
            found += [task.loss(logits, task.likeliest(logits)), task.energy(logits)]
        if self.layer:
            found.append(self._distance(model, inputs))
        return torch.stack([each.double() if each.device.type != "mps" else each for each in found], 1)

    def shifted(self, model: Model, inputs: Inputs) -> Inputs:
        """The outlier of each row.

        Raises:
            Unsupported: if the shift needs numbers, or bounds that are finite, and there are none.
        """
        source = generator(APART + self.seed, CPU)
        if self.shift == "shuffled":
            return shuffled(model, inputs, source)
        if not inputs.is_floating_point():
            raise Unsupported(
                f"{self.name()} changes numbers, and {model.name} reads {inputs.dtype}; set shift to shuffled"
            )
        if self.shift == "noise":
            drawn = torch.randn(inputs.shape, generator=source).to(inputs)
            return model.space.project(inputs + self.amount * model.space.scale_of(inputs) * drawn, inputs)
        low, high = (torch.as_tensor(end).to(inputs) for end in model.space.bounds)
        if not bool((high - low).isfinite().all()):
            raise Unsupported(
                f"{self.name()} draws inputs between the bounds, and {model.name} has infinite ones; set "
                "shift to shuffled or noise"
            )
        drawn = torch.rand(inputs.shape, generator=source).to(inputs)
        return model.space.project(low + (high - low) * drawn, inputs)

    def _compared(self, model: Model, inputs: Inputs, outliers: Inputs) -> Evidence:
        return torch.stack([self.scores(model, each) for each in (inputs, outliers)], 2)

    def _distance(self, model: Model, inputs: Inputs) -> Float[Tensor, " batch"]:
        """The squared distance to the nearest class of the training rows in the layer, by their common covariance."""
        if model.training is None:
            raise without_training(self.name(), model, "measures distances to")
        known = learned(model)
        there = self._seen(model, known)
        kinds = torch.as_tensor(model.training[1]).to(there.device).flatten()
        classes = torch.unique(kinds) if model.task.one_class else None
        own = torch.searchsorted(classes, kinds) if classes is not None else torch.zeros_like(kinds).long()
        count = len(classes) if classes is not None else 1
        means = torch.zeros(count, there.shape[1]).to(there).index_add(0, own, there)
        means /= torch.bincount(own, minlength=count)[:, None]
        away = there - means[own]
        values, axes = torch.linalg.eigh(away.T @ away / len(away))
        whitened = axes / (values.clamp(min=0) + RIDGE * values.mean().clamp(min=1e-30)).sqrt()
        here = self._seen(model, inputs) @ whitened
        return torch.cdist(here, means @ whitened, compute_mode="donot_use_mm_for_euclid_dist").amin(1) ** 2

    def _seen(self, model: Model, inputs: Inputs) -> Float[Tensor, "rows units"]:
        """What the layer gives, in the mean over places such as pixels."""
        parts: list[Any] = [
            model.activations(inputs[rows], at=self.layer)[self.layer] for rows in passes(model, inputs)
        ]
        if not all(isinstance(part, Tensor) and part.is_floating_point() and part.ndim > 1 for part in parts):
            raise Unsupported(
                f"the layer {self.layer!r} of {model.name} does not give a tensor of numbers for each row; "
                f"set layer to another of {', '.join(list(model.layers())[:20])}"
            )
        found = wide(torch.cat(parts))
        found = found if found.device.type == "mps" else found.double()
        return found.flatten(2).mean(2) if found.ndim > 2 else found


@dataclass(frozen=True, kw_only=True)
class OutlierAUROC(Outliers):
    """How well outliers can be told from rows of the data: the area under ROC of three scores, in [0, 1].

    It is the probability that an outlier has a higher score than a row of the data; 1/2 is chance, and higher is
    better. Scores are 1 less the largest probability (arXiv:1610.02136), the energy -log sum exp of the logits
    (arXiv:2010.03759), and, where a `layer` is named, the Mahalanobis distance to the nearest class of the training
    rows in it (arXiv:1807.03888). Of a model that gives probabilities the energy is the same for all rows, so 1/2.

    Outliers are rows each feature of which is from another row, or noise, or random inputs; the rows of another data
    set are compared by `method.against(model, data, outliers)`, or with `shift="given"` where the data name their
    `outliers`, as `[data] outliers` of a plan does. The evidence of an example is its score, and that of its outlier.

    Raises:
        Unsupported: if the model has neither classes nor a layer, or no training rows for a layer.

    Example:
        >>> import torch
        >>> from probe import Dataset, Model, Space
        >>> from probe.surveys import OutlierAUROC
        >>> forward = lambda x: torch.stack([x.sum(1), -x.sum(1)], 1)
        >>> model = Model(forward=forward, space=Space(bounds=(-9.0, 9.0)))
        >>> x = torch.tensor([[2.0, 2.0], [-2.0, -2.0]]).repeat(50, 1)  # shuffled, half are [2, -2] or [-2, 2]
        >>> data = Dataset(x, (x[:, 0] < 0).long(), space=model.space)
        >>> OutlierAUROC()(model, data).to_frame()["value"].round(1).tolist()
        [0.8, 0.8]
    """

    unit: ClassVar[Unit] = "share"
    reduction: ClassVar[str] = "area of pairs"
    asks: ClassVar[str] = "probability that an outlier has the higher score"

    def examine(self, model: Model, inputs: Inputs, labels: Labels) -> Evidence:
        return self.compared(model, inputs)


@dataclass(frozen=True, kw_only=True)
class OutlierFPR(Outliers):
    """The share of outliers that pass where nearly all rows of the data do: FPR95, in [0, 1]; lower is better.

    The threshold of a score is the one that 95 % of the rows of the data are below, or 1 - `rate`. Scores and outliers
    are those of `OutlierAUROC`. By chance 95 % of the outliers pass.

    Raises:
        Unsupported: if the model has neither classes nor a layer, or no training rows for a layer.

    Example:
        >>> import torch
        >>> from probe import Dataset, Model, Space
        >>> from probe.surveys import OutlierFPR
        >>> forward = lambda x: torch.stack([x.sum(1), -x.sum(1)], 1)
        >>> model = Model(forward=forward, space=Space(bounds=(-9.0, 9.0)))
        >>> x = torch.tensor([[2.0, 2.0], [-2.0, -2.0]]).repeat(50, 1)  # shuffled, about half are [2, -2] or [-2, 2]
        >>> data = Dataset(x, (x[:, 0] < 0).long(), space=model.space)
        >>> OutlierFPR()(model, data).to_frame()["value"].round(1).tolist()
        [0.5, 0.5]
    """

    unit: ClassVar[Unit] = "share"
    better: ClassVar[Literal["higher", "lower"]] = "lower"
    reduction: ClassVar[str] = "missed at false alarms"
    asks: ClassVar[str] = "outliers that pass where nearly all of the data do"

    rate: float = param(0.05, "share of the data above the threshold", low=0.0, high=1.0)

    def examine(self, model: Model, inputs: Inputs, labels: Labels) -> Evidence:
        return self.compared(model, inputs)


def shuffled(model: Model, inputs: Inputs, source: torch.Generator) -> Inputs:
    """Rows whose features are each from another row, so that values are as frequent as before."""
    features = None if model.space.differs(inputs) else model.space.features
    owned = owner(None if features is None else torch.as_tensor(features).to(inputs.device), inputs)[0]
    order = torch.rand(len(inputs), int(owned.max()) + 1, generator=source).argsort(0).to(inputs.device)
    return inputs.flatten(1).gather(0, order[:, owned]).view(inputs.shape)
