"""`probe doctor`."""

from typing import Annotated

import typer

from probe.cli.app import Json, command, emit_json, print_out
from probe.version import __version__

SIGNS = {"here": "✓", "lacking": "○", "broken": "✕"}


@command("doctor")
def doctor(
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with code 1 also if something optional is lacking.")
    ] = False,
    as_json: Json = False,
) -> int:
    """Say what this machine has and lacks for probe, each lack with its remedy.

    Exit code 1 if something is broken without which probe does not work.
    """
    from probe.cli.checkup import checks

    found = []
    for check in checks():
        found.append(check)
        if not as_json:
            print_out(f"{SIGNS[check.status]} {check.part}: {check.found}")
            if check.remedy:
                print_out(f"    {check.remedy}")
    broken = [check.part for check in found if check.status == "broken"]
    lacking = [check.part for check in found if check.status == "lacking"]
    if as_json:
        emit_json({"probe": __version__, "broken": broken, "lacking": lacking, "checks": [c.config() for c in found]})
    else:
        print_out(f"Broken: {', '.join(broken)}." if broken else "Everything that probe needs is here.")
        if lacking:
            print_out(f"Optional, and not here: {', '.join(lacking)}.")
    return int(bool(broken or (strict and lacking)))
