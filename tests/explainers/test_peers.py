"""Explainers of other packages: what they are asked, that they play by probe's rules, and the way to shap and back."""

import warnings
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from torch import nn
from torch.testing import assert_close

from probe import Model, Regression, Space, from_estimator, load
from probe.errors import DataError, ProbeError, RangeError, ShapeError, Unsupported
from probe.explainers import (
    Captum,
    InputXGradient,
    IntegratedGradients,
    KernelShap,
    Lime,
    LimeImage,
    LimeTabular,
    LimeText,
    Occlusion,
    PermutationShap,
    ShapKernel,
    ShapPartition,
    ShapTree,
)
from probe.extras import imported
from probe.results import Attribution

# They take a second to load, and are loaded by the process whose tests need them.
pytestmark = [
    pytest.mark.skipif(find_spec(package) is None, reason=f"{package} is not installed")
    for package in ("captum", "shap", "lime")
]

FEATURES = torch.tensor([[0, 0, 1, 1]] * 2 + [[2, 2, 3, 3]] * 2)[None]


def photos(seed=0):
    """A small network of images with squares for features, and images for it."""
    layers = nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(48, 2)).eval()
    source = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in layers.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=source) * 0.4)
    space = Space(features=FEATURES, reference=torch.zeros(1, 1, 4, 4))
    return Model(forward=layers, space=space, classes=("a", "b")), torch.rand(3, 1, 4, 4, generator=source)


PEERS = [ShapKernel(), ShapPartition(), LimeImage(samples=50), Captum(explainer="GradientShap"),
         Captum(explainer="Lime"), Captum(explainer="ShapleyValueSampling")]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("method", PEERS, ids=str)
def test_a_peer_leaves_everything_as_it_was_and_explains_a_row_as_it_is_alone(method, tmp_path):
    model, x = photos()
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    weights, kept = model.digest(), x.clone()
    found = method(model, x)
    assert_close(found.values, torch.cat([method(model, row[None]).values for row in x]))
    assert torch.equal(method(model, x).values, found.values)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()  # noqa: NPY002
    assert model.digest() == weights
    assert torch.equal(x, kept)
    assert not any(m._forward_hooks or m._backward_hooks or m.training for m in model.forward.modules())
    assert all(p.grad is None and p.requires_grad for p in model.forward.parameters())
    assert found.cost.forward > 0
    found.save(tmp_path / "r")
    assert load(tmp_path / "r").method == method


@pytest.mark.slow
@pytest.mark.parametrize("method", [ShapKernel(), ShapPartition(samples=10_000)], ids=str)
def test_shap_gives_the_shapley_values_of_an_additive_game_and_sums_of_any(method):
    model, x = photos()
    exact = KernelShap()(model, x).values
    found = method(model, x).values
    assert_close(found.flatten(1).sum(1), exact.flatten(1).sum(1), atol=1e-5, rtol=1e-5)
    if isinstance(method, ShapKernel):
        assert_close(found, exact, atol=1e-5, rtol=1e-5)
    linear = Model(forward=nn.Sequential(nn.Flatten(), nn.Linear(16, 2)).eval(), space=model.space)
    assert_close(method(linear, x).values, KernelShap()(linear, x).values, atol=1e-5, rtol=1e-5)


def test_owen_values_of_three_players_follow_the_tree():
    """Three in a row, of which the first two are joined: a product of the last two is shared as the tree says."""

    def forward(x):
        game = x[:, 0, 0] * x[:, 0, 3]
        return torch.stack([game, 2 - game], 1)

    features = torch.tensor([[0, 0, 1, 2]])
    space = Space(form="series", features=features, reference=torch.zeros(1, 1, 4), bounds=(0, 1))
    found = ShapPartition()(Model(forward=forward, space=space), torch.ones(1, 1, 4), torch.tensor([0]))
    assert_close(found.by_feature(), torch.tensor([[0.5, 0.0, 0.5]]))


@pytest.mark.slow
def test_lime_of_the_package_is_near_what_probe_computes_without_sampling():
    model, x = photos()
    exact, drawn = Lime(kernel_width=0.25)(model, x), LimeImage(samples=1000)(model, x)
    assert (drawn.values - exact.values).norm() < 0.1 * exact.values.norm()


def test_a_feature_that_equals_its_reference_gets_exactly_0():
    model, x = photos()
    x[:, :, :2, :2] = 0
    assert ShapKernel()(model, x).by_feature()[:, 0].abs().max() == 0
    assert ShapKernel()(model, torch.zeros(1, 1, 4, 4)).values.abs().max() == 0


