"""How training went, as JSON lines: one line an epoch, there as soon as the epoch is over."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from probe.errors import DataError

METRICS = "metrics.jsonl"
Record = Callable[[Mapping[str, float]], None]


def recorder(folder: Path | None) -> Record:
    """Writes lines to `metrics.jsonl` in the folder, which begins anew; without a folder it writes nothing.

    Raises:
        DataError: if the file cannot be written.
    """
    if folder is None:
        return lambda values: None
    path = folder / METRICS
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text("", encoding="utf-8")
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror or error}; give another folder") from None

    def record(values: Mapping[str, float]) -> None:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(values) + "\n")

    return record
