"""Transfer learning: a network begins with what another one learned, and parts of it are new.

>>> how = Settings(epochs=30, freeze={"blocks.*": 0.3})  # doctest: +SKIP
>>> model = zoo.adapt("fashion-cnn", data, how, replaced=["head.*"])  # doctest: +SKIP

Globs say what is replaced: weights that are drawn, and statistics of the inputs that are taken from the new rows. The
mean and deviation that inputs are standardised by are kept unless named (`standardise.*`): what layers learned is of
inputs at that scale. What is held still, and for how long, is `Settings.freeze`.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from probe import Dataset, Model
from probe.adapters.safetensor import Declared
from probe.adapters.weights import match
from probe_models.device import device_of
from probe_models.networks import build
from probe_models.networks.network import Network
from probe_models.training.loop import fit, to_stderr
from probe_models.training.names import matched
from probe_models.training.objectives import learned_as
from probe_models.training.run import Progress
from probe_models.training.settings import Settings
from probe_models.zoo import artefact, folder_of
from probe_models.zoo.cards import read_card
from probe_models.zoo.trainer import task_for


def learned(model: str | Path, network: Network, replaced: Sequence[str]) -> dict[str, Tensor]:
    """The tensors of a trained model that a network begins with: all but those whose names match `replaced`.

    Raises:
        PlanError: if a glob matches nothing.
        ShapeError: if the others are not those of the network, with all that is missing, unexpected or misshapen.
    """
    folder = folder_of(model)
    theirs, own = artefact.read_network(folder).state_dict(), network.state_dict()
    new = matched("replaced", replaced, [*(own | theirs)])
    kept = {name: tensor for name, tensor in theirs.items() if name not in new}
    found = {name: Declared(tuple(t.shape), t.is_floating_point()) for name, t in kept.items()}
    match(folder, found, {name: tensor for name, tensor in own.items() if name not in new})
    return kept


def adapt(  # noqa: PLR0913  # what to train, then options by name
    model: str | Path,
    data: Dataset,
    settings: Settings,
    *,
    replaced: Sequence[str],
    device: str | torch.device | None = None,
    seed: int = 0,
    progress: Progress = to_stderr,
) -> Model:
    """Train a model on other data, from what it learned before.

    Args:
        model: a model of the zoo, or a folder that `probe train` wrote.
        data: what it is to learn; the network has as many outputs as there are classes in it.
        settings: how; `freeze` holds weights still, for a part of the steps or for all of them.
        replaced: globs of the weights that it does not begin with, such as `head.*`.
        device: where to train; a CPU unless given.
        seed: of the weights that are new, and of all that is drawn on the way.
        progress: takes a line after each epoch.
    """
    card = read_card(folder_of(model))
    name, kwargs = card["architecture"]["name"], card["architecture"]["kwargs"]
    network = build(name, kwargs | ({"classes": len(data.classes)} if "classes" in kwargs else {}))
    weights = learned(model, network, replaced)
    task = task_for(data) if data.classes else artefact.task_in(card)
    fit(
        network,
        data,
        settings,
        device=device_of(device or "cpu"),
        seed=seed,
        progress=progress,
        weights=weights,
        objective=learned_as(task),
    )
    return artefact.as_model(network, data.space, task, f"{card['name']} on {data.name}")
