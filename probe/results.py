"""What a method returns: tensors plus the method that made them, nothing else."""

import json
from abc import ABC, abstractmethod
from base64 import b64encode
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from probe.decision import decide
from probe.errors import ExistsError, ShapeError
from probe.method import Method
from probe.model import Usage
from probe.shapes import Evidence, Inputs, Labels, Logits, PerExample, PerFeature
from probe.space import Space
from probe.statistics import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@runtime_checkable
class Measure(Protocol):
    """What Scores ask of the metric that made them."""

    def config(self) -> dict[str, Any]: ...
    def reduce(self, evidence: Floats) -> float: ...
    def interval(self, evidence: Floats, level: float, draws: int, seed: int) -> tuple[float, float]: ...


class _Result(ABC):
    """What all results share: a table of them, shown as static and escaped HTML."""

    @abstractmethod
    def to_frame(self) -> pd.DataFrame:
        """The result as a table, a row per example."""

    def _repr_html_(self) -> str:
        return self._figures() + self.to_frame().head(20).to_html(escape=True, float_format="{:.4g}".format)

    def _figures(self) -> str:
        return ""


@dataclass(frozen=True, eq=False)
class Prediction(_Result):
    """The model's answer to labelled inputs."""

    logits: Logits
    labels: Labels
    threshold: float | None = None  # of two classes: the probability from which the second is decided for

    @property
    def predicted(self) -> Labels:
        return decide(self.logits, self.threshold)

    @property
    def correct(self) -> PerExample:
        return (self.predicted == self.labels).to(self.logits.dtype)

    @property
    def probabilities(self) -> Logits:
        return self.logits.softmax(-1)

    def __getitem__(self, rows: slice | Tensor) -> "Prediction":
        return Prediction(self.logits[rows], self.labels[rows], self.threshold)

    def to_frame(self) -> pd.DataFrame:
        """One row per example: label, predicted class, its probability."""
        predicted = self.predicted
        return pd.DataFrame(
            {
                "label": self.labels.cpu(),
                "predicted": predicted.cpu(),
                "confidence": self.probabilities.gather(-1, predicted[:, None])[:, 0].cpu(),
            }
        )


@dataclass(frozen=True, eq=False)
class Attribution(_Result):
    """How much each coordinate spoke for its target class; positive speaks for it. Shaped as the inputs."""

    values: Inputs
    inputs: Inputs
    targets: Labels
    method: Method
    space: Space
    cost: Usage = field(default_factory=Usage)

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: int | slice | Tensor) -> "Attribution":
        rows = slice(rows, rows + 1 or None) if isinstance(rows, int) else rows
        return Attribution(self.values[rows], self.inputs[rows], self.targets[rows], self.method, self.space, self.cost)

    def by_feature(self) -> PerFeature:
        """One number per feature: the sum over its coordinates."""
        return self.space.by_feature(self.values)

    def to_frame(self) -> pd.DataFrame:
        """One row per example and one column per feature."""
        return pd.DataFrame(self.by_feature().cpu().numpy(), columns=self._names())

    def plot(self, index: int = 0, ax: "Axes | None" = None) -> "Axes":
        """Draw one example: a heat map for an image, bars for all else; red speaks for the target, blue against."""
        from probe import plots

        form, title = self.space.form_of(self.inputs), self._title(index)
        if form == "image":
            image = plots.channels_last(_numpy(self.inputs[index]))
            features = None if self.space.features is None else _numpy(self.space.features)
            return plots.heatmap(_numpy(self.values[index]), image, features=features, title=title, ax=ax)
        in_words = form == "tokens"
        names = self.space.describe(self[index].inputs)[0] if in_words else self._names()
        return plots.bars(names, _numpy(self.by_feature()[index]), title=title, ax=ax)

    def _sentence(self) -> str:
        from probe import plots

        return plots.shaded(self.space.describe(self.inputs)[0], _numpy(self.by_feature()[0]))

    def _title(self, index: int) -> str:
        return f"{type(self.method).__name__}: class {int(self.targets[index])}"

    def _names(self) -> list[str]:
        return list(self.space.feature_names(self.inputs))

    def _figures(self) -> str:
        return _drawn(self)

    def save(self, stem: str | Path) -> None:
        """Write STEM.npz and STEM.json; `probe.load` reads them again."""
        _save(stem, self, {"values": self.values, "inputs": self.inputs, "targets": self.targets})


