"""Inputs that a user brings, read with the same checks and messages as the data of a plan."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from probe.cli.own_tables import how
from probe.cli.own_texts import encoder
from probe.columns import inputs_of
from probe.csvfile import Reading, read_csv
from probe.errors import DataError, ShapeError, Unsupported
from probe.images.decoding import decoded, told
from probe.lab.opened import Opened
from probe.names import listed, nearest
from probe.results.base import dtype_name
from probe.space import Space

FILE = "your row"  # the name of the input in messages
LONGEST = 2**20  # characters of a text or line
BYTES = 2**25  # bytes of an image file

Brought = tuple[Tensor, tuple[str, ...]]  # (1, *shape), and notices about how it was read


def of_cells(cells: Mapping[str, str], opened: Opened) -> Brought:
    """A row of a table from exactly its features by name."""
    names = _columns(opened)
    if unknown := [name for name in cells if name not in names]:
        raise DataError(
            f"{unknown[0]!r:.60} is no feature{nearest(unknown[0], names)}; the features are {', '.join(names)}"
        )
    if missing := [name for name in names if name not in cells]:
        raise DataError(f"{FILE} lacks {missing[0]!r}; give each of {', '.join(names)}")
    return _read(_line(names) + _line([cells[name] for name in names]), opened, Reading(separator=",", decimal="."))


def of_csv(line: str, opened: Opened) -> Brought:
    """A row of a table from a line of CSV, with a header or in the order of the features."""
    names = _columns(opened)
    if len(line) > LONGEST:
        raise DataError(f"{FILE} has {len(line):,} characters, expected {LONGEST:,} at most")
    lines = line.strip("\r\n").splitlines()
    if len(lines) == 1:
        lines = [_line(names).strip(), *lines]
    if len(lines) != 2:
        raise DataError(f"{FILE} has {len(lines)} lines, expected one, or a header and one")
    source = how(opened.plan.data) if opened.plan.data.csv else Reading()
    return _read("\n".join(lines) + "\n", opened, source)


def of_text(text: str, opened: Opened) -> Brought:
    """Token ids from a text."""
    if "text" not in _form(opened).brought_as:
        raise Unsupported(f"{opened.model.name} reads no texts but {_reads(opened)}; bring one of those")
    if len(text) > LONGEST:
        raise DataError(f"the text has {len(text):,} characters, expected {LONGEST:,} at most")
    ids = encoder(opened.plan, opened.data)([text])
    space = opened.model.space
    if not bool(space.is_word(ids).any()):
        raise DataError("the text has no word that the model knows")
    return ids.to(opened.data.inputs.dtype), _unread(ids, opened)


def of_image(content: NDArray[Any], opened: Opened) -> Brought:
    """An image from the bytes of its file, as brightness, resized to the model's input."""
    if "image" not in _form(opened).brought_as:
        raise Unsupported(f"{opened.model.name} reads no images but {_reads(opened)}; bring one of those")
    if content.dtype != np.uint8 or content.ndim != 1 or content.size > BYTES:
        raise DataError(f"an image comes as the bytes of its file (uint8), {BYTES >> 20} MiB at most")
    channels, height, width = opened.data.inputs.shape[1:]
    low, high = (torch.as_tensor(bound) for bound in opened.model.space.bounds)
    if channels not in (1, 3) or float(low.min()) > 0 or float(high.max()) != 1:
        raise Unsupported(
            f"an image file has one brightness or three from 0 to 1, and {opened.model.name} reads {channels} channels "
            f"from {float(low.min()):g} to {float(high.max()):g}; bring an array of such numbers"
        )
    read = decoded(io.BytesIO(content.tobytes()), (height, width), channels, "your image")
    said = f"an image file, as brightness from 0 to 1 in {height} x {width} pixels"
    return torch.from_numpy(read.pixels)[None].to(opened.data.inputs.dtype), (said, *told([read]))


