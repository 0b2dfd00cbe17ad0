"""What commands for one method share: the model and data that are named, the method and its settings, the result."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from probe.cli.app import key_values, print_err
from probe.cli.said import Said
from probe.errors import RangeError

Name = Annotated[str, typer.Argument(help="A network of the zoo such as adult-mlp, or a folder of `probe train`.")]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="A setting of the method, such as eps=8/255, goal=targeted or goal.target=3; --eps 8/255 is short for "
        "--set eps=8/255, where the command has no --eps of its own.",
    ),
]
Out = Annotated[Path | None, typer.Option(help="Save the result as OUT.npz and OUT.json.")]


def opened(
    name: str,
    plan: Path | None = None,
    allow_code: bool = False,
    device: str = "",
    said: Said | None = None,
    method: tuple[str, str] = ("", ""),
) -> tuple[Any, Any]:
    """The model and the data that a command names; what was found out on the way goes to stderr.

    A network of the zoo brings its training rows where the method, a family and a name, needs them.
    """
    from probe.cli.sources import open_named
    from probe.registry import listed

    family, chosen = method
    learned = bool(family) and "training data" in getattr(listed(family).get(chosen), "needs", ())
    model, data = open_named(name, plan, allow_code=allow_code, device=device, said=said or Said(), learned=learned)
    for notice in (*data.notices, *model.notices):
        print_err(f"probe: {notice}")
    return model, data


def segments_in(plan: Path | None) -> int:
    """How many segments of each image a plan asks for; 0 where it asks for none, or there is no plan."""
    from probe.cli.sources import plan_in

    return 0 if plan is None else plan_in(plan).data.segments


def build_method(family: str, method: str, settings: list[str] | None, more: Mapping[str, Any] | None = None) -> Any:
    """A method of a family by its name, with the settings that --set gives, and `more` that other options say.

    Raises:
        RangeError: if one is given twice, or is no NAME=VALUE.
    """
    from probe.registry import build, discover

    given: dict[str, Any] = {}
    for key, value in key_values("--set", settings).items():
        whose, dot, inner = key.partition(".")
        if not dot:
            given[key] = {**given[key], "method": value} if isinstance(given.get(key), dict) else value
        else:
            held = given.get(whose, {})
            given[whose] = {**(held if isinstance(held, dict) else {"method": held}), inner: value}
    if doubled := given.keys() & (more or {}).keys():
        raise RangeError(f"--set {doubled.pop()} is given by another option as well; leave one of them out")
    given |= more or {}
    return build(discover(family), {"method": method, **given})


def slice_of(text: str, count: int) -> slice:
    """The rows that a text such as 0:5 or 7 chooses of so many.

    Raises:
        RangeError: if it chooses none, or rows that are not there.
    """
    start, colon, stop = text.partition(":")
    try:
        chosen = slice(int(start or 0), int(stop) if stop else count if colon else int(start) + 1)
    except ValueError:
        raise RangeError(f"--rows {text!r}, expected a row such as 7, or a range such as 0:5") from None
    if not 0 <= chosen.start < chosen.stop <= count:
        raise RangeError(
            f"--rows {text!r} selects none of the {count:,} rows, or rows that do not exist; expected "
            f"a part of 0:{count}"
        )
    return chosen


def save(result: Any, out: Path | None) -> None:
    """Save a result where one is asked to be, and say so."""
    if out is None:
        return
    result.save(out)
    print_err(f"wrote {out}.npz and {out}.json")
