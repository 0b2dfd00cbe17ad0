"""What is written of a bundle that may be foreign: its report page, and its findings for other tools."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer

from probe.cli.app import print_err
from probe.errors import ExistsError, IntegrityError, PlanError, ProbeError


def drawn(bundle: Any, choice: Any = None) -> str:
    """The report page of a bundle that may be foreign."""
    from probe.report import render

    return guarded(bundle, lambda: render(bundle) if choice is None else render(bundle, choice))


def exported(folder: Path, written: str, *others: str) -> str:
    """A verified audit, written for other tools; `others` are the formats that the command has besides these."""
    from probe.audit import read, verify
    from probe.report.exports import EXPORTS

    if written not in EXPORTS:
        raise PlanError(f"--format {written!r} is unknown; there are {', '.join((*others, *EXPORTS))}")
    verify(folder)
    bundle = read(folder)
    return guarded(bundle, lambda: EXPORTS[written].write(bundle))


def deliver(text: str, out: Path | None) -> None:
    """Write a text to a file that does not exist, or to stdout."""
    if out is None:
        typer.echo(text, nl=False)
    elif out.exists():
        raise ExistsError(f"{out} exists and is left as it is; choose another --out")
    else:
        out.write_text(text, encoding="utf-8")
        print_err(f"wrote {out}")


def guarded(bundle: Any, write: Callable[[], str]) -> str:
    """What `write` gives; a manifest that no audit wrote is one sentence."""
    from jinja2 import TemplateError

    from probe.audit.verification import MALFORMED

    try:
        return write()
    except IntegrityError:
        raise
    except (ProbeError, *MALFORMED, TemplateError) as error:
        raise IntegrityError(
            f"no page can be drawn of {bundle.folder} ({type(error).__name__}: {error}): it is not what an audit "
            "wrote, or this installation of probe is damaged"
        ) from error
