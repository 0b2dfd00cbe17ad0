"""`probe methods`, `probe explain`, `probe attack`: one method on one model, from the shell."""

from pathlib import Path
from typing import Annotated, Any

import typer

from probe.cli.app import AllowCode, Device, Json, PlanFile, command, emit_json, print_out
from probe.cli.asking import wanted
from probe.cli.listing import described, listing
from probe.cli.opening import Name, Out, Set, build_method, opened, save, segments_in, slice_of
from probe.cli.said import Only, Outputs, Part, Said, Segments, TaskName, Tolerance
from probe.errors import DataError
from probe.formatting import counted, estimate, estimated, number, share

FIRST = 5  # rows that are explained unless others are chosen


@command("methods")
def methods(as_json: Json = False) -> None:
    """List every method with its settings."""
    from probe.registry import FAMILIES, listed

    found = {family: listed(family) for family in FAMILIES}
    if as_json:
        emit_json(
            {
                family: {name: {"summary": kind.summary(), **kind.declared()} for name, kind in kinds.items()}
                for family, kinds in found.items()
            }
        )
        return
    for family, kinds in found.items():
        print_out(f"{family}s")
        for kind in kinds.values():
            for line in described(kind):
                print_out(f"  {line}")


@command("explain", cls=listing("explainer"))
def explain(
    name: Name = "",
    plan: PlanFile = None,
    method: Annotated[str, typer.Option(help="An explainer; `probe methods` lists them.")] = "integrated_gradients",
    rows: Annotated[str, typer.Option(help="Rows of the test data, as 0:5; the first five unless given.")] = "",
    target: Annotated[
        str, typer.Option(help="The class, label or output to explain, or a class at a place as 3:verb.")
    ] = "",
    task: TaskName = "",
    outputs: Outputs = "",
    part: Part = "",
    only: Only = "",
    tolerance: Tolerance = None,
    segments: Segments = 0,
    settings: Set = None,
    out: Out = None,
    device: Device = "",
    allow_code: AllowCode = False,
    as_json: Json = False,
) -> None:
    """Explain some answers of a model, with one number per feature."""
    import torch

    from probe.images import in_segments
    from probe.plots import drawer_of

    said = Said(task=task, outputs=outputs, part=part, only=only, tolerance=tolerance)
    model, data = opened(name, plan, allow_code, device, said, ("explainer", method))
    chosen = slice_of(rows or f"0:{min(FIRST, len(data))}", len(data))
    model, shown = in_segments(model, data[chosen], segments or segments_in(plan))
    targets = torch.full((len(shown),), model.task.index(target)) if target else None
    attribution = build_method("explainer", method, settings)(model, shown.inputs, targets)
    save(attribution, out)
    frame, errors = attribution.to_frame(), attribution.to_frame(errors=True)
    drawer = drawer_of(model.space.form_of(shown.inputs).record())
    described = model.space.describe(shown.inputs) if drawer.named_in_words else []
    if as_json:
        emit_json(
            {
                "method": attribution.method.config(),
                "targets": attribution.targets.tolist(),
                "features": frame.to_dict("list"),
                **({} if attribution.errors is None else {"errors": errors.to_dict("list")}),
                **({"words": described} if described else {}),
            }
        )
        return
    how = "explained" if target or not model.task.one_class else "predicted"
    for row, number_of in enumerate(attribution.targets.tolist()):
        values, names = frame.iloc[row], described[row] if described else list(frame.columns)
        top = [at for at in values.abs().to_numpy().argsort(kind="stable")[::-1] if names[at]][:5]
        listed = ", ".join(f"{names[at]} {estimated(values.iloc[at], errors.iloc[row, at])}" for at in top)
        print_out(f"row {chosen.start + row}, {how} {model.task.name(number_of)}: {listed}")


