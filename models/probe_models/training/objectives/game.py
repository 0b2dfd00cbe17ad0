"""Play a generator against a discriminator."""

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

PENALTY = 1.0  # of the discriminator's slopes at real images, in squared log-odds per squared brightness
COARSE = 7  # pixels a side of the images that the game is judged by


class Game(Unlabelled):
    """Both players' losses (arXiv:1406.2661) in one sum, in which neither has a gradient from the other's.

    With d the log-odds of real, noise z and log(1 + e^x) = softplus(x), an image x costs
    - the discriminator softplus(-d(x)) + s d(x) + softplus(d(g(z))), the cross-entropy of its answers, where the part s
      (`Settings.smoothing`) is taken off the label of real images (arXiv:1606.03498), and half of |d'(x)|^2, without
      which players that move at the same time circle each other (arXiv:1801.04406);
    - the generator softplus(-d(g(z))), the loss that does not saturate.

    So one step moves both players at once.
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
        return softplus(-odds) + self.settings.smoothing * odds + softplus(others) + penalty

    def _deceive(self, made: Tensor) -> Tensor:
        judge = self.network.discriminator
        # Through its weights as they are, not through what they may become.
        fixed = {name: weight.detach() for name, weight in judge.named_parameters()}
        return softplus(-functional_call(judge, fixed, (made,))[:, 0])

    @torch.no_grad()
    def evaluate(self, network: nn.Module, data: Dataset) -> Evaluation:
        """The Frechet distance of images from as many generated ones, both averaged down to 7x7 pixels.

        Neither player's loss says how good the images are. What is finer than 4 pixels is not seen by this either.
        """
        assert isinstance(network, AdversarialPair)
        made = network.generate(len(data), source(0, "judge"))
        return Evaluation(frechet(*(adaptive_avg_pool2d(images, COARSE).flatten(1) for images in (data.inputs, made))))
