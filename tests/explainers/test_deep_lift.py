import captum.attr
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.testing import assert_close

from probe import Classification, Model, Space
from probe.errors import Unsupported
from probe.explainers import DeepLift, DeepLiftShap, KernelShap

FIRST = torch.tensor([0])
both = pytest.mark.parametrize("method", [DeepLift, DeepLiftShap])


def filled(module, seed=0):
    source = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=source, dtype=torch.float64) * 0.5)
    return module.double().eval()


def modelled(forward, reference, **space):
    return Model(forward=forward, space=Space(bounds=(-99.0, 99.0), reference=reference, **space))


@pytest.fixture
def convolutions():
    layers = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.AvgPool2d(2),
        nn.Conv2d(4, 5, 3, padding=1), nn.Tanh(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(10, 3),
    )  # fmt: skip
    source = torch.Generator().manual_seed(1)
    x, behind = (torch.randn(3, 2, 8, 4, generator=source, dtype=torch.float64) for _ in range(2))
    return filled(layers), x, behind


def test_values_have_the_published_ones_of_a_small_network():
    model = modelled(lambda x: torch.stack([2 * x[:, 0].relu() + 2 * F.relu(x[:, 1] - 1.5), x[:, 0]], 1), torch.zeros(1, 2))  # fmt: skip # noqa: E501
    assert DeepLift()(model, torch.tensor([[1.0, 2.0]]), FIRST).values.tolist() == [[2.0, 1.0]]


@pytest.mark.parametrize(("behind", "expected"), [([1.0, 2, 3, 9], [0.0, 0, 0, -8]), ([4.0, 8, 6, 7], [0.0, -7, 0, 0])])
def test_the_change_of_a_largest_belongs_to_what_the_larger_row_chose(behind, expected):
    model = modelled(lambda x: F.max_pool1d(x, 4).flatten(1).repeat(1, 2), torch.tensor([[behind]]), form="series")
    assert DeepLift()(model, torch.ones(1, 1, 4), FIRST).values[0, 0].tolist() == expected
    flat = modelled(lambda x: x.max(1, keepdim=True).values.repeat(1, 2), torch.tensor([behind]))
    assert DeepLift()(flat, torch.ones(1, 4), FIRST).values[0].tolist() == expected


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_captum_agrees_on_a_convolutional_network(convolutions):
    """Without a largest, of which captum's values do not add up."""
    layers, x, behind = convolutions
    targets = torch.tensor([0, 2, 1])
    found = DeepLift()(modelled(layers, behind[:1]), x, targets).values
    assert_close(found, captum.attr.DeepLift(layers).attribute(x, behind[:1], target=targets).detach())
    found = DeepLiftShap()(modelled(layers, behind), x, targets).values
    assert_close(found, captum.attr.DeepLiftShap(layers).attribute(x, behind, target=targets).detach())


def test_values_add_up_over_overlapping_windows_of_largest_numbers(convolutions):
    layers, x, behind = convolutions
    layers[3] = nn.MaxPool2d(3, 2, padding=1).eval()
    model, targets = modelled(layers, behind[:1]), torch.tensor([0, 2, 1])
    change = (model.logits(x) - model.logits(behind[:1])).gather(1, targets[:, None])[:, 0]
    assert_close(DeepLift()(model, x, targets).values.flatten(1).sum(1), change)


class Again(nn.Module):
    """The same network, with functions, an activation that is used again, and a residual sum in place."""

    def __init__(self):
        super().__init__()
        self.one, self.two, self.three = nn.Linear(4, 6), nn.Linear(6, 6), nn.Linear(6, 2)
        self.activation = nn.ReLU()

    def forward(self, x):
        hidden = self.activation(self.one(x))
        hidden, other = hidden.clone(), hidden
        hidden += self.activation(self.two(other))
        return self.three(F.relu_(hidden - 0.5))


class Apart(Again):
    def __init__(self):
        super().__init__()
        self.activations = nn.ModuleList([nn.ReLU(), nn.ReLU(), nn.ReLU()])

    def forward(self, x):
        hidden = self.activations[0](self.one(x))
        hidden = hidden + self.activations[1](self.two(hidden))
        return self.three(self.activations[2](hidden - 0.5))


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_functions_and_activations_that_are_used_again_have_the_same_values_as_modules(rows):
    again, apart, x, behind = filled(Again()), filled(Apart()), rows(4, 4), torch.full((1, 4), 0.3).double()
    targets = torch.tensor([0, 1, 1, 0])
    expected = captum.attr.DeepLift(apart).attribute(x, behind, target=targets).detach()
    assert_close(DeepLift()(modelled(apart, behind), x, targets).values, expected)
    assert_close(DeepLift()(modelled(again, behind), x, targets).values, expected)


class Transformer(nn.Module):
    """All that has an exact rule of its own: attention, layer normalisation, gates, quotients, powers."""

    def __init__(self):
        super().__init__()
        self.norm, self.project, self.merge = nn.LayerNorm(4), nn.Linear(4, 12), nn.Linear(4, 4)
        self.gate, self.head = nn.Linear(4, 4), nn.Linear(4, 3)

    def forward(self, x):
        queries, keys, values = self.project(self.norm(x)).chunk(3, -1)
        x = x + self.merge(F.scaled_dot_product_attention(queries, keys, values))
        weights = torch.einsum("rtw,rsw->rts", x, x).softmax(-1) + x.new_zeros(1)
        x = F.gelu(weights @ x) * torch.sigmoid(self.gate(x)) + F.silu(x) ** 2 / (1 + x.exp())
        return self.head(x.mean(1))


