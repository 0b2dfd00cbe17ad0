"""Interval bounds and CROWN: closed forms, an explicit replica, and points that must lie within."""

import pytest
import torch
from torch import nn

from probe import Classification, Model, MultiLabel, Places, Regression, Space
from probe.certificates import Crown, IntervalBounds
from probe.certificates import bounds as bounds_of
from probe.certificates.activations import GELU, GELU_TANH, SIGMOID, SILU, TANH, Hinge, Stair
from probe.certificates.region import Region
from probe.certificates.traced import recorded
from probe.errors import Unsupported

METHODS = [IntervalBounds, Crown]


def seeded(network, seed=0, size=0.4):
    source = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in (*network.parameters(), *(b for b in network.buffers() if b.is_floating_point())):
            drawn = torch.randn(parameter.shape, generator=source) * size
            parameter.copy_(drawn.abs() + 0.5 if parameter.min() > 0 else drawn)
    return network.eval()


def rows(*shape, seed=1):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def lead(logits, labels):
    own = logits.gather(1, labels[:, None]) - logits
    return own[torch.arange(logits.shape[1]) != labels[:, None]].view(len(logits), -1)


@pytest.mark.parametrize("kind", METHODS)
@pytest.mark.parametrize(("norm", "dual"), [("linf", 1), ("l2", 2)])
def test_of_one_linear_layer_the_bounds_are_the_dual_norm(kind, norm, dual):
    layer = seeded(nn.Linear(5, 3))
    model = Model(forward=nn.Sequential(layer).eval(), space=Space(bounds=(-9.0, 9.0), scale=2.0))
    x, radius = rows(4, 5), torch.tensor([0.0, 0.1, 0.2, 0.3])
    labels = model.predict(x)
    low = kind(norm=norm).margins(model, x, labels, radius)
    weight = layer.weight.detach()
    steepness = lead(torch.zeros(4, 3), labels)
    for row, label in enumerate(labels):
        others = [weight[label] - weight[other] for other in range(3) if other != label]
        steepness[row] = torch.stack([torch.linalg.vector_norm(2.0 * each, ord=dual) for each in others])
    torch.testing.assert_close(low, lead(model.logits(x), labels) - radius[:, None] * steepness)
    reach = (lead(model.logits(x), labels) / steepness).amin(1)
    proof = kind(norm=norm, most=3.0, steps=20)(model, x, labels)
    assert bool((proof.radius <= reach).all())
    torch.testing.assert_close(proof.radius, reach, rtol=1e-3, atol=1e-5)


class Residual(nn.Module):
    def __init__(self, activation):
        super().__init__()
        self.first, self.second, self.short = nn.Conv2d(2, 3, 3, 2, 1), nn.Conv2d(3, 3, 3, 1, 1), nn.Conv2d(2, 3, 1, 2)
        self.norm, self.activation = nn.BatchNorm2d(3), activation

    def forward(self, x):
        return self.activation(self.short(x) + self.norm(self.second(self.activation(self.first(x)))))


class Odd(nn.Module):
    """Sums, products, slices and joins of maps, as networks write them."""

    def forward(self, x):
        y = torch.cat((x[:, :1] * 2 - 0.3, -x[:, 1:] / 3, 1 - x), 1)
        y += torch.linspace(-1, 1, 36).view(1, 6, 6)
        return (y - y.mean((2, 3), keepdim=True)).transpose(2, 3).permute(0, 2, 3, 1)


