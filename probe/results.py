"""What a method returns: tensors plus the method that made them, nothing else."""

from abc import ABC, abstractmethod
from base64 import b64encode
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar, cast, runtime_checkable

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from probe import store
from probe.errors import ShapeError, Unsupported
from probe.goals import Goal, Untargeted
from probe.metering import Usage
from probe.method import Method
from probe.model import Model
from probe.shapes import Evidence, Inputs, Labels, Logits, PerExample, PerFeature
from probe.space import Space
from probe.statistics import Floats, paired
from probe.task import Classification, Task
from probe.tensors import column, to_numpy, wide
from probe.threats import Ball, Threat

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from probe.plots import Drawer, Example, Values


R = TypeVar("R", bound="_Result")


@runtime_checkable
class Measure(Protocol):
    """What Scores ask of the metric that made them."""

    columns: ClassVar[tuple[str, ...]]

    def config(self) -> dict[str, Any]: ...
    def reduce(self, evidence: Floats) -> float: ...
    def interval(self, evidence: Floats, level: float, draws: int, seed: int) -> tuple[float, float]: ...


class _Result(ABC):
    """What all results share: parts of them, a few lines in words, a table shown as static and escaped HTML, a file."""

    per_row: ClassVar[tuple[str, ...]]  # the fields with an entry for each example

    @abstractmethod
    def to_frame(self) -> pd.DataFrame:
        """The result as a table, a row per example."""

    @abstractmethod
    def _in_words(self) -> tuple[str, ...]:
        """What it is, a line each."""

    def __len__(self) -> int:
        return len(getattr(self, self.per_row[0]))

    def __getitem__(self: R, rows: int | slice | Tensor) -> R:
        """The result of some of the examples; a number gives a result of one. The cost stays that of all of them."""
        if isinstance(rows, int):
            if not -len(self) <= rows < len(self):
                raise IndexError(f"example {rows} of {len(self)}")
            rows = slice(rows, rows + 1 or None)
        entries = {name: getattr(self, name) for name in self.per_row}
        part: dict[str, Any] = {name: None if each is None else each[rows] for name, each in entries.items()}
        return replace(self, **part)  # type: ignore[type-var]  # each result is a dataclass

    def __repr__(self) -> str:
        return "\n  ".join(self._in_words())

    def save(self, stem: str | Path) -> None:
        """Write STEM.npz and STEM.json; `probe.load` reads them again."""
        store.write(stem, self)

    def _repr_html_(self) -> str:
        return _whole(self._figures() + self.to_frame().head(20).to_html(escape=True, float_format="{:.4g}".format))

    def _figures(self) -> str:
        return ""


@dataclass(frozen=True, eq=False, repr=False)
class Prediction(_Result):
    """The model's answer to labelled inputs.

    It knows whose answer it is, where a model made it: metrics of a Prediction hold no inputs, so they cannot ask
    another model.
    """

    per_row: ClassVar[tuple[str, ...]] = ("logits", "labels")

    logits: Logits
    labels: Labels
    task: Task = field(default_factory=Classification)
    digest: str = ""  # SHA-256 of the weights that answered; "" where they cannot be seen
    forward: Any = field(default=None, metadata={"saved": False})  # the function that answered

    @classmethod
    def of(cls, model: Model, inputs: Inputs, labels: Labels) -> "Prediction":
        """What a model answers to checked inputs."""
        logits = model.logits(inputs)
        return cls(logits, labels, model.task, model.digest() or "", model.edits or model.forward)

    @property
    def known(self) -> bool:
        """Whether it is known whose answer it is."""
        return bool(self.digest) or self.forward is not None

    def is_of(self, model: Model) -> bool:
        """Whether this model gave the answer; also True where nothing is known of who did."""
        if not self.digest:
            return self.forward is None or self.forward is (model.edits or model.forward)
        return self.digest == model.digest() and self.task == model.task

    @property
    def predicted(self) -> Labels:
        """The decisions, shaped as the labels."""
        return self.task.predict(self.logits)

    @property
    def correct(self) -> Evidence:
        """1 where the decision is the label, else 0: (batch,), or (batch, ...) where each row has several decisions."""
        right: Evidence = self.task.correct(self.logits, self.labels).to(self.logits.dtype)
        return right

    def only(self, answer: int | str) -> "Prediction":
        """One of the several answers to each example, as that of a classifier: a label by name, or a place by number.

        Raises:
            RangeError: if there is no such answer.
            Unsupported: where each example has one answer alone.
        """
        task = self.task.only(answer)
        return replace(self, logits=self.task.alone(self.logits, task.at), labels=self.labels[:, task.at], task=task)

    @property
    def probabilities(self) -> Logits:
        return self.task.probabilities(self.logits)

    def to_frame(self) -> pd.DataFrame:
        """One row per example: label, decision, and its probability or error. Classes go by their names."""
        logits, labels = to_numpy(wide(self.logits)), to_numpy(self.labels)
        decided = {"label": _worded(self.task, labels), "predicted": _worded(self.task, self.task.predict(logits))}
        return pd.DataFrame(decided | self.task.details(logits, labels))

    def _in_words(self) -> tuple[str, ...]:
        said = self.task.summary(to_numpy(wide(self.logits)), to_numpy(self.labels))
        decided = f", {self.task.in_words()}" if self.task.in_words() else ""
        return f"Prediction: {said}", f"{self.logits.shape[-1]} {self.task.units[1]}{decided}"


