"""Real data that the zoo's models learned from, as probe.Dataset."""

import importlib
from pathlib import Path
from types import ModuleType

from probe.errors import PlanError

BUNDLED = Path(__file__).parent / "data"
READERS = {
    "adult": "probe_models.datasets.adult",
    "compas": "probe_models.datasets.compas",
    "german": "probe_models.datasets.german",
    "fashion-mnist": "probe_models.datasets.fashion",
    "reviews": "probe_models.datasets.reviews",
    "digits": "probe_models.datasets.digits",
    "fashion-anomalies": "probe_models.datasets.anomalies",
    "fashion-generated": "probe_models.datasets.generated",
    "motifs": "probe_models.datasets.motifs",
}


def reader(name: str) -> ModuleType:
    """The module that reads a data set: `read(split)` gives its rows, `space()` what they mean."""
    if name not in READERS:
        raise PlanError(f"there is no data set {name!r}; there are {', '.join(READERS)}")
    return importlib.import_module(READERS[name])