NETWORKS = {
    "linear": lambda: (nn.Flatten(), nn.Linear(72, 8), nn.ReLU(inplace=True), nn.Linear(8, 6), nn.ReLU()),
    "pools": lambda: (nn.Conv2d(2, 4, 3, padding=1), nn.MaxPool2d(2), nn.BatchNorm2d(4), nn.ReLU()),
    "overlapping pools": lambda: (nn.Conv2d(2, 3, 2), nn.MaxPool2d(3, 2, 1, ceil_mode=True), nn.AvgPool2d(2)),
    "residual": lambda: (Residual(nn.ReLU()), nn.AdaptiveAvgPool2d(1)),
    "leaky": lambda: (nn.Conv2d(2, 3, 3, groups=1, dilation=2), nn.LeakyReLU(0.1)),
    "sigmoid": lambda: (Residual(nn.Sigmoid()),),
    "tanh": lambda: (nn.Conv2d(2, 3, 3), nn.Tanh(), nn.Conv2d(3, 2, 2), nn.Tanh()),
    "gelu": lambda: (nn.Conv2d(2, 3, 3), nn.GELU(), nn.Conv2d(3, 2, 2), nn.GELU("tanh")),
    "silu": lambda: (nn.Conv2d(2, 3, 3), nn.SiLU(), nn.Hardtanh(-0.2, 0.4), nn.ReLU6()),
    "odd": lambda: (Odd(), nn.ReLU(), nn.ConvTranspose2d(6, 2, 2)),
}


def made(name):
    parts = nn.Sequential(*NETWORKS[name](), nn.Flatten())
    width = parts.eval()(torch.zeros(1, 2, 6, 6)).shape[1]
    network = seeded(nn.Sequential(parts, nn.Linear(width, 3)))
    return Model(forward=network, space=Space(bounds=(0.0, 1.0)), classes=("a", "b", "c"))


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_bounds_hold_at_every_point_of_the_ball_and_crowns_are_the_narrower(name, norm):
    model, x, radius = made(name), rows(3, 2, 6, 6), torch.tensor([0.02, 0.1, 0.3])
    labels = model.predict(x)
    drawn = torch.randn(40, *x.shape, generator=torch.Generator().manual_seed(2))
    size = drawn.flatten(2).abs().amax(2) if norm == "linf" else torch.linalg.vector_norm(drawn.flatten(2), dim=2)
    points = x + drawn / size.view(40, 3, 1, 1, 1) * radius.view(3, 1, 1, 1)
    if norm == "linf":
        points = torch.cat((points, x + drawn.sign() * radius.view(3, 1, 1, 1)))
    methods = IntervalBounds(norm=norm), Crown(norm=norm, inner="intervals"), Crown(norm=norm)
    bounds = [method.margins(model, x, labels, radius) for method in methods]
    found = lead(model.logits(points.clamp(0, 1).flatten(0, 1)), labels.repeat(len(points))).view(len(points), 3, -1)
    assert all(bool((low <= found + 1e-4).all()) for low in bounds)
    wide, between, narrow = (float((lead(model.logits(x), labels) - low).mean()) for low in bounds)
    assert narrow <= between + 1e-4
    assert between <= wide + 1e-4
    still = Crown(norm=norm).margins(model, x, labels, torch.zeros(3))
    torch.testing.assert_close(still, lead(model.logits(x), labels), atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Conv2d(2, 4, 3, stride=2, groups=2), (2, 8, 7)),  # the last row and column of places are not read
        (nn.Conv2d(2, 3, (2, 3), stride=(3, 1), padding=(1, 0), dilation=(2, 1)), (2, 9, 5)),
        (nn.Conv2d(1, 2, 3, padding="same", bias=False), (1, 4, 6)),
        (nn.Conv1d(2, 3, 4, stride=3, padding=1), (2, 12)),
        (nn.ConvTranspose2d(2, 3, 3, stride=2, padding=1, output_padding=1), (2, 3, 4)),
    ],
)
def test_coefficients_go_back_through_a_convolution_as_gradients_do(layer, shape):
    layer = layer.double().requires_grad_(False)
    x = rows(3, *shape).double().requires_grad_()
    slopes = torch.randn(layer(x).shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    (wanted,) = torch.autograd.grad(layer(x), x, slopes)
    network = recorded(layer, x.detach(), "layer")
    found = network.nodes[-1].step.pull(slopes, [network.nodes[-2].shape])[0]
    torch.testing.assert_close(found, wanted)


def test_crown_equals_a_replica_by_explicit_matrices():
    first, second, last = (seeded(nn.Linear(a, b), seed) for seed, (a, b) in enumerate(((5, 7), (7, 6), (6, 3))))
    network = nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), last).eval()
    model, x, eps = Model(forward=network, space=Space(bounds=(-9.0, 9.0))), rows(1, 5), 0.3
    label = model.predict(x)
    layers = [(layer.weight.detach(), layer.bias.detach()) for layer in (first, second, last)]

    def lowest(functions, depth, known):
        """Functions of the numbers before activation `depth`, substituted to the input."""
        slopes, constant = functions, torch.zeros(len(functions))
        for at in range(depth, -1, -1):
            weight, bias = layers[at]
            slopes, constant = slopes @ weight, constant + slopes @ bias
            if at:
                low, high = known[at - 1]
                crosses = (low < 0) & (high > 0)
                chord = torch.where(crosses, high / (high - low), (low >= 0).float())
                below = torch.where(crosses, (high > -low).float(), (low >= 0).float())
                rising, falling = slopes.clamp(min=0), slopes.clamp(max=0)
                constant = constant + falling @ torch.where(crosses, -chord * low, torch.zeros_like(low))
                slopes = rising * below + falling * chord
        return slopes @ x[0] - eps * slopes.abs().sum(1) + constant

    known = []
    for depth, width in enumerate((7, 6)):
        one = torch.eye(width)
        known.append((lowest(one, depth, known), -lowest(-one, depth, known)))
    others = [other for other in range(3) if other != int(label)]
    functions = torch.eye(3)[label] - torch.eye(3)[others]
    found = Crown().margins(model, x, label, torch.tensor([eps]))
    widest = IntervalBounds().margins(model, x, label, torch.tensor([eps]))
    torch.testing.assert_close(found[0], torch.maximum(lowest(functions, 2, known), widest[0]))
    assert bool((found > widest).any())


