"""What is measured of a model beside its accuracy: functions of a model and its data that give numbers by name."""

import importlib
from collections.abc import Callable

from probe import Dataset, Model
from probe.errors import PlanError

Measure = Callable[[Model, Dataset], dict[str, float]]
MEASURES = {
    "robust accuracy": "probe_models.zoo.measures.robustness:robust_accuracy",
    "certified accuracy": "probe_models.zoo.measures.certified:certified_accuracy",
    "anomaly": "probe_models.zoo.measures.anomaly:areas_by_kind",
    "linear baseline": "probe_models.zoo.measures.linear_baseline:linear_baseline",
    "series baseline": "probe_models.zoo.measures.series_baseline:series_baseline",
    "table baselines": "probe_models.zoo.measures.table_baselines:table_baselines",
    "regression baselines": "probe_models.zoo.measures.table_baselines:regression_baselines",
    "label baselines": "probe_models.zoo.measures.table_baselines:label_baselines",
    "elbo": "probe_models.zoo.measures.elbo:evidence_lower_bound",
    "frechet": "probe_models.zoo.measures.frechet:frechet_distances",
    "edge attribution": "probe_models.zoo.measures.edges:edge_attribution_auc",
}


def measure(name: str) -> Measure:
    """The measure of that name, whose module is read only now."""
    if name not in MEASURES:
        raise PlanError(f"there is no measure {name!r}; there are {', '.join(MEASURES)}")
    module, _, function = MEASURES[name].partition(":")
    found: Measure = getattr(importlib.import_module(module), function)
    return found
