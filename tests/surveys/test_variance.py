"""Sobol's indices and Friedman's H: functions whose shares are known by hand."""

from dataclasses import replace
from math import pi

import pytest
import torch

from probe import Dataset, Model, Regression, Space
from probe.errors import RangeError
from probe.surveys import FriedmanH, SobolIndices

NAMES = ("age", "debt", "pay")


def asked(function, x, reference=None):
    space = Space(bounds=(-9.0, 9.0), names=NAMES, reference=x if reference is None else reference)
    model = Model(forward=lambda rows: function(*rows.T)[:, None], space=space, task=Regression(("y",)))
    return model, Dataset(x, torch.zeros(len(x)), space=space)


def values(method, *case):
    return method(*case).to_frame().set_index("item")["value"]


@pytest.mark.slow
def test_the_indices_of_ishigamis_function_are_those_in_closed_form():
    x = (torch.rand(4000, 3, generator=torch.Generator().manual_seed(0)) * 2 - 1) * pi
    model, data = asked(lambda a, b, c: a.sin() + 7 * b.sin() ** 2 + 0.1 * c**4 * a.sin(), x)
    found = SobolIndices()(model, data).to_frame().set_index("item")
    # By hand, with a = 7 and b = .1 (Ishigami and Homma 1990).
    expected = {"age": (0.3139, 0.5576), "debt": (0.4424, 0.4424), "pay": (0.0, 0.2437)}
    for name, (alone, total) in expected.items():
        for part, value in (("alone", alone), ("with others", total)):
            row = found.loc[f"{name}: {part}"]
            assert row["value"] == pytest.approx(value, abs=0.06)
            assert row["low"] - 0.01 <= value <= row["high"] + 0.01
    assert model.usage.forward >= 4000 * 5


def test_first_order_indices_of_a_sum_add_up_to_one_and_nothing_interacts():
    x = torch.randn(2000, 3, generator=torch.Generator().manual_seed(1))
    found = values(SobolIndices(), *asked(lambda a, b, c: 3 * a - 2 * b.sin() + 0 * c, x))
    alone = [found[f"{name}: alone"] for name in NAMES]
    assert sum(alone) == pytest.approx(1.0, abs=0.08)
    assert found["pay: with others"] == 0.0
    for name in NAMES:
        assert found[f"{name}: alone"] == pytest.approx(found[f"{name}: with others"], abs=0.08)


GRID = torch.cartesian_prod(*3 * [torch.tensor([-1.0, 0.0, 1.0])])


def test_two_rows_have_no_interval_of_h():
    model, data = asked(lambda a, b, c: a * b + c, GRID[[0, 5, 26]])
    assert FriedmanH()(model, data[:2]).to_frame()[["low", "high"]].isna().all(axis=None)
    assert FriedmanH()(model, data).to_frame()[["low", "high"]].notna().all(axis=None)


def test_h_is_0_for_a_sum_and_1_for_a_product():
    additive = asked(lambda a, b, c: a**3 - b.exp() + 2 * c, GRID)
    assert values(FriedmanH(), *additive).abs().max() < 1e-6
    product = asked(lambda a, b, c: a * b + 0 * c, GRID)
    found = values(FriedmanH(feature="age"), *product)
    assert found["age and debt"] == pytest.approx(1.0)
    assert values(FriedmanH(), *product)[["age", "debt"]].tolist() == pytest.approx([1.0, 1.0])


def test_h_is_that_by_its_definition():
    x = torch.randn(12, 3, generator=torch.Generator().manual_seed(2))
    reference = torch.randn(5, 3, generator=torch.Generator().manual_seed(3))

    def function(a, b, c):
        return a * b + b.sin() * c + a

    def dependence(kept):
        rows = [torch.where(torch.tensor([at in kept for at in range(3)]), row, reference) for row in x]
        found = torch.stack([function(*each.T).mean() for each in rows])
        return found - found.mean()

    both, one, two = dependence({0, 1}), dependence({0}), dependence({1})
    expected = ((both - one - two) ** 2).sum() / (both**2).sum()
    model, data = asked(function, x, reference)
    assert values(FriedmanH(feature="age"), model, data)["age and debt"] == pytest.approx(float(expected), rel=1e-4)
    few = replace(model, batch_size=7)
    assert values(FriedmanH(), few, data).tolist() == pytest.approx(values(FriedmanH(), model, data).tolist(), rel=1e-4)
    with pytest.raises(RangeError, match=r"FriedmanH\.feature = 'size', expected one of age, debt, pay"):
        FriedmanH(feature="size")(model, data)
    with pytest.raises(RangeError, match=r"SobolIndices\.answer = 'z', expected one of y"):
        SobolIndices(answer="z")(model, data)
