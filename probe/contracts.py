"""The kinds of method: an Explainer attributes, an Attack perturbs, a Metric measures.

Each asks a subclass for one function over tensors. The final `__call__` around it checks what goes in and comes out,
splits it to fit in memory, counts the cost, and wraps it up in a result.
"""

from abc import ABC, abstractmethod
from copy import copy
from dataclasses import dataclass, replace
from typing import ClassVar, Generic, Literal, TypeVar, final, get_type_hints

import torch
from torch import Tensor

from probe.arrays import Given
from probe.errors import ContractError, ShapeError, Unsupported
from probe.method import Method, param
from probe.model import Model
from probe.reductions import MEAN, PROPORTION, REDUCTIONS, Reduction
from probe.results import Attribution, Perturbation, Prediction, Result, Scores
from probe.shapes import Evidence, Inputs, Labels
from probe.space import Space
from probe.statistics import Floats
from probe.tensors import spans, wide

R = TypeVar("R", bound=Result)
Moves = Literal["numbers", "tokens", "edges"]
_SUMS = {
    "": "The values add up to nothing in particular.",
    "baseline": "The values add up to the {output} minus that at the baseline.",
    "references": "The values add up to the {output} minus its mean over the references.",
}


@dataclass(frozen=True, kw_only=True)
class Explainer(Method, ABC):
    """Says how much each input coordinate speaks for a class."""

    differentiates: ClassVar[bool] = False  # follows gradients: needs continuous inputs
    # Values sum to output(input) minus this: the output at the mean reference, or the mean output of the references.
    adds_up_to: ClassVar[Literal["", "baseline", "references"]] = ""
    sums_by_construction: ClassVar[bool] = False  # the sum is imposed, so that measuring it tests nothing
    # What the sign of a value says; {output} is the logit or the probability. Charts draw positive values red.
    reads_as: ClassVar[str] = "Red speaks for the answer, blue against it."

    output: str = param("logit", "what is explained: the target's logit or its probability",
                        choices=("logit", "probability"))  # fmt: skip

    @abstractmethod
    def attribute(self, model: Model, inputs: Inputs, targets: Labels) -> Inputs:
        """Return one signed number per input coordinate."""

    @classmethod
    def captioned(cls, output: str) -> str:
        """What a chart of the values says, and what they add up to; `output` is what is explained."""
        return f"{cls.reads_as} {_SUMS[cls.adds_up_to]}".format(output=output)

    @final
    def __call__(self, model: Model, inputs: Given, targets: Given | None = None) -> Attribution:
        """Explain `targets`, or what the model predicts."""
        inputs = model.check(inputs)
        targets = model.predict(inputs) if targets is None else model.check_labels(targets, inputs)
        before = copy(model.usage)
        parts = [self._explain(model, inputs[rows], targets[rows]) for rows in _spans(model, inputs)]
        values = torch.cat(parts).detach()
        _check_output(self, values, inputs)
        return Attribution(values, inputs, targets, self, model.space, model.usage - before, model.classes)

    def _explain(self, model: Model, inputs: Inputs, targets: Labels) -> Inputs:
        if self.differentiates:
            refuse_missing(self, inputs)
        if model.embed is not None and self.differentiates:
            return self.attribute(model.embedded(), model.points(inputs), targets).sum(-1)
        return self.attribute(model, inputs, targets)


