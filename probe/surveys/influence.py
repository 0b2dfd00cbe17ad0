"""Which training rows an answer hangs on, by way of the last layer."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from probe.arrays import Given, Wanted
from probe.contracts import Need, Survey
from probe.contracts.common import learned, passes, without_training
from probe.errors import RangeError, Unsupported
from probe.internals import GIVEN
from probe.method import param
from probe.model import Model
from probe.shapes import Evidence, Inputs, Labels
from probe.task import Classification
from probe.tensors import generator, wide

CPU = torch.device("cpu")
DECISION = Classification()
LARGEST = 2048  # weights of the last layer, whose matrix of second derivatives is inverted
STEPS, ENOUGH = 100, 1e-10  # of Newton's method

Numbers = Float[Tensor, "rows numbers"]
Influences = Float[Tensor, "rows trained"]


class Validation(NamedTuple):
    """How well influences agree with layers that were fitted without single rows."""

    rank_correlation: float  # Spearman's, over all pairs of a row and a training row left out
    n: int  # training rows left out
    agreement: float  # the share of rows that the fitted layer decides as the model does; for numbers their correlation


@dataclass(frozen=True, kw_only=True)
class LastLayerInfluence(Survey):
    """How much a row's loss would grow if one training row had not been learned from, by the last layer alone.

    The last layer is fitted again to what it is given for the training rows, with a `penalty` on squared weights, so
    that its optimum is known; all before it stays. The influence of a training row is the growth of a row's loss where
    the layer is fitted without it (arXiv:1703.04730): cross-entropy by first order, squared error / 2 exactly, from the
    leave-one-out of ridge regression. The evidence of an example are those of the `count` training rows that help it
    most, the largest first; higher is more, and a row whose answer hangs on few has one that stands out. Items are in
    units of the loss.

    `method.influences(model, inputs, labels)` gives those of all training rows, of any sign, and
    `method.validated(model, inputs, labels)` fits the layer without single rows and says how well the two agree.

    Raises:
        RangeError: if there are fewer training rows than `count`, or no such layer.
        Unsupported: if the model has no training rows, a row has several answers, or the layer is too large.

    Example:
        >>> import torch
        >>> from probe import Dataset, Model, Regression, Space
        >>> from probe.surveys import LastLayerInfluence
        >>> x = torch.tensor([[-1.0], [0.0], [1.0], [2.0]])
        >>> y = torch.tensor([-1.0, 0.0, 1.0, 8.0])
        >>> network = torch.nn.Sequential(torch.nn.Identity(), torch.nn.Linear(1, 1)).eval()
        >>> space = Space(bounds=(-9.0, 9.0))
        >>> model = Model(forward=network, space=space, task=Regression(("price",)), training=(x, y))
        >>> found = LastLayerInfluence().influences(model, x[:3], y[:3])
        >>> [row.argmin().item() for row in found]  # the row that is off harms the others
        [3, 3, 3]
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"layers", "training data"})
    item: ClassVar[str] = "training row"
    asks: ClassVar[str] = "growth of the loss without the training row"

    layer: str = param("", "the layer whose weights are fitted; default: the last linear one")
    count: int = param(3, "training rows for each input", low=1, high=1000)
    penalty: float = param(1.0, "half of it times the squared weights is added to the sum of losses", above=0)
    most: int = param(2000, "training rows that are fitted, drawn where there are more", low=2, high=10**5)
    seed: int = param(0, "seed of that draw", low=0)

    def items(self, model: Model, inputs: Inputs) -> tuple[str, ...]:
        return tuple(f"most helpful {at + 1}" for at in range(self.count))

    def along(self) -> str:
        return "rank"

    def examine(self, model: Model, inputs: Inputs, labels: Labels) -> Evidence:
        found = self.influences(model, inputs, labels)
        if found.shape[1] < self.count:
            raise RangeError(
                f"{type(self).__name__}.count = {self.count}, and {model.name} has {found.shape[1]} training rows"
            )
        return found.sort(dim=1, descending=True).values[:, : self.count].float()

    def influences(self, model: Model, inputs: Given, labels: Wanted) -> Influences:
        """The growth of each row's loss without each training row, in the order of `trained`."""
        fit, rows, wanted = self._prepared(model, inputs, labels)
        return fit.influences(rows, wanted)

    def trained(self, model: Model) -> Tensor:
        """The numbers of the training rows that are fitted, among those of the model."""
        if model.training is None:
            raise without_training(self.name(), model)
        count = len(model.training[0])
        chosen = torch.randperm(count, generator=generator(self.seed, CPU))[: self.most]
        return chosen.sort().values

    def validated(self, model: Model, inputs: Given, labels: Wanted, *, leave: int = 20) -> Validation:
        """Fit the layer without each of some training rows, and compare the growth of losses with the influences."""
        fit, rows, wanted = self._prepared(model, inputs, labels)
        found, before = fit.influences(rows, wanted), fit.losses(rows, wanted)
        order = found.abs().amax(0).argsort(descending=True)
        chosen = order[torch.linspace(0, len(order) - 1, min(leave, len(order))).long().unique()]  # type: ignore[no-untyped-call]  # torch leaves it untyped
        real = torch.stack([fit.without(int(at)).losses(rows, wanted) - before for at in chosen], 1)
        told = _correlation(_ranks(real.flatten()), _ranks(found[:, chosen].flatten()))
        own, ours = model.decide(model.logits(model.check(inputs))), fit.decided(rows)
        same = (own == ours).double().mean().item() if isinstance(fit, Classes) else _correlation(own.flatten(), ours)
        return Validation(told, len(chosen), same)

    def _prepared(self, model: Model, inputs: Given, labels: Wanted) -> "tuple[Classes | Line, Numbers, Tensor]":
        """The fit to the training rows, and what it is asked about."""
        if model.training is None:
            raise without_training(self.name(), model)
        inputs = model.check(inputs)
        chosen = self.trained(model)
        known = learned(model)[chosen.to(model.device)]
        answers = model.check_labels(torch.as_tensor(model.training[1])[chosen], known)
        wanted = model.check_labels(labels, inputs)
        if model.task.kind not in ("classification", "regression") or answers.ndim > 1 or wanted.ndim > 1:
            raise Unsupported(
                f"{self.name()} fits one answer for each row, and {model.name} gives {model.task.units[1]}; take one: "
                "model.only(0) and data.only(0)"
            )
        there, here = self._numbers(model, known), self._numbers(model, inputs)
        if model.task.kind == "regression":
            return Line.fitted(there, answers.to(there), self.penalty), here, wanted.to(here)
        classes = model.logits(inputs[:1]).shape[1]
        if classes * there.shape[1] > LARGEST:
            raise Unsupported(
                f"{self.name()} inverts a matrix of {classes * there.shape[1]:,} weights squared, of which it takes "
                f"{LARGEST:,} at most; set layer to a narrower one"
            )
        return Classes.fitted(there, answers, self.penalty, classes), here, wanted

    def _numbers(self, model: Model, inputs: Inputs) -> Numbers:
        """What the layer is given for each row, and a 1 for its bias."""
        inside = model.layers()
        linear = [name for name, layer in inside.items() if isinstance(layer, nn.Linear)]
        if not self.layer and not linear:
            raise Unsupported(f"{model.name} has no linear layer to be fitted; name the one that ends it: set layer")
        address = f"{self.layer or linear[-1]}{GIVEN}"
        parts = [model.activations(inputs[rows], at=address)[address] for rows in passes(model, inputs)]
        if not all(isinstance(part, Tensor) and part.ndim == 2 and part.is_floating_point() for part in parts):
            raise Unsupported(
                f"the layer {address.removesuffix(GIVEN)!r} of {model.name} is not given one list of numbers for each "
                "row; set layer to the linear layer that ends the network"
            )
        found = wide(torch.cat(parts))
        found = torch.cat([found, torch.ones_like(found[:, :1])], 1)
        return found if found.device.type == "mps" else found.double()


