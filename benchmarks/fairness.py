"""Rates of groups, with and without intervals, beside fairlearn: the same figures, and seconds, to JSON.

    python -m benchmarks.fairness

probe.bias.audit computes all its tables, intervals and permutation tests in each run; fairlearn's MetricFrame is asked
for four rates, alone and with intervals by the bootstrap.
"""

import os
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import torch

import probe
from benchmarks.sides import in_turn, written

PEERS = ("fairlearn",)
RATES = ("selection_rate", "true_positive_rate", "false_positive_rate", "count")
OURS = {"selection_rate": "selection_rate", "true_positive_rate": "tpr", "false_positive_rate": "fpr", "count": "n"}


def drawn(rows: int, groups: int) -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    """Labels, predictions and two columns of groups of random people."""
    source = np.random.default_rng(0)
    labels = source.integers(2, size=rows)
    said = np.where(source.random(rows) < 0.8, labels, 1 - labels)
    columns = {name: source.integers(groups, size=rows).astype(str) for name in ("region", "team")}
    return labels, said, pd.DataFrame(columns)


def beside(rows: int, groups: int, resamples: int, repeats: int) -> dict[str, Any]:
    """Seconds of both sides, and how far their rates are apart."""
    from fairlearn import metrics

    labels, said, table = drawn(rows, groups)
    asked = {name: getattr(metrics, name) for name in RATES}

    def peer(**more: Any) -> Any:
        return metrics.MetricFrame(
            metrics=asked, y_true=labels, y_pred=said, sensitive_features=table["region"], **more
        )

    sides = {
        "probe": lambda: probe.bias.audit(labels, said, table, favourable=1).groups,
        "fairlearn": lambda: peer().by_group,
        f"fairlearn, {resamples} resamples": lambda: (
            peer(n_boot=resamples, ci_quantiles=[0.025, 0.975], random_state=0).by_group
        ),
    }
    given, seconds = in_turn(sides, repeats)
    ours = given["probe"][given["probe"]["attribute"] == "region"].set_index("group")
    apart = {
        name: float(max(abs(ours[OURS[name]][group] - rate) for group, rate in given["fairlearn"][name].items()))
        for name in RATES
    }
    return {"largest difference": apart, "sides": seconds}


def wrong(found: dict[str, Any]) -> Iterator[str]:
    """Rates that differ by more than rounding."""
    for name, apart in found["largest difference"].items():
        if not apart < 1e-12:
            yield f"{name} differs from fairlearn's by {apart:.2g}"


def main(rows: int = 15_000, groups: int = 5, resamples: int = 20, repeats: int = 5) -> None:
    torch.set_num_threads(2)
    load = os.getloadavg()[0]
    found = beside(rows, groups, resamples, repeats)
    question = f"{rows} rows, two columns of {groups} groups each, medians of {repeats}"
    written("fairness", question, PEERS, found | {"wrong": list(wrong(found))}, load)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
