import captum.attr
import numpy as np
import pytest
import torch
from torch.testing import assert_close

from probe import Model, Space
from probe.errors import Unsupported
from probe.explainers import InputXGradient, IntegratedGradients, Saliency, path
from probe.metrics import Completeness


@pytest.fixture
def rows_of_weights(linear, labels):
    unit = torch.eye(12).view(12, 3, 2, 2)
    return linear.logits(unit).T[labels].view(-1, 3, 2, 2)


def plain(forward, features, reference=0.0):
    space = Space(bounds=(-10.0, 10.0), reference=torch.full((1, features), reference, dtype=torch.float64))
    return Model(forward=lambda x: torch.stack([forward(x), -forward(x)], 1), space=space)


def relu(x):
    return torch.relu(x)


FIRST = torch.tensor([0])


def test_saliency_is_the_row_of_weights(linear, inputs, labels, rows_of_weights):
    assert_close(Saliency()(linear, inputs, labels).values, rows_of_weights)


@pytest.mark.parametrize("method", [InputXGradient(), IntegratedGradients(steps=3)])
def test_input_x_gradient_of_a_linear_model_is_weight_times_input(linear, inputs, labels, rows_of_weights, method):
    assert_close(method(linear, inputs, labels).values, rows_of_weights * inputs)


def test_saliency_keeps_the_sign_and_targets_the_prediction(linear, inputs):
    assert_close(Saliency()(linear, inputs).targets, linear.predict(inputs))
    assert Saliency()(linear, inputs).values.min() < 0


def test_the_gradient_of_a_probability_is_that_of_the_softmax(linear, inputs, labels, rows_of_weights):
    p = linear.logits(inputs).softmax(-1)
    weights = linear.logits(torch.eye(12).view(12, 3, 2, 2)).T
    mean = (p @ weights).view(-1, 3, 2, 2)
    expected = p.gather(1, labels[:, None]).view(-1, 1, 1, 1) * (rows_of_weights - mean)
    assert_close(Saliency(output="probability")(linear, inputs, labels).values, expected)


def test_two_gauss_legendre_steps_are_exact_for_a_cubic():
    model, x = plain(lambda x: x[:, 0] ** 2 * x[:, 1], 2), torch.tensor([[2.0, 3.0]], dtype=torch.float64)
    assert_close(
        IntegratedGradients(steps=2, pieces=1)(model, x, FIRST).values, x.new_tensor([[8.0, 4.0]]), rtol=1e-6, atol=0
    )
    assert_close(
        IntegratedGradients(steps=1, pieces=1)(model, x, FIRST).values, x.new_tensor([[6.0, 3.0]]), rtol=1e-6, atol=0
    )


def test_two_networks_that_compute_the_same_function_get_the_same_answer():
    one = plain(lambda x: relu(relu(x[:, 0]) - 1 - relu(x[:, 1])), 2)
    other = plain(lambda x: relu(relu(x[:, 0] - 1) - relu(x[:, 1])), 2)
    x = torch.tensor([[3.0, 1.0]], dtype=torch.float64)
    for model in (one, other):
        values = IntegratedGradients(steps=200)(model, x, FIRST).values
        assert_close(values, x.new_tensor([[1.5, -0.5]]), rtol=0, atol=1e-2)


def test_integrated_gradients_see_a_rise_where_the_gradient_is_flat():
    model, x = plain(lambda x: 1 - relu(1 - x[:, 0]), 1), torch.tensor([[2.0]], dtype=torch.float64)
    assert Saliency()(model, x, FIRST).values == 0
    assert_close(IntegratedGradients(steps=200)(model, x, FIRST).values, x.new_ones(1, 1), rtol=0, atol=1e-2)


@pytest.mark.parametrize("output", ["logit", "probability"])
def test_the_integral_adds_up_to_the_change_from_the_mean_reference(network, rows, output):
    model, x = network(), rows(6, 8) / 4
    errors = [
        Completeness()(model, IntegratedGradients(steps=s, pieces=1, output=output)(model, x)).value for s in (5, 200)
    ]
    assert errors[1] < 0.05
    assert errors[0] > errors[1]