@command("attack", cls=listing("attack"))
def attack(
    name: Name = "",
    plan: PlanFile = None,
    method: Annotated[
        str, typer.Option(help="An attack, as `probe methods` lists them; the usual one of the form unless given.")
    ] = "",
    sample: Annotated[int, typer.Option(min=1, help="How many random test rows to attack.")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the sample.")] = 0,
    target: Annotated[str, typer.Option(help="The class that answers are to become, by name or index.")] = "",
    until: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, help="Attack rows only until it is decided whether this share of them withstands it."
        ),
    ] = None,
    stored: Annotated[
        Path | None,
        typer.Option(help="A result that --out wrote: the model is asked about its inputs again, without an attack."),
    ] = None,
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
    """Attack a model, and print its accuracy under attack."""
    from probe import study
    from probe.contracts import usual_attacks
    from probe.metrics import Accuracy, ExactMatch, GoalReached, RobustAccuracy

    said = Said(task=task, outputs=outputs, part=part, only=only, tolerance=tolerance)
    model, data = opened(name, plan, allow_code, device, said, ("attack", method))
    if stored is not None:
        _say_again(stored, model, as_json=as_json)
        return
    drawn = data.sample(sample, seed)
    method = method or usual_attacks(model, drawn.inputs)[-1]["method"]
    attacker = build_method("attack", method, settings, wanted(method, model.task, target) if target else {})
    if until is not None:
        found = study.until_decided(attacker, model, drawn, threshold=until, seed=seed)
        save(found.result, out)
        _say_decided(found, drawn, seed, as_json=as_json)
        return
    result = attacker(model, drawn.inputs, drawn.labels)
    save(result, out)
    if attacker.goal.counted_alone(result.clean.task):
        _say_reached(result, GoalReached()(model, result), len(drawn), seed, as_json=as_json)
        return
    whole = ExactMatch().suits(result.clean)  # a row with several answers counts as right if all of them are
    clean, robust = (ExactMatch() if whole else Accuracy())(model, result.clean), RobustAccuracy()(model, result)
    right = (~result.clean.task.wrong(result.clean.logits, result.clean.labels)).cpu()
    movable = attacker.could_move(model.space, drawn.inputs).cpu()[right] if right.any() else None
    document = {
        "method": result.method.config(),
        "n": len(drawn),
        "seed": seed,
        "accuracy": [clean.value, *clean.interval()],
        "robust_accuracy": [robust.value, *robust.interval()],
        "movable": None if movable is None else movable.float().mean().item(),
        "forward": result.cost.forward,
        "backward": result.cost.backward,
    }
    if as_json:
        emit_json(document)
        return
    print_out(f"{result.method} on {counted(len(drawn))} (seed {seed})")
    for label, (value, low, high) in (
        ("all right" if whole else "accuracy", document["accuracy"]),
        ("under attack", document["robust_accuracy"]),
    ):
        print_out(f"{label:>14}: {estimate(value, low, high, 'share')}")
    if movable is not None and not bool(movable.all()):
        print_out(
            f"The attack could change {share(document['movable'])} of the {len(movable):,} inputs with right answers"
        )


def _say_again(stored: Path, model: Any, *, as_json: bool) -> None:
    """Print what a model answers to the inputs of a stored attack."""
    from probe import Perturbation, load, study
    from probe.metrics import GoalReached

    before = load(stored)
    if not isinstance(before, Perturbation):
        raise DataError(f"{stored} holds {type(before).__name__}, expected the result of an attack, as --out writes it")
    now = study.asked_again(before, model)
    reached, counts = GoalReached()(model, now), [int(each.success.sum()) for each in (before, now)]
    document = {
        "method": before.method.config(), "model": model.name, "n": len(now), "stored": counts[0], "reached": counts[1],
        "share": [reached.value, *reached.interval()], "forward": now.cost.forward,
    }  # fmt: skip
    if as_json:
        emit_json(document)
        return
    print_out(f"{len(now):,} stored rows of {before.method}, asked again of {model.name}, within their budgets")
    value, low, high = document["share"]
    print_out(f"  goal reached: {estimate(value, low, high, 'share')}; {counts[1]:,} rows, {counts[0]:,} as stored")


def _say_decided(found: Any, drawn: Any, seed: int, *, as_json: bool) -> None:
    """Print what attacks on some rows decided about a share, and how many it took."""
    (value, low, high, counted), most, rows = found.estimate, len(drawn), drawn.rows[found.rows].tolist()
    document = {
        "method": found.result.method.config(), "threshold": found.threshold, "status": found.status, "seed": seed,
        "share": [value, low, high], "n": counted, "rows": rows, "most": most,
        "forward": found.result.cost.forward, "backward": found.result.cost.backward,
    }  # fmt: skip
    if as_json:
        emit_json(document)
        return
    print_out(f"{found.result.method} on {len(found.rows):,} of {most:,} rows (seed {seed})")
    print_out(f"  withstood: {estimate(value, low, high, 'share')}, an interval that holds after each batch")
    print_out(f"  at least {share(found.threshold)}: {found.status}")


def _say_reached(result: Any, found: Any, rows: int, seed: int, *, as_json: bool) -> None:
    """Print how many answers reached a goal that is not an error, such as a shift, and how far they moved."""
    low, high = found.interval()
    moved = (result.attacked.logits - result.clean.logits).abs().amax(-1).double().cpu().numpy()
    document = {
        "method": result.method.config(), "n": rows, "seed": seed, "reached": [found.value, low, high],
        "mean_move": float(moved.mean()), "largest_move": float(moved.max()), "forward": result.cost.forward,
        "backward": result.cost.backward,
    }  # fmt: skip
    if as_json:
        emit_json(document)
        return
    print_out(f"{result.method} on {counted(rows)} (seed {seed})")
    print_out(f"  goal reached: {estimate(found.value, low, high, 'share')} ({result.goal})")
    print_out(f"  outputs moved by {number(moved.mean())} on average, {number(moved.max())} at most, in their own unit")
