import captum.attr
import pytest
import torch
import torch.nn.functional as F
from captum.attr._utils.lrp_rules import Alpha1_Beta0_Rule, EpsilonRule, GammaRule
from torch import nn
from torch.testing import assert_close

from probe import Model, Space
from probe.errors import RangeError, Unsupported
from probe.explainers import LRP, DeepLift, InputXGradient
from tests.explainers.test_deep_lift import Again, Transformer, filled

FIRST = torch.tensor([0])
WEIGHT, TWO = torch.tensor([[1.0, -2.0], [0.5, 1.0], [2.0, 1.0]]), torch.tensor([[0.2, 0.7, 0.5], [0.9, 0.1, 0.3]])


def two_layers(corner=2.0):
    first, second = nn.Linear(3, 3, bias=False), nn.Linear(3, 2, bias=False)
    with torch.no_grad():
        first.weight.fill_(2.0)[0, 0] = corner
        second.weight.fill_(3.0)
    return Model(forward=nn.Sequential(first, nn.ReLU(), second).eval(), space=Space(bounds=(0.0, 10.0)))


@pytest.mark.parametrize(
    ("corner", "rule", "expected"),
    [
        (2.0, {"dense": "epsilon"}, [18, 36, 54]),
        (-2.0, {"dense": "gamma", "gamma": 1.0}, [28 / 3, 104 / 3, 52]),
        (-2.0, {"dense": "z+"}, [12, 33.6, 50.4]),
    ],
)
def test_two_layers_by_hand(corner, rule, expected):
    found = LRP(**rule)(two_layers(corner), torch.tensor([[1.0, 2.0, 3.0]]), FIRST).values
    assert_close(found, torch.tensor([expected], dtype=torch.float32), rtol=1e-5, atol=1e-4)


def test_the_box_rule_by_hand_also_of_standardised_inputs():
    """z+ of what lies between the input and the bound that pulls down: a w - low w+ - high w-."""
    x, low, high = torch.tensor([[1.0, 2.0, 3.0]]), 0.0, 10.0
    model = two_layers(-2.0)
    weights = model.forward[0].weight.detach()
    relevance = 3 * (x @ weights.T)[0]
    parts = weights * x - low * weights.clamp(min=0) - high * weights.clamp(max=0)
    expected = (parts / parts.sum(1, keepdim=True) * relevance[:, None]).sum(0)
    found = LRP(first="box")(model, x, FIRST).values[0]
    assert_close(found, expected, rtol=1e-5, atol=1e-4)
    inside = model.forward
    scaled = Model(forward=lambda x: inside((x.flatten(1) - 5) / -2), space=Space(bounds=(-15.0, 5.0)))
    assert_close(LRP(first="box")(scaled, 5 - 2 * x, FIRST).values[0], expected, rtol=1e-5, atol=1e-4)
    cut = Model(forward=lambda x: inside(((x - 5) / -2).clamp(0, 10)), space=Space(bounds=(-15.0, 5.0)))
    assert_close(LRP(first="box")(cut, 5 - 2 * x, FIRST).values[0], expected, rtol=1e-5, atol=1e-4)
    plain = LRP()(model, x, FIRST).values  # of what the inputs became, not of the inputs
    assert_close(LRP()(cut, 5 - 2 * x, FIRST).values, plain, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(
    ("rule", "theirs"),
    [("epsilon", lambda: EpsilonRule(1e-6)), ("gamma", lambda: GammaRule(0.25)), ("z+", Alpha1_Beta0_Rule)],
)
def test_captum_agrees_where_numbers_are_not_negative(rule, theirs):
    layers = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 5, 3), nn.ReLU(), nn.AvgPool2d(2),
        nn.Flatten(), nn.Linear(5, 3),
    )  # fmt: skip
    layers = filled(layers)
    for at in (0, 3, 7):
        layers[at].bias.data.abs_()  # of negative ones captum has another sum for z+
    x = torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(0)).double()
    model = Model(forward=layers)
    targets = model.logits(x).argmax(1)  # positive, as captum has the same rule for sums below 0
    assert bool((model.logits(x).amax(1) > 0).all())
    for at in (0, 3, 7):
        layers[at].rule = theirs()
    for at in (2, 5, 6):
        layers[at].rule = EpsilonRule(1e-9)
    expected = captum.attr.LRP(layers).attribute(x.clone().requires_grad_(), target=targets).detach()
    found = LRP(convolution=rule, dense=rule)(model, x, targets).values
    assert_close(found, expected, rtol=1e-4, atol=1e-6)


