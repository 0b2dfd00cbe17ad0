"""A missing value is a value of its feature: explained, removed, described and saved as such."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from torch import nn

import probe
from probe import Dataset, Model, Space, from_estimator
from probe.attacks import FGSM, PGD
from probe.audit import plan_from, run, verify
from probe.errors import RangeError, Unsupported
from probe.explainers import IntegratedGradients, KernelShap, Lime, Saliency
from probe.metrics import Completeness, Deletion, Insertion
from tests.figures import figures_unwritten  # noqa: F401  a fixture

RANDOM = np.random.default_rng(0)
N = 120
TABLE = pd.DataFrame({
    "a": RANDOM.normal(size=N), "b": RANDOM.normal(size=N), "job": pd.Series(RANDOM.choice(["cook", "clerk"], N)),
}).mask(RANDOM.random((N, 3)) < 0.25)  # fmt: skip
Y = np.where(TABLE["a"].isna() | (TABLE["b"] > 0), "yes", "no")


@pytest.fixture(scope="module")
def opened():
    pipeline = make_pipeline(
        make_column_transformer(
            (SimpleImputer(add_indicator=True), ["a", "b"]),
            (make_pipeline(SimpleImputer(strategy="constant", fill_value="?"), OneHotEncoder()), ["job"]),
        ),
        LogisticRegression(),
    ).fit(TABLE, Y)
    sexes = np.resize(["F", "M"], N)
    data = Dataset.from_frame(TABLE.assign(y=Y, sex=sexes), label="y", groups=["sex"], allow_missing=True)
    space = replace(data.space, reference=data.inputs[:20])
    return from_estimator(pipeline, space, data.classes, rows=TABLE), data


@pytest.mark.parametrize("reference", [[[0.0, 0.0]], [[torch.nan, 0.0]], [[torch.nan, 1.0], [0.0, 0.0]]])
def test_shapley_values_of_a_missing_value_are_exact(reference):
    """The model is 3 where x0 is missing, plus x1: its shares are known in closed form."""

    def forward(x):
        score = 3.0 * x[:, 0].isnan() + x[:, 1]
        return torch.stack([-score / 2, score / 2], 1)

    rows = torch.tensor(reference)
    model = Model(forward=forward, space=Space(bounds=(-9.0, 9.0), reference=rows, missing=(True, False)))
    inputs = torch.tensor([[torch.nan, 2.0], [1.0, 2.0]])
    found = KernelShap()(model, inputs, torch.tensor([1, 1])).values
    gone = 3 * rows[:, 0].isnan().double().mean()
    expected = torch.stack(
        [torch.stack([3 - gone, 2 - rows[:, 1].mean()]), torch.stack([-gone, 2 - rows[:, 1].mean()])]
    )
    torch.testing.assert_close(found.double(), expected.double() / 2)


def test_a_value_missing_in_input_and_reference_gets_zero_attribution_and_no_rank():
    space = Space(bounds=(-9.0, 9.0), reference=torch.tensor([[torch.nan, 0.0, 0.0]]), missing=(True, False, False))
    model = Model(forward=lambda x: torch.stack([x[:, 1], -x[:, 1]], 1), space=space)
    inputs = torch.tensor([[torch.nan, 2.0, 0.0]])
    for explainer in (KernelShap(), Lime()):
        found = explainer(model, inputs)
        assert found.values[0, [0, 2]].tolist() == [0, 0]
        # The one feature that is there goes at once, in any order.
        own, random = Deletion()(model, found).evidence[0].tolist()
        assert own == pytest.approx(random)


@pytest.mark.parametrize("explainer", [KernelShap(), Lime()])
def test_a_table_with_missing_cells_is_explained(opened, explainer):
    model, data = opened
    found = explainer(model, data.inputs[:8])
    assert found.values.isfinite().all()
    for metric in (Deletion(), Insertion()):
        assert np.isfinite(metric(model, found).value)
    if explainer.name() == "kernel_shap":
        assert Completeness()(model, found).value < 1e-5


@pytest.mark.parametrize("method", [IntegratedGradients(), Saliency(), FGSM(eps=0.1), PGD(eps=0.1)])
def test_methods_that_need_numbers_refuse_missing_values(method):
    module = nn.Sequential(Filled(), nn.Linear(2, 2)).eval()
    space = Space(bounds=(-9.0, 9.0), reference=torch.zeros(1, 2), missing=(True, False))
    model, inputs = Model(forward=module, space=space), torch.tensor([[torch.nan, 1.0], [0.0, 1.0]])
    with pytest.raises(Unsupported, match="1 features are missing in some rows; use a method that needs no gradients"):
        method(model, inputs, model.predict(inputs))
    assert method(model, inputs[1:], model.predict(inputs[1:])) is not None


class Filled(nn.Module):
    def forward(self, x):
        return x.nan_to_num(0.0)


def test_nan_is_refused_in_a_space_without_missing_values():
    space = Space(bounds=(-9.0, 9.0), missing=(False, True))
    space.check(torch.tensor([[0.0, torch.nan]]))
    for strange in ([[torch.nan, 0.0]], [[0.0, torch.inf]]):
        with pytest.raises(RangeError, match="NaN or infinity, first in row 0"):
            space.check(torch.tensor(strange))
    with pytest.raises(RangeError, match=r"Space\(missing=...\) says which features may be NaN"):
        Space().check(torch.tensor([[torch.nan, 0.0]]))


def test_the_mean_reference_is_of_the_rows_that_have_a_number():
    space = Space(reference=torch.tensor([[torch.nan, torch.nan], [0.4, torch.nan]]), missing=(True, True))
    mean = space.baseline(torch.zeros(1, 2))[0]
    assert (mean[0].item(), mean[1].isnan().item()) == (pytest.approx(0.4), True)


def test_a_missing_value_is_saved_and_described(opened, tmp_path):
    model, data = opened
    row = int(TABLE.isna().all(axis=1).to_numpy().argmax()) if TABLE.isna().all(axis=1).any() else 0
    found = Lime()(model, data.inputs[row : row + 1])
    found.save(tmp_path / "found")
    again = probe.load(tmp_path / "found")
    assert again.space.describe(again.inputs) == data.space.describe(data.inputs[row : row + 1])
    assert (again.space.missing, again.space.types) == (data.space.missing, data.space.types)


@pytest.mark.slow
def test_a_table_with_missing_cells_is_audited_end_to_end(opened, tmp_path):
    model, data = opened
    plan = plan_from({
        "name": "holes", "model": {"factory": "in:notebook"}, "data": {"csv": "t.csv", "label": "y"},
        "explain": {"sample": 5}, "attack": {"sample": 20, "eps": ["0.1"]},
    })  # fmt: skip
    bundle = run(plan, model, data, tmp_path / "holes")
    steps = {step.name: step.status for step in bundle.manifest.steps}
    assert {steps["explain-kernel_shap"], steps["explain-lime"]} == {"done"}
    assert {status for name, status in steps.items() if "attack" in name or "gradient" in name} == {"not run"}
    assert verify(bundle.folder).numbers > 0
    assert "missing" in bundle.arrays("instances")["described"]
    page = probe.report.render(bundle)
    assert "a missing value is a value of the feature" in page
