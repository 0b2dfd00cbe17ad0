"""Where in a network the difference between two inputs becomes the difference between two answers."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from probe.arrays import Given
from probe.contracts.common import passes
from probe.errors import ShapeError, Unsupported
from probe.method import param
from probe.model import Model
from probe.shapes import Evidence, Inputs, Labels, PerExample
from probe.surveys.sites import OfSites, Site, tensor_of
from probe.tensors import wide


@dataclass(frozen=True, kw_only=True)
class ActivationPatching(OfSites):
    """How much of an answer comes back when one part of the network sees the clean input (arXiv:2202.05262).

    Each row has a corrupted partner: the next row that is decided for otherwise, or the space's mean reference. The
    network runs on the corrupted input, and at one site gets what the clean input gives there; or, to break it, the
    other way round. The output is the logit of the clean decision less that of the corrupted one; where they are the
    same it is that logit alone. The value is the change by the patch as a share of the whole difference, over all rows:
    1 where the site restores, or breaks, everything, 0 where it does nothing, and beyond where others counteract it.
    With `part="unit"` and the tokens along `axis` it is the matrix of layers and places.
    `method.between(model, clean, corrupted)` has the evidence of pairs of one's own, (batch, sites, 2): the change by
    each patch, and the whole difference.

    Raises:
        RangeError: if there is no such layer, axis or head.
        Unsupported: if no row has a partner, or a layer gives no tensor with a row for each input.

    Example:
        >>> import torch
        >>> from probe import Dataset, Model, Space
        >>> from probe.surveys import ActivationPatching
        >>> network = torch.nn.Sequential(torch.nn.Linear(2, 2, bias=False), torch.nn.Linear(2, 2, bias=False)).eval()
        >>> _ = torch.nn.init.eye_(network[0].weight), network[1].weight.data.copy_(torch.tensor([[3.0, 1], [-3, -1]]))
        >>> model = Model(forward=network, space=Space(bounds=(-9.0, 9.0)))
        >>> data = Dataset(torch.tensor([[1.0, 1.0], [-1.0, -1.0]]), torch.tensor([0, 1]), space=model.space)
        >>> method = ActivationPatching(layers=("0",), part="unit")
        >>> method(model, data).to_frame().set_index("item")["value"].to_dict()
        {'0, unit 0': 0.75, '0, unit 1': 0.25}
    """

    reduction: ClassVar[str] = "share of the total"
    asks: ClassVar[str] = "share of the difference between answers that the site carries"

    corrupted: Literal["other", "reference"] = param(
        "other", "what a row is compared with: the next one with another answer, or the reference"
    )
    into: Literal["corrupted", "clean"] = param(
        "corrupted", "the run that is patched: the corrupted one, to restore the answer, or the clean one, to break it"
    )

    def examine(self, model: Model, inputs: Inputs, labels: Labels) -> Evidence:
        return self.between(model, inputs, self._partners(model, inputs))

    def between(self, model: Model, clean: Given, corrupted: Given) -> Evidence:
        """The change of the output by the patch at each site, and the whole difference, (batch, sites, 2).

        Raises:
            ShapeError: if there are not as many corrupted inputs as clean ones.
            Unsupported: if the answers are the same for all pairs.
        """
        clean, corrupted = model.check(clean), model.check(corrupted)
        if clean.shape != corrupted.shape:
            raise ShapeError(
                f"corrupted inputs are {tuple(corrupted.shape)} and clean ones {tuple(clean.shape)}; give a corrupted "
                "input for each clean one"
            )
        sites = self.sites(model, clean)
        targets = model.targets(clean), model.targets(corrupted)
        answers = [self._output(model, inputs, *targets) for inputs in (clean, corrupted)]
        whole = wide(answers[0] - answers[1])
        if not bool(whole.any()):
            raise Unsupported(
                f"{self.name()} asks where answers become different, and {model.name} gives the same ones to all rows "
                "and their partners; set corrupted to reference, or give pairs to method.between"
            )
        pairs = (clean, corrupted) if self.into == "corrupted" else (corrupted, clean)
        start = answers[1] if self.into == "corrupted" else answers[0]
        parts = [
            self._patched(model, sites, (pairs[0][rows], pairs[1][rows]), (targets[0][rows], targets[1][rows]))
            for rows in passes(model, clean)
        ]
        # By its own sign, so that pairs with an output that falls do not take off what others add.
        sign = torch.where(whole < 0, -1.0, 1.0).to(whole) * (1 if self.into == "corrupted" else -1)
        change = (torch.cat(parts) - wide(start)[:, None]) * sign[:, None]
        return torch.stack([change, whole.abs()[:, None].expand_as(change)], 2)

    def _patched(
        self, model: Model, sites: tuple[Site, ...], pair: tuple[Inputs, Inputs], targets: tuple[Labels, Labels]
    ) -> Float[Tensor, "rows sites"]:
        """The output for the second of two inputs, with what the first gives at each site."""
        addresses = tuple(dict.fromkeys(site.address for site in sites))
        there = {name: tensor_of(output) for name, output in model.activations(pair[0], at=addresses).items()}
        found = []
        for site in sites:
            with model.edited({site.address: site.put(there[site.address])}) as patched:
                found.append(wide(self._output(patched, pair[1], *targets)))
        return torch.stack(found, 1)

    def _output(self, model: Model, inputs: Inputs, clean: Labels, corrupted: Labels) -> PerExample:
        """The logit of the clean decision, less that of the corrupted one where it is another."""
        logits = model.logits(inputs)
        task = model.task
        return task.pick(logits, clean) - task.pick(logits, corrupted) * (clean != corrupted)

    def _partners(self, model: Model, inputs: Inputs) -> Inputs:
        if self.corrupted == "reference":
            if model.space.reference is None:
                raise Unsupported(
                    f"{self.name()} compares with the reference, and {model.name} has none; set "
                    "Space(reference=rows), or corrupted to other"
                )
            return model.space.baseline(inputs).expand_as(inputs)
        decided = model.decide(model.logits(inputs))
        own = torch.arange(len(inputs), device=inputs.device)
        others = own
        for after in range(1, len(inputs)):
            differs = (decided != decided.roll(-after, 0)).view(len(inputs), -1).any(1)
            others = torch.where((others == own) & differs, (own + after) % len(inputs), others)
        return inputs[others]
