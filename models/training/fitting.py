"""Does a network fit its training rows too closely, or not closely enough?"""

from collections.abc import Sequence
from dataclasses import dataclass

from models.training.metrics import Line

# Engineering choices: parts of the validation loss of the kept epoch.
WIDE, RISEN, FALLING = 0.25, 0.05, 0.02
RECENT = 0.1  # the part of all epochs that shows whether the loss was still falling


@dataclass(frozen=True)
class Fitting:
    """A verdict on the learning curve, and why. Losses are of rows as they are, in eval mode."""

    verdict: str  # overfitting, underfitting, or neither
    gap: float  # validation loss minus training loss at the kept epoch
    reason: str


def fitting(lines: Sequence[Line], best: int) -> Fitting:
    """Judge the curve of a run whose epoch number `best` was kept.

    Overfitting: the validation loss is above the training loss by more than a quarter of itself, or has risen by more
    than a twentieth since. Underfitting: neither, and it was still falling by more than a fiftieth over the last tenth
    of the epochs.
    """
    kept, last = lines[best - 1], lines[-1]
    loss = kept["validation_loss"]
    size = abs(loss) or 1.0
    gap, risen = loss - kept["training_loss"], last["validation_loss"] - loss
    if gap > WIDE * size:
        verdict = "overfitting", f"the validation loss lies {gap / size:.0%} of itself above the training loss"
    elif risen > RISEN * size:
        verdict = "overfitting", f"the validation loss rose by {risen / size:.0%} after the kept epoch"
    else:
        earlier = lines[max(0, len(lines) - 1 - max(1, round(RECENT * len(lines))))]
        fall = earlier["validation_loss"] - last["validation_loss"]
        if best == len(lines) > 1 and fall > FALLING * size:
            verdict = "underfitting", f"the validation loss still fell by {fall / size:.0%} over the last epochs"
        else:
            more = "more epochs change little" if len(lines) > 1 else "one epoch does not tell what more would change"
            verdict = "neither", f"the training loss is close, and {more}"
    return Fitting(verdict[0], gap, verdict[1])
