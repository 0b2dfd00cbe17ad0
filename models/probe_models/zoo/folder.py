"""A foreign network with an architecture of the zoo: a folder with config.json and model.safetensors.

config.json is {"architecture": "mlp", "kwargs": {...}}; what the network learned from is not recorded.
"""

import json
from collections.abc import Callable
from pathlib import Path

from torch import Tensor

from probe.adapters import load_weights
from probe.errors import DataError
from probe_models.networks import build
from probe_models.networks.network import Network, TokenNetwork


def network_in(folder: Path) -> tuple[Network, Callable[[Tensor], Tensor] | None]:
    """The network in eval mode and, if it reads token ids, its embedding.

    Raises:
        DataError: if config.json is damaged, or names what this version does not have.
        ShapeError: if weights and architecture differ.
    """
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"cannot read {path}: {error}") from None
    kwargs = config.get("kwargs", {}) if isinstance(config, dict) else None
    if not isinstance(kwargs, dict) or not isinstance(config.get("architecture"), str):
        raise DataError(
            f'{path} is not {{"architecture": "mlp", "kwargs": {{...}}}}; for a folder of Hugging Face write '
            "transformers = ..., and for one of timm: timm = ..., in place of zoo"
        )
    network = build(config["architecture"], kwargs)
    load_weights(network, folder / "model.safetensors")
    return network.eval(), network.embed if isinstance(network, TokenNetwork) else None
