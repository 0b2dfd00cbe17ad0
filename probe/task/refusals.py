"""Messages for outputs that do not have the shape that a task expects: what was found, and a remedy.

Functions take numpy arrays or torch tensors with one row per example.
"""

from math import prod
from typing import Any

SAY = "or say what it is: task="


def columns(outputs: Any, count: int) -> str:
    """The remedy for outputs that are not (rows, classes) with at least two columns; empty if they are."""
    width = prod(outputs.shape[1:])
    if outputs.ndim > 2 and width == outputs.shape[1]:
        return "return logits.flatten(1)"
    if outputs.ndim > 2:
        return _places(outputs, count)
    if width == 1:
        return _single(outputs, count)
    return "there is no number in it" if width == 0 else ""


def _single(outputs: Any, count: int) -> str:
    """The remedy for one number per row."""
    if count > 2:
        return f"one number for each row, and {count} classes need as many"
    code = "torch.stack([-z/2, z/2], 1)" if outputs.ndim == 1 else "torch.cat([-z/2, z/2], 1)"
    logit = f"if it is a logit z, return {code}, {SAY}Classification(outputs='one logit')"
    probability = (
        f"if it is a probability p, as of a sigmoid, let z = torch.logit(p, 1e-7) and return {code}, "
        f"{SAY}Classification(outputs='one probability')"
    )
    unsure = bool(outputs.min() >= 0) and bool(outputs.max() <= 1)
    likely = (probability, logit) if unsure else (logit, probability)
    return (
        f"one number for each row: {'; '.join(likely)}; if it is a regression, say so: task=Regression(); a plan says "
        'in [model] task = "regression", or outputs = "one logit" or "one probability"'
    )


def _places(outputs: Any, count: int) -> str:
    """The remedy for one answer per pixel or token."""
    if outputs.ndim > 3:
        return (
            "an answer for each place, as of a segmentation; study a place, or their mean: return "
            f"logits.mean({tuple(range(2, outputs.ndim))}); or return logits.flatten(2).mT, and {SAY[3:]}Places()"
        )
    if outputs.shape[1] == 1:
        return "return logits[:, 0]"
    last = count == outputs.shape[1] and count != outputs.shape[2]
    turned = "return logits.mT, and " if last else ""
    return (
        f"an answer for each place or token; study one, or their mean: return logits.mean({2 if last else 1}); or "
        f"{turned}{SAY[3:]}Places()"
    )
