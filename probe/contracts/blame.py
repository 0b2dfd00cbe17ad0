"""Errors inside a method of another package, as one sentence that names the package."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from traceback import walk_tb

from probe.errors import ContractError, ProbeError, is_out_of_memory
from probe.method import Method
from probe.text import visible

OURS = "probe"


@contextmanager
def blamed(method: Method) -> Iterator[None]:
    """Raise ContractError for what the code of another package raises inside; what probe's own raises passes.

    Args:
        method: the method that runs, whose settings may be methods of other packages, such as a goal.

    Raises:
        ContractError: naming the package, the file and the line.
    """
    try:
        yield
    except ProbeError:
        raise
    except Exception as error:
        guests = {home.partition(".")[0] for home in homes(method)} - {OURS}
        frames = [
            (frame.f_globals.get("__name__", ""), frame.f_code.co_filename, line)
            for frame, line in walk_tb(error.__traceback__)
        ]
        places = [(name, file, line) for name, file, line in frames if name.partition(".")[0] in guests]
        if is_out_of_memory(error) or not places:
            raise
        name, file, line = places[-1]
        raise ContractError(
            f"{method.name()} failed inside {name}, which is not a part of probe: {type(error).__name__}: "
            f"{visible(str(error))}; see {file}, line {line}"
        ) from error


def homes(method: Method) -> Iterator[str]:
    """The modules of a method and of the methods among its settings."""
    yield type(method).__module__
    for field in fields(method):
        value = getattr(method, field.name)
        if isinstance(value, Method):
            yield from homes(value)
