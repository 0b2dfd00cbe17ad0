"""`probe export`."""

from pathlib import Path
from typing import Annotated

import typer

from probe.cli.app import Json, command, emit_json, print_out


@command("export")
def export(
    name: Annotated[str, typer.Argument(help="A network of the zoo, or a folder of `probe train`.")],
    out: Annotated[Path | None, typer.Option(help="The file to write; NAME.onnx unless given.")] = None,
    as_json: Json = False,
) -> None:
    """Write a trained network as an ONNX file, which takes any number of rows."""
    from probe_models.zoo.export import export

    path = export(name, out)
    if as_json:
        emit_json({"file": str(path), "bytes": path.stat().st_size})
    else:
        print_out(f'Saved in {path}; a plan audits it by [model] onnx = "{path.name}"')
