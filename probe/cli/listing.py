"""The methods of a kind with their settings, as `probe methods` and the help of a command list them."""

from dataclasses import MISSING, fields
from typing import Any

from typer.core import TyperCommand

from probe.cli.app import visible_lines
from probe.cli.shorthand import TakesSettings
from probe.method import Method


def described(kind: type[Method]) -> list[str]:
    """A method of the lists of `probe methods` and of a command's help: what it does, and a line for each setting."""
    lines = [f"{kind.name()}: {kind.summary()}"]
    for f in fields(kind):
        default = "(must be given)" if f.default is MISSING else f"= {f.default}"
        lines.append(f"    {f.name} {default}  {f.metadata.get('help', '')}".rstrip())
    return lines


def listing(family: str) -> type[TyperCommand]:
    """A command whose help ends with the methods of a family, those of other packages too."""

    class Listing(TakesSettings):
        """It looks for them when it is asked for help, and not before."""

        def setting_names(self) -> set[str]:
            from probe.registry import listed

            return {f.name for kind in listed(family).values() for f in fields(kind)}

        def format_epilog(self, ctx: Any, formatter: Any) -> None:
            from probe.registry import listed

            with formatter.section("Methods and their settings"):
                for kind in listed(family).values():
                    for line in described(kind):
                        formatter.write(f"{'':{formatter.current_indent}}{visible_lines(line)}\n")

    return Listing
