"""Certificates against any change within one square of an image."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from probe.ball import room
from probe.certificates.bounded import Search
from probe.certificates.crown import Crown
from probe.certificates.intervals import IntervalBounds
from probe.certificates.region import Region
from probe.contracts import Certificate
from probe.errors import Unsupported
from probe.method import param
from probe.model import Model
from probe.outcomes import ABSTAINS
from probe.shapes import Inputs, Labels, PerExample
from probe.tensors import spans
from probe.things import check_image
from probe.threats import Patch, Threat

TOGETHER = 128  # squares of all examples that are bounded at once


@dataclass(frozen=True, kw_only=True)
class PatchBounds(Certificate):
    """The largest square whose content cannot change the decision, wherever it lies (after arXiv:2003.06693).

    For each place of the square, its pixels may have any value between the bounds of the space, and all others stay.
    A place is certified if every lead of the decided class stays above 0 by `IntervalBounds`, or else by `Crown`; a
    side, if all places are. Sides are tried from 1 pixel on, up to `most`. The radius is half a pixel more than the
    largest certified side, so that `certified(3)` holds for squares of 3 pixels; 0 if not even one pixel is certified.
    On a linear model no certificate is larger. An image of 28
    pixels has 784 places; lines take far longer for each than intervals (`inner`). Immutable coordinates stay.

    Example:
        >>> import torch
        >>> from probe import Model
        >>> from probe.certificates import PatchBounds
        >>> net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 2)).eval()
        >>> _ = net[1].weight.data.copy_(torch.tensor([[0.0], [1.0]]).expand(2, 16))
        >>> _ = net[1].bias.data.copy_(torch.tensor([4.0, 0.0]))
        >>> model = Model(forward=net, classes=("dark", "bright"))  # bright if the sum of 16 pixels is above 4
        >>> images = torch.tensor([0.5, 0.3]).view(2, 1, 1, 1).expand(2, 1, 4, 4)  # sums of 8 and 4.8
        >>> PatchBounds()(model, images, torch.tensor([1, 1])).radius  # 2 x 2 pixels hold 2 of 8, or 1.2 of 4.8
        tensor([2.5000, 1.5000])

    Raises:
        Unsupported: if inputs are not images (channels, height, width) with finite bounds, or for what `Crown` refuses.
    """

    threat: ClassVar[Threat] = Patch()

    most: int = param(5, "largest side tried, in pixels", low=1)
    inner: Literal["crown", "intervals"] = param("crown", "how places are bounded that intervals do not certify")

    @torch.no_grad()
    def certify(self, model: Model, inputs: Inputs) -> tuple[Labels, PerExample]:
        check_image(inputs)
        if not bool(room(model.space, inputs[:1], torch.ones_like(inputs[:1])).isfinite().all()):
            raise Unsupported(
                f"{self.name()} takes pixels to their bounds, and {model.name} has infinite ones; set "
                "Space(bounds=(0.0, 1.0)), or those of your images"
            )
        search = Search.of(IntervalBounds(), model, inputs, asked=self)
        side, rows = torch.zeros_like(search.least), torch.arange(len(inputs), device=inputs.device)
        for tried in range(1, min(self.most, max(inputs.shape[2:])) + 1):
            rows = self._withstand(search, rows, tried)
            side[rows] = tried
        side = torch.where(side > 0, side + 0.5, side)
        return torch.where(side > 0, search.labels, torch.full_like(search.labels, ABSTAINS)), side

    def _withstand(self, search: Search, rows: Tensor, side: int) -> Tensor:
        """Those of some rows whose decision no content of a square of this side changes, at any place."""
        masks = squares(search.inputs, side)
        first, step = 0, max(1, TOGETHER // max(1, len(rows)))
        while first < len(masks) and len(rows):
            part = masks[first : first + step]
            holds = self._holds(search, rows.repeat_interleave(len(part)), part.repeat(len(rows), 1, 1))
            first, rows = first + step, rows[holds.view(len(rows), len(part)).all(1)]
            step = max(1, TOGETHER // max(1, len(rows)))
        return rows

    def _holds(self, search: Search, rows: Tensor, masks: Tensor) -> Tensor:
        """Whether each row is certified with its square."""
        holds = torch.zeros(len(rows), dtype=torch.bool, device=rows.device)
        for method in (IntervalBounds(), Crown())[: 1 + (self.inner == "crown")]:
            left = (~holds).nonzero()[:, 0]
            for some in spans(len(left), TOGETHER):
                at = left[some]
                leads = search.within(_region(search, rows[at], masks[at]), rows[at], method)
                holds[at] = search.excess(leads, rows[at]) > 0
        return holds


def squares(inputs: Inputs, side: int) -> Tensor:
    """A mask of each square of a side that lies within images, (places, height, width); cut where an image is narrower.

    >>> import torch
    >>> squares(torch.zeros(1, 1, 2, 3), 2).int().tolist()
    [[[1, 1, 0], [1, 1, 0]], [[0, 1, 1], [0, 1, 1]]]
    """
    height, width = inputs.shape[2:]
    down, across = min(side, height), min(side, width)
    y, x = (torch.arange(count, device=inputs.device) for count in (height, width))
    tops, lefts = y[: height - down + 1, None], x[: width - across + 1, None]
    rows, columns = (y >= tops) & (y < tops + down), (x >= lefts) & (x < lefts + across)
    return (rows[:, None, :, None] & columns[None, :, None, :]).flatten(0, 1)


def _region(search: Search, rows: Tensor, masks: Tensor) -> Region:
    """Any content of a square in each of some rows."""
    inputs = search.inputs[rows]
    whole = Region.around(search.space, inputs, torch.full_like(search.least[rows], torch.inf), torch.inf)
    low, high = (torch.where(masks[:, None], end, whole.centre) for end in (whole.low, whole.high))
    return Region(whole.centre, low, high, whole.unit, torch.ones_like(whole.radius), torch.inf)
