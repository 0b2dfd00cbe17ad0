"""Tables that nobody would write on purpose, read as data of a model and as decisions whose bias is asked."""

import random
import tomllib
from contextlib import redirect_stderr, redirect_stdout, suppress
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.main import get_command

from probe import Dataset, bias, from_csv
from probe.audit import plan_from
from probe.audit.starter import starter
from probe.cli.commands import app
from probe.columns import inputs_of
from probe.errors import DataError
from probe.restored import decode
from tests.fuzz.odd import NUMBERS, answered, block, cell, spoiled

pytestmark = pytest.mark.slow
COMMANDS = get_command(app)


def column(source: random.Random) -> list[str]:
    """The cells that are usual in a column: numbers, a few texts, names of classes, or anything."""
    kind = source.random()
    if kind < 0.3:
        return [str(source.choice((round(source.gauss(0, 10), 3), source.randint(-5, 5)))) for _ in range(20)]
    if kind < 0.5:
        return source.sample(("no", "yes", "2", "10", "1.0", "2.0", "True", "False", "NA", "None", " a", "A"), 2)
    if kind < 0.7:
        return [source.choice(NUMBERS[:24]) for _ in range(source.randint(1, 6))]
    return [cell(source) for _ in range(source.randint(1, 4))]


def table(source: random.Random) -> bytes:
    """A table of a few odd columns, mostly of the kind that a column begins with."""
    columns, rows = source.randint(2, 5), source.choice((0, 1, 2, 5, 30, 30, 250))
    names = [cell(source) if source.random() < 0.05 else f"c{i}" for i in range(columns)]
    usual = [column(source) for _ in range(columns)]
    odd = source.choice((0.0, 0.0, 0.0, 0.02, 0.3))
    separator = source.choice(",,,,;\t|")

    def quoted(text: str) -> str:
        return '"' + text.replace('"', '""') + '"' if source.random() < 0.7 or set(text) & set(',;\t|\n"') else text

    lines = [separator.join(map(quoted, names))]
    for _ in range(rows):
        cells = [cell(source) if source.random() < odd else source.choice(usual[i]) for i in range(columns)]
        if source.random() < 0.0005:
            cells.append("one too many")
        lines.append(separator.join(map(quoted, cells)))
    text = source.choice(("\n", "\n", "\r\n")).join(lines)
    data = text.encode(source.choice(("utf-8", "utf-8", "utf-8", "cp1252", "utf-16")), "replace")
    return spoiled(data, source) if source.random() < 0.1 else data


def options(source: random.Random) -> dict[str, Any]:
    """What somebody says of such a table, mostly of columns that are there."""
    choose = [*("c0", "c1") * 4, "c2", "c3", "absent"]
    chosen: dict[str, Any] = {"label": source.choice(choose)}
    if source.random() < 0.4:
        chosen["groups"] = source.sample(("c0", "c1", "c2"), source.randint(1, 2))
    if source.random() < 0.2:
        chosen["features"] = source.sample(choose, source.randint(0, 3))
    if source.random() < 0.1:
        chosen["classes"] = [cell(source) for _ in range(source.randint(0, 3))]
    if source.random() < 0.1:
        chosen["categories"] = {source.choice(choose): [cell(source) for _ in range(source.randint(0, 3))]}
    if source.random() < 0.3:
        chosen["missing"] = [cell(source) for _ in range(source.randint(0, 2))]
    if source.random() < 0.1:
        chosen[source.choice(("separator", "decimal", "encoding"))] = source.choice((",", ";", ".", "", "utf-8", "x"))
    return chosen | {"allow_missing": source.random() < 0.6}


def decisions(data: bytes, path: Path, source: random.Random) -> None:
    """The same table read as decisions, whose bias the command line reports."""
    answer = path.with_suffix(".csv")
    chosen = [str(answer), "--prediction", source.choice(("c0", "c1")), "--group", source.choice(("c1", "c2"))]
    for option, values in (
        ("--label", ("c0", "c1", "c2")),
        ("--favourable", ("yes", "2", "10", "1", "1.0", "True", cell(source))),
        ("--scores", ("c0", "c1", "c2")),
        ("--min-group-size", ("1", "2", "30", "99999999999")),
        ("--missing", ("?", "NA", "1", "")),
    ):
        if source.random() < 0.3:
            chosen += [option, source.choice(values)]
    if source.random() < 0.3:
        chosen.append("--merge-spellings")
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        code = COMMANDS.main(["bias", *chosen], standalone_mode=False)
    assert code in (0, 1, 2), f"probe bias {chosen} ends with {code}"


def case(seed: int, folder: Path) -> None:
    source = random.Random(seed)
    data = table(source)
    path = folder / f"{seed}.csv"
    path.write_bytes(data)
    with answered(seed, data):
        plan_from(tomllib.loads(starter(path)) | {"name": "odd"})
    with answered(seed, data):
        decisions(data, path, source)
    chosen = options(source)
    with answered(seed, (data, chosen)):
        read = from_csv(path, **chosen)
        assert len(read) > 0
        read.space.describe(read.inputs[:3])
        read.digest()
        again = inputs_of(decode(read.inputs.numpy(), read.space), read.space, "the rows")
        assert torch.equal(again.to(read.inputs.dtype).nan_to_num(-1), read.inputs.nan_to_num(-1))
        if read.groups is not None and len(read.classes) == 2:
            bias.audit(read.labels.numpy(), read.labels.numpy(), read.groups)
    path.unlink()


@pytest.mark.parametrize("number", range(10))
def test_an_odd_table_is_read_or_refused_in_a_sentence(number, tmp_path):
    """A fault of one table in 200 is found in 95 of 100 runs."""
    block(number, 60, lambda seed: case(seed, tmp_path))


def test_the_fuzzer_reports_every_error_that_is_not_a_probe_error():
    with pytest.raises(AssertionError, match="seed 7: KeyError"), answered(7, "a table"):
        raise KeyError("c0")
    with answered(7, "a table"):
        raise DataError("a sentence")


def test_the_odd_tables_are_not_all_refused(tmp_path):
    """A fuzzer whose inputs never get past the door shows nothing."""
    read = 0
    for seed in range(200):
        path = tmp_path / "t.csv"
        path.write_bytes(table(random.Random(seed)))
        with suppress(DataError):
            read += isinstance(from_csv(path, label="c0"), Dataset)
    assert read >= 20
