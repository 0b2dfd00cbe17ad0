"""One step of training."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from models.networks.network import Network
from models.training.average import Average
from models.training.losses import LOSSES
from models.training.optimisers import OPTIMISERS, groups, matrices, shrink
from models.training.schedules import SCHEDULES, Plateau
from models.training.settings import Settings
from probe.errors import DataError

LAYOUTS = {"channels last": torch.channels_last, "channels first": torch.contiguous_format}


class Learner:
    """A network that learns from one batch after another."""

    def __init__(self, network: Network, settings: Settings, *, classes: int, steps: int) -> None:
        self.settings, self.steps, self.taken = settings, steps, 0
        self.network = network.to(memory_format=LAYOUTS[settings.layout])  # type: ignore[call-overload]  # torch's types leave it out
        self.forward: Callable[[Tensor], Tensor] = _executed(network, settings)
        self.device = next(network.parameters()).device
        self.matrices = matrices(network)
        self.optimiser = OPTIMISERS[settings.optimiser](
            groups(network, settings.weight_decay), settings.rate, settings.momentum
        )
        self.plateau = Plateau(settings.drop, settings.wait)
        self.average = Average(network, settings.ema) if settings.ema else None
        self.weights = _class_weights(settings, classes, self.device)

    @property
    def judged(self) -> Network:
        """The network that is judged and kept: the average, if there is one."""
        return self.average.network if self.average else self.network

    @property
    def rate(self) -> float:
        """The rate of the next step."""
        part = SCHEDULES[self.settings.schedule](self.taken / self.steps, self.settings)
        return self.settings.rate * part * self.plateau.factor

    def learn(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Take a step down the loss; give what the loss was before it."""
        settings, rate = self.settings, self.rate
        with torch.autocast(self.device.type, torch.bfloat16, enabled=settings.precision == "bfloat16"):
            loss = LOSSES[settings.loss](self.forward(inputs), targets, self.weights, settings.smoothing)
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        if settings.clip:
            nn.utils.clip_grad_norm_(self.network.parameters(), settings.clip)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.step()
        if settings.l1:
            shrink(self.matrices, rate * settings.l1)
        if self.average:
            self.average.follow(self.network)
        self.taken += 1
        return loss.detach()

    def loss(self, logits: Tensor, labels: Tensor) -> float:
        """The loss on rows that are not trained on: without smoothing."""
        return float(LOSSES[self.settings.loss](logits, labels, self.weights, 0.0))

    def heed(self, loss: float) -> None:
        """Take in the validation loss after an epoch, which a schedule may depend on."""
        if self.settings.schedule == "plateau":
            self.plateau.see(loss)


def _executed(network: Network, settings: Settings) -> Callable[[Tensor], Tensor]:
    # The network stays what it is, with the names of its weights; only calls go through what was compiled.
    return torch.compile(network) if settings.execution == "compiled" else network


def _class_weights(settings: Settings, classes: int, device: torch.device) -> Tensor | None:
    if settings.class_weights is None:
        return None
    if len(settings.class_weights) != classes:
        raise DataError(
            f"Settings.class_weights has {len(settings.class_weights)} numbers, the data has {classes} classes; "
            "give one for each class"
        )
    return torch.tensor(settings.class_weights, device=device)
