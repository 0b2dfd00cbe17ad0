"""Certificates by randomised smoothing."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from probe.contracts import Certificate
from probe.errors import Unsupported
from probe.method import param
from probe.model import Model
from probe.outcomes import ABSTAINS
from probe.shapes import Inputs, Labels, PerExample
from probe.statistics import clopper_pearson_low, normal_quantile
from probe.tensors import generator, rows_per_pass, spans, wide


@dataclass(frozen=True, kw_only=True)
class RandomizedSmoothing(Certificate):
    """The class predicted most often under Gaussian noise, and its certified L2 radius (arXiv:1902.02918).

    If a class gets the majority vote with probability at least p > 1/2, no change with L2 norm below sigma * Phi^-1(p)
    alters the vote. p is the Clopper-Pearson lower bound from `draws` noisy copies of the input, for the class that
    `chosen` other copies selected. Each radius holds with probability 1 - alpha; if p is not above 1/2, nothing is
    certified. Noise and radius are in units of the space's scale; immutable coordinates get no noise, and noisy copies
    are clipped to the bounds. The certificate is for the smoothed classifier, not for the model itself.

    Example:
        >>> import torch
        >>> from probe import Model, Space
        >>> model = Model(forward=lambda x: torch.stack([-x[:, 0], x[:, 0]], 1), space=Space(bounds=(-9.0, 9.0)))
        >>> proof = RandomizedSmoothing(sigma=0.5)(model, torch.tensor([[1.0, 0.0]]), torch.tensor([1]))
        >>> bool(0.8 < proof.radius[0] < 1.0)
        True

    Raises:
        Unsupported: if the model is not a classifier, or reads tokens or graphs, or has no mutable coordinate.
    """

    certifies: ClassVar[str] = "the vote under noise"

    sigma: float = param(0.25, "standard deviation of the noise, in units of the space's scale", low=1e-9)
    draws: int = param(1000, "noisy copies for the bound of the probability", low=1, high=10**7)
    chosen: int = param(100, "noisy copies for the choice of the class", low=1, high=10**7)
    alpha: float = param(0.001, "probability that a radius does not hold", low=1e-12, high=0.5)
    seed: int = param(0, "seed of the noise", low=0)

    def level(self) -> float:
        return 1 - self.alpha

    def certify(self, model: Model, inputs: Inputs) -> tuple[Labels, PerExample]:
        if not model.task.one_class:
            raise Unsupported(
                f"{self.name()} certifies one of several classes, and the task of {model.name} is "
                f"{type(model.task).__name__}; of several labels certify one: model.only(0)"
            )
        if not bool(model.space.mutable_mask(inputs).any()):
            raise Unsupported(
                f"no coordinate of {model.name}'s inputs may move, so there is nothing to certify against; set "
                "Space.mutable to True where one may"
            )
        source = generator(self.seed, inputs.device)
        first, votes = (self._votes(model, inputs, count, source) for count in (self.chosen, self.draws))
        predicted = first.argmax(1)
        most = votes.gather(1, predicted[:, None])[:, 0]
        sure = torch.from_numpy(clopper_pearson_low(most.cpu().numpy(), self.draws, self.alpha))
        certified = (sure > 0.5).to(inputs.device)
        radius = torch.from_numpy(normal_quantile(sure.clamp(min=0.5).numpy())) * self.sigma
        nothing = torch.full_like(predicted, ABSTAINS)
        return torch.where(certified, predicted, nothing), radius.to(wide(inputs[:0]).dtype).to(inputs.device)

    def _votes(self, model: Model, inputs: Inputs, draws: int, source: torch.Generator) -> torch.Tensor:
        """The number of votes for each class, (batch, classes). All inputs share the noise."""
        step = self.sigma * model.space.scale_of(inputs) * model.space.mutable_mask(inputs[:1])
        votes: torch.Tensor | None = None
        for span in spans(draws, rows_per_pass(inputs)):
            size = (span.stop - span.start, *inputs.shape[1:])
            noise = step * torch.randn(size, generator=source, device=inputs.device).to(inputs.dtype)
            for row in range(len(inputs)):
                logits = model.logits(model.space.clip(inputs[row] + noise))
                if votes is None:
                    votes = torch.zeros(len(inputs), logits.shape[1], dtype=torch.long, device=inputs.device)
                # Not bincount, which synchronises with the device to find the number of classes.
                votes[row] += (model.decide(logits)[:, None] == torch.arange(len(votes[row]), device=votes.device)).sum(
                    0
                )
        assert votes is not None
        return votes