@pytest.mark.parametrize(
    "curve", [Hinge(), Hinge(0.2), SIGMOID, TANH, GELU, GELU_TANH, SILU, Stair(-0.5, 1.0), Stair(-torch.inf, 0.3)]
)
def test_lines_and_intervals_hold_a_curve_on_every_interval(curve):
    ends = torch.randn(300, 2, generator=torch.Generator().manual_seed(0)).double() * 3
    ends[:3] = torch.tensor([[0.0, 0.0], [-1e-9, 1e-9], [-40.0, 40.0]])
    low, high = ends.sort(1).values.T
    (under, under_rest), (over, over_rest) = curve.lines(low, high)
    least, most = curve.interval(low, high)
    for share in torch.linspace(0, 1, 101).double():
        x = low + share * (high - low)
        value = curve(x)
        assert bool((under * x + under_rest <= value + 2e-6).all())
        assert bool((over * x + over_rest >= value - 2e-6).all())
        assert bool(((least <= value + 1e-6) & (value <= most + 1e-6)).all())
    assert bool((over * high + over_rest <= most + (high - low) * 1.2 + 1e-6).all()), "a line far above bounds nothing"


def test_the_least_value_in_a_ball_that_the_bounds_cut_is_that_of_the_best_multiplier():
    source = torch.Generator().manual_seed(3)
    x, slopes = torch.rand(4, 6, generator=source), torch.randn(4, 5, 6, generator=source)
    region = Region.around(Space(bounds=(0.0, 1.0)), x, torch.full((4,), 0.7), 2.0)
    found = region.fall(slopes) + (slopes * x[:, None]).sum(-1)
    multipliers = torch.logspace(-4, 2, 4000)[:, None, None, None]
    move = torch.maximum(torch.minimum(-slopes / multipliers, (1 - x)[:, None]), -x[:, None])
    dual = (slopes * move).sum(-1) + multipliers[..., 0] / 2 * (move.square().sum(-1) - 0.49)
    exact = dual.amax(0) + (slopes * x[:, None]).sum(-1)
    assert bool((found <= exact + 1e-5).all())
    torch.testing.assert_close(found, exact, atol=1e-3, rtol=1e-3)
    assert bool((found > (slopes * x[:, None]).sum(-1) - 0.7 * slopes.norm(dim=-1)).any()), "the box helps"