def test_a_residual_sum_shares_relevance():
    """Captum's published skip connection."""

    class Skip(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(2, 2, bias=False)
            self.linear.weight.data.copy_(torch.eye(2) * 5)

        def forward(self, x):
            return self.linear(x) + x

    found = LRP()(Model(forward=Skip().eval(), space=Space(bounds=(0.0, 9.0))), torch.tensor([[2.0, 3.0]]), FIRST + 1)
    assert_close(found.values, torch.tensor([[0.0, 18.0]]))


def test_without_biases_relevance_is_conserved_and_epsilon_0_is_the_gradient_times_the_input():
    layers = filled(nn.Sequential(
        nn.Conv2d(2, 4, 3, bias=False), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16, 5, bias=False),
        nn.ReLU(), nn.Linear(5, 2, bias=False),
    ))  # fmt: skip
    x = torch.randn(5, 2, 6, 6, generator=torch.Generator().manual_seed(3)).double()
    model, targets = Model(forward=layers, space=Space(bounds=(-9.0, 9.0))), torch.tensor([0, 1, 0, 1, 1])
    plain = LRP(convolution="epsilon", eps=1e-12)(model, x, targets).values
    assert_close(plain, InputXGradient()(model, x, targets).values)
    logits = model.logits(x).gather(1, targets[:, None])[:, 0]
    for rules in ({}, {"first": "box"}, {"convolution": "epsilon"}, {"dense": "gamma"}):
        assert_close(LRP(**rules)(model, x, targets).values.flatten(1).sum(1), logits, rtol=1e-3, atol=1e-3)


def test_biases_absorb_their_part_and_functions_in_place_have_their_rule(rows):
    again, x = filled(Again()), rows(4, 4)
    model, targets = Model(forward=again, space=Space(bounds=(-9.0, 9.0))), torch.tensor([0, 1, 1, 0])
    hidden = again.one(x).relu().detach()
    other = hidden + again.two(hidden).relu().detach()
    slopes = again.three.weight[targets] * ((other - 0.5) > 0)
    masked = ((again.two(hidden) > 0) * slopes) @ again.two.weight + slopes
    expected = x * (((again.one(x) > 0) * masked) @ again.one.weight)
    found = LRP(eps=1e-12)(model, x, targets).values
    assert_close(found, expected.detach(), rtol=1e-5, atol=1e-6)


def test_batch_normalisation_is_a_layer_whose_shift_absorbs():
    layers = filled(nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.GELU(), nn.Linear(4, 2)))
    layers[1].running_mean.fill_(0.3)
    layers[1].running_var.fill_(2.0)
    merged = nn.Sequential(nn.Linear(3, 4), nn.GELU(), nn.Linear(4, 2)).double().eval()
    scale = layers[1].weight / (2.0 + 1e-5) ** 0.5
    with torch.no_grad():
        merged[0].weight.copy_(layers[0].weight * scale[:, None])
        merged[0].bias.copy_((layers[0].bias - 0.3) * scale + layers[1].bias)
        merged[2].load_state_dict(layers[3].state_dict())
    x, space = torch.rand(4, 3).double(), Space(bounds=(0.0, 1.0))
    found = [LRP(eps=1e-12)(Model(forward=each, space=space), x, FIRST.repeat(4)).values for each in (layers, merged)]
    assert_close(found[0], found[1])


def test_layer_normalisation_passes_all_relevance_on_over_a_deviation_that_is_constant():
    """arXiv:2202.07304: the input times its gradient with the deviation held; a bias absorbs its part."""

    class Held(nn.Module):
        def __init__(self, layers):
            super().__init__()
            self.layers = layers

        def forward(self, x):
            first, norm, last = self.layers
            y = first(x)
            off = y - y.mean(-1, keepdim=True)
            spread = (off.square().mean(-1, keepdim=True) + norm.eps).sqrt().detach()
            return last(off / spread * norm.weight + (0 if norm.bias is None else norm.bias))

    for bias in (False, True):
        layers = filled(nn.Sequential(
            nn.Linear(3, 5, bias=False), nn.LayerNorm(5, bias=bias), nn.Linear(5, 2, bias=False)
        ))  # fmt: skip
        x, space = torch.rand(4, 3).double(), Space(bounds=(0.0, 1.0))
        model, targets = Model(forward=layers, space=space), torch.tensor([0, 1, 1, 0])
        found = LRP(eps=1e-12)(model, x, targets).values
        assert_close(found, InputXGradient()(Model(forward=Held(layers).eval(), space=space), x, targets).values)
        outputs = model.target_outputs(x, targets, "logit")
        assert bool((found.sum(1) - outputs).abs().max() < 1e-9) is not bias


