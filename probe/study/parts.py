"""Saved batches of an unfinished cell, so that stopping a study loses at most one batch."""

import shutil
from collections.abc import Callable
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
        stem = self.path / f"{rows.start}-{rows.stop}"
        seconds = stem.with_suffix(".seconds")
        with suppress(DataError, UnknownMethod, OSError, ValueError):  # damaged or missing: run the batch again
            took = float(seconds.read_text())
            found = _on(load(stem, known=[type(method)]), device)
            self.spent += took
            return found
        for path in (*store.files(stem), seconds):
            path.unlink(missing_ok=True)
        self.path.mkdir(parents=True, exist_ok=True)
        began = perf_counter()
        result = ask(rows)
        took = perf_counter() - began
        result.save(stem)
        seconds.write_text(repr(took))  # written last: a batch without it does not count as saved
        return result

    def has(self, rows: slice) -> bool:
        """Whether a batch is saved."""
        seconds = self.path / f"{rows.start}-{rows.stop}.seconds"
        return seconds.exists() and seconds.stat().st_size > 0

    def clear(self) -> None:
        """Delete the batches, once the cell is saved."""
        shutil.rmtree(self.path, ignore_errors=True)


def _on(result: Any, device: torch.device) -> Any:
    """The result with its tensors on a device."""
    entries = {name: getattr(result, name) for name in result.per_row}
    moved = {
        name: each.to(device) if isinstance(each, Tensor) else _on(each, device)
        for name, each in entries.items()
        if each is not None
    }
    return replace(result, **moved)
