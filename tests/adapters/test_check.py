"""What check_model promises: a model that passes answers the same twice, and a row the same alone as among others."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from probe import Model, Space, check_model
from probe.errors import ForwardError, ProbeError, ShapeError

ROWS = torch.rand(12, 6, generator=torch.Generator().manual_seed(0))


class Net(nn.Module):
    """A small network whose last step is given."""

    def __init__(self, last):
        super().__init__()
        self.layer = nn.Linear(6, 3)
        with torch.no_grad():
            self.layer.weight.copy_(torch.randn(3, 6, generator=torch.Generator().manual_seed(1)))
        self.last = last

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.layer(x))


def model(last, classes=("a", "b", "c")) -> Model:
    return Model(forward=Net(last).eval(), space=Space(), classes=classes)


@pytest.mark.parametrize("last", [lambda z: z, lambda z: z.log_softmax(-1), lambda z: 1000 * z, lambda z: z.double()])
def test_logits_and_log_probabilities_pass(last):
    check_model(model(last), ROWS)
    check_model(model(last), ROWS[:1])


def test_dropout_that_stays_active_is_caught():
    with pytest.raises(ForwardError, match=r"differently when asked again.*self\.training"):
        check_model(model(lambda z: functional.dropout(z, 0.1, training=True)), ROWS)


def test_a_random_model_is_detected_and_the_global_random_state_is_unchanged():
    with pytest.raises(ForwardError, match="it is random"):
        check_model(model(lambda z: z + 1e-3 * torch.randn_like(z)), ROWS)
    quiet, before = model(lambda z: z), torch.get_rng_state()
    check_model(quiet, ROWS)
    assert torch.equal(before, torch.get_rng_state())


def test_check_model_catches_a_stateful_model():
    calls = []
    with pytest.raises(ForwardError, match="keeps state"):
        check_model(model(lambda z: (calls.append(0), z * len(calls))[1]), ROWS)


@pytest.mark.parametrize("last", [
    lambda z: z - z.mean(0),
    lambda z: functional.batch_norm(z, None, None, training=True) if len(z) > 1 else z,
    lambda z: z / z.abs().max(),
])  # fmt: skip
def test_rows_that_depend_on_their_neighbours_are_caught(last):
    with pytest.raises(ForwardError, match="alone and among others"):
        check_model(model(last), ROWS)


def test_a_model_that_cannot_answer_one_row_is_caught():
    with pytest.raises(ForwardError, match="not one row alone"):
        check_model(model(lambda z: functional.batch_norm(z, None, None, training=True)), ROWS)


def test_class_numbers_are_refused_as_logits():
    with pytest.raises(ShapeError, match=r"returned torch\.int64, expected a floating type: one logit for each class"):
        check_model(model(lambda z: (10 * z).long()), ROWS)


@pytest.mark.parametrize(("last", "error", "message"), [
    (lambda z: z.softmax(-1), ProbeError, "returns probabilities"),
    (lambda z: z / 0, ProbeError, "NaN or infinity"),
    (lambda z: z[:, :2], ShapeError, r"expected \(8, 3\)"),
    (lambda z: z.argmax(-1), ShapeError, "one logit for each class"),
])  # fmt: skip
def test_check_model_catches_outputs_that_cannot_be_logits(last, error, message):
    with pytest.raises(error, match=message):
        check_model(model(last), ROWS)


def test_check_model_catches_training_mode():
    studied = model(lambda z: z)
    studied.forward.train()
    with pytest.raises(ProbeError, match="training mode"):
        check_model(studied, ROWS)


def test_a_type_that_is_not_that_of_the_weights_is_caught():
    with pytest.raises(ShapeError, match=r"torch.float64, the model's weights torch.float32"):
        check_model(model(lambda z: z), ROWS.double())


def test_tiny_probabilities_may_round_differently():
    # In float32 1 - p is a multiple of 6e-8, and batches of other sizes round the last bit in other ways.
    def forward(x: Tensor) -> Tensor:
        small = torch.full((len(x),), 6e-8 if len(x) == 1 else 1.2e-7)
        return torch.stack([small, 1 - small], 1).log()

    check_model(Model(forward=forward), ROWS)