class RunningNorm(nn.InstanceNorm2d):
    """Instance normalisation by statistics that are known before."""

    def __init__(self, channels):
        super().__init__(channels, affine=True, track_running_stats=True)
        self.running_mean += 0.3


NORMS = {
    "group": (lambda: nn.GroupNorm(2, 4), lambda y: (y.view(len(y), 2, -1), True)),
    "instance": (lambda: nn.InstanceNorm2d(4, affine=True), lambda y: (y.view(len(y), 4, -1), True)),
    "root mean square": (lambda: nn.RMSNorm((4, 3, 3), eps=1e-5), lambda y: (y.flatten(1), False)),
    "of maps": (lambda: nn.LayerNorm((4, 3, 3)), lambda y: (y.flatten(1), True)),
}


@pytest.mark.parametrize("name", NORMS)
def test_normalisations_by_their_own_numbers_pass_all_relevance_on(name):
    """The input times its gradient with the deviation held, by hand; a bias absorbs its part."""
    make, shaped = NORMS[name]
    layers = filled(nn.Sequential(nn.Conv2d(2, 4, 2, bias=False), make(), nn.Flatten(), nn.Linear(36, 2, bias=False)))
    norm = layers[1]

    def held(x):
        y = layers[0](x)
        rows, centred = shaped(y)
        off = rows - centred * rows.mean(-1, keepdim=True)
        found = (off / (off.square().mean(-1, keepdim=True) + 1e-5).sqrt().detach()).view(y.shape)
        assert_close(affine(found), norm(y))
        return layers[2:](affine(found))

    def affine(found):
        shape = (4, 1, 1) if name in ("group", "instance") else (4, 3, 3)
        bias = getattr(norm, "bias", None)
        return found * norm.weight.view(shape) + (0 if bias is None else bias.view(shape))

    x, space, targets = torch.rand(3, 2, 4, 4).double(), Space(bounds=(0.0, 1.0)), torch.tensor([0, 1, 1])
    model = Model(forward=layers, space=space)
    for bias in (False, True):
        if getattr(norm, "bias", None) is not None:
            nn.init.constant_(norm.bias, 0.7 * bias)
        found = LRP(convolution="epsilon", eps=1e-12)(model, x, targets).values
        assert_close(found, InputXGradient()(Model(forward=held, space=space), x, targets).values)
        lost = (found.flatten(1).sum(1) - model.target_outputs(x, targets, "logit")).abs().max()
        assert bool(lost < 1e-9) is not (bias and name != "root mean square")


@pytest.mark.parametrize("method", [LRP(), DeepLift()], ids=str)
def test_normalisations_are_known_as_functions_of_torch_too(method):
    source = torch.Generator().manual_seed(1)
    weight, bias, head = torch.randn(4, generator=source), torch.randn(4, generator=source), nn.Linear(36, 2)
    calls = {
        "group": (
            lambda x: F.group_norm(x, 2, weight, bias),
            lambda x: torch.group_norm(x, num_groups=2, weight=weight, bias=bias),
        ),
        "instance": (
            lambda x: F.instance_norm(x, weight=weight, bias=bias),
            lambda x: torch.instance_norm(x, weight, bias, None, None, True, 0.1, 1e-5, False),
        ),
        "layer": (
            lambda x: F.layer_norm(x, (3, 3)),
            lambda x: torch.layer_norm(x, normalized_shape=(3, 3), cudnn_enable=False),
        ),
        "root": (lambda x: F.rms_norm(x, (3, 3)), lambda x: torch.rms_norm(x, normalized_shape=(3, 3))),
    }
    x, space = torch.rand(3, 4, 3, 3, generator=source), Space(bounds=(0.0, 1.0), reference=torch.zeros(1, 4, 3, 3))
    for pair in calls.values():
        nets = [Model(forward=lambda x, norm=norm: head(norm(x).flatten(1)), space=space) for norm in pair]
        assert_close(*(method(net, x, FIRST.repeat(3)).values for net in nets))


