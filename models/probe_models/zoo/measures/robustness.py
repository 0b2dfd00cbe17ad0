"""How often a model is right when it is attacked."""

from probe import Dataset, Model
from probe.attacks import PGD
from probe.statistics import proportion

ROWS, EPS, STEPS = 2000, 0.1, 40


def robust_accuracy(model: Model, data: Dataset) -> dict[str, float]:
    """The share of 2,000 test rows that stay right under PGD (arXiv:1706.06083): 40 steps, 0.1 a pixel."""
    sample = data.sample(ROWS, seed=0)
    attacked = PGD(eps=EPS, steps=STEPS)(model, sample.inputs, sample.labels)
    share, low, high, n = proportion(attacked.attacked.correct.bool().cpu().numpy())
    return {
        "robust_accuracy": share,
        "robust_accuracy_low": low,
        "robust_accuracy_high": high,
        "robust_accuracy_rows": float(n),
    }
