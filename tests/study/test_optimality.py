"""What may be said of several attacks: how near each is to the best, what none found, and how many queries it takes."""

import numpy as np
import pytest
import torch

from probe import Prediction, Space, study
from probe.attacks import DDN, PGD, Square
from probe.errors import DataError, ShapeError, Unsupported
from probe.results import Perturbation

LINF = PGD()


def broken_at(distances, method=LINF, rows=None, queries=None):
    """What an attack found that changes each row by so much; 0 stands for a row that was wrong before."""
    needed = torch.tensor(distances, dtype=torch.float64)
    success = needed.isfinite() & (needed > 0)
    inputs = torch.zeros(len(needed), 1, dtype=torch.float64) if rows is None else rows
    answers = [
        Prediction(torch.stack([1.0 - wrong.double(), wrong.double()], 1), torch.zeros(len(needed), dtype=torch.long))
        for wrong in (needed == 0, needed.isfinite())
    ]
    moved = inputs + torch.where(success, needed, 0.0)[:, None]
    spent = None if queries is None else torch.tensor(queries, dtype=torch.float64)
    return Perturbation(inputs, moved, *answers, method, Space(), success=success, queries=spent)


def published(found, best):
    """AttackBench's own steps: trapezoids over the distances that occur."""
    areas = []
    for each in (found.clip(max=best.max()), best):
        at, count = np.unique(each, return_counts=True)
        areas.append(np.trapezoid(1 - count.cumsum() / len(each), at))
    return 1 - (areas[0] - areas[1]) / ((best > 0).mean() * best.max() - areas[1])


def test_optimality_is_the_published_one_and_that_of_its_definition():
    source = np.random.default_rng(0)
    best = source.gamma(2.0, size=800) * (source.random(800) > 0.1)
    found = {"good": best * 1.05, "poor": best * (1 + source.random(800)), "best": best}
    table = study.optimality({name: broken_at(each) for name, each in found.items()}).set_index("attack")
    assert list(table.index) == ["best", "good", "poor"]
    assert table["optimality"]["best"] == 1
    for name, each in found.items():
        grid = np.linspace(0, best.max(), 2001)
        curves = [(np.sort(values)[None] > grid[:, None]).mean(1) for values in (each, best)]
        areas = [np.trapezoid(curve, grid) for curve in curves]
        whole = (best > 0).mean() * best.max()
        assert table["optimality"][name] == pytest.approx(1 - (areas[0] - areas[1]) / (whole - areas[1]), abs=1e-2)
        assert table["optimality"][name] == pytest.approx(published(each, best), abs=1e-2)
        assert table["low"][name] <= table["optimality"][name] <= table["high"][name]


def test_an_attack_that_finds_nothing_is_at_0_and_rows_that_none_breaks_say_nothing():
    best = [0.0, 1.0, 2.0, torch.inf]
    table = study.optimality({"all": broken_at(best), "none": broken_at([0.0, *[torch.inf] * 3])})
    assert table["optimality"].tolist() == [1.0, 0.0]
    assert table["broken"].tolist() == [0.5, 0.0]
    # Of several radii the smallest counts: rows at 1 and 3 by the second, at 2 by the first.
    several = {"pgd": [broken_at([torch.inf, 2.0]), broken_at([1.0, 3.0])], "ddn": broken_at([2.0, 2.0])}
    assert study.optimality(several)["optimality"].tolist() == [1.0, 0.0]


def test_attacks_that_do_not_compare_are_refused():
    one = broken_at([1.0, 2.0])
    with pytest.raises(ShapeError, match="not of the same rows"):
        study.optimality({"a": one, "b": broken_at([1.0, 2.0], rows=torch.ones(2, 1, dtype=torch.float64))})
    with pytest.raises(Unsupported, match="compare attacks of one norm"):
        study.optimality({"a": one, "b": broken_at([1.0, 2.0], DDN())})
    with pytest.raises(DataError, match="broke a row that was right"):
        study.optimality({"a": broken_at([0.0, torch.inf])})
    with pytest.raises(DataError, match="no attack to compare"):
        study.optimality({})
    with pytest.raises(DataError, match="give two at least"):
        study.floor([one])


def runs(seed, chances, count):
    """Runs that break each row with a chance of its own."""
    drawn = np.random.default_rng(seed).random((count, len(chances))) < chances
    return [broken_at(np.where(hit, 0.5, np.inf)) for hit in drawn]


def test_the_floor_estimates_what_more_runs_would_leave():
    chances = np.concatenate([np.full(300, 0.4), np.zeros(200), np.ones(100)])
    inside, values = 0, []
    for seed in range(12):
        found = runs(seed, chances, 4)
        estimate = study.floor(found)
        left = float((~torch.stack([each.success for each in found]).any(0)).double().mean())
        assert estimate.value < left  # by some 39 of the 300 rows
        values.append(estimate.value)
        inside += estimate.low <= 1 / 3 <= estimate.high
    assert inside >= 10
    assert np.mean(values) == pytest.approx(1 / 3, abs=0.02)
    alike = study.floor(runs(0, np.repeat([1.0, 0.0], 50), 3))
    assert alike == (0.5, 0.5, 0.5, 100)
    lone = study.floor([broken_at([0.1, torch.inf, torch.inf]), broken_at([torch.inf, 0.1, torch.inf])])
    assert lone.low <= lone.value <= lone.high
    assert lone.value == pytest.approx(1 / 6)  # 1/2 of 2 * 1 / 2


def test_rows_that_ran_out_of_queries_are_censored():
    square = Square(eps=2.0)
    whole = study.by_queries(broken_at([0.0, 1, 1, 1, torch.inf], square, queries=[1, 10, 20, 20, 90]))
    assert whole[["queries", "broken", "asked"]].values.tolist() == [[10, 0.25, 4], [20, 0.75, 3]]
    # The third row was given up after 15 queries: of those still asked at 20, one of two falls.
    short = study.by_queries(broken_at([0.0, 1, torch.inf, 1, torch.inf], square, queries=[1, 10, 15, 20, 90]))
    assert short["broken"].tolist() == [0.25, 1 - 0.75 * 0.5]
    assert ((short["low"] < short["broken"]) & (short["broken"] < short["high"])).all()
    with pytest.raises(Unsupported, match="goes on after it succeeds"):
        study.by_queries(broken_at([1.0], DDN(), queries=[3]))
    with pytest.raises(DataError, match="nothing to break"):
        study.by_queries(broken_at([0.0], square, queries=[3]))
