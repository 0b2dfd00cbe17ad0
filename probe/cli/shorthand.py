"""`--eps 8/255` for `--set eps=8/255`: commands that take the settings of something as options of their own."""

from collections.abc import Collection
from typing import Any

from typer import BadParameter
from typer.core import TyperCommand


class TakesSettings(TyperCommand):
    """A command that reads each option that it does not have, but that is a setting, as --set NAME=VALUE."""

    def setting_names(self) -> Collection[str]:
        """The settings that exist; asked for only where an option is unknown."""
        raise NotImplementedError

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, written_out(args, self._own(), self.setting_names))

    def _own(self) -> set[str]:
        return {"--help"}.union(*((*each.opts, *each.secondary_opts) for each in self.params))


def written_out(args: list[str], own: Collection[str], settings: Any) -> list[str]:
    """Arguments with the options that are settings written as --set NAME=VALUE.

    Raises:
        BadParameter: if a setting has no value.
    """
    full: list[str] = []
    known: Collection[str] | None = None
    rest = iter(args)
    for each in rest:
        option, equals, value = each.partition("=")
        name = option[2:].replace("-", "_")
        if each == "--":
            return [*full, each, *rest]
        if not option.startswith("--") or option in own:
            full.append(each)
            continue
        known = settings() if known is None else known
        if name.partition(".")[0] not in known:
            full.append(each)
            continue
        if not equals and (value := next(rest, "--")).startswith("--"):
            raise BadParameter(f"{option} is a setting and needs a value, as in {option} 1 or --set {name}=1")
        full += ["--set", f"{name}={value}"]
    return full
