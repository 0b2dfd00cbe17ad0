"""Inputs that nobody would write on purpose, drawn from a seed; and the one promise that holds for all of them."""

import os
import random
import signal
import string
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from probe.errors import ProbeError

SECONDS = 30  # no input may take longer

NUMBERS = [
    "0", "-1", "1", "2", "10", "01", "1.5", "-0.0", "1e400", "-1e400", "1e-400", "nan", "NaN", "inf", "-inf",
    "Infinity", "9007199254740993", "123456789012345678901234567890", "20240131", "1,234", "12,5", "1.234,5", "0x10",
    "1_000", "50%", "8/255", "1/0", "1e400000000", "9" * 5000, "+7", "٣", "½", "--3", "1e", "true", "TRUE",
]  # fmt: skip
TEXTS = [
    "", " ", "  a ", "a", "A", "á", "á", "NA", "N/A", "None", "null", "NULL", "<NA>", "?", "-", "yes", "no", "Yes ",
    "=cmd|' /C calc'!A0", "<script>alert(1)</script>", "\u202egnirts", "\x00", "\x1b[31m", "\ud7ff", "🙂", "a\u00a0",
    "x" * 3000, "2024-01-31", "31.01.2024", "12:30", "a;b", 'say "so"', "line\nbreak", "tab\tbed", "$\\frac{",
    "{{7*7}}", "../../etc", "名前", "True", "False", "0", "1", "-1", "01",
]  # fmt: skip


def cell(source: random.Random) -> str:
    """One cell of a table."""
    kind = source.random()
    if kind < 0.45:
        return str(source.choice((source.randint(-5, 5), round(source.gauss(0, 10), 3), source.randint(0, 2))))
    if kind < 0.65:
        return source.choice(NUMBERS)
    if kind < 0.95:
        return source.choice(TEXTS)
    return "".join(source.choice(string.printable) for _ in range(source.randint(0, 12)))


def value(source: random.Random, depth: int = 0) -> Any:
    """Anything that JSON can hold."""
    kind = source.random()
    if kind < 0.2 and depth < 3:
        return [value(source, depth + 1) for _ in range(source.randint(0, 3))]
    if kind < 0.35 and depth < 3:
        return {cell(source): value(source, depth + 1) for _ in range(source.randint(0, 3))}
    return source.choice([
        None, True, False, 0, 1, -1, 2**31, 2**63, 2**64, -(2**63), 10**30, 0.0, -0.5, 0.5, 1e308, 1e-308, float("nan"),
        float("inf"), source.choice(NUMBERS), source.choice(TEXTS), source.random(), source.randint(-300, 300),
    ])  # fmt: skip


def changed(table: Any, source: random.Random) -> Any:
    """A copy of plain data with one place changed, removed or added."""
    if isinstance(table, dict) and table:
        key = source.choice(list(table))
        kind = source.random()
        if kind < 0.15:
            return {k: v for k, v in table.items() if k != key}
        if kind < 0.25:
            return {**table, source.choice((cell(source), f"{key}s")): value(source)}
        return {**table, key: changed(table[key], source)}
    if isinstance(table, list) and table and source.random() < 0.8:
        at = source.randrange(len(table))
        kind = source.random()
        if kind < 0.15:
            return table[:at] + table[at + 1 :]
        if kind < 0.25:
            return [*table, table[at]]
        return [*table[:at], changed(table[at], source), *table[at + 1 :]]
    return value(source)


def spoiled(data: bytes, source: random.Random) -> bytes:
    """The bytes cut short, with some overwritten, repeated or put in."""
    if not data:
        return data
    at = source.randrange(len(data))
    return source.choice([
        data[:at],
        data[at:],
        data[:at] + source.randbytes(source.randint(1, 8)) + data[at + source.randint(0, 8) :],
        data[:at] + data[at // 2 : at] + data[at:],
        b"\xef\xbb\xbf" + data,
        data + source.randbytes(3),
    ])  # fmt: skip


@contextmanager
def answered(seed: int, what: object) -> Iterator[None]:
    """What is asked must end soon, in an answer or in an error of probe's own."""

    def late(*_: object) -> None:
        raise AssertionError(f"seed {seed} took longer than {SECONDS} s: {str(what)[:2000]}")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    try:
        yield
    except ProbeError as error:
        if not str(error):
            raise AssertionError(f"seed {seed}: an error without a word") from error
    except Exception as error:
        raise AssertionError(f"seed {seed}: {type(error).__name__}: {error}\n{str(what)[:2000]}") from error
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def block(number: int, size: int, case: Callable[[int], None]) -> None:
    """Run the cases of some consecutive seeds; of `FUZZ` times as many where that is set, as `make fuzz` does."""
    size *= int(os.environ.get("FUZZ", "1"))
    for seed in range(number * size, (number + 1) * size):
        case(seed)
