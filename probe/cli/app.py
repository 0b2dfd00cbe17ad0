"""The application object, and the parts shared by all commands: exit codes, errors, JSON."""

import errno
import functools
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from contextvars import ContextVar
from math import isfinite
from pathlib import Path
from typing import Annotated, Any, ParamSpec, TextIO

import typer
from typer.core import TyperCommand

from probe.cli.signals import Terminated
from probe.errors import IntegrityError, ProbeError, RangeError, UnsafeError, is_out_of_memory
from probe.text import visible
from probe.version import __version__

P = ParamSpec("P")

FINDINGS, USAGE, UNSAFE, INTEGRITY, INTERNAL, INTERRUPTED = 1, 2, 3, 4, 101, 130

app = typer.Typer(
    name="probe",
    help="Explain, attack and audit trained models, with evidence that anybody can verify.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
    rich_markup_mode=None,
)

_results: ContextVar[TextIO | None] = ContextVar("_results", default=None)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
PlanFile = Annotated[Path | None, typer.Option("--plan", help="A plan in TOML, for any model and data.")]
Device = Annotated[
    str, typer.Option("--device", help="The device to run the model on: cpu, cuda or mps; unchanged unless given.")
]
AllowCode = Annotated[
    bool, typer.Option("--allow-code", help="Run the code that the plan names as its factory. Look at it first.")
]
Separator = Annotated[str, typer.Option(help="CSV: the character between cells, such as ;. Detected unless given.")]
Decimal = Annotated[str, typer.Option(help="CSV: the decimal sign, a point or a comma. Detected unless given.")]
Encoding = Annotated[str, typer.Option(help="CSV: the encoding, such as cp1252. Detected unless given.")]
Strict = Annotated[
    bool, typer.Option("--strict", help="Exit with code 1 also if a check is inconclusive or was not run.")
]


def exit_code(statuses: Iterable[str], strict: bool = False) -> int:
    """1 if any finding is *fail* or *error*, else 0; with `strict`, 1 unless every finding is *pass*."""
    found = set(statuses)
    return FINDINGS if found & {"fail", "error"} or (strict and found - {"pass"}) else 0


def command(name: str, cls: type[TyperCommand] | None = None) -> Callable[[Callable[P, int | None]], Callable[P, None]]:
    """Register a command that returns its exit code; an error of probe's becomes one sentence and its exit code."""

    def register(function: Callable[P, int | None]) -> Callable[P, None]:
        @functools.wraps(function)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
            try:
                with _only_json() if kwargs.get("as_json") else nullcontext():
                    code = function(*args, **kwargs) or 0
            except ProbeError as error:
                code = code_of(error)
                _report(type(error).__name__, str(error), code, bool(kwargs.get("as_json")))
            except KeyboardInterrupt as error:
                code = error.code if isinstance(error, Terminated) else INTERRUPTED
                _report("Interrupted", "interrupted; what was finished is kept", code, bool(kwargs.get("as_json")))
            except BrokenPipeError:
                # The reader of the pipe has closed it, as `| head` does. Python would print an error at exit.
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                code = 0
            except OSError as error:
                code = USAGE
                full = "; what was finished is kept, free some space and run the same command again"
                text = f"{error.strerror or error}: {error.filename or ''}".rstrip(": ")
                _report("OSError", text + full * (error.errno == errno.ENOSPC), code, bool(kwargs.get("as_json")))
            except Exception as error:
                if is_out_of_memory(error):
                    _report("MemoryError", TOO_LITTLE_MEMORY, USAGE, bool(kwargs.get("as_json")))
                    raise typer.Exit(USAGE) from None
                if os.environ.get("PROBE_DEBUG"):
                    raise
                code = INTERNAL
                text = f"{type(error).__name__}: {error}; this is a defect of probe's own. PROBE_DEBUG=1 shows where"
                _report("InternalError", text, code, bool(kwargs.get("as_json")))
            raise typer.Exit(code)

        app.command(name, cls=cls)(guarded)
        return guarded

    return register


def code_of(error: ProbeError) -> int:
    """The exit code of an error."""
    return UNSAFE if isinstance(error, UnsafeError) else INTEGRITY if isinstance(error, IntegrityError) else USAGE


TOO_LITTLE_MEMORY = "not enough memory; what was finished is kept. Free some, and run the same command again"


def key_values(option: str, settings: list[str] | None) -> dict[str, str]:
    """The values of a repeatable option NAME=VALUE."""
    parted = [setting.partition("=") for setting in settings or ()]
    for key, equals, _ in parted:
        if not equals:
            raise RangeError(f"{option} {key!r}, expected a setting and its value, such as {option} steps=40")
    return {key.strip(): value.strip() for key, _, value in parted}


def emit_json(document: Any) -> None:
    """Print one JSON document to stdout."""
    (_results.get() or sys.stdout).write(as_text(document))


def as_text(document: Any) -> str:
    """One JSON document as text."""
    return json.dumps(_plain(document), indent=1, ensure_ascii=False, allow_nan=False, default=str) + "\n"


@contextmanager
def _only_json() -> Iterator[None]:
    """Keep stdout for `emit_json`: anything that a user's model prints goes to stderr."""
    token = _results.set(sys.stdout)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        _results.reset(token)


def _plain(value: Any) -> Any:
    """The same document with null where a number is not finite: JSON has no NaN."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def visible_lines(text: str) -> str:
    """The text without control characters of terminals; line breaks and tabs stay."""
    return visible(text, longest=None, keep="\n\t")


def print_out(line: str) -> None:
    """Print a line to stdout as plain text, without markup."""
    typer.echo(visible_lines(line))


def print_err(line: str) -> None:
    """Print a line to stderr, where progress goes."""
    typer.echo(visible_lines(line), err=True)


def _report(kind: str, message: str, code: int, as_json: bool) -> None:
    print_err(f"probe: {message}")
    if as_json:
        emit_json({"error": {"kind": kind, "message": message, "code": code}})


def _version(asked: bool) -> bool:
    if asked:
        print_out(f"probe {__version__}")
        raise typer.Exit
    return asked


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None: ...
