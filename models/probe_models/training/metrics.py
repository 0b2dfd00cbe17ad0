"""Training metrics as JSON lines: one line per epoch, written when the epoch ends."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from probe.errors import DataError

METRICS = "metrics.jsonl"
Line = Mapping[str, Any]


class Metrics:
    """The metrics of a run, in `metrics.jsonl` if there is a folder."""

    def __init__(self, folder: Path | None) -> None:
        self.path = folder / METRICS if folder else None

    def begin(self, lines: Sequence[Line]) -> None:
        """Start with the lines of finished epochs; lines of later epochs, which are repeated, are dropped.

        Raises:
            DataError: if the file cannot be written.
        """
        if self.path:
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self.path.write_text("".join(map(_text, lines)), encoding="utf-8")
            except OSError as error:
                raise DataError(f"cannot write {self.path}: {error.strerror or error}; give another folder") from None

    def add(self, line: Line) -> None:
        """Add the metrics of an epoch."""
        if self.path:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(_text(line))


def _text(line: Line) -> str:
    return json.dumps(line) + "\n"