def test_lime_of_tables_decodes_categories_and_keeps_integers_whole():
    asked = []

    def forward(x):
        asked.append(x.clone())
        score = 3 * x[:, 2] - x[:, 1] + 0 * x[:, 0]
        return torch.stack([score, -score], 1)

    source = torch.Generator().manual_seed(0)
    levels = torch.randint(0, 3, (60,), generator=source)
    rows = torch.cat([torch.randint(0, 9, (60, 1), generator=source), nn.functional.one_hot(levels, 3).float()], 1)
    space = Space(
        names=("age", "job"), kinds=("integer", "category"), features=torch.tensor([0, 1, 1, 1]),
        levels=("", "a", "b", "c"), bounds=(0.0, 9.0), reference=rows,
    )  # fmt: skip
    one = rows[rows[:, 2] == 1][:1]
    found = LimeTabular(samples=500)(Model(forward=forward, space=space), one, torch.tensor([0])).by_feature()[0]
    assert found[1] > 10 * found[0].abs()
    every = torch.cat(asked)
    assert ((every >= 0) & (every <= 9) & (every == every.round())).all()
    assert len(every[:, 0].unique()) > 5
    assert (every[:, 1:].sum(1) == 1).all()


def test_lime_of_texts_finds_the_word():
    space = Space(words=("", "?", "good", "film"), bounds=(0, 3), reference=torch.zeros(1, 3, dtype=torch.long))
    model = Model(
        forward=lambda x: torch.stack([-x.sum((1, 2)), x.sum((1, 2))], 1),
        embed=lambda ids: (ids == 2).float()[..., None],
        space=space,
    )
    found = LimeText(samples=300)(model, torch.tensor([[3, 2, 0]]), torch.tensor([1])).values[0]
    assert found[1] > found[0].abs()
    assert found[2] == 0  # an absent word


@pytest.mark.parametrize("kind", ["forest", "boosted", "regression"])
def test_values_of_trees_are_the_shapley_values_of_their_output(kind):
    from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier, RandomForestRegressor

    made = {
        "forest": RandomForestClassifier(5, max_depth=3, random_state=0),
        "boosted": GradientBoostingClassifier(n_estimators=5, max_depth=2, random_state=0),
        "regression": RandomForestRegressor(5, max_depth=3, random_state=0),
    }[kind]
    source = np.random.default_rng(0)
    rows = source.random((80, 4))
    labels = rows[:, 0] + rows[:, 1] * rows[:, 2]
    made.fit(rows, labels if kind == "regression" else labels > labels.mean())
    space = Space(bounds=(0.0, 1.0), reference=torch.from_numpy(rows[:12]))
    model, x = from_estimator(made, space), torch.from_numpy(rows[60:63])
    targets = None if kind == "regression" else torch.tensor([0, 1, 1])
    right, wrong = ("logit", "probability") if kind == "regression" else ("probability", "logit")
    found, ours = (each(output=right)(model, x, targets) for each in (ShapTree, KernelShap))
    near = 0.02 if kind == "boosted" else 1e-6  # shap rescales log-odds to probabilities
    assert_close(found.values, ours.values, atol=near, rtol=1e-5)
    assert_close(found.values.sum(1), ours.values.sum(1), atol=1e-6, rtol=1e-5)
    with pytest.raises(Unsupported, match=f"set output='{right}'"):
        ShapTree(output=wrong)(model, x)


@pytest.mark.parametrize(("name", "ours", "close"), [
    ("InputXGradient", InputXGradient(), 1e-6),
    ("FeatureAblation", Occlusion(), 1e-5),
    ("ShapleyValues", KernelShap(), 1e-5),
    ("ShapleyValueSampling", PermutationShap(draws=200), 0.2),
    ("IntegratedGradients", IntegratedGradients(), 1e-2),
])  # fmt: skip
def test_a_method_of_captum_gives_what_ours_gives(name, ours, close):
    model, x = photos()
    found, expected = Captum(explainer=name)(model, x).values, ours(model, x).values
    assert (found - expected).norm() < close * expected.norm()