@pytest.mark.parametrize("kind", METHODS)
def test_bounds_of_the_space_and_fixed_coordinates_widen_a_radius(kind):
    forward = nn.Sequential(nn.Linear(2, 2, bias=False)).eval()
    forward[0].weight.data.copy_(torch.tensor([[1.0, 1.0], [0.0, 0.0]]))
    x = torch.tensor([[0.1, 0.5]])
    method = kind(steps=30)
    free = method(Model(forward=forward, space=Space(bounds=(-9.0, 9.0))), x, torch.tensor([0])).radius
    cut = method(Model(forward=forward, space=Space(bounds=(0.0, 1.0))), x, torch.tensor([0])).radius
    fixed = Space(bounds=(-9.0, 9.0), mutable=torch.tensor([True, False]))
    held = method(Model(forward=forward, space=fixed), x, torch.tensor([0])).radius
    for found, wanted in ((free, 0.3), (cut, 0.5), (held, 0.6)):
        assert float(found) == pytest.approx(wanted, rel=2e-3)


@pytest.mark.parametrize("kind", METHODS)
def test_a_threshold_moves_the_certified_boundary(kind):
    forward = nn.Sequential(nn.Linear(1, 2, bias=False)).eval()
    forward[0].weight.data.copy_(torch.tensor([[0.0], [4.0]]))
    model = Model(forward=forward, space=Space(bounds=(-9.0, 9.0)), classes=("no", "yes"), threshold=0.9)
    proof = kind(steps=30)(model, torch.tensor([[0.0], [2.0]]), torch.tensor([0, 1]))
    boundary = torch.tensor(9.0).log() / 4
    torch.testing.assert_close(proof.radius, torch.stack((boundary, torch.tensor(1.0))), rtol=1e-3, atol=1e-4)
    assert proof.predicted.tolist() == [0, 1]


