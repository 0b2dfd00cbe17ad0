"""Saved batches of an unfinished cell, so that stopping a study loses at most one batch."""

import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any, TypeVar

import torch
from torch import Tensor

from probe import store
from probe.errors import DataError, UnknownMethod
from probe.loading import load
from probe.method import Method
from probe.results import AnyResult

R = TypeVar("R", bound=AnyResult)


class Parts:
    """A folder with the result of each batch, by its rows, and its duration."""

    def __init__(self, path: Path) -> None:
        self.path, self.spent = path, 0.0

    def of(self, rows: slice, method: Method, device: torch.device, ask: Callable[[slice], Any]) -> Any:
        """The saved result of a batch, or a new one, which is saved.

        `spent` is increased by the seconds of a saved batch.
        """
        if (found := self.get(rows, method, device)) is not None:
            return found
        began = perf_counter()
        result = ask(rows)
        self.keep(rows, result, perf_counter() - began)
        return result

    def get(self, rows: slice, method: Method, device: torch.device) -> Any:
        """The saved result of a batch; None if there is none, or it is damaged."""
        stem, seconds = self._files(rows)
        with suppress(DataError, UnknownMethod, OSError, ValueError):
            took = float(seconds.read_text())
            found = on(load(stem, known=[type(method)]), device)
            self.spent += took
            return found
        return None

    def keep(self, rows: slice, result: Any, took: float) -> None:
        """Save the result of a batch, which took so many seconds."""
        stem, seconds = self._files(rows)
        for path in (*store.files(stem), seconds):
            path.unlink(missing_ok=True)
        self.path.mkdir(parents=True, exist_ok=True)
        result.save(stem)
        seconds.write_text(repr(took))  # written last: a batch without it does not count as saved

    def has(self, rows: slice) -> bool:
        """Whether a batch is saved."""
        _, seconds = self._files(rows)
        return seconds.exists() and seconds.stat().st_size > 0

    def clear(self) -> None:
        """Delete the batches, once the cell is saved."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _files(self, rows: slice) -> tuple[Path, Path]:
        stem = self.path / f"{rows.start}-{rows.stop}"
        return stem, stem.with_suffix(".seconds")


class Sent(Parts):
    """The results of all batches, as they were sent to a worker."""

    def __init__(self, results: Mapping[int, Any], spent: float) -> None:
        """By the first row of each; they took so many seconds."""
        self._results, self.spent = results, spent

    def get(self, rows: slice, method: Method, device: torch.device) -> Any:
        return on(self._results[rows.start], device)


def on(result: Any, device: torch.device) -> Any:
    """The result with its tensors on a device."""
    entries = {name: getattr(result, name) for name in result.per_row}
    moved = {
        name: each.to(device) if isinstance(each, Tensor) else on(each, device)
        for name, each in entries.items()
        if each is not None
    }
    return replace(result, **moved)
