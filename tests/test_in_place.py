"""A forward may write into what it is given: nothing that probe or its user still holds is spoiled by it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.testing import assert_close

from probe import Model, Space, check_model, from_estimator, from_module, from_predict_proba
from probe.attacks import PGD
from probe.contracts import Attack, Explainer
from probe.errors import Unsupported
from probe.explainers import IntegratedGradients, KernelShap, Saliency
from probe.registry import discover
from probe.results import Attribution, Perturbation, Prediction
from tests.light import light, own_attacks, own_explainers

EXPLAINERS, ATTACKS, METRICS = own_explainers(), own_attacks(), discover("metric")
ASKING = [kind for kind in METRICS.values() if kind.result_type() in (Prediction, Attribution, Perturbation)]
GIVEN = {"agreement": {"other": Saliency()}}
EVERY = [
    light(kind(**GIVEN.get(kind.name(), {})), steps=4, max_queries=20, draws=8, samples=40)
    for kind in (*EXPLAINERS.values(), *ATTACKS.values(), *ASKING)
]
LINEAR = nn.Linear(6, 2).eval()
with torch.no_grad():
    LINEAR.weight.copy_(torch.randn(2, 6, generator=torch.Generator().manual_seed(0)))


class Spoils(nn.Module):
    """Normalises in place, and then leaves garbage where its input was."""

    def __init__(self):
        super().__init__()
        self.layer = LINEAR

    def forward(self, x):
        answer = self.layer(x.sub_(0.5).div_(0.25).flatten(1).clone())
        with torch.no_grad():
            x.detach().fill_(torch.nan)
        return answer


class Clean(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = LINEAR

    def forward(self, x):
        return self.layer(((x - 0.5) / 0.25).flatten(1))


def probabilities(x):
    with torch.no_grad():
        return torch.softmax(LINEAR(torch.from_numpy((x - 0.5) / 0.25).flatten(1)), 1).numpy()


def spoiling(x):
    answer = probabilities(x)
    x[:] = np.nan
    return answer


class Estimator:
    """What scikit-learn's estimators have in common, with a predict_proba that spoils its rows."""

    classes_ = np.array(["a", "b"])
    n_features_in_ = 6

    def __init__(self, function):
        self.predict_proba = function


TABLE = Space(reference=torch.rand(3, 6, generator=torch.Generator().manual_seed(1)), bounds=(0.0, 1.0))
GRAPH = Space(form="graph", reference=torch.zeros(2, 2, 3))
VECTORS = torch.rand(9, 3, generator=torch.Generator().manual_seed(2))
TEXT = Space(words=tuple("-?abcdefg"), bounds=(0, 8), reference=torch.zeros(1, 2, dtype=torch.long))
CLASSES = ("a", "b")


def _table(module, box):
    x = torch.rand(6, 6, generator=torch.Generator().manual_seed(3))
    models = {
        "module": lambda: from_module(module, TABLE, CLASSES),
        "function": lambda: Model(forward=module.forward, space=TABLE),
        "predict_proba": lambda: from_predict_proba(box, TABLE, CLASSES),
        "estimator": lambda: from_estimator(Estimator(box), TABLE, CLASSES),
    }
    return {name: (model, x) for name, model in models.items()}


def _pair(spoils):
    module, box = (Spoils(), spoiling) if spoils else (Clean(), probabilities)
    module.eval()
    graphs = torch.cat([torch.tensor([[0.0, 1], [1, 0]]).expand(4, 2, 2), torch.rand(4, 2, 1)], 2)
    ids = torch.tensor([[2, 3], [4, 8], [5, 0], [7, 2]])

    def embed(ids):
        vectors = VECTORS[ids]
        if spoils:
            ids.fill_(-1)
        return vectors

    def row(ids):
        return VECTORS[2].expand(*ids.shape, 3)

    return _table(module, box) | {
        "graph": (lambda: Model(forward=module, space=GRAPH, classes=CLASSES), graphs),
        "text": (lambda: Model(forward=module, embed=embed, space=TEXT, classes=CLASSES), ids),
        # Not a copy of the table but a part of it.
        "view of the table": (lambda: Model(forward=module, embed=row, space=TEXT, classes=CLASSES), ids),
    }


