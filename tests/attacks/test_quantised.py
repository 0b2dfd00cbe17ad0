"""An attack whose points are levels of a file of 8 bits."""

import pytest
import torch
from torch import nn

from probe import Model, Space
from probe.attacks import DDN, PGD, Quantised, RotationTranslation, Square
from probe.errors import Unsupported
from probe.goals import Targeted

with torch.random.fork_rng():
    torch.manual_seed(0)
    NET = nn.Sequential(nn.Flatten(), nn.Linear(36, 24), nn.ReLU(), nn.Linear(24, 3)).eval().requires_grad_(False)
MODEL = Model(forward=NET, space=Space(bounds=(0.0, 1.0)))
X = (torch.rand(60, 1, 6, 6, generator=torch.Generator().manual_seed(1)) * 255).round() / 255
Y = MODEL.predict(X)


def saved(points):
    return (points * 255).round() / 255


@pytest.mark.parametrize(("attack", "eps"), [
    (PGD(steps=8), "1/255"), (PGD(steps=8), "16/255"), (PGD(norm="l2", steps=8), 0.3),
    (Square(max_queries=50), "16/255"), (PGD(steps=8, goal=Targeted(target=1)), "16/255"),
], ids=str)  # fmt: skip
def test_saving_undoes_nothing_that_it_finds(attack, eps):
    found = Quantised(attack=attack, eps=eps, goal=attack.goal)(MODEL, X, Y)
    torch.testing.assert_close(saved(found.perturbed), found.perturbed, atol=1e-6, rtol=0)
    assert torch.equal(MODEL.predict(saved(found.perturbed)), found.attacked.predicted)
    assert bool((found.perturbed != X).any())
    afterwards = attack.at(eps)(MODEL, X, Y)
    survives = afterwards.success & (MODEL.predict(saved(afterwards.perturbed)) == afterwards.attacked.predicted)
    assert int(found.success.sum()) >= 0.9 * int(survives.sum())
    assert bool((found.queries[found.success] > 0).all())


def test_within_less_than_a_level_nothing_moves():
    assert torch.equal(Quantised(eps=0.9 / 255)(MODEL, X, Y).perturbed, X)


def test_what_has_no_levels_is_refused():
    for attack in (DDN(), RotationTranslation()):  # without a budget, and with one that is no radius
        with pytest.raises(Unsupported, match=r"write Quantised\(attack=PGD\(\)\)"):
            Quantised(attack=attack)(MODEL, X, Y)
    with pytest.raises(Unsupported, match="one finite pair of bounds"):
        Quantised()(Model(forward=NET, space=Space(bounds=(-torch.inf, torch.inf))), X, Y)
