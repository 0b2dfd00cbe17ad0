"""A command for each kind of method that has none of its own: its verb, as in `probe search adult-mlp`."""

from dataclasses import fields
from typing import Annotated, Any

import typer

from probe.catalogue import Kind
from probe.cli.app import AllowCode, Device, Json, PlanFile, app, command, emit_json, print_out
from probe.cli.listing import listing
from probe.cli.opening import Name, Out, Set, build_method, opened, save, slice_of
from probe.cli.said import Only, Outputs, Part, Said, TaskName, Tolerance
from probe.errors import RangeError
from probe.formatting import counted, estimate
from probe.formatting import words as in_words
from probe.registry import KINDS, listed

SHOWN = 5  # examples that are told in words


def register_all() -> None:
    """Make the commands of the kinds that have none."""
    own = {each.name for each in app.registered_commands}
    for kind in KINDS.values():
        if kind.verb and kind.verb not in own:
            register(kind)


def register(kind: Kind) -> None:
    """Make the command of a kind: it asks one method about some examples, and says what is measured of the answers."""

    def asks(
        name: Name = "",
        plan: PlanFile = None,
        method: Annotated[str, typer.Option(help="Which one; needed where there are several, as listed below.")] = "",
        sample: Annotated[int, typer.Option(min=1, help="The number of random rows of the test data.")] = 200,
        seed: Annotated[int, typer.Option(min=0, help="Seed of the sample.")] = 0,
        rows: Annotated[str, typer.Option(help="Rows of the test data, as 0:5, in place of a sample.")] = "",
        eps: Annotated[
            list[str] | None, typer.Option(help="A radius at which to read a result that has radii; repeat for more.")
        ] = None,
        target: Annotated[str, typer.Option(help="The wanted answer, for a method that has a goal.")] = "",
        task: TaskName = "",
        outputs: Outputs = "",
        part: Part = "",
        only: Only = "",
        tolerance: Tolerance = None,
        settings: Set = None,
        out: Out = None,
        device: Device = "",
        allow_code: AllowCode = False,
        as_json: Json = False,
    ) -> None:
        from probe.study.asking import Subject
        from probe.study.batches import together
        from probe.study.cells import planned
        from probe.study.table import rows_of

        chosen = method or _only(kind.family)
        said = Said(task=task, outputs=outputs, part=part, only=only, tolerance=tolerance)
        model, data = opened(name, plan, allow_code, device, said, (kind.family, chosen))
        drawn = data[slice_of(rows, len(data))] if rows else data.sample(sample, seed)
        asked = build_method(kind.family, chosen, settings, wanted(chosen, model.task, target) if target else {})
        (cell,) = planned([asked], Subject(model, drawn, None, together(drawn.inputs)), eps or None, None, None)
        result, record = cell.asked(lambda examples: None)
        save(result, out)
        assert drawn.rows is not None, "a data set numbers its rows"
        numbers = drawn.rows.tolist()
        measured, words = rows_of(record), [result.told(at) for at in range(len(drawn))]
        document = {
            "method": asked.config(),
            "n": len(drawn),
            **({} if rows else {"seed": seed}),
            "rows": numbers,
            "measured": [{key: row.get(key) for key in MEASURED} for row in measured],
            **({"examples": result.to_frame().to_dict("list"), "words": words} if any(words) else {}),
            "forward": record.forwards,
            "backward": record.backwards,
        }
        if as_json:
            emit_json(document)
            return
        print_out(f"{asked} on {counted(len(drawn))} ({f'rows {rows}' if rows else f'seed {seed}'})")
        for row in measured:
            print_out(f"  {_measured(row)}")
        print_out(f"  cost: {record.forwards:,} examples forward, {record.backwards:,} backward")
        for number, told in zip(numbers[:SHOWN], words, strict=False):
            if told:
                print_out(f"row {number}: {told}")

    asks.__doc__ = kind.summary
    command(kind.verb, cls=listing(kind.family))(asks)


MEASURED = ("metric", "item", "eps", "value", "low", "high", "n", "note")


def _measured(row: dict[str, Any]) -> str:
    """A number that was measured, with its interval, in the unit that its metric declares."""
    from probe.registry import methods

    title = row["item"] or in_words(row["metric"])
    title += "" if row["eps"] is None else f" at {row['eps']:g}"
    if row["status"] != "done":
        return f"{title}: not measured: {row['note']}"
    return f"{title}: {estimate(row['value'], row['low'], row['high'], methods()[row['metric']].unit)}"


def _only(family: str) -> str:
    known = list(listed(family))
    if len(known) == 1:
        return known[0]
    raise RangeError(f"name one of {len(known)} methods, as in --method {known[0]}; there are {', '.join(known)}")


def wanted(method: str, task: Any, answer: str) -> dict[str, Any]:
    """The goal of a method that is to reach a class, by its name or index."""
    from probe.registry import methods

    if not task.one_class:
        raise RangeError(
            "--target names a class, and this model does not predict one of several classes; name "
            "the goal, as in --set goal=shift"
        )
    known = methods().get(method)
    if known is not None and "goal" not in {f.name for f in fields(known)}:
        raise RangeError(f"--target names the wanted answer, and {method} has no goal; leave it out")
    return {"goal": {"method": "targeted", "target": task.index(answer)}}
