"""The record of a cell, and the folder of a study."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from probe import lock, store
from probe.contracts import answers_as_before, first_answers
from probe.dataset import Dataset
from probe.errors import DataError, ExistsError, UnknownMethod
from probe.model import Model
from probe.study.parts import Parts
from probe.tensors import sha256
from probe.version import __version__

CELLS, CLAIMS = "cells", "claims"


@dataclass(frozen=True)
class Measured:
    """The evidence of one number: of a metric, of a certificate at a radius, or of an item of a survey."""

    metric: str
    eps: float | None
    item: str
    reduction: str  # name of a reduction of `probe.reductions`
    settings: str  # settings of the metric, which the reduction may read; JSON
    evidence: Tensor | None  # one row per example; None if it could not be measured
    note: str  # why not


@dataclass(frozen=True)
class Record:
    """The result of a cell and the cost of its method, without its metrics."""

    identity: str
    method: str
    settings: str
    seed: int | None
    readings: tuple[Measured, ...]
    seconds: float
    forwards: int
    backwards: int


@dataclass(frozen=True)
class About:
    """What identifies the study in a folder."""

    model: str
    weights: str | None
    task: str
    space: str
    data: str
    examples: int
    targets: str
    computed: str  # device and versions
    answers: Tensor

    @classmethod
    def of(cls, model: Model, data: Dataset, targets: Tensor | None) -> "About":
        """The identity of a study of this model on these examples."""
        return cls(
            model=model.name,
            weights=model.digest(),
            task=json.dumps(model.task.to_json()),
            space=store.digest(model.space),
            data=data.digest(),
            examples=len(data),
            targets="" if targets is None else sha256({"targets": targets}),
            computed=f"{model.device.type}, probe {__version__}, torch {version('torch')}",
            answers=torch.from_numpy(first_answers(model, data)),
        )


SAYS = {
    "model": "another model",
    "weights": "a model with other weights",
    "task": "a model with another task",
    "space": "a model with another space",
    "data": "other data",
    "examples": "other data",
    "targets": "other targets",
    "computed": "another device or version",
}


class Folder:
    """A folder of cells, one file of arrays and one of JSON for each."""

    def __init__(self, folder: str | Path) -> None:
        self.path = Path(folder)

    @contextmanager
    def writing(self, told: Callable[[str], object]) -> Iterator[None]:
        """Lock the folder for writing, and report a process that was killed while writing.

        Raises:
            ExistsError: if another process writes into it, or it is not a folder.
        """
        if self.path.exists() and not self.path.is_dir():
            raise ExistsError(f"{self.path} exists and is not a study, so it is not changed; choose another out")
        with lock.writing(self.path) as left:
            if left is not None:
                told(f"process {left} ended before its study in {self.path} was done, which is continued here")
            yield

    def begin(self, model: Model, data: Dataset, targets: Tensor | None) -> None:
        """Start the folder, or continue a study of the same model and data in it.

        Raises:
            ExistsError: if it holds something else.
        """
        about, stem = About.of(model, data, targets), self.path / "study"
        if not store.files(stem)[1].exists():
            if self.path.exists() and not (self.path.is_dir() and self._is_unused()):
                raise ExistsError(f"{self.path} exists and is not a study, so it is not changed; choose another out")
            (self.path / CELLS).mkdir(parents=True, exist_ok=True)
            _write(stem, about)
            return
        before = _read(stem, About)
        differing = [
            f.name for f in fields(About) if f.name in SAYS and getattr(before, f.name) != getattr(about, f.name)
        ]
        said = SAYS[differing[0]] if differing else "a model with other answers"
        if differing or not answers_as_before(model, data, before.answers.numpy()):
            raise ExistsError(f"{self.path} holds a study of {said}, and is left as it is; choose another out")

    def get(self, name: str, identity: str) -> Record | None:
        """The record of a finished cell, if there is one."""
        stem = self._stem(name)
        if not store.files(stem)[1].exists():
            return None
        record = _read(stem, Record)
        if record.identity != identity:
            raise DataError(f"{stem}.json is of another cell; delete it, and the cell is run again")
        return record

    def has(self, name: str) -> bool:
        """Whether a cell is finished."""
        return store.files(self._stem(name))[1].exists()

    def put(self, name: str, record: Record) -> None:
        """Write the record of a cell atomically."""
        _write(self._stem(name), record)
        self.parts(name).clear()

    def records(self) -> list[Record]:
        """The records of all finished cells, in the order in which they finished.

        Raises:
            DataError: if the folder holds no study, or one of its files is damaged.
        """
        if not store.files(self.path / "study")[1].exists():
            raise DataError(f"{self.path} holds no study; study.run(..., out={str(self.path)!r}) makes one")
        found = [path for path in (self.path / CELLS).glob("*.json") if not path.name.startswith(".")]
        found.sort(key=lambda path: (path.stat().st_mtime_ns, path.name))
        return [_read(path.with_suffix(""), Record) for path in found]

    def claim(self, what: str) -> AbstractContextManager[int | None]:
        """Take one piece of work, unless another process has it. A process that ends in any way gives it back.

        Raises:
            ExistsError: if another process has it.
        """
        return lock.writing(self.path / CLAIMS / what, patience=0)

    def unclaim(self) -> None:
        """Delete what claims leave behind."""
        shutil.rmtree(self.path / CLAIMS, ignore_errors=True)

    def parts(self, name: str) -> Parts:
        """Where the batches of an unfinished cell are saved."""
        return Parts(self.path / CELLS / f"{name}.parts")

    def _stem(self, name: str) -> Path:
        return self.path / CELLS / name

    def _is_unused(self) -> bool:
        """Whether the folder is empty but for what a study leaves that could not write its first file."""
        return all(
            path.name in (CELLS, "study.npz", lock.NAME) or path.name.startswith(".study.")
            for path in self.path.iterdir()
        )


def _write(stem: Path, record: Any) -> None:
    # Arrays without their JSON were left by a process that was killed between the two.
    arrays, words = store.files(stem)
    if words.exists():  # another process wrote it first, with the same seed
        return
    arrays.unlink(missing_ok=True)
    store.write(stem, record)


def _read(stem: Path, kind: type[Any]) -> Any:
    def none(config: Any) -> Any:
        raise UnknownMethod("a study keeps no methods")

    try:
        found = store.read(stem, {each.__name__: each for each in (About, Record, Measured)}, none)
    except (DataError, UnknownMethod) as error:
        raise DataError(f"{error}; delete {stem}.json, and it is made again") from None
    if not isinstance(found, kind):
        raise DataError(f"{stem}.json holds no {kind.__name__} of a study; delete it, and it is made again")
    return found
