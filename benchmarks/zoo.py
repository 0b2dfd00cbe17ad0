"""What each network of the zoo is, does and took to train, from its card: a table to read, and JSON.

    python benchmarks/zoo.py

It trains nothing and writes benchmarks/results/zoo.json. Seconds and rows a second are of the first seed, on the
hardware that is named, which may have been busy with other things; benchmarks/training.py measures on a quiet machine.
"""

import json
from pathlib import Path
from typing import Any

from probe_models.zoo import recipe_of

from probe import zoo

RESULTS = Path(__file__).parent / "results"
COLUMNS = ("name", "test metric", "over seeds [95 %]", "parameters", "kB", "seconds", "rows/s", "machine")


def collected(name: str) -> dict[str, Any]:
    """The figures of a network by which it is judged, with what it took."""
    card = zoo.card(name)
    metrics, training = card["metrics"], card["training"]
    return {
        "metrics": {metric: metrics[metric] for metric in recipe_of(name).judged_by},
        "test_rows": metrics["rows"],
        "over_seeds": {metric: card["over_seeds"].get(metric) for metric in recipe_of(name).judged_by},
        "parameters": card["parameters"],
        "bytes": card["weights"]["bytes"],
        "epochs": training["epochs"],
        **{key: training[key] for key in ("seconds", "rows_per_second", "hardware", "torch")},
    }


def line(name: str, found: dict[str, Any]) -> tuple[str, ...]:
    """A line of the table."""
    spread = {metric: over or {} for metric, over in found["over_seeds"].items()}
    return (
        name,
        "; ".join(f"{metric} {value:.4g}" for metric, value in found["metrics"].items()),
        "; ".join(f"{s['mean']:.4g} [{s['low']:.4g}, {s['high']:.4g}]" if s else "" for s in spread.values()),
        f"{found['parameters']:,}",
        f"{found['bytes'] / 1000:,.0f}",
        f"{found['seconds']:,.0f}",
        f"{found['rows_per_second']:,}",
        found["hardware"],
    )


def main() -> None:
    found = {name: collected(name) for name in zoo.names()}
    for cells in (COLUMNS, ("---",) * len(COLUMNS), *(line(*entry) for entry in found.items())):
        print(f"| {' | '.join(cells)} |")
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "zoo.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
