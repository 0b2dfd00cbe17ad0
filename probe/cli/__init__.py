"""The command line, a thin layer over the library. Results go to stdout, progress and errors to stderr.

Exit codes: 0 all checks pass, 1 findings, 2 usage or input error, 3 refused as unsafe, 4 integrity, 130 interrupted,
143 ended by SIGTERM; 101 is a defect of probe's own.
"""

import io
import sys
from copy import copy
from importlib import import_module

from probe.threads import give_way

__all__ = ["main"]

# Commands that need no method: the others are looked for in the source of all methods, which takes a fifth of a second.
ALONE = {"dashboard": "probe.cli.dashboard"}


def main() -> None:
    """Run the command line."""
    give_way()
    for stream in (sys.stdout, sys.stderr):
        # Where the encoding of the terminal lacks a character such as ✓, its code is printed.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    import_module(ALONE.get("".join(sys.argv[1:2]), "probe.cli.commands"))
    app = import_module("probe.cli.app").app
    asked = copy(app)
    # Only the command that is named is built: building all takes longer than most commands do.
    named = [command for command in app.registered_commands if [command.name] == sys.argv[1:2]]
    asked.registered_commands = named or app.registered_commands
    asked()
