"""The arguments of a Model, each refused in a sentence that says what it must be."""

from collections.abc import Mapping
from numbers import Integral
from typing import Any

from probe.answers import LateCheck
from probe.errors import DataError, RangeError
from probe.metering import Meter, Usage
from probe.names import a_kind, entries, require
from probe.recall import Recall
from probe.space import Space
from probe.task import Task

EXPECTED: Mapping[str, tuple[type, str]] = {
    "space": (Space, "space=Space(bounds=(0.0, 1.0))"),
    "task": (Task, "task=Classification(('no', 'yes'))"),
    "name": (str, "name='mine'"),
    "usage": (Usage, "usage=Usage(), or leave it out"),
    "edits": (tuple, "model.edited({layer: edit}), which makes them"),
    "meter": (Meter, "model.metered(rows), which makes it"),
    "late": (LateCheck, "model.checked_late(), which makes it"),
    "recall": (Recall, "Recall(model, inputs, targets, most=10**5)"),
}  # fmt: skip


def check_arguments(given: Mapping[str, Any]) -> None:
    """Raise DataError or RangeError for the first argument that is not what it must be; None stands for left out."""
    for name, wanted in {"forward": "a network or a function; write forward=network",
                         "embed": "a function from ids to vectors; write embed=network.embedding"}.items():  # fmt: skip
        if not callable(given[name]) and (given[name] is not None or name == "forward"):
            raise DataError(f"Model.{name} is {a_kind(given[name])}, expected {wanted}")
    for name, (kind, such) in EXPECTED.items():
        if given[name] is not None or name not in ("meter", "late", "recall"):
            require(given[name], kind, f"Model.{name}", such)
    if given["part"] is not None and (isinstance(given["part"], bool) or not isinstance(given["part"], str | int)):
        raise DataError(
            f"Model.part is {a_kind(given['part'])}, expected the name or the place of what the forward returns; "
            "write part='logits' or part=0"
        )
    entries(given["notices"], "Model.notices", "('trained in May',)")
    if given["training"] is not None and not _is_pair(given["training"]):
        raise DataError(
            f"Model.training is {a_kind(given['training'])}, expected a pair of rows and their labels; write "
            "training=(inputs, labels)"
        )
    size = given["batch_size"]
    if size is not None and (isinstance(size, bool) or not isinstance(size, Integral) or size < 1):
        raise RangeError(f"Model.batch_size = {size!r:.60}, expected a whole number of rows, at least 1")


def _is_pair(value: object) -> bool:
    return isinstance(value, tuple | list) and len(value) == 2
