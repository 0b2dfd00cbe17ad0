"""The architectures; a module here that says ARCHITECTURES names some.

Each takes inputs in the user's units, normalises them itself, and returns logits.

A network is built without weights (`build`), then either loaded, or initialised from a private source of randomness
and adapted to the training inputs (`start`). So no network ever draws from the global random state.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from inspect import signature
from math import prod
from pathlib import Path
from typing import Any

import torch

from probe import Space
from probe.errors import DataError
from probe_models.found import found
from probe_models.networks.columns import arguments
from probe_models.networks.drawing import clear, drawn, start
from probe_models.networks.hidden import ACTIVATIONS, NORMS
from probe_models.networks.network import Network
from probe_models.networks.sides import Side
from probe_models.training.augmentations import nearest

ARCHITECTURES: dict[str, Callable[..., Network]] = {
    name: network
    for module in found(Path(__file__).parent, "ARCHITECTURES")
    for name, network in import_module(f"{__name__}.{module}").ARCHITECTURES.items()
}
__all__ = ["ARCHITECTURES", "WIDEST", "build", "drawn", "start"]

LARGEST = 2**28  # bytes of weights
WIDEST, LONGEST = 4096, 64  # the largest argument, and the longest list of them
REPEATS = ("layers", "blocks")  # arguments that say how many parts there are; a list has a part for each number
DEEPEST = 1024  # parts; a ResNet-152 has 50


MOST = 2**16  # coordinates of a table


def _places(value: Any) -> bool:
    whole = isinstance(value, list | tuple) and len(value) <= MOST and all(type(n) is int and n >= 0 for n in value)
    return whole and len(set(value)) == len(value)


def _side(value: Any) -> bool:
    return _sizes(value) and (not isinstance(value, list | tuple) or len(value) == 2)


def _sizes(value: Any) -> bool:
    numbers = value if isinstance(value, list | tuple) else [value]
    return len(numbers) <= LONGEST and all(type(n) is int and 0 < n <= WIDEST for n in numbers)


# Which values an argument may have, and how that is said; all that are not named are sizes.
Admission = tuple[Callable[[Any], bool], str]
SIZES: Admission = (_sizes, f"whole numbers from 1 to {WIDEST}, and no more than {LONGEST} of them")
OPTIONS: dict[str, Admission] = {
    "activation": (lambda name: name in tuple(ACTIVATIONS), f"one of {', '.join(ACTIVATIONS)}"),
    "norm": (lambda name: name in tuple(NORMS), f"one of {', '.join(NORMS)}"),
    "words": (lambda count: type(count) is int and 0 < count <= 2**16, f"a whole number from 1 to {2**16}"),
    "numbers": (lambda count: type(count) is int and 0 <= count <= WIDEST, f"a whole number from 0 to {WIDEST}"),
    "onehots": (lambda count: type(count) is int and 0 <= count <= WIDEST, f"a whole number from 0 to {WIDEST}"),
    "side": (_side, f"whole numbers from 1 to {WIDEST}: the pixels a side of a square, or [height, width]"),
    "columns": (lambda places: places is None or _places(places), f"coordinates, each once, no more than {MOST}"),
    "dropout": (lambda part: type(part) in (int, float) and 0 <= part < 1, "a number from 0 to below 1"),
}


def build(architecture: str, kwargs: Mapping[str, Any], space: Space | None = None) -> Network:
    """The network, with memory for its weights and nothing in it.

    Args:
        architecture: one of `ARCHITECTURES`.
        kwargs: its arguments.
        space: of a table: it says which columns are numbers, so that `mlp` and `ftt` need no sizes of inputs.

    Raises:
        DataError: if the architecture or an argument does not exist, or makes no sense.
    """
    if architecture not in ARCHITECTURES:
        raise DataError(f"there is no architecture {architecture!r}; this version has {', '.join(ARCHITECTURES)}")
    if space is not None:
        kwargs = arguments(architecture, kwargs, space)
    _check(architecture, kwargs)
    try:
        with torch.device("meta"):
            network = ARCHITECTURES[architecture](**kwargs)
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(f"{architecture} cannot be built from {dict(kwargs)}: {error}") from None
    needed = sum(tensor.nbytes for tensor in network.state_dict().values())
    if needed > LARGEST:
        raise DataError(f"{architecture} would have {needed:,} bytes of weights, more than {LARGEST:,}")
    # `to_empty` of a network without memory loads sympy: a second, and 95 MiB that an audit would hold to its end.
    clear(network._apply(lambda tensor: torch.empty(tensor.shape, dtype=tensor.dtype)))  # type: ignore[no-untyped-call]  # torch leaves it out
    # Convolutions on a CPU took half the time with the channels of a pixel side by side.
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's types leave it out


def _check(architecture: str, kwargs: Mapping[str, Any]) -> None:
    accepted = signature(ARCHITECTURES[architecture]).parameters
    for name in kwargs:
        if name not in accepted:
            raise DataError(f"{architecture} has no argument {name!r}{nearest(name, accepted)}")
    for name, parameter in accepted.items():
        if parameter.default is parameter.empty and name not in kwargs:
            raise DataError(f"{architecture} lacks the argument {name!r}; it takes {', '.join(accepted)}")
    # The arguments may come from a foreign file: their cost is checked before anything is built.
    for name, value in kwargs.items():
        admits, expected = OPTIONS.get(name, SIZES)
        kind = accepted[name].annotation
        many = kind not in (int, float, str)
        if kind != Side and many != isinstance(value, list | tuple) and value is not None:
            expected += ", as a list" if many else ", one of them"
        elif admits(value):
            continue
        raise DataError(f"{architecture} has {name}={str(value)[:50]}, expected {expected}")
    # Weights alone do not bound them: a million narrow layers are few numbers, and gigabytes of modules.
    parts = {name: count for name, value in _arguments(architecture, kwargs).items() if (count := _parts(name, value))}
    if prod(parts.values()) > DEEPEST:
        found = " x ".join(f"{count} ({name})" for name, count in parts.items())
        raise DataError(f"{architecture} would have {found} parts, more than {DEEPEST:,}; build it with fewer of them")


def _arguments(architecture: str, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    accepted = signature(ARCHITECTURES[architecture]).parameters.values()
    return {p.name: p.default for p in accepted if p.default is not p.empty} | dict(kwargs)


def _parts(name: str, value: Any) -> int:
    if isinstance(value, list | tuple) and name not in ("columns", "side"):
        return len(value)
    return int(value) if name in REPEATS else 0
