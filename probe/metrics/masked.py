"""Outputs for masked inputs, whose features are replaced by the mean reference or a baseline; each is asked once."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from probe.baselines import Baseline
from probe.contracts import Explainer, Metric
from probe.method import param
from probe.model import Model
from probe.npz import Arrays, Stored
from probe.numbers import Number
from probe.recall import Known, keys_of
from probe.results import Attribution
from probe.shapes import Evidence, Inputs, Labels, PerExample, Presence, References
from probe.tensors import sha256, spans, to_numpy, unequal

Kept = Bool[Tensor, "batch masks features"]
Answers = Float[Tensor, "batch masks"]


class Masked:
    """Outputs of a model for the masked inputs of one batch, with a cache."""

    def __init__(
        self,
        model: Model,
        inputs: Inputs,
        targets: Labels,
        output: str,
        state: Stored | None = None,
        behind: References | None = None,
    ) -> None:
        """With nothing cached yet, or with the `state` of another for the same inputs.

        Behind what is masked stands the mean reference, or `behind`: a row for each input, or one for all.
        """
        points = model.points(inputs)
        there = model.over_embeddings().space.baseline(points) if behind is None else model.points(behind)
        self.active = _changed(model, inputs, unequal(points, there)).cpu()
        self._asked, self._behind = (model, inputs, targets, output), there
        self._recalled = _recalled(model, inputs, targets, output) if behind is None else []
        if state is None:
            keys = _keys(range(len(inputs)), torch.zeros_like(self.active)[:, None])
            self._answers = _alone(model, there, targets, output).cpu()
        else:
            keys, self._answers = [each.tobytes() for each in state["keys"]], torch.from_numpy(state["answers"])
        self._known = {key: number for number, key in enumerate(keys)}

    @property
    def state(self) -> Arrays:
        """What is cached, as arrays."""
        keys = np.frombuffer(b"".join(self._known), dtype=np.uint8).reshape(len(self._known), -1)
        return {"whose": np.array(_whose(*self._asked[1:])), "keys": keys, "answers": to_numpy(self._answers)}

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
            behind = self._behind if len(self._behind) == 1 else self._behind[row]
            found.append(_answers(model, inputs[row], targets[row], masks, output, behind).cpu())
        return found


class Memory:
    """Passes what was asked from one metric to the next: outputs for masked inputs, and explanations of noisy copies.

    Explanations of the same inputs share most masked inputs, and metrics of one explanation share its noisy copies.
    """

    def __init__(self) -> None:
        self._held: dict[Baseline | None, Masked] = {}
        self._states: dict[str, Stored] = {}
        self._last: tuple[tuple[Any, ...], Tensor] | None = None

    def masked(
        self,
        model: Model,
        inputs: Inputs,
        targets: Labels,
        output: str,
        baseline: Baseline | None = None,
        behind: References | None = None,
    ) -> Masked:
        """The outputs for these inputs over a baseline, whose rows stand `behind`, with everything cached so far."""
        held = self._held.get(baseline)
        if held is None or not held.fits(model, inputs, targets, output):
            left = self._states.get(_named(baseline))
            there = left is not None and str(left["whose"]) == _whose(inputs, targets, output)
            held = self._held[baseline] = Masked(model, inputs, targets, output, left if there else None, behind)
        return held

    @property
    def state(self) -> Arrays:
        """The outputs that it holds, as arrays, which `take` gives to another."""
        states = self._states | {_named(baseline): held.state for baseline, held in self._held.items()}
        numbered = enumerate(states.items())
        return {
            f"{part}-{at}": array
            for at, (named, state) in numbered
            for part, array in {"baseline": np.array(named), **state}.items()
        }

    def take(self, state: Stored) -> None:
        """Take over the outputs that another held.

        Raises:
            ValueError: if these are not the arrays of a state.
        """
        states: dict[str, Stored] = {}
        for at in range(sum(part.startswith("baseline-") for part in state)):
            each = {part: state[f"{part}-{at}"] for part in ("whose", "keys", "answers")}
            keys, answers = each["keys"], each["answers"]
            if keys.ndim != 2 or answers.ndim != 1 or len(keys) != len(answers) or each["whose"].ndim:
                raise ValueError("there are not as many keys as outputs")
            states[str(state[f"baseline-{at}"])] = each
        self._states = states

    def once(self, question: tuple[Any, ...], ask: Callable[[], Tensor]) -> Tensor:
        """The answer to a question, which is asked unless it was the last one. Nobody changes what it gives."""
        if self._last is None or self._last[0] != question:
            self._last = question, ask()
        return self._last[1]


class Remembering(Metric[Attribution], ABC):
    """A metric that does not ask again what a memory holds from other metrics and explanations of the same inputs."""

    @abstractmethod
    def measure(self, model: Model, result: Attribution, memory: Memory | None = None) -> Evidence:
        """Return what each example shows, (batch, ...)."""


@dataclass(frozen=True, kw_only=True)
class Replacing(Remembering, ABC):
    """A metric that replaces features of the inputs by those of the mean reference, or of a named baseline."""

    baseline: Literal["reference", "black", "mean", "blur", "random"] = param(
        "reference", "what replaced features look like: the mean reference; of images and series also a named baseline"
    )
    sigma: Number = param(4.0, "of blur: standard deviation in pixels or measurements", above=0.0, high=1000.0)
    seed: int = param(0, "of random: seed of the row, which all inputs share", low=0)

    def masked(self, model: Model, result: Attribution, memory: Memory | None, output: str = "") -> Masked:
        """Outputs for masked inputs of an explanation, by default of the kind that was explained."""
        inputs = model.check(result.inputs)
        targets = model.check_targets(result.targets, inputs)
        named = self._baseline()
        behind = None if named is None else self.behind(model, inputs)
        return (memory or Memory()).masked(model, inputs, targets, output or judged(result), named, behind)

    def behind(self, model: Model, inputs: Inputs) -> References:
        """What replaced features look like: a row for each input, or one for all."""
        named = self._baseline()
        if named is None:
            return model.space.baseline(inputs)
        return named.rows(model.space, inputs, self.name(), 'leave it at baseline="reference"')

    def _baseline(self) -> Baseline | None:
        if self.baseline == "reference":
            return None
        # Random orders and subsets are drawn from the seed itself.
        return Baseline(
            self.baseline,
            sigma=self.sigma if self.baseline == "blur" else 0.0,
            seed=self.seed ^ 0x5BD1E995 if self.baseline == "random" else 0,
        )


def _named(baseline: Baseline | None) -> str:
    return "" if baseline is None else f"{baseline.named} {baseline.sigma} {baseline.seed}"


def _whose(inputs: Inputs, targets: Labels, output: str) -> str:
    """A digest of what was asked about."""
    return f"{output} {sha256({'inputs': inputs, 'targets': targets})}"


def judged(result: Attribution) -> str:
    """The output that was explained: what explains a logit need not explain a probability."""
    return result.method.output if isinstance(result.method, Explainer) else "logit"


def differs_from_baseline(model: Model, inputs: Inputs) -> Presence:
    """Which features differ from the mean reference, so that masking them changes the input."""
    points = model.points(inputs)
    return _changed(model, inputs, unequal(points, model.over_embeddings().space.baseline(points)))


def _changed(model: Model, inputs: Inputs, unlike: Tensor) -> Presence:
    """Which features have a coordinate whose point is unlike another."""
    return model.space.by_feature(unlike.view(*inputs.shape, -1).any(-1).to(torch.float32)) > 0


def at_baseline(model: Model, inputs: Inputs, targets: Labels, output: str) -> PerExample:
    """Each target's output at the mean reference, which is evaluated once."""
    return _alone(model, model.over_embeddings().space.baseline(model.points(inputs[:1])), targets, output)


