"""What the explanations of an audit share: the model's answers that one step asked and the next need not ask again.

They are kept in the folder until the audit ends. One that is continued then asks the same rows in the same passes as
one that was not interrupted; in other passes answers differ in the last digit.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from probe import npz
from probe.audit import files
from probe.errors import IntegrityError
from probe.metrics.masked import Memory
from probe.model import Model
from probe.npz import Arrays, Stored
from probe.recall import Recall
from probe.shapes import Inputs, Labels


class Shared:
    """The answers of each unit of explanations, by its first row."""

    def __init__(self, folder: Path | None = None) -> None:
        """Those that an interrupted audit left in its folder, if any; what cannot be read is asked again."""
        self._left: dict[str, Arrays] = {}
        self._memories: dict[int, Memory] = {}
        self._recalls: dict[int, Recall] = {}
        self._folder = folder
        if folder is not None and files.is_file(folder, files.ASKED):
            with suppress(IntegrityError):
                for name, array in npz.unpack(files.content(folder, files.ASKED), files.ASKED).items():
                    whose, _, part = name.rpartition(".")
                    self._left.setdefault(whose, {})[part] = array

    def memory(self, unit: int) -> Memory:
        """Outputs for masked inputs, for the metrics of all explanations of a unit."""
        if unit not in self._memories:
            self._memories[unit] = Memory()
            if (left := self._left.pop(f"memory.{unit}", None)) is not None:
                with suppress(*npz.BROKEN):
                    self._memories[unit].take(left)
        return self._memories[unit]

    def recall(self, unit: int, model: Model, inputs: Inputs, targets: Labels, most: int) -> Recall:
        """Values of coalitions, for all explainers of a unit."""
        if unit not in self._recalls:
            self._recalls[unit] = Recall(model, inputs, targets, most)
            if (left := self._left.pop(f"recall.{unit}", None)) is not None:
                with suppress(*npz.BROKEN):
                    self._recalls[unit].take(left)
        return self._recalls[unit]

    def keep(self) -> None:
        """Write all to the folder, atomically."""
        if self._folder is not None and (arrays := dict(self._named())):
            files.replace(
                self._folder / files.ASKED, npz.pack(arrays, compressed=False)
            )  # a fifth of the time, for a file that is soon gone

    def forget(self) -> None:
        """Remove the file: the audit has ended."""
        if self._folder is not None:
            (self._folder / files.ASKED).unlink(missing_ok=True)

    def _named(self) -> Iterator[tuple[str, NDArray[Any]]]:
        held: dict[str, Stored | None] = {**self._left}
        held |= {f"recall.{unit}": each.state for unit, each in self._recalls.items()}
        held |= {f"memory.{unit}": each.state for unit, each in self._memories.items()}
        for whose, state in held.items():
            for part, array in (state or {}).items():
                yield f"{whose}.{part}", array