class Deciding(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


class Mixing(nn.Module):
    def forward(self, x):
        return x - x.mean(0)


class Leaving(nn.Module):
    def forward(self, x):
        return x if max(x.flatten().tolist()) > 0.5 else -x


class Comparing(nn.Module):
    def forward(self, x):
        return x if torch.equal(x.relu(), x) else -x


class Overwriting(nn.Module):
    def forward(self, x):
        y = torch.zeros_like(x)
        y[:, 1:] = x[:, 1:]
        return y


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        (nn.Softmax(1), r"computes _?softmax in the layer '1' \(Softmax\)"),
        (nn.LayerNorm(4), r"computes .*layer_norm in the layer '1' \(LayerNorm\)"),
        (Deciding(), "decides by the numbers of its inputs"),
        (Leaving(), "computes other steps for other inputs"),
        (Comparing(), r"decides by the numbers of its inputs how it computes \(equal in the layer"),
        (Mixing(), r"computes mean in the layer '1' \(Mixing\)"),
        (Overwriting(), r"computes with numbers that were overwritten in the layer '1' \(Overwriting\)"),
    ],
)
@pytest.mark.parametrize("kind", METHODS)
def test_a_step_without_bounds_is_refused_with_its_layer(kind, layer, said):
    network = nn.Sequential(seeded(nn.Linear(4, 4)), layer, seeded(nn.Linear(4, 2))).eval()
    model = Model(forward=network, name="mine")
    with pytest.raises(Unsupported, match=f"mine {said}.*RandomizedSmoothing"):
        kind()(model, rows(2, 4), torch.tensor([0, 1]))
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in network.modules())


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("kind", METHODS)
def test_numbers_as_large_as_years_leave_the_bounds_as_close_to_the_logits(kind, norm):
    years, network = rows(6) + 2e4, nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 2))
    x = years + torch.randn(100, 6, generator=torch.Generator().manual_seed(2))
    seeded(network)
    model = Model(forward=lambda rows: network(rows - years), space=Space(bounds=(-torch.inf, torch.inf)))
    labels = model.predict(x)
    exact = lead(network.double()(x.double() - years.double()), labels)
    network.float()
    low = kind(norm=norm).margins(model, x, labels, torch.zeros(100))
    assert bool((low <= exact + 1e-6 * (1 + exact.abs())).all())
    torch.testing.assert_close(low.double(), exact, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", METHODS)
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_a_network_that_computes_in_double_is_bounded_and_one_that_rounds_is_refused(kind, norm):
    first, second, x = torch.randn(4, 5, generator=torch.Generator().manual_seed(3)), rows(5, 3, seed=4), rows(3, 4)

    def network(inner):
        return Model(
            forward=lambda x: ((x.to(inner) @ first.to(inner)).relu() @ second.to(inner)).float(),
            space=Space(bounds=(0.0, 1.0)),
        )

    plain, exact = network(torch.float32), network(torch.float64)
    labels = plain.predict(x)
    wanted, found = (kind(norm=norm)(each, x, labels) for each in (plain, exact))
    torch.testing.assert_close(found.radius, wanted.radius, rtol=1e-3, atol=1e-3)
    for less in (torch.float16, torch.bfloat16):
        with pytest.raises(Unsupported, match="computes to_copy, which has no bounds here"):
            kind(norm=norm)(network(less), x, labels)
        half = Model(forward=nn.Linear(4, 3).eval().to(less))
        with pytest.raises(Unsupported, match=r"bounds leave out its rounding; give the network .* in float32"):
            kind(norm=norm)(half, x.to(less), labels)


@pytest.mark.slow
@pytest.mark.parametrize("kind", METHODS)
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_one_logit_and_one_of_several_labels_are_certified_as_two_logits_are(kind, norm):
    network, x = seeded(nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2))), rows(6, 3)
    space = Space(bounds=(-1.0, 2.0))

    class Halved(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = network

        def forward(self, inputs):
            z = torch.relu(self.inner(inputs)[:, 1]) - 0.1  # a single number for each row on the way
            return torch.stack([-z / 2, z / 2], 1)

    class One(Halved):
        def forward(self, inputs):
            return torch.relu(self.inner(inputs)[:, 1:]) - 0.1

    two = Model(forward=Halved().eval(), space=space)
    one = Model(forward=One().eval(), space=space, task=Classification(outputs="one logit"))
    certify = kind(norm=norm)
    expected = certify(two, x, two.predict(x)).radius
    assert (expected > 0).any()
    torch.testing.assert_close(certify(one, x, one.predict(x)).radius, expected)
    several = Model(forward=network, space=space, task=MultiLabel(("a", "b")))
    label = several.only("b")
    pair = Model(forward=nn.Sequential(network, Picked()).eval(), space=space)
    expected = certify(pair, x, pair.predict(x)).radius
    torch.testing.assert_close(certify(label, x, label.predict(x)).radius, expected)


class Picked(nn.Module):
    def forward(self, z):
        return torch.cat([-z[:, 1:] / 2, z[:, 1:] / 2], 1)


@pytest.mark.parametrize("kind", METHODS)
@pytest.mark.parametrize("threshold", [None, 0.45])
def test_probabilities_are_certified_as_the_logits_that_they_are_of(kind, threshold):
    one, x = seeded(nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 1))), rows(6, 3)
    two = seeded(nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2)), seed=3)

    def radius(network, outputs):
        task = Classification(("no", "yes"), outputs=outputs, threshold=threshold)
        model = Model(forward=network.eval(), space=Space(bounds=(-1.0, 2.0)), task=task)
        return kind()(model, x, model.predict(x)).radius

    expected = radius(one, "one logit")
    assert 0 < expected.min() < expected.max()
    for network in (nn.Sequential(one, nn.Sigmoid()), nn.Sequential(one, nn.Sigmoid(), nn.Hardtanh(1e-6, 1 - 1e-6))):
        torch.testing.assert_close(radius(network, "one probability"), expected, rtol=1e-3, atol=1e-4)
    expected = radius(two, "logits")
    assert 0 < expected.min() < expected.max()
    for network, outputs in ((nn.LogSoftmax(-1), "logits"), (nn.Softmax(-1), "probabilities")):
        found = radius(nn.Sequential(two, network), outputs)
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