def _alone(model: Model, behind: Tensor, targets: Labels, output: str) -> PerExample:
    """Each target's output where nothing is left of the inputs; a row that all share is evaluated once."""
    outputs = model.task.explained(model.over_embeddings().logits(behind), output)
    return model.task.pick(outputs.expand(len(targets), *outputs.shape[1:]), targets)


def _recalled(model: Model, inputs: Inputs, targets: Labels, output: str) -> list[Known]:
    """What explainers asked of each example with one reference row, which is the mean reference; else nothing."""
    recall, reference = model.recall, model.space.reference
    if recall is None or reference is None or len(reference) > 1 or not recall.fits(model):
        return []
    return recall.known(model.space, inputs, targets, output)


def _answers(model: Model, inputs: Inputs, targets: Labels, kept: Presence, output: str, behind: Tensor) -> PerExample:
    """The output for inputs with what stands `behind` in place of features that are not kept."""
    mask = model.space.coordinate_mask(kept, inputs)
    # Token ids have no mean, their embeddings do; a token's mask then spans the width of its embedding.
    points = model.points(inputs)
    mask = mask.view(*mask.shape, *[1] * (points.ndim - mask.ndim))
    return model.over_embeddings().target_outputs(torch.where(mask, points, behind), targets, output)


def _keys(rows: range, kept: Kept) -> list[bytes]:
    """Cache keys: the index of the input and its mask, or a 16-byte digest of a long mask."""
    packed = np.packbits(kept.numpy(), axis=-1)
    short = packed.shape[-1] <= 16
    return [
        row.to_bytes(8, "little") + (mask.tobytes() if short else blake2b(mask.tobytes(), digest_size=16).digest())
        for row, masks in zip(rows, packed, strict=True)
        for mask in masks
    ]
