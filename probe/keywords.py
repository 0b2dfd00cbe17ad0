"""Calls of classes with a wrong argument: one sentence that names the class, and the nearest argument."""

from abc import ABCMeta
from inspect import Parameter, Signature, signature
from typing import TYPE_CHECKING, Any

from probe.errors import UnknownSetting
from probe.names import nearest


class Named(ABCMeta):
    """The metaclass of public classes that people call with arguments by name."""

    if not TYPE_CHECKING:  # type checkers read __init__ instead

        def __call__(cls, *values: Any, **given: Any) -> Any:
            try:
                return super().__call__(*values, **given)
            except TypeError as error:
                if wrong := _wrong(cls, values, given):
                    raise UnknownSetting(wrong) from None
                raise error

    @property
    def __signature__(cls) -> Signature:
        """The arguments, for `help`, Jupyter and Jedi."""
        found = signature(cls.__init__)  # type: ignore[misc]  # of this class, whatever a subclass has
        return found.replace(parameters=list(found.parameters.values())[1:], return_annotation=Signature.empty)


def _wrong(cls: Named, values: tuple[Any, ...], given: dict[str, Any]) -> str:
    """What is wrong with the arguments of a call; empty where the class takes them."""
    name, known = cls.__name__, cls.__signature__.parameters
    if any(each.kind in (Parameter.VAR_KEYWORD, Parameter.VAR_POSITIONAL) for each in known.values()):
        return ""
    for key in given:
        if key not in known:
            return f"{name} has no argument {key!r:.60}{nearest(key, known)}; it takes {', '.join(known)}"
    by_place = [key for key, each in known.items() if each.kind is not Parameter.KEYWORD_ONLY]
    if len(values) > len(by_place):
        first = next((key for key in known if key not in by_place), "")
        taken = f"takes its arguments by name{f'; write {name}({first}=...)' if first else ''}"
        return f"{name} {taken}" if not by_place else f"{name} takes {', '.join(by_place)} by place, and others by name"
    needed = [key for key, each in known.items() if each.default is Parameter.empty and key not in given]
    if lacking := [key for key in needed if key not in by_place[: len(values)]]:
        return f"{name} lacks {lacking[0]!r}; give {name}({lacking[0]}=...)"
    return ""