@dataclass(frozen=True, eq=False, repr=False)
class Attribution(_Result):
    """How much each coordinate spoke for its target class; positive speaks for it. Shaped as the inputs."""

    per_row: ClassVar[tuple[str, ...]] = ("values", "inputs", "targets")

    values: Inputs
    inputs: Inputs
    targets: Labels
    method: Method
    space: Space
    cost: Usage = field(default_factory=Usage)  # of the call that made it, also in a part of it
    classes: tuple[str, ...] = ()

    def by_feature(self) -> PerFeature:
        """One number per feature: the sum over its coordinates, in float32 where the values are in half precision."""
        return self.space.by_feature(wide(self.values))

    def to_frame(self) -> pd.DataFrame:
        """One row per example and one column per feature."""
        return pd.DataFrame(to_numpy(self.by_feature()), columns=self._names())

    def _in_words(self) -> tuple[str, ...]:
        features = f"{self.space.feature_count(self.inputs)} features" if len(self) else "no features"
        return (
            f"Attribution of {len(self)} examples by {self.method}",
            f"inputs {tuple(self.inputs.shape)} {_dtype(self.inputs)}, {features}",
            _cost(self.cost),
        )

    def plot(self, index: int = 0, ax: "Axes | None" = None) -> "Axes":
        """Draw one example as its form is drawn: red speaks for the target, blue against it."""
        part = self[index]
        title = f"{type(self.method).__name__}: class {_named(part.targets, self.classes)[0]}"
        return _drawer(self).explained(_example(self.space, part.inputs), part._values(), title=title, ax=ax)

    def _text(self, index: int) -> str:
        part = self[index]
        return _drawer(self).text(_example(self.space, part.inputs), part._values())

    def _values(self) -> "Values":
        """Those of the first example."""
        from probe.plots import Values

        return Values(to_numpy(self.values[0]), to_numpy(self.by_feature()[0]))

    def _names(self) -> list[str]:
        return [_whole(name) for name in self.space.feature_names(self.inputs)]

    def _figures(self) -> str:
        return _drawn(self)


