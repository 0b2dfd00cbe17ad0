"""Monotonicity: does a feature with a larger value change the output more?"""

from dataclasses import dataclass
from typing import ClassVar

import torch

from probe.finding import Aspect
from probe.formatting import Unit
from probe.metrics.masked import Memory, Replacing
from probe.metrics.randomised import alike
from probe.metrics.subsets import dropped
from probe.model import Model
from probe.results import Attribution
from probe.shapes import Evidence
from probe.tensors import spans, wide

_MASKS = 2**23  # bytes of masks held at once


@dataclass(frozen=True, kw_only=True)
class Monotonicity(Replacing):
    """How far the sizes of values order features by what each changes when it is removed alone (arXiv:2007.07584).

    Each feature in turn is replaced by the mean reference. Evidence is the rank correlation (Spearman) of the absolute
    values and the absolute changes of the output that was explained, in [-1, 1], over features that have either; 0,
    that of values in random order; and 1, the best possible. The value is own as a share of the best: higher is better,
    1 is the same order, and 0 is no better than random. Values without a sign can be measured too. Features that equal
    the mean reference are left out. An example whose features all change the output alike counts for nothing, and
    where all are such the value is NaN. What features do only together is not seen: `SensitivityN` removes several.

    Raises:
        Unsupported: if the space has no reference; or a baseline is named, and inputs are neither images nor series.

    >>> import torch
    >>> from probe import Model, Space
    >>> from probe.explainers import InputXGradient
    >>> from probe.metrics import Monotonicity
    >>> weights = torch.tensor([[8.0, 0.0], [2.0, 0.0], [1.0, 0.0], [-3.0, 0.0], [0.0, 0.0]])
    >>> model = Model(forward=lambda x: x @ weights, space=Space(reference=torch.zeros(1, 5)))
    >>> found = InputXGradient()(model, torch.ones(1, 5), torch.tensor([0]))
    >>> round(Monotonicity()(model, found).value, 4)
    1.0
    """

    aspect: ClassVar[Aspect] = "explanation"
    unit: ClassVar[Unit] = "signed"
    reduction: ClassVar[str] = "skill"
    threshold: ClassVar[float | None] = 0.0  # no better than random values
    title: ClassVar[str] = "larger values change more"
    columns: ClassVar[tuple[str, ...]] = ("own", "random", "best")

    def measure(self, model: Model, result: Attribution, memory: Memory | None = None) -> Evidence:
        """The rank correlation; masked inputs that the memory holds are not asked again."""
        masked, inputs = self.masked(model, result, memory), model.check(result.inputs)
        each = torch.eye(masked.active.shape[1], dtype=torch.bool)
        alone = [
            dropped(masked, rows, each.expand(len(inputs[rows]), -1, -1))
            for rows in spans(len(inputs), max(1, _MASKS // each.numel()))
        ]
        changes = torch.cat(alone).abs()
        sizes = model.space.by_feature(wide(result.values)).abs().cpu().double() * masked.active
        found = alike(sizes, changes)
        evidence = torch.stack([found, torch.zeros_like(found), torch.ones_like(found)], 1)
        # Where all features change the output alike no order is right.
        lowest = changes.masked_fill(~masked.active, torch.inf).amin(1)
        varies = changes.amax(1) > lowest * (1 + 1e-6)
        return torch.where(varies[:, None], evidence, 0.0).to(
            device=inputs.device, dtype=wide(inputs).dtype if inputs.is_floating_point() else None
        )
