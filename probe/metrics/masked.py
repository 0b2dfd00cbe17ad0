"""Outputs for masked inputs, whose features are replaced by the mean reference; each is evaluated once."""

from abc import ABC, abstractmethod
from hashlib import blake2b

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from probe.contracts import Explainer, Metric
from probe.model import Model
from probe.recall import Known, keys_of
from probe.results import Attribution
from probe.shapes import Evidence, Inputs, Labels, PerExample, Presence
from probe.tensors import spans, unequal

Kept = Bool[Tensor, "batch masks features"]
Answers = Float[Tensor, "batch masks"]


class Masked:
    """Outputs of a model for the masked inputs of one batch, with a cache."""

    def __init__(self, model: Model, inputs: Inputs, targets: Labels, output: str) -> None:
        self.active = differs_from_baseline(model, inputs).cpu()
        self._asked = model, inputs, targets, output
        # Inputs with every feature masked are all equal.
        nothing = _keys(range(len(inputs)), torch.zeros_like(self.active)[:, None])
        self._known = {key: number for number, key in enumerate(nothing)}
        self._answers = at_baseline(model, inputs, targets, output).cpu()
        self._recalled = _recalled(model, inputs, targets, output)

    def fits(self, model: Model, inputs: Inputs, targets: Labels, output: str) -> bool:
        """Whether the cache belongs to this model, these inputs and targets."""
        mine, its_inputs, its_targets, its_output = self._asked
        return (
            (mine.forward, mine.embed, mine.space, its_output) == (model.forward, model.embed, model.space, output)
            and torch.equal(its_inputs, inputs)
            and torch.equal(its_targets, targets)
        )

    def __call__(self, rows: slice, kept: Kept) -> Answers:
        """The target's output for the inputs at `rows`, with only the features kept that the mask keeps."""
        # Features that equal the reference are the same either way.
        kept = kept & self.active[rows][:, None]
        keys = _keys(range(len(self.active))[rows], kept)
        fresh = {key: at for at, key in reversed(list(enumerate(keys))) if key not in self._known}
        there = self._recall(rows.start, kept, sorted(fresh.values()))
        order = [*there, *sorted(set(fresh.values()) - there.keys())]
        self._known |= {keys[at]: len(self._answers) + number for number, at in enumerate(order)}
        told = torch.tensor([*there.values()], dtype=self._answers.dtype)
        asked = self._ask(rows.start, kept, torch.tensor(order[len(there) :], dtype=torch.long))
        self._answers = torch.cat([self._answers, told, *asked])
        return self._answers[torch.tensor([self._known[key] for key in keys])].view(kept.shape[:2])

    def _recall(self, start: int, kept: Kept, order: list[int]) -> dict[int, float]:
        """Of masks by their number, what an explainer was told when it asked the same."""
        if not self._recalled or not order:
            return {}
        keys = keys_of(kept.flatten(0, 1)[order].numpy())
        found = {at: self._recalled[at // kept.shape[1] + start].get(key) for at, key in zip(order, keys, strict=True)}
        return {at: value for at, value in found.items() if value is not None}

    def _ask(self, start: int, kept: Kept, order: Tensor) -> list[Tensor]:
        model, inputs, targets, output = self._asked
        found = []
        for span in spans(len(order), model.rows_per_pass(inputs)):
            row = (order[span] // kept.shape[1] + start).to(inputs.device)
            masks = kept.flatten(0, 1)[order[span]].to(inputs.device)
            found.append(_answers(model, inputs[row], targets[row], masks, output).cpu())
        return found


class Memory:
    """Passes cached outputs from one metric to the next: explanations of the same inputs share most of them."""

    def __init__(self) -> None:
        self._held: Masked | None = None

    def masked(self, model: Model, inputs: Inputs, targets: Labels, output: str) -> Masked:
        """The outputs for these inputs, with everything cached so far."""
        if self._held is None or not self._held.fits(model, inputs, targets, output):
            self._held = Masked(model, inputs, targets, output)
        return self._held


class Masking(Metric[Attribution], ABC):
    """A metric of masked inputs: those that a memory holds from other metrics and explanations are not asked again."""

    @abstractmethod
    def measure(self, model: Model, result: Attribution, memory: Memory | None = None) -> Evidence:
        """Return what each example shows, (batch, ...)."""


def judged(result: Attribution) -> str:
    """The output that was explained: what explains a logit need not explain a probability."""
    return result.method.output if isinstance(result.method, Explainer) else "logit"


def differs_from_baseline(model: Model, inputs: Inputs) -> Presence:
    """Which features differ from the mean reference, so that masking them changes the input."""
    points = model.points(inputs)
    differs = unequal(points, model.over_embeddings().space.baseline(points)).view(*inputs.shape, -1).any(-1)
    return model.space.by_feature(differs.to(torch.float32)) > 0


def at_baseline(model: Model, inputs: Inputs, targets: Labels, output: str) -> PerExample:
    """Each target's output at the mean reference, which is evaluated once."""
    over = model.over_embeddings()
    nothing = over.space.baseline(model.points(inputs[:1]))
    outputs = model.task.explained(over.logits(nothing), output)
    return model.task.pick(outputs.expand(len(targets), *outputs.shape[1:]), targets)


def _recalled(model: Model, inputs: Inputs, targets: Labels, output: str) -> list[Known]:
    """What explainers asked of each example with one reference row, which is the mean reference; else nothing."""
    recall, reference = model.recall, model.space.reference
    if recall is None or reference is None or len(reference) > 1 or not recall.fits(model):
        return []
    return recall.known(model.space, inputs, targets, output)


def _answers(model: Model, inputs: Inputs, targets: Labels, kept: Presence, output: str) -> PerExample:
    """The output for inputs with the mean reference in place of features that are not kept."""
    mask = model.space.coordinate_mask(kept, inputs)
    # Token ids have no mean, their embeddings do; a token's mask then spans the width of its embedding.
    points = model.points(inputs)
    mask = mask.view(*mask.shape, *[1] * (points.ndim - mask.ndim))
    model = model.over_embeddings()
    return model.target_outputs(torch.where(mask, points, model.space.baseline(points)), targets, output)


def _keys(rows: range, kept: Kept) -> list[bytes]:
    """Cache keys: the index of the input and its mask, or a 16-byte digest of a long mask."""
    packed = np.packbits(kept.numpy(), axis=-1)
    short = packed.shape[-1] <= 16
    return [
        row.to_bytes(8, "little") + (mask.tobytes() if short else blake2b(mask.tobytes(), digest_size=16).digest())
        for row, masks in zip(rows, packed, strict=True)
        for mask in masks
    ]
