"""A recipe for a table of somebody's own."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from probe.errors import PlanError
from probe_models.datasets.own import OwnTable
from probe_models.networks import build
from probe_models.networks.columns import arguments
from probe_models.training.settings import Settings
from probe_models.zoo.recipes.recipe import Recipe
from probe_models.zoo.recipes.tables import COMPLETE

# What a small table is trained with well enough to be looked at; every one of them can be set.
DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "mlp": {"bins": 16, "widths": [64]},
    "ftt": {"bins": 16, "width": 32, "layers": 2, "heads": 2},
}


def own_recipe(
    csv: Path, label: str, groups: Sequence[str], architecture: Sequence[str], kwargs: Mapping[str, Any]
) -> Recipe:
    """How a network is trained on a CSV: an architecture for tables, with the sizes that the columns say.

    Raises:
        PlanError: if no label is named, or the architecture is none for tables.
        DataError: if the table cannot be read.
    """
    if not label:
        raise PlanError(f"--data {csv} needs --label, the column to predict")
    if len(architecture) > 1:
        raise PlanError(f"--arch names {' and '.join(architecture)}; name one of {', '.join(DEFAULTS)}")
    name = architecture[0] if architecture else "mlp"
    if name not in DEFAULTS:
        raise PlanError(f"--arch {name}: the architectures for tables are {', '.join(DEFAULTS)}")
    table = OwnTable(csv, {"label": label, "groups": list(groups)})
    # Group columns are named apart from the inputs, as in an audit.
    data = table.read("train")
    if len(data.classes) < 2:
        raise PlanError(
            f"column {label!r} of {csv.name} has one value, {data.classes[0]!r}; a classifier needs two or more"
        )
    sizes = arguments(name, {**DEFAULTS[name], **kwargs}, data.space)
    sizes |= {"classes": len(data.classes)}
    build(name, sizes)  # so that a wrong argument is found before a folder is made
    return Recipe(
        architecture=name,
        kwargs=sizes,
        data=csv.name,
        own=table,
        settings=Settings(epochs=60, batch=64, rate=2e-3, weight_decay=0.1, patience=15),
        preprocessing=COMPLETE,
    )
