"""Faithfulness: does an attribution name the features that the model uses?"""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from probe.contracts import Explainer, Metric
from probe.contracts.metric import Follows, Whole, areas
from probe.errors import Unsupported
from probe.finding import Aspect
from probe.formatting import Unit
from probe.method import param
from probe.metrics.masked import Kept, Masked, Memory, Replacing, at_baseline
from probe.model import Model
from probe.results import Attribution
from probe.shapes import Evidence, Inputs, Labels, PerExample, PerFeature, Presence
from probe.tensors import generator, spans, wide

Orders = Int[Tensor, "batch orders features"]  # feature indices, the first to be moved first
Curves = Float[Tensor, "batch orders points"]  # the output at each point, or the share of features moved there
Drawn = Float[Tensor, "batch 3 places"]  # the curve of the attribution's order, the mean of random ones, the share
Counts = Int[Tensor, "batch points"]

_MASKS = 2**24  # bytes of masks held at once


@dataclass(frozen=True, kw_only=True)
class Curve(Replacing):
    """A metric of the output as features are removed or added one after another, beside random orders."""

    aspect: ClassVar[Aspect] = "explanation"
    unit: ClassVar[Unit] = "signed"
    threshold: ClassVar[float | None] = 0.0  # no better than a random order
    columns: ClassVar[tuple[str, ...]] = ("own", "random")  # columns of the evidence: areas under the curve

    steps: int = param(16, "points on the curve after its start; at most one per feature", low=1, high=10**4)
    random_orders: int = param(8, "random orders to compare with, the same for all examples", low=1, high=10**4)
    output: Literal["explained", "probability", "logit"] = param(
        "explained", "what the curve shows: what was explained, or the target's probability or logit"
    )
    seed: int = param(0, "seed of the random orders, and of a random baseline", low=0)

    def measure(self, model: Model, result: Attribution, memory: Memory | None = None) -> Evidence:
        """What the curves show; masked inputs that the memory holds are not evaluated again."""
        return self._drawn(model, result, memory, self._read)

    def _drawn(
        self, model: Model, result: Attribution, memory: Memory | None, read: Callable[[Curves, Curves], Tensor]
    ) -> Tensor:
        """What `read` makes of the curves, and of the share of features moved at each point."""
        masked = self.masked(model, result, memory, "" if self.output == "explained" else self.output)
        values = wide(result.values).to(model.device)
        orders = self._orders(model.space.by_feature(values).cpu(), masked.active)
        counts = _counts(masked.active, self.steps)
        size = max(1, _MASKS // (counts.shape[1] * orders[0].numel()))
        parts = [read(*self._part(masked, rows, orders[rows], counts[rows])) for rows in spans(len(values), size)]
        return torch.cat(parts).to(values.device)

    def notes(self, model: Model) -> Mapping[str, str]:
        return {
            "pass": "better than random order",
            "fail": "worse than random order",
            "inconclusive": "not distinguishable from random order",
        }

    @abstractmethod
    def _kept(self, moved: Kept) -> Kept:
        """Which features are present after the first `moved` of the order."""

    def _ordered(self, values: PerFeature) -> PerFeature:
        """What features are ordered by, the largest first."""
        return values

    def _orders(self, importance: PerFeature, active: Presence) -> Orders:
        """Feature orders: by importance, ties by index, then the random ones. Inactive features always come last."""
        importance = self._ordered(importance)
        own = importance.masked_fill(~active, -torch.inf).argsort(dim=1, descending=True, stable=True)
        source = generator(self.seed, torch.device("cpu"))
        noise = torch.rand((self.random_orders + 1) // 2, importance.shape[1], generator=source, dtype=torch.float64)
        # Each order is paired with its reverse (antithetic sampling), so that few orders give a stable mean.
        noise = torch.cat([noise, -noise])[: self.random_orders]
        random = noise.expand(len(own), -1, -1).masked_fill(~active[:, None], torch.inf).argsort(2)
        return torch.cat([own[:, None], random], dim=1)

    def _part(self, masked: Masked, rows: slice, orders: Orders, counts: Counts) -> tuple[Curves, Curves]:
        rank = orders.argsort(-1)[:, :, None]
        kept = self._kept((rank < counts[:, None, :, None]).flatten(1, 2))
        curve = wide(masked(rows, kept)).view(len(orders), orders.shape[1], counts.shape[1])
        return curve, (counts.to(curve.dtype) / counts[:, -1:].clamp(min=1))[:, None].expand_as(curve)

    @abstractmethod
    def _read(self, curve: Curves, share: Curves) -> Evidence:
        """The evidence, from the curve of the attribution's order, and those of random ones."""


@dataclass(frozen=True, kw_only=True)
class Area(Curve):
    """A metric whose evidence is the area under the curve of the attribution's order, and that of random ones.

    An audit keeps the curves, from which the areas follow.
    """

    alike: ClassVar[tuple[str, ...]] = ("random",)
    follows: ClassVar[Follows] = "partly"

    def curves(self, model: Model, result: Attribution, memory: Memory | None = None) -> Drawn:
        """The curve of the attribution's order, the mean of random ones, and the share of features moved.

        There are `steps` + 1 points, the last one over and over where there are fewer features than steps.
        """
        return self._drawn(model, result, memory, self._points)

    def _points(self, curve: Curves, share: Curves) -> Drawn:
        drawn = torch.stack([curve[:, 0], curve[:, 1:].mean(1), share[:, 0]], dim=1)
        last = drawn[..., -1:].expand(-1, -1, self.steps + 1 - drawn.shape[2])
        return torch.cat([drawn, last], dim=2)

    def _read(self, curve: Curves, share: Curves) -> Evidence:
        return areas(self._points(curve, share))


@dataclass(frozen=True, kw_only=True)
class Deletion(Area):
    """How much faster the output falls when the top features are removed first than in random order (arXiv:1806.07421).

    Features, most important first, are replaced by the mean reference. Evidence is the area under the curve of the
    output over the share of features replaced, by the trapezoid rule, for the attribution's order and averaged over
    random orders. The output is the one that was explained, unless `output` names another. The value is random minus
    own, in output units, within [-1, 1] for probabilities; higher is better, and 0 is no better than a random order.
    Features that equal the mean reference, such as absent words and a black border, are left out: removing them changes
    nothing. Against black, a black shoe is worth nothing: of images and series `baseline` names other rows to put in
    place of the mean reference, as `AgainstBaseline` has them: `black`, the `mean` of each channel of the input, its
    `blur`, or `random` values.

    Raises:
        Unsupported: if the space has no reference; or a baseline is named, and inputs are neither images nor series.

    >>> import torch
    >>> from probe import Model, Space
    >>> from probe.explainers import InputXGradient
    >>> from probe.metrics import Deletion
    >>> weights = torch.tensor([[8.0, 0.0], [2.0, 0.0], [1.0, 0.0], [0.0, 0.0]])
    >>> model = Model(forward=lambda x: x @ weights, space=Space(reference=torch.zeros(1, 4)))
    >>> found = InputXGradient()(model, torch.ones(1, 4), torch.tensor([0]))
    >>> round(Deletion()(model, found).value, 2)  # above 0: better than a random order, in logits here
    3.12
    """

    reduction: ClassVar[str] = "random minus own"
    title: ClassVar[str] = "deletion beats random order"
    whole: ClassVar[Whole] = "start"
    blank: ClassVar[Whole] = "end"

    def _kept(self, moved: Kept) -> Kept:
        return ~moved


@dataclass(frozen=True, kw_only=True)
class Insertion(Area):
    """How much faster the output rises when the top features are added first than in random order (arXiv:1806.07421).

    Like Deletion, but features are added one after another to the mean reference. The value is own minus random, in
    output units, within [-1, 1] for probabilities; higher is better, and 0 is no better than a random order.

    Raises:
        Unsupported: if the space has no reference; or a baseline is named, and inputs are neither images nor series.

    >>> import torch
    >>> from probe import Model, Space
    >>> from probe.explainers import InputXGradient
    >>> from probe.metrics import Insertion
    >>> weights = torch.tensor([[8.0, 0.0], [2.0, 0.0], [1.0, 0.0], [0.0, 0.0]])
    >>> model = Model(forward=lambda x: x @ weights, space=Space(reference=torch.zeros(1, 4)))
    >>> found = InputXGradient()(model, torch.ones(1, 4), torch.tensor([0]))
    >>> round(Insertion()(model, found).value, 2)  # above 0: better than a random order, in logits here
    3.12
    """

    reduction: ClassVar[str] = "own minus random"
    title: ClassVar[str] = "insertion beats random order"
    whole: ClassVar[Whole] = "end"
    blank: ClassVar[Whole] = "start"

    def _kept(self, moved: Kept) -> Kept:
        return moved


@dataclass(frozen=True, kw_only=True)
class Completeness(Metric[Attribution]):
    """Residual of the sum that the method guarantees (arXiv:1703.01365), relative to that sum.

    Evidence is the residual and the size of the guaranteed sum, in output units; the value is the total residual as a
    share of the total size, at least 0, and lower is better. The guaranteed sum is output(input) - output(mean
    reference) for IntegratedGradients and output(input) - mean output(references) for KernelShap.

    Raises:
        Unsupported: if the attribution's method guarantees no sum.

    >>> import torch
    >>> from probe import Model, Space
    >>> from probe.explainers import IntegratedGradients
    >>> from probe.metrics import Completeness
    >>> model = Model(forward=lambda x: torch.cat([9 * x**3, 0 * x], 1), space=Space(reference=torch.zeros(1, 1)))
    >>> found = IntegratedGradients()(model, torch.tensor([[0.5]]), torch.tensor([0]))
    >>> Completeness()(model, found).value < 1e-5
    True
    """

    aspect: ClassVar[Aspect] = "explanation"
    follows: ClassVar[Follows] = "partly"
    unit: ClassVar[Unit] = "share"
    better: ClassVar[Literal["higher", "lower"]] = "lower"
    reduction: ClassVar[str] = "residual share"
    threshold: ClassVar[float | None] = 0.05
    title: ClassVar[str] = "adds up"
    columns: ClassVar[tuple[str, ...]] = ("residual", "promised")

    def suits(self, result: Attribution) -> bool:
        method = result.method
        return isinstance(method, Explainer) and bool(method.completeness) and not method.sums_by_construction

    def notes(self, model: Model) -> Mapping[str, str]:
        return {"": "residual as a share of the change in output that the values should sum to"}

    def measure(self, model: Model, result: Attribution) -> Evidence:
        method = result.method
        if not isinstance(method, Explainer) or not method.completeness:
            raise Unsupported(
                f"the values of {method.name()} have no fixed sum; try integrated_gradients or kernel_shap"
            )
        inputs = model.check(result.inputs)
        targets = model.check_targets(result.targets, inputs)
        absent = at_baseline if method.completeness == "baseline" else _over_references
        promised = wide(model.target_outputs(inputs, targets, method.output))
        promised = promised - wide(absent(model, inputs, targets, method.output))
        residual = wide(result.values).to(promised.device).flatten(1).sum(1) - promised
        return torch.stack([residual.abs(), promised.abs()], dim=1)


def _counts(active: Presence, steps: int) -> Counts:
    """The number of moved features at each point of each curve, from none to all active ones."""
    share = torch.linspace(0, 1, min(steps, active.shape[1]) + 1, dtype=torch.float64, device=active.device)
    return (share * active.sum(1, keepdim=True)).round().long()


def _over_references(model: Model, inputs: Inputs, targets: Labels, output: str) -> PerExample:
    """The target's output averaged over all reference rows."""
    outputs = model.task.explained(model.logits(model.space.references(inputs)), output)
    return model.task.pick(outputs.mean(0).expand(len(targets), *outputs.shape[1:]), targets)
