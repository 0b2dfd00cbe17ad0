"""What a forward returned: logits, or a sentence that names what it is instead, and how to mend it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from probe.errors import ForwardError, ProbeError, ShapeError
from probe.shapes import Logits

# As torch names the steps that it records.
SHAPES = ("View", "Reshape", "UnsafeView", "Squeeze", "Unsqueeze", "Clone", "Transpose", "TBackward", "Permute")
LINEAR = ("Addmm", "Mm", "Addbmm", "Bmm", "Linear", "Convolution", "MkldnnConvolution")
DISTINCT = 8  # rows with different answers, after which numbers from 0 to 1 are no accident


def check_answer(answer: Any, rows: int, classes: Sequence[str]) -> Logits:
    """The answer, after checking that it is a floating tensor (rows, classes) with at least two classes.

    Raises:
        ShapeError: with what was returned, and what to return.
    """
    count = len(classes)
    expected = f"expected ({rows}, {count or 'classes'}): one logit for each class"
    if not isinstance(answer, Tensor):
        raise ShapeError(f"forward returned {_other(answer, rows)}, {expected}")
    found = f"forward returned {tuple(answer.shape)}, {expected}"
    if answer.layout != torch.strided or answer.is_nested:
        raise ShapeError(f"forward returned a tensor without strides ({answer.layout}), {expected}; add .to_dense()")
    if answer.ndim == 0:
        raise ShapeError(f"{found}; a single number, such as a loss, says nothing of each row")
    if answer.ndim == 1 and rows == 1 and len(answer) > 1:
        raise ShapeError(
            f"{found}; for a single row the model leaves out the batch: take out its squeeze(), or return "
            f"logits.reshape(len(x), {count or -1})"
        )
    if len(answer) != rows:
        raise ShapeError(f"{found}; {_rows(answer, rows)}")
    if not answer.is_floating_point():
        raise ShapeError(
            f"forward returned {answer.dtype}, expected logits in a floating type: one logit for each class, "
            "not the number of a class; return the scores that argmax was taken of"
        )
    if answer.ndim > 2 and answer[0].numel() == answer.shape[1]:
        raise ShapeError(f"{found}; return logits.flatten(1)")
    if answer.ndim > 2:
        raise ShapeError(f"{found}; {_places(answer, count)}")
    if answer.numel() == rows:
        raise ShapeError(f"{found}; {_single(answer, count)}")
    if answer.shape[1] == 0:
        raise ShapeError(f"{found}; there is no number in it")
    if count and answer.shape[1] != count:
        raise ShapeError(f"{found}: {', '.join(classes)}")
    return answer


def check_finite(logits: Logits, inputs: Tensor) -> None:
    """Raise unless all logits are numbers."""
    if bool(logits.isfinite().all()):
        return
    if inputs.is_floating_point() and not bool(inputs.isfinite().all()):
        raise ForwardError(
            "forward returned NaN or infinity for inputs that hold some: a missing value that the model does not take, "
            "or a step along a gradient that is not finite, as that of sqrt is at 0; fill in what is missing, or use a "
            "method that needs only answers"
        )
    raise ProbeError("forward returned NaN or infinity for finite inputs; the weights may be damaged")


def are_probabilities(logits: Logits) -> bool:
    """Whether each row is positive and sums to 1, also as rounded by a softmax in half precision."""
    wide = logits.float() if logits.dtype.itemsize < 4 else logits
    return bool(wide.min() >= 0) and bool(((wide.sum(-1) - 1).abs() < 2e-3).all())


def refuse_probabilities() -> ProbeError:
    """What is said of a softmax."""
    return ProbeError(
        "forward returns probabilities (rows are positive and sum to 1), expected logits; "
        "drop the final softmax, or return torch.log(p.clamp(min=1e-12)), or wrap a black box by "
        "probe.from_predict_proba; if they are logits all the same, add a constant to them: return logits + 1"
    )


def within_one(logits: Logits) -> bool:
    """Whether each number is one from 0 to 1, as of a sigmoid."""
    return bool(logits.min() >= 0) and bool(logits.max() <= 1)


def are_distinct(logits: Logits) -> bool:
    """Whether these are the answers to so many different rows that what they share is no accident."""
    return len(logits) >= DISTINCT and len(torch.unique(logits, dim=0)) >= DISTINCT


def ends_linear(answer: Tensor) -> bool:
    """Whether torch recorded a matrix product, or a convolution, as the last step but for changes of shape."""
    step: Any = answer.grad_fn
    while step is not None and step.name().startswith(SHAPES) and step.next_functions:
        step = step.next_functions[0][0]
    return step is not None and step.name().startswith(LINEAR)


def refuse_sigmoids() -> ProbeError:
    """What is said of sigmoids that do not sum to 1."""
    return ProbeError(
        f"forward returns numbers from 0 to 1 alone for {DISTINCT} rows and more, which looks like sigmoids of single "
        "labels, of which several can be true at once; drop the final sigmoid and study one label at a time: for label "
        "k return torch.stack([-z[:, k] / 2, z[:, k] / 2], 1), with two classes; if they are logits of classes all the "
        "same, add a constant to them: return logits + 2"
    )


def _other(answer: Any, rows: int) -> str:
    """What was returned in place of a tensor, and what to return."""
    kind = type(answer).__name__
    kind = f"{'an' if kind[:1].lower() in 'aeiou' else 'a'} {kind}"
    if answer is None:
        return "None (is its `return` missing?)"
    if isinstance(getattr(answer, "logits", None), Tensor):
        return f"{kind} (return its .logits)"
    if isinstance(answer, Mapping):
        fitting = [key for key, value in answer.items() if _fits(value, rows)]
        if "logits" in answer or len(fitting) == 1:
            return f"{kind} (return its [{('logits' if 'logits' in answer else fitting[0])!r}])"
        return f"{kind} with {', '.join(map(repr, list(answer)[:5]))} (return the one that holds the logits)"
    if isinstance(answer, list | tuple):
        return f"{kind} ({_several(answer, rows)})"
    if isinstance(answer, np.ndarray):
        return f"{kind} (return torch.from_numpy(...) of logits; probabilities go through probe.from_predict_proba)"
    if hasattr(answer, "to_numpy"):
        return f"{kind} (return torch.from_numpy(frame.to_numpy()) of logits)"
    return f"{kind} (return a tensor)"


def _several(answer: list[Any] | tuple[Any, ...], rows: int) -> str:
    fitting = [at for at, part in enumerate(answer) if _fits(part, rows)]
    if fitting:
        return "return its first, outputs[0]" if fitting[0] == 0 else f"return its outputs[{fitting[0]}]"
    if len(answer) == rows and all(isinstance(part, Tensor) and part.ndim == 1 for part in answer):
        return "return torch.stack(outputs)"
    if answer and not any(isinstance(part, Tensor) for part in answer):
        return "return torch.tensor(outputs)"
    return "return the one that holds the logits, such as its first, outputs[0]"


def _fits(value: Any, rows: int) -> bool:
    return (
        isinstance(value, Tensor)
        and value.is_floating_point()
        and value.ndim == 2
        and value.shape[0] == rows
        and value.shape[1] > 1
    )


def _rows(answer: Tensor, rows: int) -> str:
    if answer.ndim == 2 and answer.shape[1] == rows:
        return "rows and classes are the other way round: return logits.T"
    return f"it answers {len(answer)} rows for {rows}, so it averages over rows, leaves some out or takes them apart"


def _places(answer: Tensor, count: int) -> str:
    """What to do about an answer for each place of an image, or each token of a text."""
    if answer.ndim > 3:
        return (
            "an answer for each place, as of a segmentation; study a place, or their mean: return "
            f"logits.mean({tuple(range(2, answer.ndim))})"
        )
    if answer.shape[1] == 1:
        return "return logits[:, 0]"
    axis = 2 if count == answer.shape[1] and count != answer.shape[2] else 1
    return f"an answer for each place or token; study one, or their mean: return logits.mean({axis})"


def _single(answer: Tensor, count: int) -> str:
    """What to do about one number for each row."""
    if count > 2:
        return f"one number for each row, and {count} classes need as many"
    code = "torch.stack([-z/2, z/2], 1)" if answer.ndim == 1 else "torch.cat([-z/2, z/2], 1)"
    logit = f"if it is a logit z, return {code}"
    probability = f"if it is a probability p, as of a sigmoid, let z = torch.logit(p, 1e-7) and return {code}"
    values = answer.detach()
    likely = (probability, logit) if bool(values.min() >= 0) and bool(values.max() <= 1) else (logit, probability)
    return f"one number for each row: {'; '.join(likely)}; if it is a regression, it has no classes, which probe needs"
