"""Max-sensitivity: constant gradients, captum's answer for the same copies, and what cannot be moved a little."""

from dataclasses import dataclass

import pytest
import torch
from torch.testing import assert_close

from probe import Attribution, Explainer, Model, Space
from probe.errors import Unsupported
from probe.explainers import Saliency
from probe.metrics import MaxSensitivity

SOURCE = torch.Generator().manual_seed(0)
WEIGHT = torch.randn(8, 3, generator=SOURCE, dtype=torch.float64)
INPUTS = torch.randn(5, 8, generator=SOURCE, dtype=torch.float64)
SCALE = torch.linspace(0.5, 2, 8, dtype=torch.float64)
SPACE = Space(bounds=(-4, 4), scale=SCALE, reference=torch.zeros(1, 8, dtype=torch.float64))
CURVED = Model(forward=lambda x: torch.tanh(x) @ WEIGHT, space=SPACE)
ASKED = []


@dataclass(frozen=True, kw_only=True)
class Noted(Explainer):
    """The gradient, after taking note of the inputs."""

    def attribute(self, model, inputs, targets):
        ASKED.append(inputs)
        return Saliency().attribute(model, inputs, targets)


@dataclass(frozen=True, kw_only=True)
class Noise(Explainer):
    """Values that depend on the last digits of the input."""

    def attribute(self, model, inputs, targets):
        return torch.sin(1e6 * inputs)


def test_a_constant_explanation_is_best_and_noise_is_as_random():
    linear = Model(forward=lambda x: x @ WEIGHT, space=SPACE)
    assert MaxSensitivity()(linear, Saliency()(linear, INPUTS)).value == 1
    assert MaxSensitivity()(CURVED, Saliency()(CURVED, INPUTS)).interval()[0] > 0.5
    many = torch.randn(100, 8, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    assert abs(MaxSensitivity()(CURVED, Noise()(CURVED, many)).value) < 0.25


def test_it_equals_captums_for_the_same_copies():
    from captum.metrics import sensitivity_max

    ASKED.clear()
    found = Noted()(CURVED, INPUTS)
    own = MaxSensitivity(samples=6)(CURVED, found).evidence[:, 0]
    copies = ASKED[-1].view(6, 5, 8)
    moved = (copies - INPUTS).abs() / SCALE
    assert 0.01 < moved.max() <= 0.02
    assert copies.abs().max() <= 4
    together = copies.transpose(0, 1).flatten(0, 1)

    def explained(inputs):
        x = inputs[0]
        return (Saliency()(CURVED, x, found.targets.repeat_interleave(len(x) // 5)).values,)

    theirs = sensitivity_max(explained, INPUTS, lambda x: (together,), n_perturb_samples=6)
    assert_close(own, theirs)


def test_evidence_depends_neither_on_the_batch_nor_on_the_pass(monkeypatch):
    found = Saliency()(CURVED, INPUTS)
    together = MaxSensitivity()(CURVED, found).evidence
    assert_close(torch.cat([MaxSensitivity()(CURVED, found[at]).evidence for at in range(5)]), together)
    monkeypatch.setattr("probe.tensors.COORDINATES", {"cpu": 25})
    assert_close(MaxSensitivity()(CURVED, found).evidence, together)


def test_an_explanation_of_nothing_counts_for_nothing():
    nothing = Attribution(INPUTS * 0, INPUTS, CURVED.predict(INPUTS), Saliency(), SPACE)
    assert not MaxSensitivity()(CURVED, nothing).evidence.any()


def test_token_ids_are_refused():
    table = torch.randn(7, 3, generator=torch.Generator().manual_seed(0))
    model = Model(forward=lambda x: x.sum(1), embed=lambda ids: table[ids], space=Space(bounds=(0, 6)))
    found = Saliency()(model, torch.tensor([[1, 2, 3]]))
    assert not MaxSensitivity().suits(found)
    with pytest.raises(Unsupported, match="these are token ids; measure explanations of numbers"):
        MaxSensitivity()(model, found)
