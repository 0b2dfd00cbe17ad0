"""Images, or rows of numbers, in the arrays of an .npz file."""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from probe.dataset import Dataset
from probe.errors import DataError
from probe.features import image_space
from probe.frames import group_names
from probe.images.common import LARGEST, Size, refuse_twice
from probe.images.labels import several, single_true
from probe.names import in_order, listed, number
from probe.space import Space
from probe.task import MultiLabel, Places, Regression, Task

COLOURS = (1, 2, 3, 4)  # channels that images have: grey or colours, and transparency
CLASSES = 2**16  # a larger label is an identifier


@dataclass(frozen=True, kw_only=True)
class Keys:
    """The names of the arrays in an .npz file."""

    inputs: str = "inputs"  # (rows, ...)
    labels: str | tuple[str, ...] = "labels"  # (rows,), or (rows, labels); several arrays (rows,) are a column each
    groups: tuple[str, ...] = ()  # each (rows,)
    truth: str = ""  # where the truth was planted: other than 0 at the coordinates that decide, as the inputs


def from_npz(
    path: str | Path,
    *,
    keys: Keys | None = None,
    size: Size | None = None,
    classes: Sequence[str] | None = None,
    task: Task | None = None,
) -> Dataset:
    """Read the arrays of an .npz file. Images are (rows, channels, height, width) or (rows, height, width[, channels]).

    Bytes (uint8) are brightness and are divided by 255. Other numbers are taken as they are, and the bounds are [0, 1]
    where all lie within, else the lowest and highest number there are. Arrays (rows, numbers) are a table.

    Args:
        path: an .npz file. Nothing in it is unpickled.
        keys: the names of its arrays; `inputs` and `labels` unless given.
        size: height and width of the images; their own unless given.
        classes: their names in the model's order. Labels that are among the names are found by name; else whole
            numbers are the indices of the classes. Texts are sorted unless given, by value where all are numbers.
            Of several labels their names.
        task: what labels are; classes unless given, or several labels where they are (rows, labels) of 0 and 1.

    Raises:
        DataError: if an array is missing, too large, of objects, or does not fit the others.

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from probe import from_npz
    >>> with TemporaryDirectory() as folder:
    ...     np.savez(Path(folder, "digits.npz"), inputs=np.zeros((2, 8, 8)), labels=np.array(["no", "yes"]))
    ...     data = from_npz(Path(folder, "digits.npz"))
    >>> data.inputs.shape, data.classes
    (torch.Size([2, 1, 8, 8]), ('no', 'yes'))
    """
    path, keys = Path(path), keys or Keys()
    named = (keys.labels,) if isinstance(keys.labels, str) else keys.labels
    masked = (keys.truth,) if keys.truth else ()
    arrays = _arrays(path, (keys.inputs, *named, *keys.groups, *masked))
    inputs, label = arrays[keys.inputs], arrays[named[0]]
    if inputs.ndim < 2 or label.shape[:1] != (len(inputs),) or not inputs.size:
        raise DataError(
            f"{path.name} has {keys.inputs} {inputs.shape} and {named[0]} {label.shape}, "
            "expected (rows, ...) and (rows,) with at least one row of at least one number"
        )
    if label.ndim == 2 and label.shape[1] == 1 and not isinstance(task, MultiLabel | Regression | Places):
        label = label[:, 0]
    read = several if len(named) > 1 or label.ndim > 1 or isinstance(task, MultiLabel | Regression) else None
    if inputs.dtype.kind not in "iuf":
        raise DataError(f"the inputs of {path.name} are {inputs.dtype}, expected numbers")
    tensor = torch.from_numpy(np.ascontiguousarray(_channels_first(inputs)))
    notices = (
        *_as_read(inputs.shape, tensor.shape, path.name),
        *_as_scaled(tensor.numpy(), path.name),
        *single_true(label, task, path.name),
    )
    tensor = _resized(_brightness(tensor, path), size)
    columns = {name: arrays[name] for name in named}
    values, indices = _labelled(label, classes, path) if read is None else read(columns, classes, task, path.name)
    if read is None:
        notices += _without_rows(values, indices, path.name, named=classes is not None)
    table = {name: arrays[name] for name in keys.groups}
    for name, column in table.items():
        if column.shape != (len(inputs),):
            raise DataError(f"{path.name} has {name} {column.shape}, expected a group for each of {len(inputs)} rows")
    low, high = min(0.0, float(tensor.min())), max(1.0, float(tensor.max()))
    space = image_space(*tensor.shape[1:], bounds=(low, high)) if tensor.ndim == 4 else Space(bounds=(low, high))
    return Dataset(
        tensor,
        indices,
        groups=pd.DataFrame({name: group_names(pd.Series(_texts(column))) for name, column in table.items()})
        if table
        else None,
        space=space,
        classes=values,
        name=path.name,
        source=path.name,
        notices=notices,
        truth=_truth(arrays[keys.truth], inputs.shape, size, path) if keys.truth else None,
    )


