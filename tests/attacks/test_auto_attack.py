"""AutoAttack: its four parts, in their order, each on what the ones before it left."""

import pytest
import torch

import probe.attacks.auto_attack as parts
from probe import Model, Space
from probe.attacks import AutoAttack
from probe.goals import Targeted

FEW = {"steps": 8, "max_queries": 12, "candidates": 3}


def network() -> tuple[Model, torch.Tensor, torch.Tensor]:
    weight = torch.randn(6, 5, generator=torch.Generator().manual_seed(0))
    model = Model(forward=lambda x: x.flatten(1) @ weight, space=Space(bounds=(-5.0, 5.0)))
    x = torch.randn(12, 6, generator=torch.Generator().manual_seed(1))
    return model, x, model.predict(x)


@pytest.mark.slow
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_on_a_linear_model_it_breaks_exactly_what_can_be_broken(norm):
    model, x, y = network()
    logits, slopes = model.logits(x), model.logits(torch.eye(6)) - model.logits(torch.zeros(1, 6))
    apart = (slopes.T[:, None] - slopes.T[None]).abs()  # of each two classes
    dual = apart.sum(2) if norm == "linf" else apart.norm(dim=2)
    lead = logits.gather(1, y[:, None]) - logits
    nearest = (lead / dual[y]).scatter(1, y[:, None], torch.inf).min(1).values
    eps = float(nearest.median()) + 1e-3
    found = AutoAttack(eps=eps, norm=norm, steps=20, candidates=4, max_queries=5)(model, x, y)
    assert torch.equal(found.success, nearest < eps)


def test_each_part_is_given_what_the_ones_before_it_left(monkeypatch):
    model, x, y = network()
    asked: list[tuple[str, int]] = []

    class Watched(parts.Search):
        def climb_at_once(self, runs):
            asked.append((f"apgd {len(runs)}", len(self.remaining)))
            super().climb_at_once(runs)

    def watch(kind):
        class Seen(kind):
            def perturb(self, model, inputs, aim):
                asked.append((kind.__name__, len(inputs)))
                return inputs.clone() if kind.__name__ == "FAB" else super().perturb(model, inputs, aim)

        return lambda **settings: Seen(**settings)

    monkeypatch.setattr(parts, "Search", Watched)
    for kind in (parts.FAB, parts.Square):
        monkeypatch.setattr(parts, kind.__name__, watch(kind))
    found = AutoAttack(eps=0.1, **FEW)(model, x, y)
    left = int((~found.success).sum())
    assert [name for name, _ in asked] == ["apgd 1", "apgd 3", "FAB", "Square"]
    assert asked[0][1] == 12
    assert left <= asked[3][1] == asked[2][1] <= asked[1][1] < 12
    assert found.queries[~found.success].min() > found.queries[found.success].min()


def test_a_change_of_fab_outside_the_ball_does_not_count(monkeypatch):
    model, x, y = network()
    far = AutoAttack(eps=1e-4, **FEW)(model, x, y)
    assert float(far.distance(float("inf")).max()) <= 1e-4
    assert not far.success.any()


def test_a_target_is_the_only_class_aimed_at():
    model, x, y = network()
    found = AutoAttack(goal=Targeted(target=2), eps=2.0, **FEW)(model, x, y)
    assert found.success.any()
    assert (found.attacked.predicted[found.success] == 2).all()
