"""Whether it can be told from a model's answers which rows it was trained on."""

from abc import ABC
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from probe.contracts import Need, Survey, Trainer
from probe.contracts.common import beyond, learned, without_training
from probe.contracts.trainer import trained
from probe.dataset import Dataset
from probe.errors import RangeError, Unsupported
from probe.finding import Aspect
from probe.formatting import Unit
from probe.method import param
from probe.model import Model
from probe.outcomes import Examination
from probe.shapes import Evidence, Inputs, Labels
from probe.tensors import generator, wide

CPU = torch.device("cpu")
LOSS, CALIBRATED, LIRA = "loss", "loss, calibrated by shadow models", "likelihood ratio of shadow models (LiRA)"
MANY = 64  # shadow models from which each row has deviations of its own
LEAST = 1e-6  # a standard deviation that is divided by

Scores = Float[Tensor, "rows attacks"]


class Rows(NamedTuple):
    """As many rows that the model was not trained on as such that it was, with their labels."""

    inputs: Tensor
    labels: Tensor

    @property
    def half(self) -> int:
        return len(self.inputs) // 2


@dataclass(frozen=True, kw_only=True)
class Membership(Survey, ABC):
    """A survey of attacks whose scores are higher for training rows than for others, where they succeed."""

    aspect: ClassVar[Aspect] = "explanation"
    needs: ClassVar[frozenset[Need]] = frozenset({"training data"})
    unit: ClassVar[Unit] = "share"
    better: ClassVar[Literal["higher", "lower"]] = "lower"
    item: ClassVar[str] = "attack"

    by: Literal["loss", "shadows"] = param(
        "loss", "loss: by the model's loss alone; shadows: also by those of models that `model.trainer` trains (LiRA)"
    )
    shadows: int = param(16, "shadow models, each trained on half of the rows; an even number", low=2, high=10**4)
    seed: int = param(0, "seed of the choice of training rows, and of shadow models", low=0)

    def items(self, model: Model, inputs: Inputs) -> tuple[str, ...]:
        return (LOSS, CALIBRATED, LIRA) if self.by == "shadows" else (LOSS,)

    def among(self, model: Model, inputs: Inputs, labels: Labels, data: Dataset) -> Evidence:
        if self.by == "loss":
            return self.examine(model, inputs, labels)
        if model.trainer is None:
            raise Unsupported(
                f"{self.name()} trains shadow models, and {model.name} has no trainer; give one: Model(trainer=), in a "
                'plan [model] trainer = "my_package.train:again", or set by to loss'
            )
        return self.shadowed(model, data, model.trainer).evidence

    def pilot(self) -> tuple[Survey, float]:
        return (replace(self, shadows=2), self.shadows / 2) if self.by == "shadows" else (self, 1.0)

    def compared(self, model: Model, inputs: Inputs, labels: Labels) -> Evidence:
        """The score of each row, and that of a training row, (batch, 1, 2)."""
        rows, _ = self._rows(model, inputs, labels)
        return _paired(_sureness(model, rows)[:, None], rows.half)

    def shadowed(self, model: Model, data: Dataset, trainer: Trainer) -> Examination:
        """Attack by the answers of models that are trained on random halves of training rows and data together.

        Each row is in half of the trainings. Besides the loss itself its difference from the mean loss of the models
        that were not trained on the row counts (arXiv:2111.08440), and the ratio of its likelihoods among the models
        that were, and were not (LiRA, arXiv:2112.03570): normal, with one deviation for all rows below 64 models.

        Args:
            model: with its training rows.
            data: rows that it was not trained on.
            trainer: trains models like it, such as `zoo.trainer("german-mlp")`.

        Raises:
            RangeError: if there are fewer training rows than rows, or an odd number of shadow models.
            Unsupported: if the model has no training rows.
        """
        if self.shadows % 2:
            raise RangeError(f"{type(self).__name__}.shadows = {self.shadows}, expected an even number")
        own = replace(model, usage=type(model.usage)())
        inputs = own.check(data.inputs)
        labels = own.check_labels(data.labels, inputs)
        wide_space = replace(data.space, bounds=beyond(own, inputs).space.bounds)
        rows, place = self._rows(own, inputs, labels)
        assert own.training is not None, "checked with the rows"
        pool = replace(
            data,
            inputs=torch.cat([inputs, learned(own).to(inputs)]).cpu(),
            labels=torch.cat([labels, torch.as_tensor(own.training[1]).to(labels)]).cpu(),
            groups=None,
            rows=None,
            truth=None,
            space=wide_space,
            role="train",
        )
        seen, inside = [], []
        for chosen, seed in self._halves(len(pool)):
            shadow = trained(trainer, pool[chosen.nonzero()[:, 0]], seed)
            seen.append(_sureness(shadow, rows).cpu())
            inside.append(chosen[place])
        found = _attacks(_sureness(own, rows).cpu(), torch.stack(seen), torch.stack(inside))
        return Examination(_paired(found, rows.half), (LOSS, CALIBRATED, LIRA), self, own.usage)

    def _halves(self, count: int) -> list[tuple[Tensor, int]]:
        """Which rows each shadow model is trained on, and its seed: halves, and the other halves."""
        source, found = generator(self.seed, CPU), []
        for pair in range(self.shadows // 2):
            half = torch.zeros(count, dtype=torch.bool)
            half[torch.randperm(count, generator=source)[: count // 2]] = True
            found += [(half, self.seed + 2 * pair), (~half, self.seed + 2 * pair + 1)]
        return found

    def _rows(self, model: Model, inputs: Inputs, labels: Labels) -> tuple[Rows, Tensor]:
        """Rows of the data and as many training rows, and the place of each in data and training rows together."""
        if model.training is None:
            raise without_training(self.name(), model)
        known = learned(model)
        if len(known) < len(inputs):
            raise RangeError(
                f"{self.name()} compares {len(inputs)} rows with as many training rows, and {model.name} has "
                f"{len(known)}; give {len(known)} rows, in a plan by [survey] sample = {len(known)}"
            )
        chosen = torch.randperm(len(known), generator=generator(self.seed, CPU))[: len(inputs)].sort().values
        there = chosen.to(known.device)
        answers = model.check_labels(torch.as_tensor(model.training[1])[chosen], known[there])
        rows = Rows(torch.cat([inputs, known[there].to(inputs)]), torch.cat([labels, answers.to(labels)]))
        return rows, torch.cat([torch.arange(len(inputs)), len(inputs) + chosen])


@dataclass(frozen=True, kw_only=True)
class MembershipAUROC(Membership):
    """How well training rows can be told from others by the model's answers: area under ROC, in [0, 1].

    It is the probability that a row that the model was trained on has the lower loss (arXiv:1709.01604), the log-odds
    of an error where there are classes. 1/2 is chance, and what a model gets that never saw its training rows; lower is
    better. It is a lower bound of what leaks: `method.shadowed(model, data, trainer)`, or `by="shadows"` for a model
    with a `trainer`, adds two stronger attacks, which train models. Rows must not be among the training rows, nor
    differ from them otherwise, such as by their time. The evidence of an example is its score and that of a training
    row drawn for it.

    Raises:
        RangeError: if there are fewer training rows than rows.
        Unsupported: if the model has no training rows.

    Example:
        >>> import torch
        >>> from probe import Dataset, Model
        >>> from probe.surveys import MembershipAUROC
        >>> x = torch.rand(400, 3, generator=torch.Generator().manual_seed(0))
        >>> y = torch.arange(400) % 2
        >>> def nearest(rows):  # it knows its training rows by heart, and nothing else
        ...     far = torch.stack([torch.cdist(rows, x[:200][y[:200] == k]).amin(1) for k in (0, 1)], 1)
        ...     return -9 * far
        >>> model = Model(forward=nearest, training=(x[:200], y[:200]))
        >>> data = Dataset(x[200:], y[200:], space=model.space)
        >>> bool(MembershipAUROC()(model, data).to_frame()["low"][0] > 0.8)
        True
    """

    reduction: ClassVar[str] = "area of pairs"
    asks: ClassVar[str] = "probability that a training row has the higher score"

    def examine(self, model: Model, inputs: Inputs, labels: Labels) -> Evidence:
        return self.compared(model, inputs, labels)


@dataclass(frozen=True, kw_only=True)
class MembershipTPR(Membership):
    """The share of training rows that are found where few others are taken for such, in [0, 1]; lower is better.

    The threshold of a score is the one that 1 % of other rows are above, or `rate` (arXiv:2112.03570): an attack that
    is sure of few rows is one on these. By chance 1 % are found. Attacks and rows are those of `MembershipAUROC`.
    With less than 440 rows the lower end of the interval at 1 % is 0: where the threshold lies is not known.

    Raises:
        RangeError: if there are fewer training rows than rows.
        Unsupported: if the model has no training rows.

    Example:
        >>> import torch
        >>> from probe import Dataset, Model
        >>> from probe.surveys import MembershipTPR
        >>> x = torch.rand(400, 3, generator=torch.Generator().manual_seed(0))
        >>> y = torch.arange(400) % 2
        >>> def nearest(rows):  # it knows its training rows by heart, and nothing else
        ...     far = torch.stack([torch.cdist(rows, x[:200][y[:200] == k]).amin(1) for k in (0, 1)], 1)
        ...     return -9 * far
        >>> model = Model(forward=nearest, training=(x[:200], y[:200]))
        >>> data = Dataset(x[200:], y[200:], space=model.space)
        >>> bool(MembershipTPR(rate=0.05)(model, data).to_frame()["low"][0] > 0.05)
        True
    """

    reduction: ClassVar[str] = "found at false alarms"
    asks: ClassVar[str] = "training rows found where few others are taken for such"

    rate: float = param(0.01, "share of other rows that are taken for training rows", low=0.0, high=1.0)

    def examine(self, model: Model, inputs: Inputs, labels: Labels) -> Evidence:
        return self.compared(model, inputs, labels)


def _sureness(model: Model, rows: Rows) -> Float[Tensor, " rows"]:
    """How sure the model is of the label of each row: its negative loss."""
    inputs = beyond(model, rows.inputs).check(model.cast(rows.inputs))
    loss = model.task.loss(wide(model.logits(inputs)), rows.labels.to(inputs.device))
    loss = loss.flatten(1).mean(1) if loss.ndim > 1 else loss
    return -(loss if loss.device.type == "mps" else loss.double())


def _attacks(own: Tensor, seen: Float[Tensor, "models rows"], inside: Bool[Tensor, "models rows"]) -> Scores:
    """The scores of all attacks, from how sure the model and each shadow model is."""
    means, deviations = [], []
    for chosen in (inside, ~inside):
        count = chosen.sum(0)
        mean = (seen * chosen).sum(0) / count
        squares = ((seen - mean) ** 2 * chosen).sum(0)
        spread = squares / (count - 1).clamp(min=1)
        pooled = squares.sum() / (count - 1).sum().clamp(min=1)
        means.append(mean)
        deviations.append((spread if len(seen) >= MANY else pooled.expand_as(mean)).sqrt().clamp(min=LEAST))
    likely = [
        -(((own - mean) / deviation) ** 2) / 2 - deviation.log()
        for mean, deviation in zip(means, deviations, strict=True)
    ]
    return torch.stack([own, own - means[1], likely[0] - likely[1]], 1)


def _paired(scores: Scores, half: int) -> Evidence:
    """The score of each row of the data, and of the training row drawn for it."""
    return torch.stack([scores[:half], scores[half:]], 2)
