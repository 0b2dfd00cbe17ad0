"""Train a generator against a discriminator (a GAN)."""

from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import adaptive_avg_pool2d, softplus

from probe import Dataset
from probe_models.frechet import frechet
from probe_models.networks.gan import AdversarialPair
from probe_models.training.objectives.objective import Batch, Evaluation
from probe_models.training.objectives.unlabelled import Unlabelled
from probe_models.training.randomness import source

PENALTY = 1.0  # weight of the gradient penalty at real images, in squared log-odds per squared brightness
COARSE = 7  # pixels per side of the images that are compared for evaluation


class Game(Unlabelled):
    """The losses of both networks (arXiv:1406.2661) in one sum; neither gets gradients from the other's loss.

    With d the log-odds of real, noise z and softplus(x) = log(1 + e^x), the loss of an image x is the sum of
    - the discriminator's: softplus(-d(x)) + s d(x) + softplus(d(g(z))), the cross-entropy with one-sided label
      smoothing s (`Settings.label_smoothing`, arXiv:1606.03498), plus the gradient penalty |d'(x)|^2 / 2, without which
      simultaneous updates do not converge (arXiv:1801.04406);
    - the generator's: softplus(-d(g(z))), the non-saturating loss.

    One step updates both networks.
    """

    kind = AdversarialPair
    refused = ("class_weights", "mixup", "adversary", "balance")
    network: AdversarialPair

    def prepare(self, batch: Batch, random: torch.Generator) -> Batch:
        size = len(batch), self.network.code
        noise = torch.randn(size, generator=random, device=random.device).to(batch.inputs)
        return replace(batch, inputs=self.augment(batch.inputs, random), noise=noise)

    def forward(self, batch: Batch) -> Tensor:
        assert batch.noise is not None
        made = self.network.draw(batch.noise)
        return self._discriminate(batch.inputs, made.detach()) + self._deceive(made)

    def _discriminate(self, real: Tensor, made: Tensor) -> Tensor:
        real = real.detach().requires_grad_()
        odds, others = self.network.discriminator(torch.cat((real, made)))[:, 0].chunk(2)
        (slopes,) = torch.autograd.grad(odds.sum(), real, create_graph=True)
        penalty = PENALTY / 2 * slopes.square().flatten(1).sum(1)
        return softplus(-odds) + self.settings.label_smoothing * odds + softplus(others) + penalty

    def _deceive(self, made: Tensor) -> Tensor:
        judge = self.network.discriminator
        # With detached weights: the generator's loss must not train the discriminator.
        fixed = {name: weight.detach() for name, weight in judge.named_parameters()}
        return softplus(-functional_call(judge, fixed, (made,))[:, 0])

    @torch.no_grad()
    def evaluate(self, network: nn.Module, data: Dataset) -> Evaluation:
        """The Frechet distance between real and as many generated images, both averaged down to 7x7 pixels.

        Neither loss measures image quality. Details finer than 4 pixels are not measured here either.
        """
        assert isinstance(network, AdversarialPair)
        made = network.generate(len(data), source(0, "judge"))
        return Evaluation(frechet(*(adaptive_avg_pool2d(images, COARSE).flatten(1) for images in (data.inputs, made))))
