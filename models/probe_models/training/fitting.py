"""Overfitting and underfitting, from the learning curve."""

from collections.abc import Sequence
from dataclasses import dataclass

from probe_models.training.metrics import Line

# Engineering choices: fractions of the validation loss of the kept epoch, or of the untrained network.
WIDE, RISEN = 0.25, 0.05
LEARNED, SETTLED = 0.05, 0.02
RECENT = 0.25  # fraction of all epochs that shows whether the loss was still falling
# Relative drop of the loss that twice the epochs would bring at the pace of the last ones.
FALLING, LITTLE = 0.035, 0.01


@dataclass(frozen=True)
class Fitting:
    """A verdict on the learning curve, with its reason. Losses are measured in eval mode without augmentation."""

    verdict: str  # overfitting, underfitting, good fit, losses rising, or undecided after one epoch
    gap: float  # validation loss minus training loss at the kept epoch
    reason: str


def fitting(lines: Sequence[Line], best: int, untrained: float) -> Fitting:
    """The verdict on a run that kept the epoch `best`, with the validation loss `untrained` before training.

    Overfitting: the validation loss exceeds the training loss by more than 25 % of itself, or rose by more than 5 %
    after the kept epoch while the training loss fell. Underfitting: not overfitting, and the loss is within 5 % of the
    untrained network's, or it was still falling and above 2 % of where it began. It is falling if twice the epochs
    would lower it by more than 3.5 % at the pace of the last quarter of the epochs. The pace is that of the lowest loss
    so far, as single epochs fluctuate. Learning rate decay lowers the pace too, so the curve shows that a longer run
    would change little only if the pace is below 1 %. Losses rising: both rose by more than 5 % after the kept epoch.
    Undecided: a single epoch. Good fit: anything else.
    """
    kept, last, count = lines[best - 1], lines[-1], len(lines)
    loss, began = kept["validation_loss"], abs(untrained)
    size = abs(loss) or 1.0
    gap, learned = loss - kept["training_loss"], untrained - loss
    risen = last["validation_loss"] - loss
    by_heart, unfinished = last["training_loss"] < kept["training_loss"], learned < (1 - SETTLED) * began
    recent = max(1, round(RECENT * count))
    fallen = _fallen([line["validation_loss"] for line in lines], recent)
    pace = fallen * count / recent if unfinished else 0.0
    fell = f"the validation loss still fell by {fallen:.1%} over the last {recent} of {count} epochs"
    over, under, good = "overfitting", "underfitting", "good fit"
    rules = (
        (gap > WIDE * size, over, f"the validation loss lies {gap / size:.0%} of itself above the training loss"),
        (
            risen > RISEN * size and by_heart,
            over,
            f"the validation loss rose by {risen / size:.0%} after the kept epoch, and the training loss fell",
        ),
        (learned < LEARNED * began, under, "the validation loss is hardly below that of the untrained network"),
        (
            risen > RISEN * size,
            "losses rising",
            "both losses rose after the kept epoch, which a lower learning rate or fewer epochs may help",
        ),
        (pace > FALLING, under, fell),
        (count == 1, "undecided", "the training loss is close, and one epoch does not tell what more would change"),
        (pace > LITTLE, good, f"the training loss is close, and {fell}: more epochs may lower it"),
        (True, good, "the training loss is close, and more epochs change little"),
    )
    verdict, reason = next((verdict, reason) for holds, verdict, reason in rules if holds)
    return Fitting(verdict, gap, reason)


def _fallen(losses: Sequence[float], recent: int) -> float:
    """The relative drop of the lowest loss so far over the last `recent` epochs."""
    if recent >= len(losses):
        return 0.0
    before = min(losses[:-recent])
    return max(0.0, before - min(losses)) / (abs(before) or 1.0)
