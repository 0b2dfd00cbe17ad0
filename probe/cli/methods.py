"""`probe methods`, `probe explain`, `probe attack`, `probe bias`: one method on one model, from the shell."""

from pathlib import Path
from typing import Annotated, Any

import typer

from probe.cli.app import FINDINGS, AllowCode, Device, Json, PlanFile, command, pairs, say, show, tell
from probe.errors import DataError, RangeError

Name = Annotated[str, typer.Argument(help="A network of the zoo such as adult-mlp, or a folder of `probe train`.")]
Set = Annotated[list[str] | None, typer.Option("--set", help="A setting of the method, such as eps=8/255.")]
Out = Annotated[Path | None, typer.Option(help="Save the result as OUT.npz and OUT.json.")]


@command("methods")
def methods(as_json: Json = False) -> None:
    """List every method with its settings."""
    from dataclasses import fields

    from probe.registry import FAMILIES, listed

    found = {family: listed(family) for family in FAMILIES}
    if as_json:
        show(
            {
                family: {name: {"summary": kind.summary(), "settings": kind().config()} for name, kind in kinds.items()}
                for family, kinds in found.items()
            }
        )
        return
    for family, kinds in found.items():
        say(f"{family}s")
        for name, kind in kinds.items():
            say(f"  {name}: {kind.summary()}")
            for f in fields(kind):
                say(f"      {f.name} = {f.default}  {f.metadata.get('help', '')}")


@command("explain")
def explain(
    name: Name = "",
    plan: PlanFile = None,
    method: Annotated[str, typer.Option(help="An explainer; `probe methods` lists them.")] = "integrated_gradients",
    rows: Annotated[str, typer.Option(help="Rows of the test data, as 0:5.")] = "0:5",
    settings: Set = None,
    out: Out = None,
    device: Device = "",
    allow_code: AllowCode = False,
    as_json: Json = False,
) -> None:
    """Explain some answers of a model, one number per feature."""
    model, data = _open(name, plan, allow_code, device)
    chosen = _slice(rows, len(data))
    part = data[chosen]
    attribution = _build("explainer", method, settings)(model, part.inputs)
    _save(attribution, out)
    frame = attribution.to_frame()
    of_tokens = model.space.form_of(part.inputs) == "tokens"
    described = model.space.describe(part.inputs) if of_tokens else []
    if as_json:
        show(
            {
                "method": attribution.method.config(),
                "targets": attribution.targets.tolist(),
                "features": frame.to_dict("list"),
                **({"words": described} if described else {}),
            }
        )
        return
    for row, target in enumerate(attribution.targets.tolist()):
        values, names = frame.iloc[row], described[row] if described else list(frame.columns)
        top = [at for at in values.abs().to_numpy().argsort(kind="stable")[::-1] if names[at]][:5]
        listed = ", ".join(f"{names[at]} {values.iloc[at]:+.3f}" for at in top)
        say(f"row {chosen.start + row}, predicted {model.classes[target]}: {listed}")


