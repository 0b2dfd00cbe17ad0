import math

import pytest
import torch
from probe_models.training.schedules import SCHEDULES, Plateau
from probe_models.training.settings import Settings


def part(schedule, done, **options):
    return SCHEDULES[schedule](done, Settings(epochs=1, schedule=schedule, **options))


@pytest.mark.parametrize("schedule", ["constant", "step", "cosine", "plateau"])
def test_the_learning_rate_rises_linearly_during_the_warm_up(schedule):
    rates = [part(schedule, done, warmup=0.2) for done in (0, 0.05, 0.1, 0.2)]
    assert rates == pytest.approx([0.005, 0.25, 0.5, 1])


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_without_warm_up_the_first_learning_rate_is_the_largest(schedule):
    assert part(schedule, 0, warmup=0) == 1


def test_a_constant_learning_rate_does_not_decay():
    assert [part("constant", done) for done in (0.2, 0.6, 1)] == [1, 1, 1]


def test_the_step_schedule_decays_at_each_milestone_by_gamma():
    rates = [part("step", done, warmup=0.2, milestones=3, gamma=0.5) for done in (0.2, 0.39, 0.4, 0.6, 0.79, 0.8, 1)]
    assert rates == pytest.approx([1, 1, 0.5, 0.25, 0.25, 0.125, 0.125])


def test_the_cosine_schedule_is_half_in_the_middle_and_0_at_the_end():
    assert [part("cosine", done, warmup=0.2) for done in (0.2, 0.4, 0.6, 1)] == pytest.approx(
        [1, (1 + math.sqrt(0.5)) / 2, 0.5, 0]
    )


def test_one_cycle_equals_that_of_torch():
    # torch spreads its cycle over steps 0 to 100, both included, and climbs for pct_start * 101 - 1 of them.
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1)
    torchs = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, max_lr=1, total_steps=101, pct_start=31 / 101, cycle_momentum=False
    )
    for done in range(100):
        assert part("one-cycle", done / 100, warmup=0.3) == pytest.approx(torchs.get_last_lr()[0], rel=1e-6)
        optimiser.step()
        torchs.step()


def test_a_plateau_halves_the_learning_rate_after_each_patience():
    plateau, factors = Plateau(0.5, patience=2), []
    for loss in (1.0, 0.9, 0.9, 0.8, 0.8, 0.81, 0.8, 0.9, 0.7):
        plateau.see(loss)
        factors.append(plateau.factor)
    assert factors == [1, 1, 1, 1, 1, 0.5, 0.5, 0.25, 0.25]
