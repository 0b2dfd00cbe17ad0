"""Training on the worst case that interval bounds allow, so that a certificate holds for the trained network."""

from collections.abc import Sequence
from math import ceil

import torch
from torch import Tensor, nn

from probe import Dataset, Space
from probe.certificates.bounds import Bounds, Slopes
from probe.certificates.region import Region
from probe.certificates.traced import TRACED, recorded
from probe.errors import PlanError, Unsupported
from probe.tensors import rows_per_pass, spans
from probe_models.networks.network import logits_of
from probe_models.training.losses import shares
from probe_models.training.metrics import Line
from probe_models.training.objectives.classification import Classification
from probe_models.training.objectives.objective import Batch, Evaluation
from probe_models.training.settings import Settings


class Certified(Classification):
    """Interval bound propagation (arXiv:1810.12715).

    The loss of a row is share * loss(logits) + (1 - share) * loss(worst), where the logit of each wrong class in
    `worst` is as high above that of the label as the intervals allow within the radius. First the share is 1; then,
    until `ramp` of all steps, the radius grows from 0 to eps and the share falls to `clean`.
    """

    taken: Tensor

    def __init__(self, network: nn.Module, settings: Settings, data: Dataset) -> None:
        super().__init__(network, settings, data)
        rows = len(data) * (1 - settings.validation)
        self.steps = settings.epochs * ceil(rows / settings.batch_size)
        self.register_buffer("taken", torch.zeros((), dtype=torch.long))
        if not data.inputs.is_floating_point():
            raise PlanError(f"Settings.certified bounds numbers, and inputs of {data.name} are {data.inputs.dtype}")
        try:
            recorded(network, data.inputs[:TRACED].to(next(network.parameters()).device), "the network")
        except Unsupported as error:
            raise PlanError(
                f'Settings.certified needs bounds of every step, and {error}; choose an architecture with norm = "none"'
            ) from None

    def prepare(self, batch: Batch, random: torch.Generator) -> Batch:
        self.taken += 1
        return super().prepare(batch, random)

    def forward(self, batch: Batch) -> Tensor:
        settings = self.settings.certified
        assert settings is not None
        logits, smoothing = logits_of(self.network, batch.inputs), self.settings.label_smoothing
        plain = self.loss(logits, batch.targets, self.weights, smoothing)
        begin, end = settings.warmup * self.steps, settings.ramp * self.steps
        grown = min(1.0, max(0.0, (float(self.taken) - begin) / max(end - begin, 1.0)))
        if not grown:
            return plain
        worst = worst_logits(self.network, batch.inputs, batch.labels, settings.eps * grown, self.space)
        share = 1 - grown * (1 - settings.clean)
        return share * plain + (1 - share) * self.loss(worst, batch.labels, self.weights, 0.0)

    def catastrophic_overfitting(self, lines: Sequence[Line]) -> bool:
        return False

    def evaluate(self, network: nn.Module, data: Dataset) -> Evaluation:
        """The loss of the worst case at the full radius, and the share of rows that are certified there."""
        assert self.settings.certified is not None
        parts = spans(len(data), rows_per_pass(data.inputs))
        with torch.no_grad():
            worst = torch.cat(
                [
                    worst_logits(network, data.inputs[rows], data.labels[rows], self.settings.certified.eps, self.space)
                    for rows in parts
                ]
            )
        losses = self.loss(worst, data.labels, self.weights, 0.0)
        lead = worst.scatter(1, data.labels[:, None], -torch.inf).amax(1)
        return Evaluation(losses.sum() / shares(data.labels, self.weights).sum(), (lead < 0).double().mean())


def worst_logits(network: nn.Module, inputs: Tensor, labels: Tensor, eps: float, space: Space) -> Tensor:
    """Logits in which the label has 0 and each other class the most by which it may lead, (rows, classes)."""
    steps = recorded(network, inputs[:1].expand(TRACED, *inputs.shape[1:]).clone(), "the network")
    region = Region.around(space, inputs, inputs.new_full((len(inputs),), eps), torch.inf)
    bounds = Bounds(steps, region, tight=False)
    one = torch.eye(steps.nodes[-1].shape[0], dtype=inputs.dtype, device=inputs.device)
    leads = bounds.lowest(len(steps.nodes) - 1, Slopes(one[labels][:, None] - one), whole=False)
    return -leads.scatter(1, labels[:, None], 0.0)
