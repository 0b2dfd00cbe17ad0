"""An audit of a model without gradients has a figure under attack, though its plan names no attack."""

import numpy as np
import pytest
import torch
from sklearn.tree import DecisionTreeClassifier

from probe import Dataset, Space, from_estimator
from probe.attacks import Square
from probe.audit import plan_from, run, verify
from probe.forms import Form
from probe.metrics import RobustAccuracy

SOURCE = np.random.default_rng(0)
ROWS = SOURCE.uniform(0, 1, (120, 3)).astype(np.float32)
LABELS = (ROWS[:, 0] + SOURCE.normal(0, 0.05, 120) > 0.5).astype(int)


@pytest.fixture(scope="module")
def audited(tmp_path_factory):
    tree = DecisionTreeClassifier(max_depth=3, random_state=0).fit(ROWS, LABELS)  # a forest takes ten times as long
    model = from_estimator(tree, Space(), rows=ROWS)
    data = Dataset(torch.from_numpy(ROWS), torch.from_numpy(LABELS), space=model.space, classes=model.classes)
    table = {"name": "tree", "explain": {"methods": []}, "attack": {"sample": 40, "eps": ["0.02", "0.2", "0.5"]}}
    (default,) = Form.defaults.without_gradients
    few = Form.defaults._replace(without_gradients=(default | {"max_queries": 60},))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Form, "defaults", few)
        return run(plan_from(table, sources=False), model, data, tmp_path_factory.mktemp("b") / "tree"), model, data


@pytest.mark.slow
def test_an_audit_of_a_tree_attacks_it_with_queries_unless_its_plan_says_otherwise(audited):
    bundle, model, data = audited
    assert [(s.name, s.status) for s in bundle.manifest.steps] == [("predictions", "done"), ("attack-square", "done")]
    curve = bundle.table("robustness").set_index(["attack", "eps"]).robust_accuracy
    rows = bundle.arrays("attack-square")["rows"]
    for eps in (0.02, 0.2, 0.5):
        few = data[torch.from_numpy(rows)]
        found = Square(eps=eps, max_queries=60)(model, few.inputs, few.labels)
        assert curve["square", eps] == pytest.approx(RobustAccuracy()(model, found).value)
    assert curve["square", 0.5] < 0.2 < 0.8 < curve["square", 0.02]
    verify(bundle.folder)


@pytest.mark.slow
def test_an_audit_of_a_tree_counts_no_search_for_gradients_and_says_what_it_ran(audited):
    bundle, _, _ = audited
    assert [m["method"] for m in bundle.manifest.plan.attack.methods] == ["square"]
    assert not [f for f in bundle.manifest.findings if "gradients" in f.note]