@dataclass(frozen=True)
class Line:
    """Ridge regression of one number."""

    there: Numbers
    wanted: Float[Tensor, " trained"]
    penalty: float
    inverse: Float[Tensor, "numbers numbers"]
    weights: Float[Tensor, " numbers"]

    @classmethod
    def fitted(cls, there: Numbers, wanted: Tensor, penalty: float) -> "Line":
        """The weights that minimise the sum of squared errors / 2 and the penalty."""
        inverse = torch.linalg.inv(there.T @ there + penalty * torch.eye(there.shape[1]).to(there))
        return cls(there, wanted, penalty, inverse, inverse @ (there.T @ wanted))

    def without(self, at: int) -> "Line":
        """The same fitted without one row."""
        kept = torch.arange(len(self.there)) != at
        return self.fitted(self.there[kept], self.wanted[kept], self.penalty)

    def decided(self, rows: Numbers) -> Tensor:
        """The number that is told for each row."""
        return rows @ self.weights

    def losses(self, rows: Numbers, wanted: Tensor) -> Tensor:
        """Half of the squared errors."""
        return (rows @ self.weights - wanted) ** 2 / 2

    def influences(self, rows: Numbers, wanted: Tensor) -> Influences:
        """The growth of the losses without each row, exactly (Sherman and Morrison)."""
        errors, left = self.there @ self.weights - self.wanted, rows @ self.weights - wanted
        leverage = ((self.there @ self.inverse) * self.there).sum(1)
        moved = rows @ self.inverse @ self.there.T * (errors / (1 - leverage))
        return ((left[:, None] + moved) ** 2 - left[:, None] ** 2) / 2


