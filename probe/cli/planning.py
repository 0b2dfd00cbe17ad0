"""`probe plan`."""

from pathlib import Path
from typing import Annotated

import typer

from probe.cli.app import Decimal, Encoding, Separator, command, print_err
from probe.errors import ExistsError


@command("plan")
def plan(
    table: Annotated[Path, typer.Argument(help="A CSV file with a header row.")],
    out: Annotated[Path | None, typer.Option(help="The plan to write; stdout unless given.")] = None,
    label: Annotated[str, typer.Option(help="The column that the model predicts; guessed unless given.")] = "",
    separator: Separator = "",
    decimal: Decimal = "",
    encoding: Encoding = "",
) -> None:
    """Write a plan for a table to start with, with a comment beside every guess."""
    from probe.audit.starter import starter
    from probe.csvfile import Reading

    text = starter(table, Reading(separator=separator, decimal=decimal, encoding=encoding), label)
    if out is None:
        typer.echo(text, nl=False)
        return
    if out.exists():
        raise ExistsError(f"{out} exists and is left as it is; choose another --out")
    out.write_text(text, encoding="utf-8")
    print_err(f"wrote {out}; name your model in it, check the guesses, and run: probe audit --plan {out} --allow-code")
