"""The lower bound of the likelihood of usual images under a variational autoencoder."""

import torch

from probe import Dataset, Model
from probe.errors import Unsupported
from probe.tensors import generator, rows_per_pass, spans
from probe_models.networks.vae import VariationalAutoEncoder

SEED = 0


@torch.no_grad()
def evidence_lower_bound(model: Model, data: Dataset) -> dict[str, float]:
    """The mean ELBO of the images of class 0, in nats, by one draw of each one's code; higher is better.

    The likelihood is Bernoulli on grey, which is no density: the number compares with others of its kind only.
    """
    network = model.forward
    if not isinstance(network, VariationalAutoEncoder):
        raise Unsupported(f"{model.name} is no variational autoencoder, so it has no ELBO; drop this measure")
    images = model.check(data.inputs[data.labels == 0])
    noise = torch.randn(len(images), network.code, generator=generator(SEED, torch.device("cpu"))).to(images)
    bounds = [network.elbo(images[rows], noise[rows]) for rows in spans(len(images), rows_per_pass(images))]
    return {"elbo": float(torch.cat(bounds).double().mean())}
