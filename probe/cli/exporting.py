"""`probe export`."""

from pathlib import Path
from typing import Annotated

import typer

from probe.cli.app import Json, command, emit_json, print_out
from probe.cli.pages import deliver, exported
from probe.errors import PlanError


@command("export")
def export(
    name: Annotated[
        str, typer.Argument(help="The folder of an audit; or a network of the zoo, or a folder of `probe train`.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="The file to write. Of an audit: stdout unless given; of a network: NAME.onnx.")
    ] = None,
    written: Annotated[
        str,
        typer.Option(
            "--format",
            help="Of an audit: junit, sarif, card (a model card), csv, rows (a ledger), json, or toml: its plan.",
        ),
    ] = "",
    as_json: Json = False,
) -> None:
    """Write the findings of an audit for other tools, or a trained network as an ONNX file.

    A check that is inconclusive or was not run is a test that was skipped, or a note; it never passed.
    """
    if (Path(name) / "audit.json").exists():
        from probe.report.exports import EXPORTS

        if not written and not as_json:
            raise PlanError(f"{name} is an audit; say --format, one of {', '.join(EXPORTS)}")
        deliver(exported(Path(name), written or "json"), out)
        return
    if written:
        raise PlanError(f"{name} is not an audit: it has no audit.json; a network is written without --format")
    from probe_models.zoo.export import export

    path = export(name, out)
    if as_json:
        emit_json({"file": str(path), "bytes": path.stat().st_size})
    else:
        print_out(f'Saved in {path}; a plan audits it by [model] onnx = "{path.name}"')
