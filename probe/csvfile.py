"""Read a CSV file: its dialect is detected and reported, and only an empty cell of text is missing."""

import bz2
import csv
import gzip
import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from probe.errors import DataError
from probe.names import a_kind, looks_unknown, refuse_twins

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
SAMPLE = 200  # records used to detect the dialect
LARGEST = 2**31  # bytes of a decompressed file
MAGIC = {
    b"PK\x03\x04": "a spreadsheet (.xlsx) or another zip archive",
    b"\xd0\xcf\x11\xe0": "a spreadsheet in the old format (.xls)",
    b"PAR1": "a Parquet file",
    b"ARROW1": "an Arrow file",
    b"\x89HDF": "an HDF5 file",
    b"SQLite format 3": "an SQLite database",
    b"\x1f\x8b": "compressed by gzip, but not named .gz",
    b"%PDF": "a PDF",
    b"\x93NUMPY": "a numpy array",
}
COMMA = re.compile(r"[+-]?[0-9]+,[0-9]+")
EITHER = re.compile(r"[+-]?[1-9][0-9]{0,2},[0-9]{3}")  # 1,234: a decimal comma, or thousands
EXCELS = re.compile(r"sep=(.)\r?\n", re.IGNORECASE)
POINT = re.compile(r"[+-]?[0-9]*\.[0-9]+")


@dataclass(frozen=True, kw_only=True)
class Reading:
    """The dialect of a CSV file. Empty settings are detected."""

    separator: str = ""  # one character between cells
    decimal: str = ""  # "." or ","
    encoding: str = ""  # such as "utf-8", "cp1252" or "utf-16"
    missing: tuple[str, ...] = ()  # cells that count as missing besides empty ones, such as "?"

    def __post_init__(self) -> None:
        if len(self.separator) > 1 or self.separator in ("\n", "\r", '"'):
            raise DataError(f'separator = {self.separator!r}, expected one character, such as ";" or "\\t"')
        if self.decimal not in ("", ".", ","):
            raise DataError(f'decimal = {self.decimal!r}, expected "." or ","')
        if self.decimal == "," == self.separator:
            raise DataError(
                "decimal and separator are both a comma, so 1,2 could be one cell or two; write the table with "
                "semicolons or tabs between cells"
            )


AS_FOUND = Reading()


