"""A trained model on disk: a folder with `model.safetensors`, and `card.json` that says what they are."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from probe import Classification, Model, Space, from_module
from probe.adapters import load_weights
from probe.errors import IntegrityError
from probe.task import Task, from_json
from probe.tensors import sha256
from probe_models.datasets import reader, task_of
from probe_models.datasets.own import own_of, read_space
from probe_models.files import write_whole
from probe_models.networks import build
from probe_models.networks.network import Network, TokenNetwork
from probe_models.zoo.cards import read_card, write_card

WEIGHTS = "model.safetensors"
CPU = torch.device("cpu")


def write(folder: Path, network: Network, card: dict[str, Any]) -> None:
    """Write the weights, then the card with their digest."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    content = save(tensors)
    write_whole(folder / WEIGHTS, content)
    card["weights"] = {"file": WEIGHTS, "sha256": sha256(tensors), "bytes": len(content)}
    write_card(folder, card)


def read(folder: Path, device: torch.device = CPU) -> Model:
    """The model in a folder, after checking its weights against the digest in its card.

    Raises:
        UnsafeError: if the weights are a pickle, which is not opened.
        DataError: if a file is missing or truncated, or names something unknown to this version.
        ShapeError: if weights and architecture differ.
        IntegrityError: if the weights do not match the card.
    """
    card = read_card(folder)
    network = read_network(folder).to(device)
    if own_of(card["data"]):
        return as_model(network, read_space(folder), task_in(card), card["name"])
    data = reader(card["data"].get("judged_on", card["data"]["name"]))
    return as_model(network, data.space(), task_of(data), card["name"])


def read_network(folder: Path) -> Network:
    """The network in a folder, in eval mode; for the errors see `read`."""
    card = read_card(folder)
    network = build(card["architecture"]["name"], card["architecture"]["kwargs"])
    load_weights(network, folder / WEIGHTS)
    found, expected = sha256(network.state_dict()), str(card["weights"]["sha256"])
    if found != expected:
        raise IntegrityError(
            f"the weights in {folder / WEIGHTS} have the SHA-256 {found[:12]}..., the card says {expected[:12]}...: "
            "one of the two was changed; copy the folder again"
        )
    return network.eval()


def as_model(network: Network, space: Space, task: Task, name: str) -> Model:
    """A network in eval mode as a Model."""
    model = from_module(network, space, name=name, task=task)
    return replace(model, embed=network.embed) if isinstance(network, TokenNetwork) else model


def task_in(card: Mapping[str, Any]) -> Task:
    """The task of a trained model, from its card; classification by default."""
    return from_json(card["task"]) if "task" in card else Classification(tuple(card["classes"]))
