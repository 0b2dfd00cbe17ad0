"""Metrics that randomise weights or outputs: what ignores them gets 0, and the user's network is left alone."""

from copy import deepcopy
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.testing import assert_close

from probe import Explainer, Model, Regression
from probe.errors import Unsupported
from probe.explainers import Saliency
from probe.metrics import MPRT, EfficientMPRT, RandomLogit
from probe.metrics.randomised import alike, cascade

METRICS = (MPRT(), MPRT(absolute=False), EfficientMPRT(), RandomLogit())
each = pytest.mark.parametrize("metric", METRICS, ids=str)
INPUTS = torch.rand(6, 12, generator=torch.Generator().manual_seed(0))


@dataclass(frozen=True, kw_only=True)
class Edges(Explainer):
    """The input itself, whatever the network makes of it."""

    def attribute(self, model, inputs, targets):
        return inputs


class Backwards(nn.Module):
    """Registers its layers in the reverse of the order in which it calls them, and one that it never calls."""

    def __init__(self):
        super().__init__()
        self.last, self.first, self.never = nn.Linear(5, 3), nn.Linear(12, 5), nn.Linear(2, 2)
        self.shared = self.last

    def forward(self, x):
        return self.last(self.first(x).relu())


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(12, 40), nn.ReLU(), nn.Linear(40, 4)).eval()


@each
def test_an_explanation_that_ignores_the_model_has_no_lead(metric):
    model = Model(forward=network())
    assert metric(model, Edges()(model, INPUTS)).value == pytest.approx(0, abs=1e-6)
    assert MPRT()(model, Saliency()(model, INPUTS)).value > 0.2


@pytest.mark.parametrize("absolute", [True, False])
def test_a_gradient_of_one_layer_is_forgotten_with_its_weights(absolute):
    """The correlation of independent weights is 0 on average; over 2,000 features its standard deviation is .022."""
    torch.manual_seed(1)
    model = Model(forward=nn.Sequential(nn.Linear(2000, 3, bias=False)).eval())
    found = MPRT(absolute=absolute)(model, Saliency()(model, torch.rand(3, 2000)))
    assert found.evidence[:, 0].abs().max() < 0.1
    assert found.value == pytest.approx(1, abs=0.1)


@each
def test_the_network_of_the_user_and_the_random_state_are_left_alone(metric):
    net = network()
    model, before, state = Model(forward=net), deepcopy(net.state_dict()), torch.get_rng_state()
    found = Saliency()(model, INPUTS)
    first, again = metric(model, found), metric(model, found)
    assert torch.equal(first.evidence, again.evidence)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)
    assert not any(layer._forward_hooks for layer in net.modules())
    assert first.cost.forward > 0
    alone = torch.cat([metric(model, found[at]).evidence for at in range(6)])
    assert_close(alone, first.evidence, rtol=1e-4, atol=1e-5)


def test_layers_are_randomised_from_the_last_called_to_the_first_each_once():
    torch.manual_seed(2)
    net = Backwards().eval()
    before, changed = deepcopy(net.state_dict()), []
    for copy in cascade(Model(forward=net), INPUTS, 8, 0, "it"):
        now = copy.forward.state_dict()
        changed.append({name.partition(".")[0] for name in now if not torch.equal(now[name], before[name])})

    assert changed == [{"last", "shared"}, {"last", "shared", "first"}, {"last", "shared", "first", "never"}]
    few = [
        sum(not torch.equal(value, before[name]) for name, value in copy.forward.state_dict().items())
        for copy in cascade(Model(forward=net), INPUTS, 2, 0, "it")
    ]
    assert few == [6, 8]
    weight = next(cascade(Model(forward=net), INPUTS, 1, 0, "it")).forward.first.weight
    assert float(weight.detach().std()) == pytest.approx(float(net.first.weight.detach().std()), rel=0.3)


def test_the_rise_of_complexity_equals_that_by_numpy():
    model = Model(forward=network())
    found = Saliency()(model, INPUTS)
    random = Saliency()(next(cascade(model, INPUTS, 1, 0, "it")), INPUTS, found.targets)

    def entropy(values):
        share = np.histogram(values, bins=100)[0] / len(values)
        return -sum(p * np.log(p) for p in share if p)

    pairs = zip(found.values.double().numpy(), random.values.double().numpy(), strict=True)
    expected = [entropy(after) / entropy(before) - 1 for before, after in pairs]
    assert EfficientMPRT()(model, found).evidence.tolist() == pytest.approx(expected, abs=1e-5)


def test_other_outputs_of_a_linear_model_are_explained_by_their_own_weights():
    weight = torch.eye(4)[:, [0, 0, 2]] + torch.arange(4.0)[:, None] * torch.tensor([0.0, 0.0, -9.0])
    model = Model(forward=lambda x: x @ weight)
    found = Saliency()(model, torch.rand(2, 4), torch.tensor([0, 1]))
    both = RandomLogit(others=2)(model, found)
    expected = [
        np.mean([float(alike(weight.T[[one]], weight.T[[other]])) for other in range(3) if other != one])
        for one in (0, 1)
    ]
    assert both.evidence[:, 0].tolist() == pytest.approx(expected)


def test_constant_explanations_are_alike_and_unlike_any_other():
    one = torch.tensor([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0], [1.0, 2.0, 4.0], [1.0, 2.0, 4.0]])
    other = torch.tensor([[0.0, 0.0, 0.0], [1.0, 2.0, 3.0], [4.0, 2.0, 1.0], [2.0, 3.0, 9.0]])
    assert alike(one, other).tolist() == pytest.approx([1, 0, -1, 1])


def test_models_without_weights_or_with_one_output_are_refused():
    box = Model(forward=lambda x: x, name="box")
    found = Saliency()(box, INPUTS)
    for metric in (MPRT(), EfficientMPRT()):
        with pytest.raises(Unsupported, match="box is a function to torch"):
            metric(box, found)
    one = Model(forward=lambda x: x[:, :1], name="one", task=Regression(("price",)))
    single = Saliency()(one, INPUTS)
    assert not RandomLogit().suits(single)
    with pytest.raises(Unsupported, match="explains another output, and one has only one"):
        RandomLogit()(one, single)
    model = Model(forward=network())
    with (
        model.edited({"1": lambda output: output * 0}) as edited,
        pytest.raises(Unsupported, match="edits are of one network; give it unedited"),
    ):
        MPRT()(edited, replace(Saliency()(model, INPUTS)))
    bare = Model(forward=nn.Sequential(nn.ReLU(), nn.Flatten()).eval(), name="bare")
    with pytest.raises(Unsupported, match="bare has none that vary"):
        MPRT()(bare, Saliency()(bare, INPUTS))