def names_in(path: Path) -> tuple[str, ...]:
    """The names of the arrays in an .npz file; none where it cannot be read."""
    try:
        with zipfile.ZipFile(path) as archive:
            return tuple(name.removesuffix(".npy") for name in archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return ()


def _arrays(path: Path, names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """The named arrays of the file, after checking what it says that they take."""
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(member.file_size for member in archive.infolist()) > LARGEST:
                raise DataError(f"{path.name} unpacks to more than {LARGEST >> 30} GiB; save fewer rows")
        with np.load(path, allow_pickle=False) as stored:
            if missing := [name for name in names if name not in stored.files]:
                found = ", ".join(sorted(stored.files)[:10]) or "none"
                raise DataError(
                    f"{path.name} has no array {missing[0]!r}; it has {found}; give the name of the right array"
                )
            return {name: _plain(stored[name], name, path) for name in names}
    except FileNotFoundError:
        raise DataError(f"there is no file {path}; give the path of an .npz file that numpy.savez wrote") from None
    except DataError:
        raise
    except (OSError, ValueError, zipfile.BadZipFile, MemoryError, EOFError) as error:
        raise DataError(f"{path.name} cannot be read as an .npz file: {error}") from None


def _channels_first(inputs: NDArray[Any]) -> NDArray[Any]:
    """Images as (rows, channels, height, width): grey ones get a channel, and channels in the last place go first."""
    if inputs.ndim == 3:
        return inputs[:, None]
    if inputs.ndim == 4 and inputs.shape[-1] in COLOURS and inputs.shape[1] not in COLOURS:
        return np.moveaxis(inputs, -1, 1)
    return inputs


def _as_read(given: tuple[int, ...], read: tuple[int, ...], name: str) -> tuple[str, ...]:
    """A notice where the place of the channels was guessed: neither has the number that images have, or both."""
    if len(given) != 4 or (given[1] in COLOURS) != (given[3] in COLOURS):
        return ()
    channels, height, width = read[1:]
    return (
        f"the inputs of {name}, {given}, are taken as {channels} channels of {height} x {width}; save them as "
        "(rows, channels, height, width) if they are not",
    )


def _as_scaled(given: NDArray[Any], name: str) -> tuple[str, ...]:
    """A notice where the numbers of images may be of another scale than they are read in."""
    if given.ndim != 4:
        return ()
    low, high = given.min(), given.max()
    if given.dtype == np.uint8 and 0 < high < 2**7:
        return (
            f"the inputs of {name} are bytes and at most {high}; they are divided by 255, so dark: save them as floats "
            "if they are not brightness from 0 to 255",
        )
    if given.dtype != np.uint8 and low >= 0 and high > 1:
        return (
            f"the inputs of {name}, {given.dtype} from {low:g} to {high:g}, are kept as they are; a model that reads "
            "brightness from 0 to 1 needs them divided by the largest that there can be, such as 255",
        )
    return ()


def _brightness(inputs: Tensor, path: Path) -> Tensor:
    if inputs.dtype == torch.uint8 and inputs.ndim == 4:
        return inputs.float() / 255
    decimal = inputs if inputs.is_floating_point() else inputs.double()
    if not bool(decimal.isfinite().all()):
        raise DataError(f"the inputs of {path.name} hold NaN or infinity; drop those rows or fill them in")
    return decimal if decimal.dtype == torch.float64 and inputs.ndim == 2 else decimal.float()


def _resized(inputs: Tensor, size: Size | None) -> Tensor:
    if size is None or inputs.ndim != 4 or inputs.shape[-2:] == size:
        return inputs
    height, width = inputs.shape[-2:]
    scale = max(size[0] / height, size[1] / width)
    covering = (max(size[0], round(height * scale)), max(size[1], round(width * scale)))
    scaled = torch.nn.functional.interpolate(inputs, covering, mode="bilinear", antialias=True)
    top, left = (covering[0] - size[0]) // 2, (covering[1] - size[1]) // 2
    return scaled[..., top : top + size[0], left : left + size[1]].contiguous()


def _truth(marks: NDArray[Any], shape: tuple[int, ...], size: Size | None, path: Path) -> Tensor:
    """The mask of what decides, moved and resized as the inputs are."""
    if marks.shape != shape or marks.dtype.kind not in "biuf":
        raise DataError(
            f"the mask of the truth of {path.name} is {marks.dtype} of shape {marks.shape}, expected a number or truth "
            f"value for each of the inputs: {shape}"
        )
    there = torch.from_numpy(np.ascontiguousarray(_channels_first(marks != 0)))
    return _resized(there.float(), size) > 0


def _plain(array: NDArray[Any], name: str, path: Path) -> NDArray[Any]:
    """The array in this machine's byte order, after checking that it holds numbers, truth values or texts."""
    if array.dtype.kind not in "biufUS":
        raise DataError(f"{name} of {path.name} holds {array.dtype}, expected numbers, truth values or texts")
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        return array.astype(np.float64)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _without_rows(names: Sequence[str], labels: Tensor, file: str, *, named: bool) -> tuple[str, ...]:
    """A notice of classes without rows, where nobody named them and the largest label says how many there are."""
    there = torch.bincount(labels, minlength=len(names)) > 0
    if named or bool(there.all()):
        return ()
    some = listed((name for name, one in zip(names, there.tolist(), strict=True) if not one), 5)
    return (
        f"the labels of {file} are taken as indices of {len(names)} classes, and no row has {int((~there).sum())} of "
        f"them: {some}; if they are names of {int(there.sum())} classes, list these in order: classes = [...]",
    )


def _texts(column: NDArray[Any]) -> list[Any]:
    """The values as Python's own, bytes as texts."""
    return [value.decode("utf-8", "replace") if isinstance(value, bytes) else value for value in column.tolist()]


def _labelled(labels: NDArray[Any], classes: Sequence[str] | None, path: Path) -> tuple[tuple[str, ...], Tensor]:
    """The names of the classes, and the index of each row's: by name where that is one, else numbers are indices."""
    called = None if classes is None else tuple(map(str, classes))
    refuse_twice(called or ())
    if labels.dtype.kind == "f" and np.isfinite(labels).all() and np.array_equal(labels, np.rint(labels)):
        labels = labels.astype(np.int64)
    if labels.dtype.kind not in "iubUS":
        raise DataError(f"the labels of {path.name} are {labels.dtype}, and not whole; expected class indices or texts")
    texts = list(map(str, _texts(labels)))
    names = called or (("False", "True") if labels.dtype.kind == "b" else tuple(in_order(texts)))
    index = {name: position for position, name in enumerate(names)}
    if called is not None and labels.dtype.kind in "iu":
        # A class may be written 1.0 where the labels are whole numbers.
        values = [number(name) for name in called]
        place = {value: at for at, value in enumerate(values) if values.count(value) == 1}
        index |= {text: place[number(text)] for text in set(texts) if number(text) in place}
    if (called is not None or labels.dtype.kind in "bUS") and set(texts) <= index.keys():
        return names, torch.tensor([index[text] for text in texts])
    if labels.dtype.kind in "US":
        unknown = sorted(set(texts) - index.keys())
        raise DataError(f"the labels of {path.name} hold {unknown[0]!r}, expected one of {', '.join(names)}")
    low, high = int(labels.min()), int(labels.max())
    count = high + 1 if called is None else len(called)
    if not 0 <= low <= high < count or count > CLASSES:
        named = f" or their names {', '.join(called[:5])}" if called else ""
        raise DataError(
            f"the labels of {path.name} span {low} to {high}, expected class indices "
            f"from 0 to {min(count, CLASSES) - 1}{named}; number the classes 0, 1, 2, ..., or name in `classes` what "
            "the labels are, in the model's order"
        )
    return called or tuple(map(str, range(count))), torch.from_numpy(labels.astype(np.int64))