def test_the_integral_is_the_sum_over_quadrature_points(network, rows):
    model, x = network(), rows(4, 8)
    nodes, weights = np.polynomial.legendre.leggauss(7)
    origin, expected = model.space.baseline(x), torch.zeros_like(x)
    targets = model.predict(x)
    for node, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
        point = origin + node * (x - origin)
        gradient = Saliency()(model, point, targets).values
        expected += weight * gradient * (x - origin)
    assert_close(IntegratedGradients(steps=7, pieces=1)(model, x).values, expected, rtol=1e-6, atol=1e-6)


def test_saliency_refuses_categories_and_names_methods_that_accept_them():
    space = Space(features=torch.tensor([0, 0, 1]), kinds=("category", "continuous"), reference=torch.zeros(1, 3))
    model = Model(forward=lambda x: torch.stack([x.sum(1), -x.sum(1)], 1), space=space)
    with pytest.raises(Unsupported, match=r"InputXGradient or IntegratedGradients"):
        Saliency()(model, torch.tensor([[1.0, 0.0, 0.5]]))
    InputXGradient()(model, torch.tensor([[1.0, 0.0, 0.5]]))


def test_integrated_gradients_asks_for_a_reference():
    model = Model(forward=lambda x: torch.stack([x.sum(1), -x.sum(1)], 1))
    with pytest.raises(Unsupported, match="reference"):
        IntegratedGradients()(model, torch.rand(1, 2, generator=torch.Generator().manual_seed(0)))


@pytest.mark.parametrize("references", [1, 3])
def test_tokens_add_up_over_their_embeddings(references):
    source = torch.Generator().manual_seed(0)
    table, weight = torch.randn(20, 6, generator=source), torch.randn(6, 3, generator=source)
    model = Model(
        forward=lambda e: torch.tanh(e.mean(1)) @ weight,
        embed=lambda ids: table[ids],
        space=Space(bounds=(0, 19), reference=torch.arange(5 * references).view(references, 5)),
    )
    ids = torch.randint(0, 20, (4, 5), generator=source)
    attribution = IntegratedGradients()(model, ids)
    assert attribution.values.shape == ids.shape
    assert Completeness()(model, attribution).value < 1e-5


def test_integrated_gradients_hold_one_pass_in_memory(linear, inputs, labels, monkeypatch, rows_of_weights):
    sizes = []

    def forward(x):
        sizes.append(len(x))
        return linear.forward(x)

    monkeypatch.setattr("probe.tensors.COORDINATES", {"cpu": 12 * 3})
    model = Model(forward=forward, space=linear.space)
    assert_close(IntegratedGradients()(model, inputs, labels).values, rows_of_weights * inputs)
    assert max(sizes) <= 3


@pytest.mark.parametrize("output", ["logit", "probability"])
def test_captum_agrees_on_an_undivided_path(network, rows, output):
    model, x, targets = network(), rows(4, 8), torch.tensor([0, 1, 2, 0])
    theirs = captum.attr.IntegratedGradients(model.output_fn(output)).attribute(
        x, baselines=model.space.baseline(x), target=targets, n_steps=50, method="gausslegendre"
    )
    ours = IntegratedGradients(pieces=1, output=output)(model, x, targets).values
    assert_close(ours, theirs, rtol=1e-6, atol=1e-6)


def test_a_path_through_a_narrow_step_is_divided_until_the_values_add_up():
    """A rise of 1 within a thousandth of the path lies between the points of one piece, which see none of it."""
    model = Model(
        forward=lambda x: torch.stack([x[:, 0] * 0, ((x[:, 0] - 0.5005) * 1000).clamp(0, 1) + x[:, 1] * 0], -1) - 3,
        space=Space(reference=torch.zeros(1, 2)),
        classes=("a", "b"),
    )
    x, target = torch.tensor([[1.0, 0.3]]), torch.tensor([1])
    assert IntegratedGradients(pieces=1)(model, x, target).values[0, 0].abs() < 0.5
    assert_close(IntegratedGradients()(model, x, target).values, torch.tensor([[1.0, 0.0]]), atol=0.1, rtol=0)