class Attack(Method, ABC):
    """Moves inputs, within the model's space, so that the model errs."""

    moves: ClassVar[Moves] = "numbers"  # what it can change

    @abstractmethod
    def perturb(self, model: Model, inputs: Inputs, labels: Labels) -> Inputs:
        """Return the moved inputs. All of them are classified correctly to begin with."""

    @abstractmethod
    def radius(self) -> tuple[float, float]:
        """The ball that `perturb` stays in: the p of its norm, and its radius in the unit of the space's scale.

        At p = 0 the radius is how many coordinates may change.
        """

    @final
    def __call__(self, model: Model, inputs: Given, labels: Given) -> Perturbation:
        """Attack the inputs that the model gets right; the others need no attack and stay as they are."""
        inputs = model.check(inputs)
        labels = model.check_labels(labels, inputs)
        reads = _moved(model, inputs)
        # An edge is a number too, though between 0 and 1 it is a relaxed one.
        if self.moves != reads and not (self.moves == "numbers" and reads == "edges"):
            raise Unsupported(
                f"{self.name()} moves {self.moves}, and {model.name} reads {reads}; choose an attack that moves {reads}"
            )
        refuse_missing(self, inputs)
        before = copy(model.usage)
        clean = Prediction.of(model, inputs, labels)
        perturbed = inputs.clone()
        right = clean.correct.bool().nonzero()[:, 0]
        for rows in _spans(model, inputs[right]):
            chosen = right[rows]
            perturbed[chosen] = self.perturb(model, inputs[chosen], labels[chosen]).detach()
        _check_output(self, perturbed, inputs)
        self._check_ball(model.space, perturbed, inputs)
        attacked = replace(clean, logits=model.logits(perturbed))
        return Perturbation(inputs, perturbed, clean, attacked, self, model.space, model.usage - before)

    def _check_ball(self, space: Space, perturbed: Inputs, inputs: Inputs) -> None:
        space.check(perturbed)
        if bool(((perturbed != inputs) & ~(space.movable(inputs) & space.ordinary(perturbed))).any()):
            raise ContractError(f"{self} moved coordinates that the space holds fixed, or put in special tokens")
        p, radius = self.radius()
        moved = space.change(wide(perturbed), wide(inputs)).flatten(1)
        length = float(torch.linalg.vector_norm(moved, ord=p, dim=1).max())
        # The dtype of the inputs rounds each x + radius, by an error that is relative to x: it is measured in its size.
        size = float((wide(inputs) / space.unit(wide(inputs))).abs().max()) + radius if p else 0.0
        rounding = torch.finfo(inputs.dtype).eps if inputs.is_floating_point() else 0.0
        dust = 1e-5 * radius + rounding * size * moved.shape[1] ** (1 / p) if p else 0.0
        if length > radius + dust:
            raise ContractError(f"{self} left its ball: moved by {length:.6g}, radius {radius:.6g}")


class Metric(Method, ABC, Generic[R]):
    """Gathers evidence from each example of a result and reduces it to one number."""

    columns: ClassVar[tuple[str, ...]] = ("evidence",)  # what the evidence of an example holds

    @abstractmethod
    def measure(self, model: Model, result: R) -> Evidence:
        """Return what each example shows, (batch, ...)."""

    def reduction(self) -> Reduction:
        """How the evidence of many examples becomes one number with an interval; audits reduce theirs by the same."""
        return REDUCTIONS.get(self.name(), MEAN)

    def reduce(self, evidence: Floats) -> float:
        """Turn the evidence of many examples into one number: the mean, unless a metric says otherwise."""
        return self.reduction().value(evidence)

    def interval(self, evidence: Floats, level: float, draws: int, seed: int) -> tuple[float, float]:
        """Interval of `reduce(evidence)`: a percentile bootstrap over examples, unless a metric knows better."""
        return replace(self.reduction(), value=self.reduce).interval(evidence, level, draws, seed)

    @classmethod
    def reads(cls) -> type[Result]:
        """The kind of result that `measure` is annotated to take."""
        return get_type_hints(cls.measure)["result"]

    @final
    def __call__(self, model: Model, result: R) -> Scores:
        """Measure a result."""
        if not isinstance(result, self.reads()):
            raise TypeError(f"{self} reads {self.reads().__name__}, got {type(result).__name__}")
        before = copy(model.usage)
        return Scores(self.measure(model, result).detach(), self, model.usage - before)


class Proportion(Metric[R], ABC):
    """A metric whose evidence is 0 or 1 for each example, so that its interval is Wilson's."""

    def reduction(self) -> Reduction:
        return PROPORTION


def refuse_missing(method: Method, inputs: Inputs) -> None:
    """Raise Unsupported where a method would follow or move numbers that are missing."""
    if inputs.is_floating_point() and bool(inputs.isnan().any()):
        raise Unsupported(
            f"{method.name()} follows the numbers of an input, and {int(inputs.isnan().any(0).sum())} features are "
            "missing in some rows; use a method that needs only answers, such as KernelShap or Lime, or rows that have "
            "all of them"
        )


def _moved(model: Model, inputs: Inputs) -> Moves:
    """What an attacker of the model can change."""
    if model.embed is not None:
        return "tokens"
    return "edges" if model.space.form_of(inputs) == "graph" else "numbers"


def _spans(model: Model, inputs: Tensor) -> list[slice]:
    return list(spans(len(inputs), model.rows_per_pass(inputs)))


def _check_output(method: Method, produced: Tensor, inputs: Tensor) -> None:
    if produced.shape != inputs.shape:
        raise ShapeError(f"{method} returned {tuple(produced.shape)} for inputs {tuple(inputs.shape)}")
    if not bool(produced.isfinite().all()):
        raise ContractError(f"{method} returned NaN or infinity")
