import math

import pytest
import torch
import torch.nn.functional as F
from probe_models.training.losses import LOSSES, shares

RANDOM = torch.Generator().manual_seed(0)
LOGITS = torch.randn(6, 3, generator=RANDOM)
LABELS = torch.tensor([0, 1, 2, 0, 0, 1])
ONE_HOT = F.one_hot(LABELS, 3).float()
WEIGHTS = torch.tensor([1.0, 2.0, 5.0])


def mean(name, logits, targets, weights, smoothing):
    """The loss of all rows: the sum of theirs over what they count."""
    return LOSSES[name](logits, targets, weights, smoothing).sum() / shares(targets, weights).sum()


EACH = pytest.mark.parametrize("name", LOSSES)


def test_losses_have_known_values():
    even, label = torch.zeros(1, 4), torch.tensor([2])
    assert mean("cross-entropy", even, label, None, 0.0).item() == pytest.approx(math.log(4))
    assert mean("mse", even, label, None, 0.0).item() == pytest.approx((0.75**2 + 3 * 0.25**2) / 4)
    assert mean("bce", even, label, None, 0.0).item() == pytest.approx(math.log(2))


def test_smoothed_cross_entropy_has_its_known_value():
    # p = (3/4, 1/4) and the target (0.9, 0.1) instead of (1, 0).
    logits = torch.tensor([[math.log(3.0), 0.0]])
    found = mean("cross-entropy", logits, torch.tensor([0]), None, 0.2).item()
    assert found == pytest.approx(-0.9 * math.log(0.75) - 0.1 * math.log(0.25))


def test_losses_equal_those_of_torch():
    torch.testing.assert_close(
        mean("cross-entropy", LOGITS, LABELS, WEIGHTS, 0.1),
        F.cross_entropy(LOGITS, LABELS, WEIGHTS, label_smoothing=0.1),
    )
    torch.testing.assert_close(mean("mse", LOGITS, LABELS, None, 0.0), F.mse_loss(LOGITS.softmax(1), ONE_HOT))
    torch.testing.assert_close(
        mean("bce", LOGITS, LABELS, None, 0.0), F.binary_cross_entropy_with_logits(LOGITS, ONE_HOT)
    )


@EACH
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["even", "weighted"])
def test_labels_and_their_one_hot_targets_are_the_same(name, weights, smoothing):
    labels, targets = (mean(name, LOGITS, t, weights, smoothing) for t in (LABELS, ONE_HOT))
    torch.testing.assert_close(labels, targets)


@EACH
def test_smoothing_is_the_loss_of_smoothed_targets(name):
    smooth = 0.7 * ONE_HOT + 0.1
    torch.testing.assert_close(mean(name, LOGITS, LABELS, None, 0.3), mean(name, LOGITS, smooth, None, 0.0))


@EACH
def test_weights_scale_the_gradient_of_a_row_by_its_class(name):
    logits = LOGITS.clone().requires_grad_()
    (plain,) = torch.autograd.grad(mean(name, logits, LABELS, None, 0.0), logits)
    (weighted,) = torch.autograd.grad(mean(name, logits, LABELS, WEIGHTS, 0.0), logits)
    rows = WEIGHTS[LABELS]
    torch.testing.assert_close(weighted, plain * rows[:, None] * len(rows) / rows.sum())
