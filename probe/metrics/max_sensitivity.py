"""Max-sensitivity: how far an explanation moves when the input hardly does."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from probe.contracts import Explainer, Metric
from probe.errors import Unsupported
from probe.finding import Aspect
from probe.formatting import Unit
from probe.method import param
from probe.metrics.again import explainer_of
from probe.model import Model
from probe.numbers import Number
from probe.results import Attribution
from probe.shapes import Evidence, Inputs, Labels, PerFeature
from probe.tensors import generator, spans, wide


@dataclass(frozen=True, kw_only=True)
class MaxSensitivity(Metric[Attribution]):
    """How little an explanation moves when the input moves a little, against random values (arXiv:1901.09392).

    The method explains noisy copies of the input, whose noise is uniform within `radius` times the space's scale.
    Copies stay real inputs: within the bounds, with fixed coordinates, categories and whole numbers kept. Evidence is
    the max-sensitivity, which is the largest distance (L2, by feature) between the explanation of a copy and that of
    the input, divided by the length of the latter; the same for as many copies explained by these values in random
    order; and 0, the best possible. The value is 1 minus own over random, at most 1: higher is better, 1 is no
    change, and 0 is no steadier than random. An explanation that ignores its input is steady too.

    Raises:
        Unsupported: if inputs are token ids, or the values were not made by an explainer.

    >>> import torch
    >>> from probe import Model
    >>> from probe.explainers import Saliency
    >>> from probe.metrics.again import explainer_of
    >>> from probe.metrics import MaxSensitivity
    >>> weights = torch.tensor([[4.0, 0.0], [2.0, 0.0], [0.0, 0.0], [-1.0, 0.0]])
    >>> model = Model(forward=lambda x: x @ weights)
    >>> MaxSensitivity()(model, Saliency()(model, torch.full((1, 4), 0.5))).value  # a constant gradient
    1.0
    """

    aspect: ClassVar[Aspect] = "explanation"
    unit: ClassVar[Unit] = "signed"
    reduction: ClassVar[str] = "skill"
    threshold: ClassVar[float | None] = 0.0  # no steadier than random values
    title: ClassVar[str] = "steady under noise"
    columns: ClassVar[tuple[str, ...]] = ("own", "random", "best")

    radius: Number = param(0.02, "the largest noise of a coordinate, in units of the space's scale", low=0.0)
    samples: int = param(10, "noisy copies of each input, with the same noise for all inputs", low=1, high=10**4)
    seed: int = param(0, "seed of the noise and of the random orders", low=0)

    def suits(self, result: Attribution) -> bool:
        return result.inputs.is_floating_point() and isinstance(result.method, Explainer)

    def measure(self, model: Model, result: Attribution) -> Evidence:
        inputs = model.check(result.inputs)
        targets = model.check_targets(result.targets, inputs)
        explainer = explainer_of(result, self.name())
        if not self.suits(result):
            raise Unsupported(
                f"{self.name()} asks an explainer about inputs with a little noise, and these are token ids; measure "
                "explanations of numbers, or leave this metric out"
            )
        own = model.space.by_feature(wide(result.values).to(inputs.device))
        size = max(1, model.rows_per_pass(inputs) // self.samples)
        moved = torch.cat(
            [self._moved(model, explainer, inputs[rows], targets[rows]) for rows in spans(len(inputs), size)], 1
        )
        source = generator(2 * self.seed + 1, torch.device("cpu"))
        order = torch.stack([torch.randperm(own.shape[1], generator=source) for _ in range(self.samples)])
        mixed = torch.stack([own[:, each] for each in order.to(own.device)])
        found = torch.stack([_farthest(own, moved), _farthest(own, mixed), torch.zeros_like(own[:, 0])], 1)
        return torch.where(own.norm(dim=1)[:, None] > 0, found, 0.0)  # of nothing there is no share

    def _moved(self, model: Model, explainer: Explainer, inputs: Inputs, targets: Labels) -> Tensor:
        """The explanations of noisy copies by feature, (copies, batch, features)."""
        source = generator(2 * self.seed, torch.device("cpu"))
        noise = 2 * torch.rand(self.samples, 1, *inputs.shape[1:], generator=source) - 1
        step = self.radius * model.space.scale_of(inputs) * noise.to(inputs)
        together = inputs.expand(self.samples, *inputs.shape).flatten(0, 1)
        copies = model.space.project((inputs + step).flatten(0, 1), together)
        found = explainer(model, copies, targets.repeat(self.samples)).by_feature()
        return found.view(self.samples, len(inputs), -1)


def _farthest(own: PerFeature, others: Tensor) -> Tensor:
    """The largest distance of other explanations, as a share of the length of one."""
    length = own.norm(dim=1).clamp(min=torch.finfo(own.dtype).tiny)
    return (others - own).norm(dim=2).amax(0) / length
