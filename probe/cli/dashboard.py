"""`probe dashboard`."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from probe.cli.app import AllowCode, Device, Json, command, emit_json, print_err
from probe.errors import ProbeError
from probe.extras import EXTRAS

RUNS = Path("runs")


@command("dashboard")
def dashboard(
    runs: Annotated[Path, typer.Argument(help="A folder of audits, or one audit.")] = RUNS,
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port to listen on, on this machine only.")] = 8501,
    live: Annotated[
        list[str] | None,
        typer.Option(
            "--live", help="A model that the lab offers: a name of the zoo, a folder of `probe train`, a plan."
        ),
    ] = None,
    device: Device = "",
    allow_code: AllowCode = False,
    as_json: Json = False,
) -> NoReturn:
    """Look at audits in the browser, and ask live models in its lab.

    The lab offers the zoo and the plans (*.toml) of the working directory, or else what --live names.
    """
    if find_spec("streamlit") is None:
        raise ProbeError(f"the dashboard needs streamlit; install it by {EXTRAS['dashboard'].install()}")
    if not runs.is_dir():
        if runs != RUNS:
            raise ProbeError(
                f"there is no folder {runs}; `probe audit` makes one, or name the folder that holds your audits"
            )
        runs.mkdir()  # the lab keeps what is asked of it there
    if _taken(port):
        raise ProbeError(
            f"port {port} is in use, perhaps by another dashboard; choose another: --port {port % 65535 + 1}"
        )
    # Not imported at the top: the rest of the command line works without the extra.
    from importlib import import_module

    viewer = import_module("probe_dashboards")
    offer = viewer.Offer(live=tuple(live or ()), zoo=tuple(_zoo()), allow_code=allow_code, device=device)
    argv = viewer.command(runs, port=port, offer=offer)
    if as_json:
        emit_json({"url": f"http://127.0.0.1:{port}", "runs": str(runs)})
    print_err(f"Dashboard of {runs}: http://127.0.0.1:{port} (Ctrl-C ends it)")
    # The server replaces this process, so that a signal to the one ends the other.
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(argv[0], argv)


def _zoo() -> list[str]:
    """The trained networks of the zoo, by their folders: to ask the zoo itself would load torch."""
    found = find_spec("probe_models")
    places = found.submodule_search_locations if found else None
    return sorted(card.parent.name for place in places or () for card in Path(place, "zoo").glob("*/card.json"))


def _taken(port: int) -> bool:
    import socket

    with socket.socket() as asked:
        # As the server does: a port that was closed a moment ago counts as free.
        asked.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            asked.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False