@dataclass(frozen=True, eq=False, repr=False)
class Perturbation(_Result):
    """Inputs before and after an attack. Inputs that had reached its goal from the start are left as they were."""

    per_row: ClassVar[tuple[str, ...]] = (
        *("inputs", "perturbed", "clean", "attacked"),
        *("targets", "budget", "success", "forwards", "backwards", "queries"),
    )

    inputs: Inputs
    perturbed: Inputs
    clean: Prediction
    attacked: Prediction
    method: Method
    space: Space
    cost: Usage = field(default_factory=Usage)  # of the call that made it, also in a part of it
    targets: Tensor | None = None  # what each example was to become, where the goal names an answer
    budget: PerExample | None = None  # how far each might be moved, in the unit of the threat
    # Whether each reached the goal by the attack; found in the answers unless given.
    success: Tensor = field(default=cast(Tensor, None))
    forwards: PerExample | None = None  # passes of each example, with its answers before and after
    backwards: PerExample | None = None
    queries: PerExample | None = None  # forward passes that the attack itself asked for

    def __post_init__(self) -> None:
        if self.success is None:
            before, after = (self._reached(answers) for answers in (self.clean, self.attacked))
            object.__setattr__(self, "success", ~before & after)

    @property
    def goal(self) -> Goal:
        """What was climbed, and when it is reached."""
        found = getattr(self.method, "goal", None)
        return found if isinstance(found, Goal) else Untargeted()

    @property
    def threat(self) -> Threat:
        """What could be changed, and how the change is measured."""
        found = getattr(self.method, "threat", None)
        return found if isinstance(found, Threat) else Ball()

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes; empty where nobody named them."""
        return self.clean.task.names

    @property
    def length(self) -> PerExample:
        """How far each example was moved, in the unit of the threat."""
        return self.threat.length(self.space, self.perturbed, self.inputs)

    def within(self, amount: float | PerExample) -> "Perturbation":
        """What a smaller budget leaves: changes that are longer than that are taken back.

        Of an attack that makes its change as small as it can, this is what it does at that budget; of another, at
        least as much could be reached by running it again.

        Raises:
            Unsupported: where the threat measures nothing, as of a severity.
        """
        length = self.length.double() if self.inputs.device.type != "mps" else self.length
        if bool(length.isnan().any()):
            raise Unsupported(
                f"how far {self.method} moved its inputs is not measured in {self.threat.unit}; run it at each budget"
            )
        return self.where(length <= amount)

    def where(self, kept: Tensor) -> "Perturbation":
        """The same, with the inputs of all other examples taken back."""
        attacked = torch.where(column(kept, self.clean.logits), self.attacked.logits, self.clean.logits)
        return replace(
            self,
            perturbed=torch.where(column(kept, self.inputs), self.perturbed, self.inputs),
            attacked=replace(self.attacked, logits=attacked),
            success=self.success & kept,
        )

    def _reached(self, answers: Prediction) -> Tensor:
        reached: Tensor = self.goal.reached(answers.task, answers.logits, answers.labels, self.targets)
        return reached

    def distance(self, p: float = torch.inf) -> PerExample:
        """L_p length of each perturbation, in the unit of the space's scale; at p = 0 how many coordinates changed."""
        moved = self.space.scaled_change(wide(self.perturbed), wide(self.inputs))
        length: Tensor = torch.linalg.vector_norm(moved.flatten(1), ord=p, dim=1)
        return length

    def to_frame(self) -> pd.DataFrame:
        """One row per example: label, prediction before and after, success, size of the change."""
        sizes = self.space.form_of(self.inputs).lengths
        return pd.DataFrame(
            {
                name: _worded(self.clean.task, to_numpy(decided))
                for name, decided in {
                    "label": self.clean.labels,
                    "clean": self.clean.predicted,
                    "attacked": self.attacked.predicted,
                    **({} if self.targets is None else {"target": self.targets}),
                }.items()
            }
            | {"success": to_numpy(self.success)}
            | {name: to_numpy(self.distance(p)) for name, p in sizes.items()}
        )

    def plot(self, index: int = 0, ax: "Axes | None" = None) -> "Axes":
        """Draw what was changed of one example, as its form is drawn."""
        before, after = self._pair(index)
        part = self[index]
        moved = self.space.by_feature(self.space.scaled_change(part.perturbed, part.inputs))[0]
        return _drawer(self).attacked(before, after, to_numpy(moved), ax=ax)

    def _text(self, index: int) -> str:
        return _drawer(self).text_diff(*self._pair(index))

    def _pair(self, index: int) -> "tuple[Example, Example]":
        part = self[index]
        return _example(self.space, part.inputs), _example(self.space, part.perturbed)

    def _figures(self) -> str:
        return _drawn(self)

    def _in_words(self) -> tuple[str, ...]:
        broken = int(self.success.sum())
        told = f"{broken} reached the goal {self.goal}"
        if self.goal.answer == "wrong":
            told = f"{int((~self._reached(self.clean)).sum())} right before, {broken} of them wrong after"
        return (
            f"Perturbation of {len(self)} examples by {self.method}",
            told,
            f"inputs {tuple(self.inputs.shape)} {_dtype(self.inputs)}",
            _cost(self.cost),
        )


