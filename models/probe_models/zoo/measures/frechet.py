"""How far images that a model generates are from real ones, as LeNet sees them."""

import torch
from torch import Tensor, nn

from probe import Dataset, Model
from probe.errors import Unsupported
from probe.tensors import generator, rows_per_pass, spans
from probe_models.datasets import fashion
from probe_models.frechet import frechet
from probe_models.networks.gan import AdversarialPair
from probe_models.networks.lenet import LeNet
from probe_models.networks.vae import VariationalAutoEncoder
from probe_models.zoo import FOLDER, artefact

SEED = 1


def frechet_distances(model: Model, data: Dataset) -> dict[str, float]:
    """Frechet distances in the 84 features before the last layer of the bundled `fashion-lenet`; lower is better.

    - `frechet_distance_lenet`: the 10,000 test images and as many generated ones;
    - `frechet_distance_lenet_half`: the first half of both;
    - `frechet_floor_lenet_half`: the two halves of the test images, which is what perfect images would reach.

    The distance falls with the number of images, so only the last two compare. They do not compare with FID, which has
    the features of another network.
    """
    network = model.forward
    if not isinstance(network, AdversarialPair | VariationalAutoEncoder):
        raise Unsupported(f"{model.name} generates no images; drop this measure")
    images = fashion.read("test").inputs
    made = network.generate(len(images), generator(SEED, torch.device("cpu"))).cpu()
    half = len(images) // 2
    real, generated = features(images), features(made)
    return {
        "frechet_distance_lenet": frechet(real, generated),
        "frechet_distance_lenet_half": frechet(real[:half], generated[:half]),
        "frechet_floor_lenet_half": frechet(real[:half], real[half:]),
    }


@torch.no_grad()
def features(images: Tensor) -> Tensor:
    """What the last layer of the bundled `fashion-lenet` sees of images: (rows, 84)."""
    lenet = artefact.read(FOLDER / "fashion-lenet").forward
    assert isinstance(lenet, LeNet)
    lenet.head[-1] = nn.Identity()
    return torch.cat([lenet(images[rows]) for rows in spans(len(images), rows_per_pass(images))])