def steps_at(*places):
    """The second logit rises by 1 within a ten-thousandth of the way from 0 to 1, at each place."""

    def forward(x):
        rises = [((x[:, 0] - place) * 1e4).clamp(0, 1) for place in places]
        return torch.stack([x[:, 0] * 0, sum(rises) + x[:, 1] * 0], -1) - 3

    return Model(forward=forward, space=Space(reference=torch.zeros(1, 2)), classes=("a", "b"))


@pytest.mark.parametrize("places", [(0.5005,), (0.1234, 0.77), (0.2, 0.201, 0.9)])
def test_only_the_pieces_that_do_not_add_up_are_halved(places):
    model, target = steps_at(*places), torch.tensor([1])
    attribution = IntegratedGradients()(model, torch.tensor([[1.0, 0.3]]), target)
    assert_close(attribution.values, torch.tensor([[float(len(places)), 0.0]]), atol=0.01 * len(places), rtol=0)
    # 50 points, 8 pieces, and for each step at most two halves of some eighteen pieces, each of 3 points.
    assert attribution.cost.backward <= 50 + 8 * 3 + len(places) * 2 * 18 * 3


def test_a_piece_of_few_points_is_halved_into_halves_of_fewer():
    """Four pieces of 3 points, and two halves of 2 points in each of the thirteen halvings that surround the step."""
    one, target = steps_at(0.5005), torch.tensor([1])
    attribution = IntegratedGradients(steps=12)(one, torch.tensor([[1.0, 0.3]]), target)
    assert_close(attribution.values, torch.tensor([[1.0, 0.0]]), atol=0.01, rtol=0)
    halvings, left = divmod(attribution.cost.backward - 12, 2 * 2)
    assert left == 0
    assert 8 <= halvings <= 18


def test_pieces_are_left_as_they_are_while_their_errors_are_within_the_tolerance_together():
    off = torch.tensor([0.5, 0.3, 0.2, 0.1, 9.0, 0.4])
    row, none = torch.tensor([0, 0, 0, 0, 1, 1]), torch.zeros(6, dtype=torch.float64)
    signs = torch.tensor([1, -1, 1, -1, 1, 1])
    pieces = path._Pieces(row, none, none, none, none, none[:, None], off.double() * signs)
    allowed, room = torch.tensor([0.35, 1.0]).double(), torch.tensor([9, 9])
    assert path._worst(pieces, allowed, room).tolist() == [True, True, False, False, True, False]
    assert path._worst(pieces, allowed, torch.tensor([1, 0])).tolist() == [True, False, False, False, False, False]


def test_a_path_is_divided_into_no_more_pieces_than_asked_for():
    model, x, target = steps_at(*torch.linspace(0.01, 0.99, 40).tolist()), torch.tensor([[1.0, 0.3]]), torch.tensor([1])
    for pieces in (1, 2, 8, 20):
        cost = IntegratedGradients(pieces=pieces, tolerance=0)(model, x, target).cost
        halvings = max(0, pieces - 8)
        assert cost.backward <= 50 + 3 * min(pieces, 8) * (pieces > 1) + 2 * 3 * halvings


def test_a_row_that_adds_up_is_not_divided_because_its_neighbour_is():
    model, target = steps_at(0.5005), torch.tensor([1, 1])
    attribution = IntegratedGradients()(model, torch.tensor([[1.0, 0.3], [0.4, 0.3]]), target)
    alone = IntegratedGradients()(model, torch.tensor([[1.0, 0.3]]), target[:1])
    assert attribution.cost.backward == alone.cost.backward + 4 * 12  # four pieces, 12 points on each
    assert attribution.values[1].abs().max() == 0


@pytest.mark.slow
def test_parts_are_held_for_a_few_paths_at_a_time(network, rows, monkeypatch):
    model, x = network(), rows(5, 8)
    method = IntegratedGradients(steps=3, tolerance=1e-6)
    together = method(model, x).values
    monkeypatch.setattr("probe.explainers.path._HELD", 1)
    assert_close(method(model, x).values, together, rtol=1e-9, atol=1e-12)
    assert Completeness()(model, method(model, x)).value < 1e-3
