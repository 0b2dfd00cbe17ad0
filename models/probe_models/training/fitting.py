"""Does a network fit its training rows too closely, or not closely enough?"""

from collections.abc import Sequence
from dataclasses import dataclass

from probe_models.training.metrics import Line

# Engineering choices: parts of the validation loss of the kept epoch, or of that of the untrained network.
WIDE, RISEN = 0.25, 0.05
LEARNED, SETTLED = 0.05, 0.02
RECENT = 0.25  # the part of all epochs that shows whether the loss was still falling
# What as many epochs again would take off the loss at the pace of the last ones, as a part of it.
FALLING, LITTLE = 0.035, 0.01


@dataclass(frozen=True)
class Fitting:
    """A verdict on the learning curve, and why. Losses are of rows as they are, in eval mode."""

    verdict: str  # overfitting, underfitting, or neither
    gap: float  # validation loss minus training loss at the kept epoch
    reason: str


def fitting(lines: Sequence[Line], best: int, untrained: float) -> Fitting:
    """Judge the curve of a run whose epoch number `best` was kept, and whose validation loss began at `untrained`.

    Overfitting: the validation loss is above the training loss by more than a quarter of itself, or has risen by more
    than a twentieth since while the training loss fell. Underfitting: neither, and it is hardly below that of the
    untrained network, or was still falling while there was a fiftieth left of where it began. It is falling if as many
    epochs again would lower it by more than 3.5 % at the pace of the last quarter of the epochs. The pace is that of
    the lowest loss so far, as single epochs go up and down. A rate that falls to 0 slows it down too, so a curve tells
    that a longer run would change little only where the pace is below 1 %.
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
    over, under, neither = "overfitting", "underfitting", "neither"
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
            neither,
            "both losses rose after the kept epoch, which a lower learning rate or fewer epochs may help",
        ),
        (pace > FALLING, under, fell),
        (count == 1, neither, "the training loss is close, and one epoch does not tell what more would change"),
        (pace > LITTLE, neither, f"the training loss is close, and {fell}: more epochs may lower it"),
        (True, neither, "the training loss is close, and more epochs change little"),
    )
    verdict, reason = next((verdict, reason) for holds, verdict, reason in rules if holds)
    return Fitting(verdict, gap, reason)


def _fallen(losses: Sequence[float], recent: int) -> float:
    """By which part of itself the lowest loss so far fell over the last `recent` epochs."""
    if recent >= len(losses):
        return 0.0
    before = min(losses[:-recent])
    return max(0.0, before - min(losses)) / (abs(before) or 1.0)
