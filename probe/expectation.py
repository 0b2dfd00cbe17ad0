"""The mean answer of a model over random changes of its inputs, or over its own chance (EOT, arXiv:1707.07397)."""

from collections.abc import Callable
from dataclasses import replace
from numbers import Integral
from typing import Any

import torch
from torch import Tensor, nn

from probe.answers import opened
from probe.draws import seeded
from probe.errors import DataError, RangeError
from probe.model import Model
from probe.names import Passed, a_kind

Change = Callable[[Tensor], Tensor]
SUCH = "lambda source: (lambda x, by=torch.randn(1, generator=source): x + by)"


def averaged(
    model: Model,
    draw: Passed[Callable[[torch.Generator], Change] | None] = None,
    *,
    draws: Passed[int] = 30,
    seed: Passed[int] = 0,
) -> Model:
    """The model whose answer is the mean over random draws (EOT, Athalye et al. 2018, arXiv:1707.07397).

    Its gradient is the mean gradient, so that every attack and explainer of it is one of the expectation: of a defence
    that answers by chance, or of an example that must hold under rotations, noise or light. What is averaged is what
    `forward` returns: logits, numbers or probabilities. Draws are made once from a private generator: the same for
    each row and each call, whatever the batch.

    One pass counts as one, and takes as long as `draws` passes of the model. Few draws can be overfitted: ask the model
    itself, or `averaged` with another seed, whether what was found holds.

    Args:
        model: what is asked; it stays as it is.
        draw: makes one random change of inputs (batch, ...), as in `lambda source: partial(rotate, angle=...)`, with
            its numbers from the generator `source`, on the model's device. None: the model itself draws, from torch's
            or numpy's global numbers, which go on afterwards as if nothing had been drawn; its rows are then asked one
            by one, each as `draws` equal rows, so that it must draw for each row of a batch.
        draws: number of draws, at least 1.
        seed: of the generator.

    Raises:
        DataError: if `draw` makes no function.
        RangeError: if draws is no whole number of at least 1.

    >>> import torch
    >>> from probe import Model, averaged
    >>> model = Model(forward=lambda x: 4 * torch.cat([x, 1 - x], 1))
    >>> def light(source):
    ...     factor = 1 + 0.2 * torch.randn(1, generator=source)
    ...     return lambda x: x * factor
    >>> mean = averaged(model, light, draws=1000)
    >>> mean.logits(torch.tensor([[0.5]])).round(decimals=1)
    tensor([[2., 2.]])
    """
    Model.require(model)
    for name, given, least in (("draws", draws, 1), ("seed", seed, 0)):
        if isinstance(given, bool) or not isinstance(given, Integral) or given < least:
            raise RangeError(f"{name} = {given!r:.60}, expected a whole number of at least {least}")
    if draw is None:
        mean: nn.Module = _OwnChance(model, draws, seed)
    else:
        if not callable(draw):
            raise DataError(f"draw is {a_kind(draw)}, expected a function of a generator; write {SUCH}")
        source = torch.Generator(device=model.device).manual_seed(seed)
        mean = _Changed(model, [_made(draw, source) for _ in range(draws)], seed)
    # Weights are seen of modules only, so that a mean of another function must not look as if it had been seen.
    forward = mean if isinstance(model.forward, nn.Module) else mean.forward
    told = f"answers are means over {draws} random draws, seed {seed}"
    return replace(
        model,
        forward=forward,
        part=None,
        name=f"{model.name}, mean of {draws} draws",
        notices=(*model.notices, told),
        trainer=None,
        recall=None,
    )


def _made(draw: Callable[[torch.Generator], Change], source: torch.Generator) -> Change:
    change = draw(source)
    if not callable(change):
        raise DataError(f"draw made {a_kind(change)}, expected a function of inputs; write {SUCH}")
    return change


class _Mean(nn.Module):
    """What the means share: the network in eval mode, and the settings where a digest of weights sees them."""

    told: Tensor

    def __init__(self, model: Model, draws: int, seed: int) -> None:
        super().__init__()
        self.network, self.part, self.draws, self.seed = model.forward, model.part, draws, seed
        self.training = False  # its own mode alone: the network keeps its own
        self.register_buffer("told", torch.tensor([draws, seed], device=model.device))

    def answer(self, inputs: Tensor) -> Any:
        """The outputs of one pass."""
        found = self.network(inputs)
        return found if self.part is None else opened(found, self.part)


class _Changed(_Mean):
    """The mean over changes of the inputs."""

    def __init__(self, model: Model, changes: list[Change], seed: int) -> None:
        super().__init__(model, len(changes), seed)
        self.changes = changes

    def forward(self, inputs: Tensor) -> Tensor:
        total: Tensor = sum(self.answer(change(inputs.clone())) for change in self.changes)
        return total / self.draws


class _OwnChance(_Mean):
    """The mean over what a network draws itself."""

    def forward(self, inputs: Tensor) -> Tensor:
        means = []
        for row in inputs:
            with seeded(self.seed, inputs.device):
                means.append(self.answer(row.expand(self.draws, *row.shape).clone()).mean(0))
        return torch.stack(means)