def test_a_normalisation_by_known_numbers_is_one_of_a_batch():
    once = filled(nn.Sequential(RunningNorm(2), nn.Flatten(), nn.Linear(18, 2, bias=False)))
    batch = nn.BatchNorm2d(2).double().eval()
    batch.load_state_dict(once[0].state_dict())
    x, space, targets = torch.rand(3, 2, 3, 3).double(), Space(bounds=(0.0, 1.0)), torch.tensor([0, 1, 1])
    found = [
        LRP()(Model(forward=net, space=space), x, targets).values
        for net in (once, nn.Sequential(batch, *once[1:]).eval())
    ]
    assert_close(*found)


def test_what_cannot_be_propagated_is_refused(rows):
    space = Space(bounds=(-9.0, 9.0))
    x = torch.randn(2, 5, 4).double()
    with pytest.raises(
        Unsupported, match=r"lrp has no rule for scaled_dot_product_attention, which model uses in test_deep_lift.py"
    ):
        LRP()(Model(forward=filled(Transformer()), space=space), x)
    gate = Model(forward=lambda x: x * F.relu(x), space=space)
    with pytest.raises(Unsupported, match=r"no rule for mul, .* test_lrp.py, line"):
        LRP()(gate, rows(2, 4))
    with pytest.raises(Unsupported, match="a probability has no parts; set output='logit'"):
        LRP(output="probability")(gate, rows(2, 4))
    with pytest.raises(RangeError, match=r"needs inputs within bounds, and those of model have none"):
        LRP(first="box")(Model(forward=nn.Linear(4, 2).double().eval(), space=Space(bounds=(-torch.inf, torch.inf))), rows(2, 4))  # fmt: skip # noqa: E501
    for size in (1.0, 1e-5):  # small outputs too
        lost = Model(forward=lambda x: size * torch.where(x > 0, x, 5.0).relu(), space=space)  # noqa: B023
        with pytest.raises(Unsupported, match="lrp of model loses relevance"):
            LRP()(lost, -rows(2, 4).abs(), FIRST.repeat(2))


@pytest.mark.parametrize(("bias", "expected"), [(-1.0, [1.5, 1.5]), (1.0, [2.0, 2.0])])
def test_by_z_plus_a_bias_takes_its_part_only_where_it_raises_the_sum(bias, expected):
    layer = nn.Linear(2, 2)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[2.0, 1.0], [0.0, 0.0]]))
        layer.bias.fill_(bias)
    model = Model(forward=nn.Sequential(layer).eval(), space=Space(bounds=(0.0, 9.0)))
    found = LRP(dense="z+")(model, torch.tensor([[1.0, 2.0]]), FIRST).values
    assert_close(found, torch.tensor([expected]), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("last", "expected"), [(0.5, [0.5, 1, -0.5]), (1.0, [0.2, 0.4, -1.6])])
def test_negative_numbers_by_hand(last, expected):
    """Parts are x w, and those of the sum's sign count twice."""
    model = Model(
        forward=lambda x: F.linear(x, torch.tensor([[1.0, -1.0, -4.0], [-9.0, 0.0, 0.0]])),
        space=Space(bounds=(-9.0, 9.0)),
    )
    found = LRP(dense="gamma", gamma=1.0)(model, torch.tensor([[1.0, -2.0, last]]), FIRST).values
    assert_close(found, torch.tensor([expected]), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "first",
    [
        lambda x: 3 * x + x,
        lambda x: x - x / 2,
        lambda x: (2 * x - 1) / 4 + x,
        lambda x: x.mul(2).add_(1) + (x + 1) * 3,
        lambda x: (x.to(torch.float32).clone().contiguous() - 0.5) / 0.25,
    ],
)
def test_inputs_that_are_scaled_and_used_as_they_are_too_keep_their_relevance(first):
    """Of a linear model, values are the parts of what each input became."""
    model = Model(forward=lambda x: first(x) @ WEIGHT, space=Space(bounds=(0.0, 1.0)))
    found = LRP()(model, TWO, torch.tensor([0, 1])).values
    assert_close(found, first(TWO) * WEIGHT.T, rtol=1e-4, atol=1e-4)


def test_the_box_rule_too_explains_each_use_of_inputs_by_itself():
    model = Model(forward=lambda x: (3 * x) @ WEIGHT + x @ WEIGHT, space=Space(bounds=(0.0, 1.0)))
    found = LRP(first="box")(model, TWO, torch.tensor([0, 1])).values
    inside = WEIGHT.T * TWO - WEIGHT.T.clamp(max=0)
    expected = inside / inside.sum(1, keepdim=True) * model.logits(TWO)[[0, 1], [0, 1]][:, None]
    assert_close(found, expected, rtol=1e-4, atol=1e-4)
