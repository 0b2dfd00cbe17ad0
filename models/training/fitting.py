"""Does a network fit its training rows too closely, or not closely enough?"""

from collections.abc import Sequence
from dataclasses import dataclass

from models.training.metrics import Line

# Engineering choices: parts of the validation loss of the kept epoch, or of that of the untrained network.
WIDE, RISEN, FALLING = 0.25, 0.05, 0.02
LEARNED, SETTLED = 0.05, 0.02
RECENT = 0.1  # the part of all epochs that shows whether the loss was still falling


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
    untrained network, or was still falling by more than a fiftieth over the last tenth of the epochs while there was
    a fiftieth left of where it began.
    """
    kept, last = lines[best - 1], lines[-1]
    earlier = lines[max(0, len(lines) - 1 - max(1, round(RECENT * len(lines))))]
    loss, began = kept["validation_loss"], abs(untrained)
    size = abs(loss) or 1.0
    gap, learned = loss - kept["training_loss"], untrained - loss
    risen, fallen = last["validation_loss"] - loss, earlier["validation_loss"] - last["validation_loss"]
    by_heart, unfinished = last["training_loss"] < kept["training_loss"], learned < (1 - SETTLED) * began
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
            "both losses rose after the kept epoch, which a lower rate or fewer epochs may mend",
        ),
        (
            best == len(lines) > 1 and fallen > FALLING * size and unfinished,
            under,
            f"the validation loss still fell by {fallen / size:.0%} over the last epochs",
        ),
        (len(lines) == 1, neither, "the training loss is close, and one epoch does not tell what more would change"),
        (True, neither, "the training loss is close, and more epochs change little"),
    )
    verdict, reason = next((verdict, reason) for holds, verdict, reason in rules if holds)
    return Fitting(verdict, gap, reason)
