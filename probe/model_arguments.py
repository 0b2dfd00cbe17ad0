"""The arguments of a Model, each refused in a sentence that says what it must be."""

from collections.abc import Mapping
from numbers import Integral
from typing import Any

from torch import Tensor

from probe.answers import LateCheck
from probe.arrays import from_numbers
from probe.checkpoint import Checkpoint
from probe.errors import DataError, RangeError, ShapeError
from probe.inputs import in_order_of
from probe.metering import Meter, Usage
from probe.names import a_kind, entries, require, same_rows
from probe.recall import Recall
from probe.space import Space
from probe.task import Classification, Task

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
                         "embed": "a function from ids to vectors; write embed=network.embedding",
                         "trainer": "a function of a Dataset and a seed that returns a Model"}.items():  # fmt: skip
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
    such = "(Checkpoint(network.state_dict(), rate=0.01),)"
    for at, kept in enumerate(entries(given["checkpoints"], "Model.checkpoints", such)):
        require(kept, Checkpoint, f"Model.checkpoints[{at}]", such)
    if given["training"] is not None and not _is_pair(given["training"]):
        raise DataError(
            f"Model.training is {a_kind(given['training'])}, expected a pair of rows and their labels; write "
            "training=(inputs, labels)"
        )
    size = given["batch_size"]
    if size is not None and (isinstance(size, bool) or not isinstance(size, Integral) or size < 1):
        raise RangeError(f"Model.batch_size = {size!r:.60}, expected a whole number of rows, at least 1")


def training_rows(given: Any, space: Space, task: Task) -> Any:
    """The rows that a model was trained on and their labels, as tensors, after checking that they belong together.

    Columns of a data frame are taken in the order of the space's names; tensors are kept as they are.

    Raises:
        DataError: if the indexes of pandas objects differ, or labels are no numbers or no classes of the task.
        ShapeError: if there are more or fewer labels than rows.
    """
    if given is None:
        return None
    rows, labels = given
    same_rows(**{"the rows of Model.training": rows, "its labels": labels})
    rows = rows if isinstance(rows, Tensor) else from_numbers(in_order_of(space, rows))
    labels = from_numbers(labels)
    for name, part in {"rows": rows, "labels": labels}.items():
        if not isinstance(part, Tensor) or part.ndim == 0:
            raise DataError(
                f"the {name} of Model.training are {a_kind(part)}, expected a tensor, an array or a data frame of "
                "numbers; Dataset.from_frame encodes texts: training=(data.inputs, data.labels)"
            )
    if len(rows) != len(labels):
        raise ShapeError(f"Model.training has {len(rows):,} rows and {len(labels):,} labels; give one for each row")
    classes = task.classes if isinstance(task, Classification) else ()
    if classes and len(labels) and not labels.is_floating_point() and labels.device.type == "cpu":
        low, high = (int(end) for end in labels.long().aminmax())
        if low < 0 or high >= len(classes):
            raise DataError(
                f"the labels of Model.training span {low} to {high}, expected 0 to {len(classes) - 1} for the classes "
                f"{', '.join(classes)}; give each row's class by its index"
            )
    return given if rows is given[0] and labels is given[1] else (rows, labels)


def _is_pair(value: object) -> bool:
    return isinstance(value, tuple | list) and len(value) == 2
