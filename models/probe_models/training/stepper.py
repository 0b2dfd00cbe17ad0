"""The optimisation step."""

from collections.abc import Callable
from copy import deepcopy
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from probe.errors import PlanError
from probe_models.networks.network import reseed
from probe_models.networks.recurrent import train_fast
from probe_models.randomness import fixed
from probe_models.training.average import Average
from probe_models.training.names import matched
from probe_models.training.objectives import Batch, Objective
from probe_models.training.optimisers import matrices, optimiser_of, shrink
from probe_models.training.randomness import number, source
from probe_models.training.schedules import SCHEDULES, Plateau
from probe_models.training.settings import Settings
from probe_models.training.workers import Workers, whole

LAYOUTS = {"channels last": torch.channels_last, "channels first": torch.contiguous_format}
ALONE = Workers()


class Stepper:
    """Optimises a network, one batch after another."""

    def __init__(
        self, objective: Objective, settings: Settings, *, steps: int, seed: int = 0, workers: Workers = ALONE
    ) -> None:
        self.settings, self.steps, self.taken, self.seed = settings, steps, 0, seed
        self.objective, self.workers = objective, workers
        self.whole = objective.network
        self.whole.to(memory_format=LAYOUTS[settings.layout])  # type: ignore[call-overload]  # torch's types leave it out
        self.average = Average(self.whole, settings.ema, warmup=settings.ema_warmup) if settings.ema else None
        if workers.shards(settings):
            # Sharded weights cannot be evaluated or saved, so a copy is trained.
            self.objective = objective = deepcopy(objective)
        network = objective.network
        self.network = network
        plain = settings.precision == "float32" and settings.execution == "eager"
        train_fast(network, fast=plain and settings.recurrent == "built in")
        self.device = next(network.parameters()).device
        # Weights that the caller froze stay frozen.
        self.held = {name for name, parameter in network.named_parameters() if not parameter.requires_grad}
        matched("Settings.freeze", settings.freeze, [name for name, _ in network.named_parameters()])
        # The network keeps the names of its weights; only calls go through the wrapper.
        forward = workers.spread(objective, settings)
        # Freeze after wrapping: DDP registers the weights that require gradients when it wraps the network.
        self._freeze()
        if not any(parameter.requires_grad for parameter in network.parameters()):
            raise PlanError("Settings.freeze freezes every weight at the first step; leave some to be trained")
        self.forward: Callable[[Batch], Tensor] = (
            torch.compile(forward) if settings.execution == "compiled" else forward
        )
        self.matrices = matrices(network)
        self.optimiser = optimiser_of(settings, network)
        self.plateau = Plateau(settings.gamma, settings.plateau_patience)

    @property
    def evaluated(self) -> nn.Module:
        """The network that is evaluated and kept: the average, if there is one."""
        if self.average:
            return self.average.network
        if self.network is not self.whole:
            self.whole.load_state_dict(self._weights())
        return self.whole

    @property
    def done(self) -> float:
        """The fraction of all steps taken."""
        return self.taken / self.steps

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next step."""
        fraction = SCHEDULES[self.settings.schedule](self.done, self.settings)
        return self.settings.learning_rate * fraction * self.plateau.factor

    def step(self, batch: Batch) -> Tensor:
        """Take one optimisation step and return the loss before it."""
        # Draws from the global random state are fixed by seed, step and process too.
        with fixed(number(self.seed, "global", self.taken, self.workers.rank), self.device):
            return self._optimise(batch)

    def _optimise(self, batch: Batch) -> Tensor:
        settings, objective, learning_rate = self.settings, self.objective, self.learning_rate
        self._freeze()
        random = source(self.seed, "step", self.taken, device=self.device)
        # Every process prepares all rows, so that all draw the same numbers, and trains on its own share.
        batch = objective.prepare(batch, random)
        total, own = objective.total(batch), self.workers.share(batch)
        own = objective.perturb(own)
        # The 0 reproduces the draws that the zoo was trained with.
        reseed(self.network, number(self.seed, "dropout", self.taken, 0), self.workers.rows(len(batch)))
        with torch.autocast(self.device.type, torch.bfloat16, enabled=settings.precision == "bfloat16"):
            losses = self.forward(own)
        objective.observe(own, losses.detach(), self.workers.add)
        # DDP averages gradients over the processes, and the loss is a sum over all rows.
        loss = (losses * own.counts).sum() / total * self.workers.count
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        if settings.clip:
            nn.utils.clip_grad_norm_(self.network.parameters(), settings.clip)
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate
        self.optimiser.step()
        if settings.l1:
            shrink((weight for weight in self.matrices if weight.requires_grad), learning_rate * settings.l1)
        if self.average:
            self.average.follow(self._weights(), self.taken)
        self.taken += 1
        return self.workers.add(loss.detach() / self.workers.count)

    def observe(self, loss: float) -> None:
        """Pass on the validation loss of an epoch to the schedule."""
        if self.settings.schedule == "plateau":
            self.plateau.see(loss)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Everything that the next steps depend on: named tensors, and numbers."""
        tensors = {f"objective.{name}": tensor for name, tensor in self.objective.state_dict().items()}
        if self.average:
            tensors |= {f"average.{name}": tensor for name, tensor in self.average.network.state_dict().items()}
        for index, values in self.optimiser.state_dict()["state"].items():
            # Plain SGD stores a missing momentum as None.
            kept = {name: torch.as_tensor(value) for name, value in values.items() if value is not None}
            tensors |= {f"optimiser.{index}.{name}": value for name, value in kept.items()}
        tensors |= {f"loose.{name}": tensor.clone() for name, tensor in _loose(self.network).items()}
        plateau = {name: getattr(self.plateau, name) for name in ("factor", "best", "waited")}
        return tensors, {"taken": self.taken, "plateau": plateau}

    def restore(self, tensors: dict[str, Tensor], numbers: dict[str, Any]) -> None:
        """Restore what `state` returned."""
        self.objective.load_state_dict(_under("objective.", tensors))
        if self.average:
            self.average.network.load_state_dict(_under("average.", tensors))
        with torch.no_grad():
            for name, tensor in _loose(self.network).items():
                tensor.copy_(tensors[f"loose.{name}"])
        self.taken = numbers["taken"]
        for name, value in numbers["plateau"].items():
            setattr(self.plateau, name, value)
        parameters = [p for group in self.optimiser.param_groups for p in group["params"]]
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in _under("optimiser.", tensors).items():
            index, _, key = name.partition(".")
            weight = parameters[int(index)]
            # In the memory format of its weight, which decides the order of rounding.
            like = torch.empty_like(weight) if tensor.shape == weight.shape else torch.empty_like(tensor)
            state.setdefault(int(index), {})[key] = like.copy_(tensor)
        self.optimiser.load_state_dict(self.optimiser.state_dict() | {"state": state})

    def _weights(self) -> dict[str, Tensor]:
        return {name: whole(tensor) for name, tensor in self.network.state_dict().items()}

    def _freeze(self) -> None:
        """Freeze what the settings freeze at this step, batch norm statistics included; unfreeze the rest."""
        for pattern, until in self.settings.freeze.items():
            held = self.done < until or until == 1
            for name, parameter in self.network.named_parameters():
                if fnmatchcase(name, pattern):
                    parameter.requires_grad_(not held and name not in self.held)
                    parameter.grad = None if held else parameter.grad
            for name, module in self.network.named_modules():
                if isinstance(module, _BatchNorm) and fnmatchcase(f"{name}.weight", pattern):
                    module.train(self.network.training and not held)


def _loose(network: nn.Module) -> dict[str, Tensor]:
    """Buffers that are not in the state dict."""
    kept = network.state_dict()
    return {name: buffer for name, buffer in network.named_buffers() if name not in kept}


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
