"""Rows of a model whose probabilities round to 0 and 1 are told apart by their logits, on every page."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import logsumexp
from sklearn.metrics import roc_auc_score, roc_curve

import probe
from probe import Dataset, Model, Space, bias
from probe.audit import reading
from probe.errors import DataError

ROWS = 120


def audited(folder, logits, labels, classes):
    told = torch.tensor(logits, dtype=torch.float32)
    model = Model(forward=lambda x: told[x[:, 0].long()], space=Space(bounds=(0, ROWS)), classes=classes)
    rows = torch.arange(ROWS, dtype=torch.float32)[:, None]
    groups = pd.DataFrame({"side": ["left", "right"] * (ROWS // 2)})
    data = Dataset(rows, torch.tensor(labels), space=model.space, classes=classes, groups=groups)
    return probe.audit(model, data, folder, explain={"methods": []}, attack={"methods": []})


@pytest.mark.slow
def test_areas_and_curves_of_a_model_that_is_too_sure_are_scikit_learns(tmp_path):
    source = np.random.default_rng(0)
    labels = source.integers(0, 2, ROWS)
    lead = (source.normal(60, 20, ROWS) + 20 * labels).astype(np.float32)
    bundle = audited(tmp_path / "two", np.stack([-lead / 2, lead / 2], 1), labels, ("no", "yes"))
    expected, (fpr, tpr, _) = roc_auc_score(labels, lead), roc_curve(labels, lead, drop_intermediate=False)
    assert reading.area(bundle).value == pytest.approx(expected)
    assert reading.roc(bundle)[["fpr", "tpr"]].to_numpy() == pytest.approx(np.stack([fpr, tpr], 1))
    measured = {each.metric: each.value for each in reading.measured(bundle)}
    assert measured["area_under_roc"] == pytest.approx(expected)
    groups = bundle.table("bias_groups").set_index("group")
    for side, rows in {"left": slice(0, None, 2), "right": slice(1, None, 2)}.items():
        assert groups["auc"][side] == pytest.approx(roc_auc_score(labels[rows], lead[rows]))
        curve = reading.roc_by(bundle, "side")[side]
        assert np.trapezoid(curve["tpr"], curve["fpr"]) == pytest.approx(groups["auc"][side])


def test_each_class_of_several_is_told_from_the_others_by_its_log_odds(tmp_path):
    source = np.random.default_rng(1)
    labels = source.integers(0, 3, ROWS)
    logits = (source.normal(0, 90, (ROWS, 3)) + 60 * np.eye(3)[labels]).astype(np.float32).astype(float)
    bundle = audited(tmp_path / "three", logits, labels, ("a", "b", "c"))
    for at, name in enumerate("abc"):
        odds = logits[:, at] - logsumexp(np.delete(logits, at, 1), axis=1)
        assert reading.area(bundle, of=name).value == pytest.approx(roc_auc_score(labels == at, odds))


def test_log_odds_without_scores_are_refused():
    groups = pd.DataFrame({"sex": ["f", "m"] * 5})
    with pytest.raises(DataError, match="without scores"):
        bias.audit([0, 1] * 5, [0, 1] * 5, groups, log_odds=[0.5] * 10)