def of_array(numbers: NDArray[Any], opened: Opened) -> Brought:
    """An input from an array of numbers."""
    like = opened.data.inputs[:1]
    if numbers.dtype.kind not in "biuf":
        raise DataError(f"an array of {numbers.dtype} came, expected numbers")
    if numbers.shape not in (tuple(like.shape[1:]), tuple(like.shape)):
        raise ShapeError(f"an array of shape {numbers.shape} came, expected {tuple(like.shape[1:])}")
    whole = not like.is_floating_point()
    if whole and numbers.dtype.kind == "f" and not bool((np.isfinite(numbers) & (numbers == np.rint(numbers))).all()):
        raise DataError(f"an array of {numbers.dtype} came, expected whole numbers")
    if numbers.dtype.kind == "f" and numbers.dtype.itemsize <= 8:
        numbers = numbers.astype(numbers.dtype.newbyteorder("="))  # torch reads only the byte order of this machine
    else:
        numbers = numbers.astype(np.float64 if numbers.dtype.kind == "f" else np.int64)
    found = torch.from_numpy(np.ascontiguousarray(numbers)).reshape(like.shape)
    rounded = found.to(like.dtype)
    lost = not whole and bool(((rounded.to(found.dtype) != found) & ~found.isnan()).any())
    return rounded, (f"its numbers are rounded to {dtype_name(rounded)}",) if lost else ()


def of_features(numbers: NDArray[Any], inputs: Tensor) -> Tensor:
    """The number of the feature of each coordinate of an input (1, *shape), for a space that checks them."""
    if numbers.dtype.kind not in "biu" or numbers.shape not in (tuple(inputs.shape[1:]), tuple(inputs.shape)):
        raise ShapeError(
            f"features are an array of {numbers.dtype} of shape {numbers.shape}, expected whole numbers of shape "
            f"{tuple(inputs.shape[1:])}: the number of each coordinate's feature"
        )
    return torch.from_numpy(numbers.astype(np.int64)).reshape(inputs.shape)


def _read(text: str, opened: Opened, reading: Reading) -> Brought:
    space = opened.model.space
    categories = [name for at, name in enumerate(space.names) if space.kinds and space.kinds[at] == "category"]
    with TemporaryDirectory() as folder:  # tables are read from files
        path = Path(folder, FILE)
        path.write_bytes(text.encode("utf-8", "replace"))
        try:
            table, notices = read_csv(path, categories, reading)
        except ValueError as error:
            raise DataError(str(error).replace(str(path), FILE)) from None
    if len(table) != 1:
        raise DataError(f"{FILE} has {len(table)} rows, expected one")
    if missing := [name for name in space.names if name not in table]:
        there = list(map(str, table.columns))
        raise DataError(f"{FILE} has no column {missing[0]!r}{nearest(missing[0], there)}; it has {listed(there)}")
    inputs = inputs_of(_typed(table, space), space, FILE)
    return inputs.to(opened.data.inputs.dtype).reshape(1, *opened.data.inputs.shape[1:]), notices


def _typed(table: pd.DataFrame, space: Space) -> pd.DataFrame:
    """Give an empty column its numeric type, which a single row does not show."""
    for at, name in enumerate(space.names):
        if (not space.kinds or space.kinds[at] != "category") and bool(table[name].isna().all()):
            table[name] = np.nan
    return table


def _columns(opened: Opened) -> tuple[str, ...]:
    if "csv" not in _form(opened).brought_as or not opened.model.space.names:
        raise Unsupported(
            f"{opened.model.name} reads no table with named columns but {_reads(opened)}; bring one of those"
        )
    return opened.model.space.names


def _form(opened: Opened) -> Any:
    return opened.model.space.form_of(opened.data.inputs[:1])


def _reads(opened: Opened) -> str:
    form = _form(opened)
    without_names = "csv" in form.brought_as and not opened.model.space.names
    return "rows of numbers as arrays" if without_names else str(form.read_as)


def _unread(ids: Tensor, opened: Opened) -> tuple[str, ...]:
    """A notice of the words that the model does not know."""
    form = _form(opened)
    unknown = int((~form.is_word(ids) & (ids != form.special[0])).sum()) if form.special else 0
    return (f"{unknown} of its words are unknown to the model",) if unknown else ()


def _line(cells: Any) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerow(cells)
    return written.getvalue()