def _result(method, model, x):
    labels = model.predict(x)
    if isinstance(method, Explainer):
        result = method(model, x)
        return result.values, result.inputs, result.cost
    if isinstance(method, Attack):
        result = method(model, x, labels)
        return result.perturbed, result.inputs, result.attacked.logits, result.cost
    read = {
        Prediction: lambda: Prediction(model.logits(x), labels),
        Attribution: lambda: KernelShap()(model, x),
        Perturbation: lambda: next(
            a
            for a in (PGD(eps=0.1, steps=4), ATTACKS["hot_flip"]())
            if a.threat.moves == ("tokens" if model.embed else "numbers")
        )(model, x, labels),
    }[method.result_type()]()
    scores = method(model, read)
    return scores.evidence, scores.cost


NAMES = list(_pair(spoils=True))
# Each method with a network, and in turn with one of the other ways to a model or of the other forms of input.
ASKED = [
    pytest.param(method, name, id=f"{method.name()}-{name}")
    for at, method in enumerate(EVERY)
    for name in ("module", NAMES[1 + at % (len(NAMES) - 1)])
]


@pytest.mark.parametrize(("method", "name"), ASKED)
def test_an_in_place_model_gets_the_same_measurements_as_one_that_copies(method, name):
    (spoils, x), (clean, _) = _pair(spoils=True)[name], _pair(spoils=False)[name]
    spoils, clean = spoils(), clean()
    kept, reference, vectors = x.clone(), spoils.space.reference.clone(), VECTORS.clone()
    weights = {k: v.clone() for k, v in LINEAR.state_dict().items()}
    try:
        expected = _result(method, clean, x)
    except Unsupported:
        with pytest.raises(Unsupported):
            _result(method, spoils, x)
        return
    found = _result(method, spoils, x)
    for one, other in zip(found, expected, strict=True):
        assert_close(one, other, atol=1e-5, rtol=1e-4) if isinstance(one, torch.Tensor) else None
        assert isinstance(one, torch.Tensor) or one == other
    assert torch.equal(x, kept)
    assert torch.equal(spoils.space.reference, reference)
    assert torch.equal(VECTORS, vectors)
    assert all(torch.equal(v, weights[k]) for k, v in LINEAR.state_dict().items())


def test_calls_of_an_in_place_model_leave_the_inputs_unchanged():
    model, x = from_module(Spoils().eval(), TABLE, ()), torch.rand(4, 6)
    kept = x.clone()
    for ask in (model, model.logits, model.predict, lambda x: model.check_labels(torch.zeros(4, dtype=torch.long), x)):
        ask(x)
        assert torch.equal(x, kept)
    check_model(model, x)
    model.gradient(x, lambda z: z[:, 0])
    assert torch.equal(x, kept)


def test_a_network_that_begins_with_relu_in_place_is_explained_and_attacked():
    net = nn.Sequential(nn.ReLU(inplace=True), nn.Linear(3, 2)).eval()
    space = Space(bounds=(-1.0, 1.0), reference=torch.zeros(1, 3))
    model, x = Model(forward=net, space=space), torch.tensor([[0.5, -0.5, 0.2], [0.1, 0.7, -0.3]])
    targets, weight = torch.tensor([0, 1]), net[1].weight.detach()
    assert_close(IntegratedGradients()(model, x, targets).values, weight[targets] * x.clamp(min=0))
    assert_close(Saliency()(model, x, targets).values, weight[targets] * (x > 0))
    result = PGD(eps=0.1)(model, x, model.predict(x))
    assert torch.equal(result.inputs, x)


def test_reusing_an_output_buffer_does_not_change_earlier_predictions():
    """A function that fills one array again and again, as fast numpy code does."""
    out = torch.empty(2, 2)

    def forward(x):
        out[: len(x)] = x[:, :2]
        return out[: len(x)]

    model = replace(Model(forward=forward, space=Space(bounds=(-9.0, 9.0))), batch_size=2)
    x = torch.tensor([[1.0, 2], [3, -4], [5, 6], [7, 8]])
    assert torch.equal(model.logits(x), x)
    first = model(x[:2])
    model(x[2:])
    assert torch.equal(first, x[:2])
