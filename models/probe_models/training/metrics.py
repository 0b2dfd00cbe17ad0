"""How training went, as JSON lines: one line an epoch, there as soon as the epoch is over."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from probe.errors import DataError

METRICS = "metrics.jsonl"
Line = Mapping[str, Any]


class Metrics:
    """The lines of a run, in `metrics.jsonl` if there is a folder."""

    def __init__(self, folder: Path | None) -> None:
        self.path = folder / METRICS if folder else None

    def begin(self, lines: Sequence[Line]) -> None:
        """Begin with the lines of the epochs that are done; a line of a later epoch, which is done again, is dropped.

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
        """Write down an epoch."""
        if self.path:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(_text(line))


def _text(line: Line) -> str:
    return json.dumps(line) + "\n"