class Rescaled(nn.Module):
    def forward(self, z):
        return z.sigmoid() * 0.5 + 0.1


class Grouped(nn.Module):
    def forward(self, z):
        return z.view(-1, 2, 2).log_softmax(-1).flatten(1)


class Reused(nn.Module):
    def forward(self, z):
        p = z.sigmoid()
        return p.logit() + p


@pytest.mark.parametrize("kind", METHODS)
@pytest.mark.parametrize(("last", "width", "outputs"), [
    (Rescaled(), 1, "one probability"), (Grouped(), 4, "logits"), (nn.Softmax(0), 4, "logits"),
    (Reused(), 1, "one logit"),
])  # fmt: skip
def test_probabilities_that_are_not_of_the_logits_alone_are_refused(kind, last, width, outputs):
    network = nn.Sequential(seeded(nn.Linear(3, width)), last).eval()
    model = Model(forward=network, space=Space(bounds=(-1.0, 2.0)), task=Classification(outputs=outputs))
    with pytest.raises(Unsupported, match=r"has no bounds here.*RandomizedSmoothing"):
        kind()(model, rows(6, 3), torch.zeros(6, dtype=torch.long))


@pytest.mark.parametrize("kind", METHODS)
@pytest.mark.parametrize("task", [MultiLabel(), Regression(("h", "w")), Places()], ids=lambda task: task.kind)
def test_answers_that_are_not_one_of_several_classes_are_refused_by_their_task(kind, task):
    layers = (nn.Linear(3, 6), nn.Unflatten(1, (3, 2))) if isinstance(task, Places) else (nn.Linear(3, 2),)
    model = Model(forward=nn.Sequential(*layers).eval(), space=Space(), task=task)
    with pytest.raises(Unsupported, match=f"certifies one of several classes, .* is {type(task).__name__}; of several"):
        kind()(model, rows(2, 3), model.predict(rows(2, 3)))


class Joined(nn.Module):
    """Convolutions of several strides, paddings and groups, a sum of two ways, a pool, and a normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.wide = nn.Conv2d(2, 4, 4, stride=2, padding=1), nn.Conv2d(4, 4, 3, padding=2, dilation=2)
        self.norm, self.apart = nn.BatchNorm2d(4), nn.Conv2d(4, 4, (3, 1), padding=(1, 0), groups=2)
        self.gaps, self.last = nn.Conv2d(4, 3, 2, stride=3), nn.Linear(6, 3)

    def forward(self, x):
        begun = torch.relu(self.first(2 * x - 1))
        added = begun - self.apart(torch.relu(self.norm(self.wide(begun)))) / 2
        return self.last(torch.relu(self.gaps(torch.relu(added))).flatten(1))


class Pooled(nn.Module):
    """Pools whose windows overlap, reach beyond the edges, have gaps, or are cut there, with convolutions between."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.wide = nn.Conv2d(2, 4, 3, padding=1), nn.Conv2d(4, 3, 2)
        self.pools = nn.MaxPool2d(3, 2, 1, ceil_mode=True), nn.MaxPool2d((2, 1), (1, 2), dilation=(2, 1))
        self.last = nn.Linear(24, 3)

    def forward(self, x):
        begun = self.pools[0](self.first(x))
        return self.last(torch.relu(self.pools[1](torch.relu(self.wide(begun))) - 0.1).flatten(1))


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize(("network", "side"), [(Joined, 2), (Joined, 4), (Pooled, 2), (Pooled, 3)])
def test_numbers_of_a_part_of_a_map_have_the_bounds_of_all_together(monkeypatch, norm, network, side):
    model, inputs = Model(forward=seeded(network()), space=Space(bounds=(0.0, 1.0))), rows(3, 2, 12, 9)
    labels, radius = model.predict(inputs), torch.tensor([0.02, 0.05, 0.0])
    asked = []
    for tile in ({"cpu": side}, {}):
        monkeypatch.setattr(bounds_of, "TILE", tile)
        asked.append(Crown(norm=norm).margins(model, inputs, labels, radius))
    torch.testing.assert_close(*asked, rtol=1e-5, atol=1e-6)