@both
@pytest.mark.parametrize("output", ["logit", "probability"])
def test_the_values_of_a_transformer_add_up(method, output):
    source = torch.Generator().manual_seed(5)
    x, behind = torch.randn(4, 5, 4, generator=source).double(), torch.randn(3, 5, 4, generator=source).double()
    model = modelled(filled(Transformer()), behind)
    found = method(output=output)(model, x, torch.tensor([0, 1, 2, 0]))
    baselines = behind.mean(0, keepdim=True) if method is DeepLift else behind
    change = model.target_outputs(x, found.targets, output)
    for row in range(4):
        base = model.target_outputs(baselines, found.targets[row].expand(len(baselines)), output).mean()
        assert_close(found.values[row].sum(), change[row] - base)


@pytest.mark.parametrize("norm", [nn.GroupNorm(2, 4), nn.InstanceNorm2d(4), nn.RMSNorm((4, 3, 3))])
def test_the_values_add_up_over_normalisations_of_maps(norm):
    source = torch.Generator().manual_seed(5)
    net = filled(nn.Sequential(nn.Conv2d(2, 4, 2), norm, nn.ReLU(), nn.Flatten(), nn.Linear(36, 2)))
    x, behind = torch.randn(3, 2, 4, 4, generator=source).double(), torch.full((1, 2, 4, 4), 0.3).double()
    model = modelled(net, behind)
    found = DeepLift()(model, x, torch.tensor([0, 1, 1]))
    change = model.target_outputs(x, found.targets, "logit") - model.target_outputs(
        behind.expand_as(x), found.targets, "logit"
    )
    assert_close(found.values.flatten(1).sum(1), change)


def test_products_of_two_features_have_shapley_values(rows):
    def forward(x):
        return torch.stack([x[:, 0] * x[:, 2] + x[:, 1] - 3 * x[:, 2] * x[:, 3], x[:, 0]], 1)

    model, x = modelled(forward, rows(5, 4)), rows(3, 4) * 2
    targets = torch.zeros(3, dtype=torch.long)
    assert_close(DeepLiftShap()(model, x, targets).values, KernelShap()(model, x, targets).values)


class Sorted(nn.Module):
    def forward(self, x):
        return x.sort(1).values[:, :2]


class Mixed(nn.Module):
    def forward(self, x):
        return (x - x.mean(0, keepdim=True)).relu()


@both
@pytest.mark.filterwarnings("ignore:`torch.jit")
def test_what_has_no_rule_is_refused_with_its_line_and_what_mixes_rows_with_what_is_missing(method):
    zeros = torch.zeros(1, 3)
    x = torch.tensor([[1.0, 2.0, 3.0], [0.5, -2.0, 1.0]])
    line = Sorted.forward.__code__.co_firstlineno + 1
    name = method.name()
    with pytest.raises(Unsupported, match=rf"{name} has no rule for sort, .* in test_deep_lift.py, line {line}; use"):
        method()(modelled(Sorted().eval(), zeros), x)
    with pytest.raises(Unsupported, match=rf"{name} has no rule for prelu, which model uses in its layer PReLU"):
        method()(modelled(nn.Sequential(nn.PReLU()).eval(), zeros), x)
    with pytest.raises(Unsupported, match=r"does not add up .* mixes rows"):
        method()(modelled(Mixed().eval(), zeros), x, torch.tensor([0, 0]))
    with pytest.raises(Unsupported, match="a part of model is scripted"):
        method()(modelled(nn.Sequential(torch.jit.script(nn.Linear(3, 2))).eval(), zeros), x)


@both
def test_that_values_do_not_add_up_is_seen_of_small_outputs_too(method):
    class Small(nn.Module):
        def forward(self, x):
            unseen = torch.tensor(x.tolist(), dtype=x.dtype).sum(1, keepdim=True)
            return x * unseen * 1e-5

    with pytest.raises(Unsupported, match="does not add up"):
        method()(modelled(Small().eval(), torch.full((1, 3), 0.1)), torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([0]))


def test_it_costs_one_pass_of_two_rows_each_way():
    model = modelled(filled(Again()), torch.zeros(3, 4).double())
    x, targets = torch.ones(2, 4).double(), torch.tensor([0, 1])
    cost = DeepLift()(model, x, targets).cost
    assert (cost.forward, cost.backward) == (4, 4)
    assert DeepLiftShap()(model, x, targets).cost.forward == 12


@pytest.mark.parametrize("output", ["logit", "probability"])
def test_probabilities_that_the_task_takes_the_log_of_are_followed_as_logits_are(output):
    source = torch.Generator().manual_seed(0)
    scores = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)).eval()
    with torch.no_grad():
        for each in scores.parameters():
            each.copy_(torch.randn(each.shape, generator=source))
    one, x = nn.Sequential(scores, Picked()), torch.rand(6, 4, generator=source)
    space, targets = Space(reference=torch.zeros(1, 4)), torch.tensor([0, 1, 1, 0, 1, 0])
    for ends, logits, outputs in (
        (nn.Softmax(1), nn.Sequential(scores, nn.Softmax(1), Log()), "probabilities"),
        (nn.Sequential(Picked(), nn.Sigmoid()), one, "one probability"),
    ):
        task = Classification(outputs=outputs)
        told = Classification(outputs={"probabilities": "logits", "one probability": "one logit"}[outputs])
        given = Model(forward=nn.Sequential(scores, ends).eval(), space=space, task=task)
        plain = Model(forward=logits.eval(), space=space, task=told)
        for around in (DeepLift(output=output), DeepLiftShap(output=output)):
            assert_close(around(given, x, targets).values, around(plain, x, targets).values, atol=1e-5, rtol=1e-3)


class Picked(nn.Module):
    def forward(self, z):
        return z[:, :1]


class Log(nn.Module):
    def forward(self, p):
        return p.log()
