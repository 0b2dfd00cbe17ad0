"""Partial dependence and accumulated effects, against scikit-learn and closed forms."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from sklearn.inspection import partial_dependence
from sklearn.linear_model import LogisticRegression
from torch.testing import assert_close

from probe import Dataset, Model, Space, from_estimator
from probe.errors import RangeError, Unsupported
from probe.surveys import AccumulatedEffects, PartialDependence

NAMES = ("age", "debt", "sort")
SPACE = Space(bounds=(-99.0, 99.0), names=NAMES, features=[0, 1, 2, 2, 2], kinds=("continuous", "integer", "category"))


def rows(count=200):
    source = torch.Generator().manual_seed(0)
    age = torch.randn(count, generator=source)
    debt = (3 * age + torch.randn(count, generator=source)).round()
    sort = torch.eye(3)[torch.randint(2, (count,), generator=source)]
    return torch.cat([torch.stack([age, debt], 1), sort], 1)


def model(function):
    return Model(forward=lambda x: torch.stack([-function(x), function(x)], 1), space=SPACE, classes=("no", "yes"))


def data():
    x = rows()
    return Dataset(x, torch.zeros(len(x), dtype=torch.long), space=SPACE, classes=("no", "yes"))


def test_each_row_has_its_own_curve_and_their_mean_is_the_partial_dependence():
    found = PartialDependence(feature="age", output="logit", points=5)(model(lambda x: x[:, 0] ** 2 + x[:, 1]), data())
    grid = torch.tensor([float(item) for item in found.items])
    assert_close(found.evidence, grid**2 + rows()[:, 1:2], atol=0.02, rtol=0.01)  # items are written with few digits
    frame = found.to_frame()
    assert ((frame["low"] < frame["value"]) & (frame["value"] < frame["high"])).all()


def test_scikit_learn_agrees_on_partial_dependence():
    x = np.random.default_rng(0).normal(size=(80, 3)).astype(np.float32)
    fitted = LogisticRegression().fit(x, (x @ [1.0, -2, 0.5] > 0).astype(int))
    space = Space(bounds=(-99.0, 99.0), names=("a", "b", "c"))
    survey = PartialDependence(feature="b", points=6)
    known = from_estimator(fitted, space, ("no", "yes"))
    labels = torch.zeros(80, dtype=torch.long)
    found = survey(known, Dataset(torch.from_numpy(x), labels, space=space, classes=("no", "yes"))).to_frame()
    grid = survey.grid(known, torch.from_numpy(x)).values[:, 0].numpy()
    theirs = partial_dependence(fitted, x, [1], custom_values={1: grid}, method="brute")["average"][0]
    np.testing.assert_allclose(found["value"], theirs, atol=1e-6)


def test_levels_that_rows_have_are_the_items_of_a_category_and_whole_numbers_stay_whole():
    known = model(lambda x: 2 * x[:, 2] + 5 * x[:, 3] + 9 * x[:, 4])
    found = PartialDependence(feature="sort", output="logit", answer="no")(known, data()).to_frame()
    assert found["value"].tolist() == [-2.0, -5.0]
    assert all(float(item).is_integer() for item in PartialDependence(feature="debt").items(known, rows()))


def test_accumulated_effects_of_a_sum_are_those_of_its_parts_though_features_go_together():
    """Partial dependence of a product of features that go together mixes them; the effect of one step does not."""
    survey = AccumulatedEffects(feature="age", output="logit", points=9)
    known = model(lambda x: x[:, 0] ** 3 + 4 * x[:, 1])
    found = survey(known, data()).to_frame()["value"].to_numpy()
    grid = survey.grid(known, rows()).values[:, 0].numpy()
    np.testing.assert_allclose(found - found[0], grid**3 - grid[0] ** 3, atol=1e-4)


def test_accumulated_effects_have_the_values_of_a_slow_replica():
    survey, x = AccumulatedEffects(feature="age", output="probability", points=6), rows()
    known = model(lambda x: x[:, 0] * x[:, 1])
    edges = survey.grid(known, x).values[:, 0]
    curve, counts = [0.0], []
    for low, high in pairwise(edges):
        inside = x[(x[:, 0] <= high) & ((x[:, 0] > low) | ((low == edges[0]) & (x[:, 0] == low)))]
        ends = []
        for end in (low, high):
            moved = inside.clone()
            moved[:, 0] = end
            ends.append(known.logits(moved).softmax(1)[:, 1])
        counts.append(len(inside))
        curve.append(curve[-1] + float((ends[1] - ends[0]).mean()))
    middle = sum(n * (a + b) / 2 for n, a, b in zip(counts, curve, curve[1:], strict=False)) / sum(counts)
    assert sum(counts) == len(x)
    np.testing.assert_allclose(survey(known, data()).to_frame()["value"], np.array(curve) - middle, atol=1e-5)


def test_what_has_no_curve_is_refused():
    known, both = model(lambda x: x[:, 0]), (PartialDependence, AccumulatedEffects)
    for survey in both:
        with pytest.raises(RangeError, match=r"feature = 'ages', expected one of age, debt, sort"):
            survey(feature="ages")(known, data())
        with pytest.raises(RangeError, match=r"answer = 'maybe', expected one of no, yes"):
            survey(feature="age", answer="maybe")(known, data())
    with pytest.raises(Unsupported, match="sort is a category; use PartialDependence"):
        AccumulatedEffects(feature="sort")(known, data())
    with pytest.raises(Unsupported, match="has the same value in all rows"):
        AccumulatedEffects(feature="age")(known, Dataset(rows()[:1], torch.tensor([0]), space=SPACE, classes=("no", "yes")))  # fmt: skip # noqa: E501
    pixels = Model(forward=lambda x: x.flatten(1), space=Space(features=torch.zeros(1, 2, 2, dtype=torch.long)))
    with pytest.raises(Unsupported, match="has 4 coordinates"):
        PartialDependence(feature="feature 0")(pixels, Dataset(torch.rand(3, 1, 2, 2), torch.tensor([0, 1, 2]), space=pixels.space))  # fmt: skip # noqa: E501
