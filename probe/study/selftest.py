"""Metrics of explanations on cases with known answers, and on a degraded copy of each, which must score lower."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from probe.contracts import Explainer, Metric
from probe.explainers import InputXGradient, IntegratedGradients, Saliency, SmoothGrad
from probe.method import param
from probe.metrics import (
    MPRT,
    ROAD,
    Agreement,
    Completeness,
    Deletion,
    EffectiveComplexity,
    EfficientMPRT,
    FaithfulnessCorrelation,
    FFidelity,
    Infidelity,
    Insertion,
    LocalLipschitz,
    MaxSensitivity,
    Monotonicity,
    NullPlayer,
    PointingGame,
    RandomLogit,
    RankStability,
    RelevanceMass,
    SeedStability,
    SensitivityN,
    Sparseness,
    Sufficiency,
)
from probe.model import Model
from probe.results import Attribution
from probe.shapes import Inputs, Labels
from probe.space import Space
from probe.tensors import generator

FEATURES, ROWS, UNUSED = 16, 8, 4  # features of the linear model, examples, features whose weight is 0
EXACT = 1e-4  # the largest error of a known answer, relative to it or to 1


@dataclass(frozen=True, eq=False, kw_only=True)
class Case:
    """An explanation whose score is known, and two of which one is better."""

    about: str  # why the score is known, in a few words
    metric: Metric[Any]
    model: Model
    best: Attribution
    worse: Attribution
    expected: float
    known: Attribution | None = None  # whose score is known; None: the better one
    column: int | None = None  # of the evidence, whose mean is what is known; None: the value


@dataclass(frozen=True)
class Trial:
    """What a metric gave for a case."""

    metric: str
    about: str
    expected: float
    found: float
    degraded: tuple[float, float]  # the scores of the explanation and of its degraded copy
    better: str  # which of the two is the better one: the higher or the lower

    @property
    def known(self) -> bool:
        """Whether the answer is the known one."""
        return abs(self.found - self.expected) <= EXACT * max(1.0, abs(self.expected))

    @property
    def lower(self) -> bool:
        """Whether the degraded copy scores worse."""
        own, worse = self.degraded
        return worse < own if self.better == "higher" else worse > own

    def config(self) -> dict[str, Any]:
        """The fields by name, as JSON."""
        return {**asdict(self), "degraded": list(self.degraded), "passed": self.known and self.lower}


@dataclass(frozen=True, kw_only=True)
class Ignoring(Explainer):
    """The input, whatever the model makes of it."""

    def attribute(self, model: Model, inputs: Inputs, targets: Labels) -> Inputs:
        return inputs


@dataclass(frozen=True, kw_only=True)
class Unsteady(Explainer):
    """Values that depend on the last digits of the input."""

    def attribute(self, model: Model, inputs: Inputs, targets: Labels) -> Inputs:
        return torch.sin(1e4 * inputs)


@dataclass(frozen=True, kw_only=True)
class Drawn(Explainer):
    """Values that are nothing but a draw."""

    seed: int = param(0, "seed of the values", low=0)

    def attribute(self, model: Model, inputs: Inputs, targets: Labels) -> Inputs:
        return torch.randn(inputs.shape[1:], generator=generator(self.seed, inputs.device)).expand(inputs.shape)


def selftest() -> Iterator[Trial]:
    """Run every metric of explanations on its cases.

    >>> from probe.study.selftest import selftest
    >>> all(trial.known and trial.lower for trial in selftest())
    True
    """
    for case in cases():
        own, worse = (case.metric(case.model, each) for each in (case.best, case.worse))
        scores = own if case.known is None else case.metric(case.model, case.known)
        found = scores.value if case.column is None else float(scores.evidence[:, case.column].mean())
        name, better = case.metric.name(), case.metric.better
        yield Trial(name, case.about, case.expected, found, (own.value, worse.value), better)


def cases() -> Iterator[Case]:
    """The cases: a linear model, whose contributions are known, and images with one bright pixel, which decides."""
    model, inputs = _linear()
    targets = torch.zeros(ROWS, dtype=torch.long)
    best = InputXGradient()(model, inputs, targets)
    asked: dict[str, Any] = {"model": model, "best": best, "worse": _rolled(best)}
    for curve in (Deletion(), Insertion()):
        yield Case(about="areas of sorted contributions", metric=curve, expected=_lead(best.values), **asked)
    for metric in (FaithfulnessCorrelation(), SensitivityN(), Infidelity(), Monotonicity()):
        yield Case(about="contributions of a linear model", metric=metric, expected=1, **asked)
    for top, known in ((Sufficiency(), _missing(best.values)), (EffectiveComplexity(), _needed(best.values))):
        yield Case(about="sorted contributions", metric=top, expected=known, column=0, **asked)
    yield Case(about="weights that are 0", metric=NullPlayer(), expected=1, **asked)
    yield Case(about="a method agrees with itself", metric=Agreement(other=InputXGradient()), expected=1, **asked)
    path = IntegratedGradients()(model, inputs, targets)
    half = replace(path, values=path.values / 2)
    yield Case(about="contributions add up", metric=Completeness(), model=model, best=path, worse=half, expected=0)
    truth = best.values.abs() == best.values.abs().amax(1, keepdim=True)
    alone = replace(best, values=best.values.abs() * truth).planted(truth)
    asked = {"model": model, "best": alone, "worse": _rolled(alone)}
    for planted in (PointingGame(), RelevanceMass()):
        yield Case(about="all on the planted truth", metric=planted, expected=1, **asked)
    asked["worse"] = replace(alone, values=alone.values + 1)
    yield Case(about=f"one feature of {FEATURES}", metric=Sparseness(), expected=1 - 1 / FEATURES, **asked)
    yield _one_of_many()
    yield from _asking_again(model, inputs, targets)
    yield _filled_in(targets)


def _asking_again(model: Model, inputs: Inputs, targets: Labels) -> Iterator[Case]:
    """Cases of the metrics that explain again: other inputs, other outputs, other weights."""
    slopes, ignoring, unsteady = (method(model, inputs, targets) for method in (Saliency(), Ignoring(), Unsteady()))
    asked: dict[str, Any] = {"model": model, "best": slopes}
    for steady in (MaxSensitivity(), RankStability(), LocalLipschitz()):
        yield Case(about="a constant gradient", metric=steady, worse=unsteady, expected=1, **asked)
    smooth, drawn = (method(model, inputs, targets) for method in (SmoothGrad(draws=4), Drawn()))
    about = "a constant gradient, whatever the noise"
    yield Case(about=about, metric=SeedStability(), model=model, best=smooth, worse=drawn, expected=1)
    yield Case(about="outputs with opposite weights", metric=RandomLogit(), worse=ignoring, expected=2, **asked)
    few = torch.zeros(2, FEATURES)
    few[0, :2] = 1  # simple, until weights are random
    peaked = replace(model, forward=_layer(few))
    slopes, ignoring = (method(peaked, inputs, targets) for method in (Saliency(), Ignoring()))
    asked = {"model": peaked, "best": slopes, "worse": ignoring, "known": ignoring, "expected": 0}
    for metric in (MPRT(), EfficientMPRT()):
        yield Case(about="an explanation that ignores the weights", metric=metric, **asked)


def _one_of_many() -> Case:
    """One feature changes the output by 9, each of the others by 1."""
    weight = torch.ones(2, FEATURES)
    weight[0, 3] = 9
    model = Model(
        forward=_layer(weight), space=Space(bounds=(0.0, 1.0), reference=torch.zeros(1, FEATURES)), name="one"
    )
    named = InputXGradient()(model, torch.ones(ROWS, FEATURES), torch.zeros(ROWS, dtype=torch.long))
    metric = FFidelity(share=1 / FEATURES, most=1 / FEATURES)
    about = "the top feature changes 8 more than another"
    return Case(about=about, metric=metric, model=model, best=named, worse=_rolled(named), expected=8, column=0)


def _filled_in(targets: Labels) -> Case:
    """A bright pixel alone decides, and is dark as soon as it is filled in from those around it."""
    images = torch.zeros(ROWS, 1, 6, 6)
    images.flatten(1)[torch.arange(ROWS), torch.arange(ROWS) + 10] = 1
    weight = torch.stack([torch.full((36,), 8.0), torch.full((36,), -8.0)])
    model = Model(forward=nn.Sequential(nn.Flatten(), _layer(weight)).eval(), name="bright pixel")
    named, metric = InputXGradient()(model, images, targets), ROAD(noise=0.0)
    share = round(metric.most / metric.steps * 36) / 36  # of pixels, at the first point of the curve
    about = "a bright pixel is filled in at once"
    return Case(about=about, metric=metric, model=model, best=named, worse=_rolled(named), expected=4 * share, column=0)


def _linear() -> tuple[Model, Inputs]:
    """A linear model of two opposite outputs, some of whose weights are 0, and inputs without a 0."""
    source = generator(0, torch.device("cpu"))
    weight = torch.randn(FEATURES, generator=source)
    weight[-UNUSED:] = 0
    inputs = 0.2 + 0.8 * torch.rand(ROWS, FEATURES, generator=source)
    space = Space(bounds=(-2.0, 2.0), reference=torch.zeros(1, FEATURES))
    return Model(forward=_layer(torch.stack([weight, -weight])), space=space, name="linear"), inputs


def _layer(weight: Tensor) -> nn.Module:
    """A linear layer with these weights."""
    layer = nn.Linear(weight.shape[1], len(weight), bias=False, device="meta")  # draws nothing
    layer.weight = nn.Parameter(weight)
    return layer.eval()


def _rolled(result: Attribution) -> Attribution:
    """A degraded copy: each value at a feature some places further."""
    return replace(result, values=result.values.flatten(1).roll(5, 1).view_as(result.values))


def _missing(values: Tensor) -> float:
    """How far the top features of a sum of these values are from all of it, averaged up to half of them."""
    return float(_left(values)[:, : FEATURES // 2].abs().mean())


def _needed(values: Tensor) -> float:
    """The share of these values, largest first, from which on their sum is within a tenth of all of it."""
    off = _left(values).abs() > 0.1 * values.sum(1, keepdim=True).abs()
    last = (off * torch.arange(1, FEATURES + 1)).amax(1)
    return float((last + 1).double().mean() / FEATURES)


def _left(values: Tensor) -> Tensor:
    """What is left of the sum of these values as one after another is taken out, the largest first."""
    ordered = values.gather(1, values.abs().sort(dim=1, descending=True).indices)
    return values.sum(1, keepdim=True) - ordered.cumsum(1)


def _lead(values: Tensor) -> float:
    """By how much the best order beats a random one in Deletion, and in Insertion, of a sum of these values."""
    ordered = values.sort(dim=1, descending=True).values
    left = values.sum(1, keepdim=True) - torch.cat([torch.zeros(len(values), 1), ordered.cumsum(1)], 1)
    # A random order and its reverse take half of an additive output together.
    return float((values.sum(1) / 2 - torch.trapezoid(left, dx=1 / FEATURES, dim=1)).mean())
