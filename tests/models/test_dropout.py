import pytest
import torch
from probe_models.networks.dropout import Dropout


def masks(dropout, seeds):
    for seed in seeds:
        dropout.reseed(seed)
        yield dropout(torch.ones(50, 40))


def test_dropout_zeroes_its_fraction_and_keeps_the_mean():
    drawn = torch.stack(list(masks(Dropout(0.2), range(50))))
    count = drawn.numel()
    assert set(drawn.unique().tolist()) == {0.0, 1.25}
    # Five deviations of a mean of that many independent draws.
    assert abs(float((drawn == 0).double().mean()) - 0.2) < 5 * (0.2 * 0.8 / count) ** 0.5
    assert abs(float(drawn.double().mean()) - 1.0) < 5 * 1.25 * (0.2 * 0.8 / count) ** 0.5


def test_every_number_is_dropped_in_some_steps_and_not_in_others():
    drawn = torch.stack(list(masks(Dropout(0.5), range(60))))
    assert bool((drawn.std(0) > 0).all())


def test_draws_depend_on_the_seed_and_not_on_earlier_draws():
    dropout = Dropout(0.5)
    first, other, again = masks(dropout, (1, 2, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert not torch.equal(dropout(torch.ones(50, 40)), again)


def test_dropout_changes_nothing_in_eval_mode():
    inputs = torch.rand(5, 7)
    assert torch.equal(Dropout(0.9).eval()(inputs), inputs)


def test_the_gradient_passes_where_the_number_did():
    dropout, inputs = Dropout(0.5), torch.ones(8, 9, requires_grad=True)
    outputs = dropout(inputs)
    (gradient,) = torch.autograd.grad(outputs.sum(), inputs)
    assert torch.equal(gradient, outputs.detach())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_dropout_keeps_the_type_and_leaves_global_randomness_alone(dtype):
    before = torch.get_rng_state()
    assert Dropout(0.5)(torch.ones(4, 4, dtype=dtype)).dtype == dtype
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("times", [1, 2])
def test_the_dropout_of_a_row_does_not_depend_on_the_process(times):
    dropout, inputs = Dropout(0.5), torch.rand(times, 7, 4)
    dropout.reseed(3)
    alone = dropout(inputs.flatten(0, 1)).view(times, 7, 4)
    for rank in range(3):
        dropout.reseed(3, range(rank, 7, 3))
        part = dropout(inputs[:, rank::3].flatten(0, 1))
        assert torch.equal(part.view(times, -1, 4), alone[:, rank::3])