@dataclass(frozen=True, eq=False, repr=False)
class Scores(_Result):
    """One metric's evidence for every example."""

    per_row: ClassVar[tuple[str, ...]] = ("evidence",)

    evidence: Evidence
    metric: Measure
    cost: Usage = field(default_factory=Usage)  # of the call that made it, also in a part of it

    @property
    def value(self) -> float:
        """The metric over all examples."""
        return self.metric.reduce(self._array())

    def interval(self, level: float = 0.95, draws: int = 1000, seed: int = 0) -> tuple[float, float]:
        """Interval of `value`: Wilson's for a proportion, a bootstrap over examples otherwise."""
        return self.metric.interval(self._array(), level, draws, seed)

    def by(self, groups: "pd.Series[Any] | pd.DataFrame", level: float = 0.95) -> pd.DataFrame:
        """The value, its interval and n for each group, and each combination where there are several columns."""
        frame = pd.DataFrame(groups).reset_index(drop=True)
        evidence = self._array()
        if len(frame) != len(evidence):
            raise ShapeError(f"groups have {len(frame)} rows for {len(evidence)} examples")
        # Who belongs to no known group is counted too, so that the rows add up.
        frame = frame.astype(object).where(frame.notna(), "unknown")
        rows = []
        for key, index in frame.groupby(list(frame.columns), observed=True, sort=True).indices.items():
            part = evidence[index]
            low, high = self.metric.interval(part, level, 1000, 0)
            rows.append((key, len(part), self.metric.reduce(part), low, high))
        return pd.DataFrame(rows, columns=["group", "n", "value", "low", "high"])

    def minus(
        self, other: "Scores", level: float = 0.95, draws: int = 1000, seed: int = 0
    ) -> tuple[float, float, float]:
        """Difference to the same metric of another result on the same examples: value, low, high (paired bootstrap)."""
        mine, theirs = self._array(), other._array()
        if self.metric != other.metric or mine.shape != theirs.shape:
            raise ShapeError("a paired difference needs the same metric on the same examples")
        difference = paired(mine, theirs, self.metric.reduce, level=level, draws=draws, seed=seed)
        return difference.value, difference.low, difference.high

    def to_frame(self) -> pd.DataFrame:
        """One row per example with the metric's evidence."""
        evidence = self._array().reshape(len(self.evidence), -1)
        return pd.DataFrame(
            evidence, columns=self.metric.columns if len(self.metric.columns) == evidence.shape[1] else None
        )

    def _array(self) -> Floats:
        return to_numpy(self.evidence).astype(np.float64)

    def _in_words(self) -> tuple[str, ...]:
        return f"{self.metric}: {self.value:.4g} over {len(self)} examples", _cost(self.cost)


Result = Prediction | Attribution | Perturbation


def _drawn(result: Attribution | Perturbation, most: int = 3) -> str:
    """The first few examples as images, or texts, inside the page: nothing is loaded, nothing runs."""
    from probe import plots

    parts = []
    for index in range(min(most, len(result))):
        text = result._text(index)
        png = "" if text else b64encode(plots.to_png(result.plot(index), dpi=72)).decode()
        parts.append(text or f'<img alt="example {index}" src="data:image/png;base64,{png}">')
    return f"<div>{''.join(parts)}</div>"


def _drawer(result: Attribution | Perturbation) -> "Drawer":
    from probe import plots

    return plots.drawer_of(result.space.form_of(result.inputs).record())


def _example(space: Space, inputs: Inputs) -> "Example":
    """The only one of some inputs, as readers know it."""
    from probe.plots import Example

    names = [_whole(name) for name in space.feature_names(inputs)]
    words = space.describe(inputs)[0] if space.form_of(inputs).told else ()
    features = None if space.features is None else to_numpy(space.features)
    return Example(to_numpy(inputs[0]), names, words, features)


def _named(classes: Labels, names: tuple[str, ...]) -> NDArray[Any]:
    """Classes by name; by number where there are no names, or not one for each."""
    numbers = to_numpy(classes)
    known = len(names) > 0 and (len(numbers) == 0 or 0 <= numbers.min() <= numbers.max() < len(names))
    return np.array([_whole(name) for name in names], dtype=object)[numbers] if known else numbers


def _worded(task: Task, decisions: NDArray[Any]) -> NDArray[Any]:
    """Decisions as people read them."""
    words = task.words(decisions)
    return np.array([_whole(str(word)) for word in words], dtype=object) if words.dtype == object else words


def _whole(text: str) -> str:
    """A name without half surrogate pairs, which no table or page can hold."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _dtype(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _cost(usage: Usage) -> str:
    return f"cost: {usage.forward:,} examples forward, {usage.backward:,} backward"
