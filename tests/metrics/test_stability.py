"""Rank stability and seed stability: by hand, beside random controls, and what they refuse."""

from dataclasses import dataclass

import pytest
import torch
from scipy.stats import spearmanr
from torch.testing import assert_close

from probe import Attribution, Explainer, Model, Space
from probe.errors import Unsupported
from probe.explainers import KernelShap, Saliency, SmoothGrad
from probe.method import param
from probe.metrics import RankStability, SeedStability
from probe.metrics.seed_stability import _variances

SOURCE = torch.Generator().manual_seed(0)
WEIGHT = torch.randn(8, 3, generator=SOURCE, dtype=torch.float64)
INPUTS = torch.randn(5, 8, generator=SOURCE, dtype=torch.float64)
SPACE = Space(bounds=(-4, 4), reference=torch.zeros(1, 8, dtype=torch.float64))
LINEAR = Model(forward=lambda x: x @ WEIGHT, space=SPACE)
CURVED = Model(forward=lambda x: torch.tanh(x) @ WEIGHT, space=SPACE)
ASKED = []


@dataclass(frozen=True, kw_only=True)
class Digits(Explainer):
    """Values that depend on the last digits of the input, and are noted."""

    def attribute(self, model, inputs, targets):
        ASKED.append(torch.sin(1e6 * inputs**2))
        return ASKED[-1]


@dataclass(frozen=True, kw_only=True)
class Drawn(Explainer):
    """The gradient, with so much noise of its seed."""

    noise: float = param(1.0, "standard deviation of the noise")
    seed: int = param(0, "seed of the noise", low=0)

    def attribute(self, model, inputs, targets):
        drawn = torch.randn(8, generator=torch.Generator().manual_seed(self.seed), dtype=torch.float64)
        slope = Saliency().attribute(model, inputs, targets) if self.noise < 9 else 0 * inputs
        return slope + self.noise * drawn


def test_rank_stability_is_the_mean_rank_correlation_with_the_copies():
    assert RankStability()(LINEAR, Saliency()(LINEAR, INPUTS)).value == 1
    ASKED.clear()
    found = Digits()(CURVED, INPUTS)
    evidence = RankStability(samples=6)(CURVED, found).evidence
    own, copies = ASKED[0], torch.cat(ASKED[1:]).view(6, 5, 8)
    by_hand = [sum(spearmanr(own[row], copies[at, row])[0] for at in range(6)) / 6 for row in range(5)]
    assert_close(evidence[:, 0].double(), torch.tensor(by_hand, dtype=torch.float64), atol=1e-6, rtol=0)
    assert torch.equal(evidence[:, 1:], torch.tensor([0.0, 1.0]).expand(5, 2))


def test_steady_values_score_higher_than_noise_which_is_as_random():
    many = torch.randn(60, 8, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    assert RankStability()(CURVED, Saliency()(CURVED, many)).interval()[0] > 0.5
    low, high = RankStability()(CURVED, Digits()(CURVED, many)).interval(level=0.99)
    assert low < 0 < high
    nothing = Attribution(INPUTS * 0, INPUTS, CURVED.predict(INPUTS), Saliency(), SPACE)
    assert not RankStability()(CURVED, nothing).evidence.any()


def test_seed_stability_is_the_variance_between_seeds_against_that_of_shuffled_values():
    found = Drawn(noise=1.0, seed=4)(CURVED, INPUTS)
    scores = SeedStability(seeds=3)(CURVED, found)
    draws = torch.stack([Drawn(noise=1.0, seed=4 + more)(CURVED, INPUTS).values for more in range(3)])
    source = torch.Generator().manual_seed(0)
    shuffled = [
        torch.stack([each[:, torch.randperm(8, generator=source)] for each in draws]).var(0).mean(1)
        for _ in range(4000)
    ]
    expected = draws.var(0).mean(1) / torch.stack(shuffled).mean(0)
    assert_close(scores.evidence[:, 0], expected, rtol=0.02, atol=0)
    assert scores.value == pytest.approx(1 - float(scores.evidence[:, 0].mean()))


def test_a_method_whose_draw_says_nothing_scores_0_and_one_whose_draw_changes_nothing_1():
    only = [SeedStability(seeds=8)(CURVED, Drawn(noise=9.0, seed=50 * at)(CURVED, INPUTS[:1])) for at in range(10)]
    assert abs(sum(scores.value for scores in only) / 10) < 0.1
    assert SeedStability()(LINEAR, SmoothGrad(draws=3)(LINEAR, INPUTS)).value == pytest.approx(1)
    assert SeedStability()(CURVED, KernelShap()(CURVED, INPUTS)).value == 1  # all coalitions
    few, many = (Drawn(noise=noise)(CURVED, INPUTS) for noise in (0.1, 0.5))
    assert 1 > SeedStability()(CURVED, few).value > SeedStability()(CURVED, many).value > 0


def test_evidence_does_not_depend_on_the_batch():
    found = Drawn()(CURVED, INPUTS)
    for metric in (SeedStability(), RankStability()):
        alone = torch.cat([metric(CURVED, found[at]).evidence for at in range(5)])
        assert_close(alone, metric(CURVED, found).evidence)


def test_what_has_no_seed_is_refused():
    found = Saliency()(CURVED, INPUTS)
    assert not SeedStability().suits(found)
    with pytest.raises(Unsupported, match="seed_stability compares the seeds of a method, and saliency draws nothing"):
        SeedStability()(CURVED, found)


def test_a_feature_without_any_value_is_not_counted():
    draws = torch.randn(4, 3, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    empty = torch.cat([draws, torch.zeros(4, 3, 2, dtype=torch.float64)], 2)
    for alone, found in zip(_variances(draws), _variances(empty), strict=True):
        torch.testing.assert_close(found, alone)
