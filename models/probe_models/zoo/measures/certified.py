"""How often a model is right, and provably stays right."""

import torch

from probe import Dataset, Model
from probe.certificates import Crown
from probe.statistics import proportion
from probe.tensors import spans
from probe_models.zoo.measures.robustness import EPS, ROWS

PASS = 200  # rows that are bounded together


def certified_accuracy(model: Model, data: Dataset) -> dict[str, float]:
    """The share of 2,000 test rows that no change of 0.1 a pixel makes wrong, proved by CROWN (arXiv:1811.00866)."""
    sample = data.sample(ROWS, seed=0)
    parts = [sample[rows] for rows in spans(len(sample), PASS)]
    leads = [Crown().margins(model, x.inputs, x.labels, torch.full((len(x),), EPS)) for x in parts]
    share, low, high, n = proportion((torch.cat(leads) > 0).all(1).cpu().numpy())
    return {
        "certified_accuracy": share,
        "certified_accuracy_low": low,
        "certified_accuracy_high": high,
        "certified_accuracy_rows": float(n),
    }
