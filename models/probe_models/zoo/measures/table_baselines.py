"""How well simpler models do on the same rows of a table."""

from functools import cache
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from probe import Dataset, Model
from probe.reductions import reduction
from probe.statistics import area_under_roc, paired
from probe_models.datasets import reader
from probe_models.zoo.measures.lead import lead

SEED = 0  # of the rows that the trees hold back to know when to stop


def table_baselines(model: Model, data: Dataset) -> dict[str, float]:
    """Accuracy and area under ROC of logistic regression and of boosted trees, and how far ahead the model is.

    Both learn from the training split, from the coordinates that the model sees, with scikit-learn's settings: the
    linear one of standardised coordinates, the trees by histograms. Accuracies have Wilson's 95 % intervals, the paired
    differences a bootstrap's, each over `baseline_n` rows.
    """
    return _beside(_learned(data.name.split()[0]), model, data)


@cache
def _learned(name: str, label: str = "") -> dict[str, Any]:
    """Baselines that have learned a data set, the same for every model that they are measured beside."""
    train = reader(name).read("train")
    train = train.only(label) if label else train
    baselines: dict[str, Any] = {
        "linear_baseline": make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
        "boosted_trees_baseline": HistGradientBoostingClassifier(random_state=SEED),
    }
    for baseline in baselines.values():
        baseline.fit(train.inputs.double().numpy(), train.labels.numpy())
    return baselines


def _beside(baselines: dict[str, Any], model: Model, data: Dataset) -> dict[str, float]:
    labels, ours = data.labels.numpy(), model.predict(data.inputs).cpu().numpy()
    found: dict[str, float] = {"baseline_n": len(labels), "baseline_seed": SEED}
    for name, baseline in baselines.items():
        scores = baseline.predict_proba(data.inputs.double().numpy())
        found |= lead(name, ours == labels, scores.argmax(1) == labels)
        found[f"{name}_area_under_roc"] = float(area_under_roc(scores[:, 1].astype(np.float64), labels == 1))
    return found


def label_baselines(model: Model, data: Dataset) -> dict[str, float]:
    """What `table_baselines` gives, for each of several labels; baselines learn one label at a time."""
    found: dict[str, float] = {}
    for label in model.task.names:
        alone = _beside(_learned(data.name.split()[0], label), model.only(label), data.only(label))
        found |= {f"{name} of {label}": value for name, value in alone.items() if not name.startswith("baseline_")}
    return found | {"baseline_n": len(data), "baseline_seed": SEED}


def regression_baselines(model: Model, data: Dataset) -> dict[str, float]:
    """Root mean squared error of linear regression and of boosted trees, and how far below them the model's lies.

    Both learn from the training split, from the coordinates that the model sees, with scikit-learn's settings: the
    linear one of standardised coordinates, the trees by histograms. All intervals are a bootstrap's over `baseline_n`
    rows, those of the differences paired.
    """
    train = reader(data.name.split()[0]).read("train")
    labels, rmse = data.labels.double().numpy(), reduction("root of the mean")
    ours = (model.predict(data.inputs).double().cpu().numpy() - labels) ** 2
    baselines: dict[str, Any] = {
        "linear_baseline": make_pipeline(StandardScaler(), LinearRegression()),
        "boosted_trees_baseline": HistGradientBoostingRegressor(random_state=SEED),
    }
    found: dict[str, float] = {"baseline_n": len(labels), "baseline_seed": SEED}
    for name, baseline in baselines.items():
        baseline.fit(train.inputs.double().numpy(), train.labels.numpy())
        theirs = (baseline.predict(data.inputs.double().numpy()) - labels) ** 2
        base, gain = rmse.estimate(theirs, seed=SEED), paired(theirs, ours, rmse.value, seed=SEED)
        found |= {
            name: base.value,
            f"{name}_low": base.low,
            f"{name}_high": base.high,
            f"{name}_r_squared": 1 - float(theirs.sum() / ((labels - labels.mean()) ** 2).sum()),
            f"below_{name}": gain.value,
            f"below_{name}_low": gain.low,
            f"below_{name}_high": gain.high,
        }
    return found
