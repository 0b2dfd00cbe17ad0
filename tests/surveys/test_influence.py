"""Influence of training rows by way of the last layer: leave-one-out of ridge, and real fits without single rows."""

from dataclasses import replace

import pytest
import torch
from sklearn.linear_model import LogisticRegression, Ridge
from torch import nn

from probe import Dataset, Model, MultiLabel, Regression, Space
from probe.errors import RangeError, Unsupported
from probe.surveys import LastLayerInfluence
from tests.test_internals import drawn

SPACE = Space(bounds=(-99.0, 99.0))
PENALTY = 2.0


def made(outputs=3, rows=60, **given):
    network = drawn(nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, outputs)))
    x = torch.randn(rows + 8, 4, generator=torch.Generator().manual_seed(4))
    model = Model(forward=network, space=SPACE, **given)
    labels = x[:, :3].max(1).indices if outputs > 1 else model.predict(x)
    return replace(model, training=(x[:rows], labels[:rows])), x[rows:], labels[rows:]


def shown(model, x):
    """What the last layer is given, and a 1."""
    found = model.forward[:2](x).detach().double()
    return torch.cat([found, torch.ones_like(found[:, :1])], 1).numpy()


def test_influences_of_a_regression_are_those_of_ridge_without_each_row():
    model, x, labels = made(1, task=Regression(("price",)))
    known, wanted = model.training
    wanted = wanted.flatten() + torch.randn(60, generator=torch.Generator().manual_seed(5))
    model, labels = replace(model, training=(known, wanted)), labels.flatten()
    found = LastLayerInfluence(penalty=PENALTY).influences(model, x, labels)
    there, here = shown(model, known), shown(model, x)

    def losses(kept):
        fit = Ridge(alpha=PENALTY, fit_intercept=False, solver="cholesky").fit(
            there[kept], wanted.double().numpy()[kept]
        )
        return (fit.predict(here) - labels.double().numpy()) ** 2 / 2

    kept = torch.ones(60, dtype=torch.bool).numpy()
    for row in range(60):
        one_less = kept.copy()
        one_less[row] = False
        assert found[:, row].tolist() == pytest.approx((losses(one_less) - losses(kept)).tolist(), abs=1e-9)


def test_influences_of_classes_agree_with_real_fits_without_single_rows():
    model, x, labels = made()
    method = LastLayerInfluence(penalty=PENALTY, count=2)
    found = method.influences(model, x, labels)
    there, here = shown(model, model.training[0]), shown(model, x)
    wanted = model.training[1].numpy()

    def losses(kept):
        fit = LogisticRegression(C=1 / PENALTY, fit_intercept=False, tol=1e-10, max_iter=5000)
        fit.fit(there[kept], wanted[kept])
        return torch.tensor(-fit.predict_log_proba(here)[range(8), labels.numpy()])

    kept = torch.ones(60, dtype=torch.bool).numpy()
    before = losses(kept)
    for row in (0, 7, 33):
        one_less = kept.copy()
        one_less[row] = False
        real = losses(one_less) - before
        assert found[:, row].tolist() == pytest.approx(real.tolist(), abs=0.15 * float(found.abs().max()))
    said = method.validated(model, x, labels)
    assert said.rank_correlation > 0.95
    assert said.n == 20
    own = method._prepared(model, x, labels)[0].decided(torch.tensor(here)) == model.predict(x)
    assert said.agreement == pytest.approx(own.double().mean().item())
    seen = method(model, Dataset(x, labels, space=SPACE))
    assert torch.equal(seen.evidence, found.sort(dim=1, descending=True).values[:, :2].float())


def test_the_fit_is_that_of_scikit_learn():
    model, _, _ = made()
    there, wanted = shown(model, model.training[0]), model.training[1].numpy()
    fit, _, _ = LastLayerInfluence(penalty=PENALTY)._prepared(model, model.training[0], model.training[1])
    theirs = LogisticRegression(C=1 / PENALTY, fit_intercept=False, tol=1e-10, max_iter=5000).fit(there, wanted)
    torch.testing.assert_close(fit.weights, torch.tensor(theirs.coef_), atol=1e-4, rtol=1e-3)


def test_some_of_many_training_rows_are_drawn_and_named():
    model, x, labels = made()
    method = LastLayerInfluence(most=10)
    chosen = method.trained(model)
    assert len(chosen) == 10
    few = replace(model, training=tuple(part[chosen] for part in model.training))
    torch.testing.assert_close(method.influences(model, x, labels), LastLayerInfluence().influences(few, x, labels))


def test_what_has_no_last_layer_to_fit_is_refused():
    model, x, labels = made()
    data = Dataset(x, labels, space=SPACE)
    with pytest.raises(RangeError, match="count = 61, and model has 60 training rows"):
        LastLayerInfluence(count=61)(model, data)
    with pytest.raises(Unsupported, match="needs training rows, and model has none"):
        LastLayerInfluence()(replace(model, training=None), data)
    with pytest.raises(RangeError, match="has no layer 'nine"):
        LastLayerInfluence(layer="nine")(model, data)
    plain = replace(model, forward=nn.Sequential(nn.Identity(), nn.Tanh()).eval())
    with pytest.raises(Unsupported, match="has no linear layer to be fitted"):
        LastLayerInfluence()(plain, Dataset(x, labels, space=SPACE))
    several = Model(forward=model.forward, space=SPACE, task=MultiLabel(tuple("abc")))
    flags = torch.zeros(8, 3, dtype=torch.long)
    with pytest.raises(Unsupported, match=r"fits one answer for each row, and model gives labels; take one"):
        LastLayerInfluence()(replace(several, training=(x, flags)), Dataset(x, flags, space=SPACE))