@dataclass(frozen=True)
class Classes:
    """Logistic regression of several classes."""

    there: Numbers
    wanted: Labels
    penalty: float
    weights: Float[Tensor, "classes numbers"]

    @classmethod
    def fitted(cls, there: Numbers, wanted: Labels, penalty: float, classes: int) -> "Classes":
        """The weights that minimise the sum of cross-entropies and the penalty, by Newton's method."""
        fit = cls(there, wanted, penalty, torch.zeros(classes, there.shape[1]).to(there))
        for _ in range(STEPS):
            slope = fit._slopes(there, wanted).sum(0) + penalty * fit.weights.flatten()
            step = torch.linalg.solve(fit._curvature(), slope)
            # Half as far until it falls: full steps from far away may overshoot.
            for half in range(30):
                moved = cls(there, wanted, penalty, fit.weights - (step / 2**half).view_as(fit.weights))
                if bool(moved._total() <= fit._total()):
                    break
            fit = moved
            if float(step.abs().max()) < ENOUGH * (1 + float(fit.weights.abs().max())):
                break
        return fit

    def without(self, at: int) -> "Classes":
        """The same fitted without one row."""
        kept = torch.arange(len(self.there)) != at
        return self.fitted(self.there[kept], self.wanted[kept.to(self.wanted.device)], self.penalty, len(self.weights))

    def decided(self, rows: Numbers) -> Labels:
        """The likeliest class of each row."""
        found: Labels = DECISION.predict(rows @ self.weights.T)
        return found

    def losses(self, rows: Numbers, wanted: Labels) -> Tensor:
        """Cross-entropies, which follow from the log-odds of an error."""
        odds: Tensor = DECISION.loss(rows @ self.weights.T, wanted)
        return torch.nn.functional.softplus(odds, threshold=40)

    def influences(self, rows: Numbers, wanted: Labels) -> Influences:
        """The growth of the losses without each row, to first order."""
        there = self._slopes(self.there, self.wanted)
        return self._slopes(rows, wanted) @ torch.linalg.solve(self._curvature(), there.T)

    def _total(self) -> Tensor:
        return self.losses(self.there, self.wanted).sum() + self.penalty / 2 * (self.weights**2).sum()

    def _shares(self, rows: Numbers) -> Tensor:
        found: Tensor = DECISION.probabilities(rows @ self.weights.T)
        return found

    def _slopes(self, rows: Numbers, wanted: Labels) -> Float[Tensor, "rows weights"]:
        """The gradient of each row's loss."""
        own = wanted[:, None] == torch.arange(len(self.weights), device=wanted.device)
        return ((self._shares(rows) - own.to(rows))[:, :, None] * rows[:, None]).flatten(1)

    def _curvature(self) -> Float[Tensor, "weights weights"]:
        """The second derivatives of the total loss."""
        shares = self._shares(self.there)
        blocks = torch.diag_embed(shares) - shares[:, :, None] * shares[:, None]
        found = torch.einsum("nab,ni,nj->aibj", blocks, self.there, self.there).reshape(2 * [self.weights.numel()])
        return found + self.penalty * torch.eye(len(found)).to(found)


def _ranks(numbers: Tensor) -> Tensor:
    return numbers.argsort().argsort().double()


def _correlation(one: Tensor, other: Tensor) -> float:
    a, b = (each.double() - each.double().mean() for each in (one, other))
    return float((a @ b) / (a.norm() * b.norm()).clamp(min=1e-30))