@dataclass(frozen=True, eq=False)
class Perturbation(_Result):
    """Inputs before and after an attack. Inputs that the model got wrong from the start are left as they were."""

    inputs: Inputs
    perturbed: Inputs
    clean: Prediction
    attacked: Prediction
    method: Method
    space: Space
    cost: Usage = field(default_factory=Usage)

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, rows: int | slice | Tensor) -> "Perturbation":
        rows = slice(rows, rows + 1 or None) if isinstance(rows, int) else rows
        clean, attacked = self.clean[rows], self.attacked[rows]
        return Perturbation(
            self.inputs[rows], self.perturbed[rows], clean, attacked, self.method, self.space, self.cost
        )

    @property
    def success(self) -> Tensor:
        """True where the model was right before and is wrong after."""
        return (self.clean.correct == 1) & (self.attacked.correct == 0)

    def distance(self, p: float = torch.inf) -> PerExample:
        """L_p length of each perturbation, in the unit of the space's scale; at p = 0 how many coordinates changed."""
        moved = self.space.change(self.perturbed, self.inputs)
        length: Tensor = torch.linalg.vector_norm(moved.flatten(1), ord=p, dim=1)
        return length

    def to_frame(self) -> pd.DataFrame:
        """One row per example: label, prediction before and after, success, size of the change."""
        of_tokens = self.space.form_of(self.inputs) == "tokens"
        sizes = {"words": 0.0} if of_tokens else {"linf": torch.inf, "l2": 2.0}
        return pd.DataFrame(
            {
                "label": self.clean.labels.cpu(),
                "clean": self.clean.predicted.cpu(),
                "attacked": self.attacked.predicted.cpu(),
                "success": self.success.cpu(),
            }
            | {name: self.distance(p).cpu() for name, p in sizes.items()}
        )

    def plot(self, index: int = 0, ax: "Axes | None" = None) -> "Axes":
        """Draw one example: an image before, after, and the change; bars of the change for anything else."""
        from probe import plots

        before, after = _numpy(self.inputs[index]), _numpy(self.perturbed[index])
        form = self.space.form_of(self.inputs)
        if form == "image":
            return plots.before_and_after(plots.channels_last(before), plots.channels_last(after), ax=ax)
        moved = self.space.by_feature(self.space.change(self.perturbed, self.inputs))
        names = list(self.space.feature_names(self.inputs))
        if form == "tokens":
            names = [f"{old} → {new}" for old, new in zip(*self[index]._words(), strict=True)]
        return plots.bars(names, _numpy(moved[index]), ax=ax)

    def _sentence(self) -> str:
        from probe import plots

        return plots.edited(*self._words())

    def _words(self) -> tuple[list[str], list[str]]:
        return self.space.describe(self.inputs)[0], self.space.describe(self.perturbed)[0]

    def _figures(self) -> str:
        return _drawn(self)

    def save(self, stem: str | Path) -> None:
        """Write STEM.npz and STEM.json; `probe.load` reads them again."""
        tensors = {"inputs": self.inputs, "perturbed": self.perturbed, "labels": self.clean.labels}
        _save(stem, self, tensors | {"clean": self.clean.logits, "attacked": self.attacked.logits})


@dataclass(frozen=True, eq=False)
class Scores(_Result):
    """One metric's evidence for every example."""

    evidence: Evidence
    metric: Measure
    cost: Usage = field(default_factory=Usage)

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
        generator = np.random.default_rng(seed)
        rows = [generator.integers(len(mine), size=len(mine)) for _ in range(draws)]
        gaps = [self.metric.reduce(mine[r]) - self.metric.reduce(theirs[r]) for r in rows]
        low, high = np.quantile(gaps, [(1 - level) / 2, (1 + level) / 2])
        return self.value - other.value, float(low), float(high)

    def to_frame(self) -> pd.DataFrame:
        """One row per example with the metric's evidence."""
        return pd.DataFrame(self._array().reshape(len(self.evidence), -1))

    def _array(self) -> Floats:
        return self.evidence.detach().cpu().numpy().astype(np.float64)


Result = Prediction | Attribution | Perturbation


def _drawn(result: Attribution | Perturbation, most: int = 3) -> str:
    """The first few examples as images, or texts, inside the page: nothing is loaded, nothing runs."""
    from probe import plots

    if result.space.form_of(result.inputs) == "tokens":
        return "".join(result[index]._sentence() for index in range(min(most, len(result))))
    images = (b64encode(plots.to_png(result.plot(index), dpi=72)).decode() for index in range(min(most, len(result))))
    tags = (f'<img alt="example {i}" src="data:image/png;base64,{image}">' for i, image in enumerate(images))
    return f"<div>{''.join(tags)}</div>"


def files(stem: str | Path) -> tuple[Path, Path]:
    """The two files that a result saved as STEM is in."""
    stem = Path(stem)
    return stem.with_name(stem.name + ".npz"), stem.with_name(stem.name + ".json")


def _numpy(tensor: Tensor) -> NDArray[Any]:
    return tensor.detach().cpu().numpy()


def _save(stem: str | Path, result: Attribution | Perturbation, tensors: dict[str, Tensor]) -> None:
    arrays_file, record_file = files(stem)
    if taken := [path for path in (arrays_file, record_file) if path.exists()]:
        raise ExistsError(f"{taken[0]} exists and is left as it is; save under another name")
    space = result.space
    if space.features is not None:
        tensors = tensors | {"features": space.features}
    low, high = space.bounds
    tensors = tensors | {name: torch.as_tensor(v) for name, v in (("scale", space.scale), ("low", low), ("high", high))}
    arrays: dict[str, Any] = {k: _numpy(v) for k, v in tensors.items()}
    np.savez_compressed(arrays_file, **arrays)
    record = {
        "kind": type(result).__name__,
        "method": result.method.config(),
        "names": space.names,
        "kinds": space.kinds,
        "form": space.form,
        "words": space.words,
        "special": space.special,
        "threshold": result.clean.threshold if isinstance(result, Perturbation) else None,
        "cost": vars(result.cost),
    }
    record_file.write_text(json.dumps(record, indent=1))
