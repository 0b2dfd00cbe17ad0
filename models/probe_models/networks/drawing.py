"""Initialisation of weights."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
from jaxtyping import Shaped
from torch import Tensor, nn

from probe.errors import PlanError
from probe_models.networks.dropout import Dropout
from probe_models.networks.initialisers import INITIALISERS, Weight
from probe_models.networks.network import Network
from probe_models.networks.shapes import Examples
from probe_models.randomness import fixed

Module = TypeVar("Module", bound=nn.Module)
Kept = Shaped[Tensor, "*any"]
RESETS = ("reset_parameters", "_reset_parameters")  # names of the functions by which torch's layers reinitialise


def drawn(factory: Callable[[], Module], seed: int) -> Module:
    """Build a network from a factory with a seed; the global random state is unchanged.

    >>> import torch
    >>> one, other = (drawn(lambda: torch.nn.Linear(2, 2), seed=0) for _ in range(2))
    >>> torch.equal(one.weight, other.weight)
    True
    """
    with fixed(seed):
        return factory()


def start(network: nn.Module, inputs: Examples, generator: torch.Generator, initialiser: str = "uniform") -> None:
    """Initialise the weights, and the normalisation by the training inputs.

    All draws come from the generator: layers and other modules with `reset_parameters` are reinitialised; `adapt` of a
    `Network` does the rest. Constant tensors, such as ones, are not random and are kept.

    Raises:
        PlanError: if other tensors are left; the network is unchanged.
    """
    with undone_by_errors(network), fixed(generator.initial_seed(), device_of(network)), torch.no_grad():
        before = {name: tensor.clone() for name, tensor in tensors(network).items()}
        clear(network)
        # Submodules first, so that a module can override them.
        for module in reversed(list(network.modules())):
            for reset in (getattr(module, name) for name in RESETS if callable(getattr(module, name, None))):
                reset()
        _draw(network, generator, initialiser)
        constant = {name for name in _undrawn(network) if _constant(before[name])}
        for name in constant:
            tensors(network)[name].copy_(before[name])
        if isinstance(network, Network):
            network.adapt(inputs, generator)
        if undrawn := sorted(_undrawn(network) - constant):
            raise PlanError(
                f"the seed does not decide {undrawn[0]} of {type(network).__name__}, which its constructor filled in; "
                "draw it in reset_parameters of its module or in adapt, or build the network by "
                "probe_models.networks.drawn(factory, seed) and give initialise=False"
            )


def tensors(network: nn.Module) -> dict[str, Kept]:
    """All tensors of a network by name, including those that its state dict leaves out."""
    found: dict[str, Kept] = dict(network.named_parameters())
    return found | dict(network.named_buffers())


def left(network: nn.Module) -> dict[str, Kept]:
    """The tensors that have not been completely filled since `clear`."""
    return {name: t for name, t in tensors(network).items() if _real(t) and bool(t.isnan().any())}


@torch.no_grad()
def clear(network: nn.Module) -> None:
    """Mark every number of a network as not filled in; integers get an unlikely value."""
    for tensor in tensors(network).values():
        if _real(tensor):
            tensor.fill_(torch.nan)
        elif tensor.dtype is not torch.bool:
            tensor.fill_(torch.iinfo(tensor.dtype).max)


def blank(network: nn.Module) -> bool:
    """Whether no weight is filled in, as after `build`."""
    return len(left(network)) == sum(_real(t) for t in tensors(network).values() if t.numel()) > 0


def _real(tensor: Kept) -> bool:
    return tensor.dtype.is_floating_point or tensor.dtype.is_complex


def _undrawn(network: nn.Module) -> set[str]:
    """What has not been filled in since `clear`, also of whole numbers; whoever has marks of its own is among them."""
    whole = {name: t for name, t in tensors(network).items() if not _real(t)}
    same = {n for n, t in whole.items() if t.dtype is torch.bool or bool((t == torch.iinfo(t.dtype).max).all())}
    return set(left(network)) | same


def device_of(network: nn.Module) -> torch.device:
    """Where a network's weights are."""
    return next((tensor.device for tensor in tensors(network).values()), torch.device("cpu"))


@contextmanager
def undone_by_errors(network: nn.Module) -> Iterator[None]:
    """Leave a network as it was if an error ends the block."""
    kept = {name: tensor.detach().clone() for name, tensor in tensors(network).items()}
    try:
        yield
    except BaseException:
        with torch.no_grad():
            for name, tensor in tensors(network).items():
                tensor.copy_(kept[name])
        raise


def _draw(network: nn.Module, generator: torch.Generator, initialiser: str) -> None:
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d | nn.ConvTranspose2d):
            INITIALISERS[initialiser](_outputs_first(module), generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Embedding):
            INITIALISERS[initialiser](module.weight, generator)
            if module.padding_idx is not None:
                nn.init.zeros_(module.weight[module.padding_idx])
        elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.LayerNorm | nn.GroupNorm):
            module.reset_parameters()
        elif isinstance(module, Dropout):
            module.reseed(int(torch.randint(2**62, (), generator=generator)))


def _constant(tensor: Kept) -> bool:
    """Whether a tensor is constant; a single number must be 0 or 1."""
    if tensor.numel() == 0:
        return True
    first = tensor.flatten()[0]
    return bool((tensor == first).all()) and (tensor.numel() > 1 or float(first) in (0.0, 1.0))


def _outputs_first(module: nn.Linear | nn.Conv1d | nn.Conv2d | nn.ConvTranspose2d) -> Weight:
    weight = module.weight.detach()
    return weight.transpose(0, 1) if isinstance(module, nn.ConvTranspose2d) else weight
