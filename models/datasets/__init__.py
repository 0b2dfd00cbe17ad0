"""Real data that the zoo's models learned from, as probe.Dataset."""

import importlib
from pathlib import Path
from types import ModuleType

from probe.errors import PlanError

BUNDLED = Path(__file__).parent / "data"
READERS = {
    "adult": "models.datasets.adult",
    "compas": "models.datasets.compas",
    "german": "models.datasets.german",
    "fashion-mnist": "models.datasets.fashion",
    "reviews": "models.datasets.reviews",
    "digits": "models.datasets.digits",
    "fashion-anomalies": "models.datasets.anomalies",
    "fashion-generated": "models.datasets.generated",
    "motifs": "models.datasets.motifs",
}


def reader(name: str) -> ModuleType:
    """The module that reads a data set: `read(split)` gives its rows, `space()` what they mean."""
    if name not in READERS:
        raise PlanError(f"there is no data set {name!r}; there are {', '.join(READERS)}")
    return importlib.import_module(READERS[name])