@command("attack")
def attack(
    name: Name = "",
    plan: PlanFile = None,
    method: Annotated[str, typer.Option(help="An attack, as `probe methods` lists them; by form unless named.")] = "",
    sample: Annotated[int, typer.Option(min=1, help="How many random test rows are attacked.")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the sample.")] = 0,
    settings: Set = None,
    out: Out = None,
    device: Device = "",
    allow_code: AllowCode = False,
    as_json: Json = False,
) -> None:
    """Attack a model, and say how much of its accuracy is left."""
    from probe.audit.forms import DEFAULTS
    from probe.metrics import Accuracy, RobustAccuracy

    model, data = _open(name, plan, allow_code, device)
    part = data.sample(sample, seed)
    method = method or DEFAULTS[model.space.form_of(part.inputs)].attacks[-1]["method"]
    result = _build("attack", method, settings)(model, part.inputs, part.labels)
    _save(result, out)
    clean, robust = Accuracy()(model, result.clean), RobustAccuracy()(model, result)
    document = {
        "method": result.method.config(),
        "n": len(part),
        "seed": seed,
        "accuracy": [clean.value, *clean.interval()],
        "robust_accuracy": [robust.value, *robust.interval()],
        "forward": result.cost.forward,
        "backward": result.cost.backward,
    }
    if as_json:
        show(document)
        return
    say(f"{result.method} on {len(part)} rows (seed {seed})")
    for label, (value, low, high) in (
        ("accuracy", document["accuracy"]),
        ("under attack", document["robust_accuracy"]),
    ):
        say(f"{label:>14}: {value:.3f} [{low:.3f}, {high:.3f}]")


@command("bias")
def bias(  # one option for each column
    source: Annotated[str, typer.Argument(help="A network of the zoo, or a CSV file with predictions.")],
    label: Annotated[str, typer.Option(help="CSV: the column with the outcome, 0 or 1.")] = "label",
    prediction: Annotated[str, typer.Option(help="CSV: the column with the decision, 0 or 1.")] = "prediction",
    groups: Annotated[
        list[str] | None, typer.Option("--group", help="A column that names groups; repeat for more.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the permutations.")] = 0,
    as_json: Json = False,
) -> int:
    """Compare outcomes between groups, with intervals."""
    from probe.bias import audit

    table = (
        _predictions(source, groups)
        if not source.endswith((".csv", ".csv.gz"))
        else _columns(source, label, prediction, groups)
    )
    report = audit(*table, seed=seed)
    if as_json:
        show(
            {
                "groups": report.groups.to_dict("records"),
                "disparities": report.disparities.to_dict("records"),
                "findings": [finding.to_json() for finding in report.findings],
            }
        )
    else:
        from probe.cli.audits import SIGNS

        for f in report.findings:
            interval = "" if f.low is None or f.high is None else f" [{f.low:.3f}, {f.high:.3f}]"
            value = "" if f.estimate is None else f": {f.estimate:.3f}{interval}"
            say(f"{SIGNS[f.status]:15} {f.check}{value}  {f.note}")
    return FINDINGS if {f.status for f in report.findings} & {"fail", "inconclusive", "error", "not run"} else 0


def _open(name: str, plan: Path | None = None, allow_code: bool = False, device: str = "") -> tuple[Any, Any]:
    from probe.cli.sources import open_named

    return open_named(name, plan, allow_code=allow_code, device=device)


def _build(family: str, method: str, settings: list[str] | None) -> Any:
    from probe.registry import build, discover

    return build(discover(family), {"method": method, **pairs("--set", settings)})


def _slice(text: str, count: int) -> slice:
    start, colon, stop = text.partition(":")
    try:
        chosen = slice(int(start or 0), int(stop) if stop else count if colon else int(start) + 1)
    except ValueError:
        raise RangeError(f"--rows {text!r}, expected a row such as 7, or a range such as 0:5") from None
    if not 0 <= chosen.start < chosen.stop <= count:
        raise RangeError(f"--rows {text!r} chooses none of the {count:,} rows, or rows that are not there")
    return chosen


def _save(result: Any, out: Path | None) -> None:
    if out is None:
        return
    result.save(out)
    tell(f"wrote {out}.npz and {out}.json")


def _predictions(name: str, groups: list[str] | None) -> tuple[Any, ...]:
    model, data = _open(name)
    if data.groups is None or len(model.classes) != 2:
        raise DataError(f"{name} has no groups to compare, or not two classes; adult-mlp has both")
    if missing := set(groups or ()) - set(data.groups.columns):
        raise DataError(f"{name} has no groups {sorted(missing)[0]!r}; it has {', '.join(data.groups.columns)}")
    predicted = model.predict(data.inputs).numpy()
    return data.labels.numpy(), predicted, data.groups[list(groups)] if groups else data.groups


def _columns(path: str, label: str, prediction: str, groups: list[str] | None) -> tuple[Any, ...]:
    from probe.csvfile import read_csv, unknown_like

    if not groups:
        raise DataError("name the columns that hold groups: --group sex --group race")
    table, notices = read_csv(path, groups)
    for column in (label, prediction, *groups):
        if column not in table:
            raise DataError(f"{path} has no column {column!r}; it has {', '.join(map(str, table.columns))}")
    for notice in (*notices, *unknown_like(table, groups)):
        tell(f"probe: {notice}")
    return table[label], table[prediction], table[groups]