@pytest.mark.parametrize(("settings", "kind", "message"), [
    ({"explainer": "IntegratedGradient"}, RangeError, r"did you mean 'IntegratedGradients'\?"),
    ({"explainer": "LayerConductance"}, Unsupported, "gives values for a layer"),
    ({"explainer": "Occlusion"}, Unsupported, "needs sliding_window_shapes"),
    ({"explainer": "NoiseTunnel"}, Unsupported, "needs attribution_method"),
    ({"explainer": "FeaturePermutation"}, Unsupported, "shuffles rows"),
    ({"explainer": "GuidedGradCam"}, RangeError, "set layer to one of 0, 1, 2, 3"),
])  # fmt: skip
def test_what_captum_cannot_explain_is_refused_with_what_it_can(settings, kind, message):
    model, x = photos()
    with pytest.raises(kind, match=message):
        Captum(**settings)(model, x)


def test_every_method_that_captum_is_said_to_have_answers():
    model, x = photos()
    with pytest.raises(RangeError) as refused:
        Captum(explainer="nothing")(model, x)
    names = str(refused.value).split("there are ")[1].split(", ")
    assert {"DeepLift", "LRP", "Deconvolution", "GuidedGradCam", "KernelShap"} <= set(names)
    model = replace(model, space=replace(model.space, reference=torch.zeros(2, 1, 4, 4)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says that it sets hooks
        for name in names:
            asked = Captum(explainer=name, layer="0" if name == "GuidedGradCam" else "")
            if name == "LRP":  # it has no rule for nn.Flatten
                with pytest.raises(Unsupported, match="captum cannot explain model: captum raised TypeError: Module"):
                    asked(model, x[:1])
                continue
            assert asked(model, x[:1]).values.shape == (1, 1, 4, 4)


def test_peers_refuse_inputs_of_another_form_and_models_without_trees():
    model, x = photos()
    with pytest.raises(Unsupported, match="lime_text explains texts, and inputs of model are images"):
        LimeText()(model, x)
    table = Model(forward=lambda x: x, space=Space(reference=torch.zeros(1, 2)))
    with pytest.raises(Unsupported, match="shap_tree explains trees that from_estimator was given"):
        ShapTree()(table, torch.ones(1, 2))
    with pytest.raises(Unsupported, match="lime_image explains images, and inputs of model are rows of columns"):
        LimeImage()(table, torch.ones(1, 2))


def test_a_package_that_is_not_installed_is_named_with_its_command():
    with pytest.raises(ProbeError, match=r'needs nowhere, .*; pip install "captum>=0.9" .* installs it'):
        imported("nowhere", "peers")


def test_an_attribution_goes_to_shap_and_back():
    model, x = photos()
    found = KernelShap()(model, x)
    told = found.to_shap(model)
    np.testing.assert_allclose(told.values, found.by_feature(), rtol=1e-6)
    outputs = model.target_outputs(x, found.targets, "logit")
    np.testing.assert_allclose(told.base_values + told.values.sum(1), outputs, rtol=1e-5)
    assert found.to_shap().base_values.tolist() == [0, 0, 0]
    again = Attribution.from_shap(told, model, x, KernelShap())
    assert_close(again.values, found.values)
    both = type(told)(np.stack([told.values, -told.values], 2))
    targets = torch.tensor([0, 1, 0])
    signs = torch.tensor([1.0, -1.0, 1.0])
    assert_close(Attribution.from_shap(both, model, x, KernelShap(), targets).by_feature(),
                 found.by_feature() * signs[:, None])  # fmt: skip
    with pytest.raises(ShapeError, match=r"shape \(3, 4\), expected \(2, 4\)"):
        Attribution.from_shap(told, model, x[:2], KernelShap())
    with pytest.raises(DataError, match="expected one of shap"):
        Attribution.from_shap(told.values, model, x, KernelShap())


def test_shap_shows_categories_by_their_levels():
    space = Space(names=("age", "job"), kinds=("integer", "category"), features=torch.tensor([0, 1, 1]),
                  levels=("", "a", "b"), bounds=(0, 99), reference=torch.tensor([[0.0, 1.0, 0.0]]))  # fmt: skip
    model = Model(forward=lambda x: x.sum(1), space=space, task=Regression(("y",)))
    told = KernelShap()(model, torch.tensor([[30.0, 0.0, 1.0]])).to_shap(model)
    assert told.data.tolist() == [[30.0, 1.0]]
    assert told.display_data.tolist() == [["30", "b"]]
    assert told.feature_names == ["age", "job"]


@pytest.mark.slow
def test_plots_of_shap_draw_ours():
    import matplotlib.pyplot as plt
    import shap

    model, x = photos()
    told = KernelShap()(model, x).to_shap(model)
    shap.plots.waterfall(told[0], show=False)
    shap.plots.beeswarm(told, show=False)
    shap.plots.bar(told, show=False)
    plt.close("all")