def read_csv(path: Any, text: Sequence[Hashable] = (), how: Reading = AS_FOUND) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Read a CSV file with a header row, plain or compressed.

    Args:
        path: the file.
        text: columns of names, in which 01 and 1 differ, and only an empty cell is missing.
        how: the known settings of the dialect.

    Returns:
        The table, and notices about what was detected: separator, decimal comma, encoding.

    Raises:
        DataError: if it is not a CSV file, its rows differ in length, or it is ambiguous.
    """
    if not isinstance(path, str | Path):
        frame = ", a table in memory: Dataset.from_frame(frame, label=...) takes it" * isinstance(path, pd.DataFrame)
        raise DataError(f"expected the path of a CSV file, got {a_kind(path)}{frame}")
    path = Path(path)
    content, notices = _decode(path, _bytes(path), how.encoding)
    if not content.strip():
        raise DataError(f"{path.name} cannot be read as CSV: it is empty")
    named = EXCELS.match(content)
    if named:
        content = content[named.end() :]
        notices.append(f"{path.name} names its separator in its first line, as Excel reads it")
    separator, said = _separator(
        path, content, how.separator or (named[1] if named else ""), [str(name) for name in text]
    )
    notices += said
    header, begins = _check_rows(path, content, separator)
    decimal, said = _decimal(path, content, separator, how)
    notices += said
    try:
        table = pd.read_csv(
            io.StringIO(content),
            sep=separator,
            decimal=decimal,
            dtype=dict.fromkeys(text, str),
            keep_default_na=False,
            na_values=["", *how.missing],
            low_memory=False,
        )
    except (ValueError, OSError) as error:
        raise DataError(f"{path.name} cannot be read as CSV: {error}") from None
    if table.empty:
        raise DataError(f"{path.name} has no rows below its header")
    if begins:
        notices.append(
            f"each row of {path.name} has one cell more than its header; the first, such as "
            f"{begins!r:.60}, is taken for the row's name and left out"
        )
    if twice := sorted({name for name in header if header.count(name) > 1} - {""}):
        raise DataError(f"{path.name} has {header.count(twice[0])} columns called {twice[0]!r}; rename all but one")
    refuse_twins(header, path.name)
    if again := _repeated(table, header):
        raise DataError(
            f"row {again} of {path.name} below its header repeats the header, as where two files were joined; delete it"
        )
    if blank := [at for at, name in enumerate(header) if not name and table.iloc[:, at].isna().all()]:
        table = table.drop(columns=table.columns[blank])
        notices.append(f"{path.name} has {len(blank)} columns without name or cells, which are left out")
    return table, tuple(notices)


def _repeated(table: pd.DataFrame, header: Sequence[str]) -> int:
    """The first row whose cells are the names of the columns, from 1; 0 if there is none."""
    if len(header) != table.shape[1] or pd.api.types.is_numeric_dtype(table.iloc[:, 0]):
        return 0
    rows = (table.iloc[:, 0].astype(str) == header[0]).to_numpy().nonzero()[0]
    return next((int(row) + 1 for row in rows if list(map(str, table.iloc[row])) == list(header)), 0)


def unknown_like(table: pd.DataFrame, columns: Sequence[Hashable]) -> list[str]:
    """A notice for each column of names with cells that look like a missing value; they are kept as values."""
    notices = []
    for name in dict.fromkeys(columns):
        counts = table[name].dropna().astype(str).value_counts()
        found = {str(cell): int(n) for cell, n in counts.items() if looks_unknown(str(cell))}
        if found:
            listed = ", ".join(f"{cell!r} in {n:,} {'row' if n == 1 else 'rows'}" for cell, n in found.items())
            cells = ", ".join(f'"{cell}"' for cell in found)
            notices.append(
                f"column {name!r} has {listed}, kept as a value like any other; "
                f"if that means unknown, list it: missing = [{cells}]"
            )
    return notices


def _bytes(path: Path) -> bytes:
    try:
        with _opened(path) as file:
            data: bytes = file.read(LARGEST + 1)
    except FileNotFoundError:
        raise DataError(f"there is no file {path}; give the path of a CSV file with a header row") from None
    except (ValueError, OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, RuntimeError) as error:
        raise DataError(f"{path.name} cannot be read as CSV: {error}") from None
    if len(data) > LARGEST:
        raise DataError(f"{path.name} holds more than {LARGEST >> 30} GiB; take a sample of its rows")
    for magic, kind in MAGIC.items():
        if data.startswith(magic):
            raise DataError(
                f"{path.name} is {kind}, not CSV; save it as CSV, or read it into a DataFrame and hand that to "
                "Dataset.from_frame"
            )
    return data


def _opened(path: Path) -> Any:
    """The file, opened and decompressed by its suffix."""
    packed: dict[str, Any] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
    if path.suffix.lower() != ".zip":
        return packed.get(path.suffix.lower(), open)(path, "rb")
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/") and "__MACOSX" not in name]
        if len(names) != 1:
            raise ValueError(f"it holds {len(names)} files, expected one")
        return archive.open(names[0])


def _decode(path: Path, data: bytes, asked: str) -> tuple[str, list[str]]:
    """The text of the file, and notices about its encoding."""
    if asked:
        try:
            # A byte order mark is not part of the first column's name.
            return data.decode(asked).removeprefix("\ufeff"), []
        except (LookupError, UnicodeError) as error:
            raise DataError(f"{path.name} is not {asked}: {error}; set encoding to another, or leave it out") from None
    marks = {
        b"\xff\xfe\0\0": "utf-32",
        b"\0\0\xfe\xff": "utf-32",
        b"\xef\xbb\xbf": "utf-8-sig",
        b"\xff\xfe": "utf-16",
        b"\xfe\xff": "utf-16",
    }
    mark = next((name for start, name in marks.items() if data.startswith(start)), "")
    if not mark and b"\0" in data:
        if data.count(b"\0") > len(data) // 4:
            raise DataError(
                f'{path.name} looks like UTF-16 without a byte order mark; set encoding = "utf-16-le" (or "utf-16-be")'
            )
        line = data[: data.index(b"\0")].count(b"\n") + 1
        raise DataError(f"{path.name} has NUL bytes, first in line {line}, so it is not text, or is damaged")
    try:
        text = data.decode(mark or "utf-8")
    except UnicodeError as error:
        if mark:
            raise DataError(f"{path.name} begins like {mark.removesuffix('-sig')}, and is not: {error}") from None
        try:
            text = data.decode("cp1252")
        except UnicodeError:
            raise DataError(
                f"{path.name} is neither UTF-8 nor Windows-1252 ({error}); name its encoding, such as "
                'encoding = "cp1250"'
            ) from None
        line = data[: error.start].count(b"\n") + 1 if isinstance(error, UnicodeDecodeError) else 1
        return (
            text,
            [
                f"{path.name} is not UTF-8 (line {line}); it was read as Windows-1252, which holds latin-1. "
                'If names look wrong, name another: encoding = "..."'
            ],
        )
    if "\0" in text:
        raise DataError(f"{path.name} has NUL characters, so it is damaged")
    said = {"": [], "utf-8-sig": [f"{path.name} begins with a byte order mark; it was read as UTF-8"]}
    return text, said.get(mark, [f"{path.name} was read as {mark.upper()}, by its byte order mark"])


def _separator(path: Path, content: str, asked: str, wanted: list[str]) -> tuple[str, list[str]]:
    if asked:
        return asked, []
    fitting, split = [], []
    for separator in SEPARATORS:
        records = _records(content, separator, SAMPLE)
        if len(records[0]) > 1 or not records[0]:
            split.append(separator)
            # R writes row names without a header for them.
            if len({len(record) for record in records[1:]} | {len(records[0])}) == 1 or {
                len(record) for record in records[1:]
            } == {len(records[0]) + 1}:
                fitting.append(separator)
    named = [s for s in fitting if set(wanted) <= set(_records(content, s, 1)[0])]
    chosen = named if wanted and len(named) == 1 else fitting or split or [","]
    if len(chosen) > 1:
        ways = " or ".join(SEPARATORS[s] for s in chosen)
        raise DataError(
            f"{path.name} could have {ways} between its cells; say which: separator = {chosen[0]!r}".replace("'", '"')
        )
    said = f"{path.name} has {SEPARATORS[chosen[0]]} between its cells"
    return chosen[0], [said] if chosen[0] != "," else []


def _records(content: str, separator: str, most: int) -> list[list[str]]:
    """The first records, without blank lines."""
    found: list[list[str]] = []
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=separator)
    try:
        for record in reader:
            if record:
                found.append(record)
            if len(found) == most:
                break
    except csv.Error:  # a field of more than 128 KiB; pandas reads it
        pass
    return found or [[]]


def _check_rows(path: Path, content: str, separator: str) -> tuple[list[str], str]:
    """The header, after checking that every row has its length, and the name of the first row where rows have names."""
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=separator)
    try:
        records = [(len(record), reader.line_num, record[-1]) for record in reader if record]
    except csv.Error:
        return _records(content, separator, 1)[0], ""
    header, *first = _records(content, separator, 2)
    rows = records[1:]
    longer = [row for row in rows if row[0] == len(header) + 1]
    if rows and len(longer) == len(rows) and len(header) > 1:
        if all(last == "" for *_, last in rows):
            raise DataError(
                f"every row of {path.name} ends with a separator, and the header does not; "
                "take it away, or end the header with one"
            )
        return header, first[0][0] or " "
    for cells, line, _ in rows:
        if cells != len(header):
            raise DataError(
                f"{path.name} has {cells} cells in line {line}, and its header {len(header)}; "
                "quote cells that hold the separator, and fill up short rows"
            )
    return header, ""


def _decimal(path: Path, content: str, separator: str, how: Reading) -> tuple[str, list[str]]:
    """The decimal sign. A comma is detected only with another separator; 1,234 is never guessed."""
    if how.decimal:
        return how.decimal, []
    if separator not in (";", "\t") or "," not in content:
        return ".", []
    columns = list(zip(*_records(content, separator, 20 * SAMPLE)[1:], strict=False))
    commas, points = "", ""
    for cells in columns:
        filled = [cell.strip() for cell in cells if cell.strip() and cell not in how.missing]
        written = [cell for cell in filled if COMMA.fullmatch(cell)]
        # A text column may hold such a cell.
        if len(written) * 2 > sum(1 for cell in filled if not cell.lstrip("+-").isdigit()):
            commas = next((cell for cell in written if not EITHER.fullmatch(cell)), commas or written[0])
        points = points or next((cell for cell in filled if POINT.fullmatch(cell)), "")
    if not commas:
        return ".", []
    if points or EITHER.fullmatch(commas):
        reason = f"{points!r} as well as {commas!r}" if points else f"{commas!r}, which may be thousands"
        raise DataError(
            f'{path.name} has numbers such as {reason}; say which: decimal = "," for decimal commas, '
            'or decimal = "." and write thousands without a comma'
        )
    return ",", [f"{path.name} has decimal commas, such as {commas}"]
