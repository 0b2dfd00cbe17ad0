"""`probe models`."""

from typing import Any

from probe.cli.app import Json, command, emit_json, print_out
from probe.formatting import Unit, estimate

COLUMNS = ("name", "network", "learned from", "parameters", "size", "on test rows, with 95 % interval")


@command("models")
def list_models(as_json: Json = False) -> None:
    """List the networks of the zoo with their metrics. Reads their cards only."""
    from probe import zoo

    entries = [_entry(name) for name in zoo.names()]
    if as_json:
        emit_json(entries)
        return
    rows = [COLUMNS, *map(_cells, entries)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print_out("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _entry(name: str) -> dict[str, Any]:
    from probe_models.zoo import FOLDER, recipe_of

    from probe import zoo

    recipe = recipe_of(name)
    card = zoo.card(name) if (FOLDER / name).is_dir() else None
    return {
        "name": name,
        "architecture": recipe.architecture,
        "data": recipe.data,
        "judged_on": recipe.judged_on,
        "judged_by": list(recipe.judged_by),
        "trained": card is not None,
        "parameters": card and card.get("parameters"),
        "bytes": card and card["weights"]["bytes"],
        "metrics": card and card["metrics"],
        "over_seeds": card and card.get("over_seeds"),
    }


def _cells(entry: dict[str, Any]) -> tuple[str, ...]:
    first = entry["name"], entry["architecture"], entry["data"]
    if not entry["trained"]:
        return *first, "", "", f"not trained yet: probe train {entry['name']}"
    parameters, size = entry["parameters"], f"{entry['bytes'] / 2**20:.2f} MB"
    return (
        *first,
        "" if parameters is None else f"{parameters:,}",
        size,
        ", ".join(_measured(metric, entry["metrics"]) for metric in entry["judged_by"]),
    )


def _measured(metric: str, metrics: dict[str, Any]) -> str:
    if metric not in metrics:
        return f"{metric.replace('_', ' ')} not measured"
    low, high = metrics.get(f"{metric}_interval_95") or (metrics.get(f"{metric}_low"), metrics.get(f"{metric}_high"))
    unit: Unit = "share" if "accuracy" in metric else "number"
    found = estimate(metrics[metric], low, high, unit)
    return f"{metric.replace('_', ' ')} {found if found.ends else found.value}"
