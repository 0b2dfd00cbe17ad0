"""Shared by metrics that explain noisy copies of the inputs, all of them in as few calls as memory allows."""

from abc import ABC
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from probe.contracts import Explainer
from probe.errors import Unsupported
from probe.finding import Aspect
from probe.formatting import Unit
from probe.method import param
from probe.metrics.again import explainer_of
from probe.metrics.masked import Memory, Remembering
from probe.model import Model
from probe.numbers import Number
from probe.results import Attribution
from probe.shapes import Inputs, Labels, PerFeature
from probe.tensors import generator, sha256, spans, wide

Copies = Float[Tensor, "copies batch features"]
Distances = Float[Tensor, "copies batch"]
Noised = Float[Tensor, "together *shape"]


@dataclass(frozen=True, kw_only=True)
class Noisy(Remembering, ABC):
    """A metric that asks the explainer about noisy copies of its inputs."""

    aspect: ClassVar[Aspect] = "explanation"
    unit: ClassVar[Unit] = "signed"
    reduction: ClassVar[str] = "skill"
    threshold: ClassVar[float | None] = 0.0  # no steadier than random values

    radius: Number = param(0.02, "the largest noise of a coordinate, in units of the space's scale", low=0.0)
    samples: int = param(10, "noisy copies of each input, with the same noise for all inputs", low=1, high=10**4)
    seed: int = param(0, "seed of the noise, and of random orders", low=0)

    def suits(self, result: Attribution) -> bool:
        return result.inputs.is_floating_point() and isinstance(result.method, Explainer)

    def explained(self, model: Model, result: Attribution, memory: Memory | None) -> tuple[PerFeature, Copies]:
        """The explanation by feature, and those of the noisy copies of its inputs, unless the memory has them.

        Both are in parts of the explanation's largest value, as squares of large values would overflow.

        Raises:
            Unsupported: if inputs are token ids, or the values were not made by an explainer.
        """
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

        def ask() -> Copies:
            rows = spans(len(inputs), size)
            return torch.cat([self._moved(model, explainer, inputs[r], targets[r]) for r in rows], 1)

        whose = model.forward, model.embed, model.space, sha256({"inputs": inputs, "targets": targets})
        moved = (memory or Memory()).once((explainer, self.radius, self.samples, self.seed, *whose), ask)
        largest = own.abs().amax(1, keepdim=True)
        largest = torch.where(largest > 0, largest, 1.0)
        return own / largest, moved / largest

    def distances(self, model: Model, result: Attribution) -> Distances:
        """How far each copy is from its input (L2, in units of the scale); what is missing stays where it is."""
        inputs = model.check(result.inputs)
        together = inputs.expand(self.samples, *inputs.shape).flatten(0, 1)
        change = wide(model.space.scaled_change(self.copies(model, inputs), together)).nan_to_num(0.0)
        return change.flatten(1).norm(dim=1).view(self.samples, len(inputs))

    def shuffled(self, own: PerFeature) -> Copies:
        """As many explanations with the same values in random order, the same orders for all examples."""
        source = generator(2 * self.seed + 1, torch.device("cpu"))
        order = torch.stack([torch.randperm(own.shape[1], generator=source) for _ in range(self.samples)])
        return torch.stack([own[:, each] for each in order.to(own.device)])

    def _moved(self, model: Model, explainer: Explainer, inputs: Inputs, targets: Labels) -> Copies:
        """The explanations of noisy copies by feature."""
        found = explainer(model, self.copies(model, inputs), targets.repeat(self.samples)).by_feature()
        return found.view(self.samples, len(inputs), -1)

    def copies(self, model: Model, inputs: Inputs) -> Noised:
        """Noisy copies, the first of each input, then the second of each and so on."""
        source = generator(2 * self.seed, torch.device("cpu"))
        noise = 2 * torch.rand(self.samples, 1, *inputs.shape[1:], generator=source) - 1
        step = self.radius * model.space.scale_of(inputs) * noise.to(inputs)
        together = inputs.expand(self.samples, *inputs.shape).flatten(0, 1)
        return model.space.project((inputs + step).flatten(0, 1), together)
