"""Checks of what a forward returned: logits, or a message that names what it is and a remedy."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from probe.errors import ForwardError, ProbeError, ShapeError
from probe.names import a_kind
from probe.task import Classification, Task

# Names of autograd nodes in torch.
SHAPES = ("View", "Reshape", "UnsafeView", "Squeeze", "Unsqueeze", "Clone", "Transpose", "TBackward", "Permute")
LINEAR = ("Addmm", "Mm", "Addbmm", "Bmm", "Linear", "Convolution", "MkldnnConvolution")
DISTINCT = 8  # number of distinct rows from which outputs in [0, 1] are no coincidence


def check_answer(answer: Any, rows: int, task: Task, part: str | int | None = None) -> Tensor:
    """The output, after checking that it is a floating tensor with one row per input and the task's shape.

    `part` is what was opened of it already.

    Raises:
        ShapeError: with what was returned and what to return.
    """
    expected = task.expects(rows)
    if not isinstance(answer, Tensor):
        raise ShapeError(f"forward returned {_other(answer, rows, part)}, {expected}")
    found = f"forward returned {tuple(answer.shape)}, {expected}"
    if answer.layout != torch.strided or answer.is_nested:
        raise ShapeError(f"forward returned a tensor without strides ({answer.layout}), {expected}; add .to_dense()")
    if answer.ndim == 0:
        raise ShapeError(f"{found}; a single number, such as a loss, has no value for each row")
    if answer.ndim == 1 and rows == 1 and len(answer) > 1:
        raise ShapeError(
            f"{found}; for a single row the model drops the batch dimension: remove its squeeze(), or return "
            f"logits.reshape(len(x), {len(task.names) or -1})"
        )
    if len(answer) != rows:
        raise ShapeError(f"{found}; {_rows(answer, rows)}")
    if not answer.is_floating_point():
        raise ShapeError(
            f"forward returned {answer.dtype}, expected a floating type: {expected.partition(': ')[2]}, "
            "not a class index; return the scores before argmax"
        )
    task.check(answer.detach())
    return answer


def opened(answer: Any, part: str | int) -> Any:
    """The part of a returned object that holds the outputs: an attribute, a key, or an index.

    A part of a part has dots in between, as in "decoder.0".

    Raises:
        ShapeError: if there is no such part.
    """
    if isinstance(part, str) and hasattr(answer, part):
        return getattr(answer, part)
    try:
        return answer[part]
    except (LookupError, TypeError, ValueError):
        pass
    outer, dot, inner = part.rpartition(".") if isinstance(part, str) else ("", "", "")
    if dot and outer and inner:
        return opened(opened(answer, outer), int(inner) if inner.isdecimal() and inner.isascii() else inner)
    there = list(answer) if isinstance(answer, Mapping) else len(answer) if isinstance(answer, list | tuple) else None
    holds = f" of {', '.join(map(repr, there[:8]))}" if isinstance(there, list) else f" of {there}" if there else ""
    raise ShapeError(f"forward returned {a_kind(answer)}{holds}, and part={part!r} is not one of them")


def check_finite(logits: Tensor, inputs: Tensor) -> None:
    """Raise if a logit is NaN or infinite."""
    if bool(logits.isfinite().all()):
        return
    if inputs.is_floating_point() and not bool(inputs.isfinite().all()):
        raise _not_finite(given=True)
    odd = (~logits.isfinite()).flatten(1).any(1)
    if bool(odd.all()):
        raise _not_finite(given=False)
    raise ProbeError(
        f"forward returned NaN or infinity for {int(odd.sum())} of {len(odd)} finite inputs, the first of these rows "
        f"is {int(odd.nonzero()[0])}; leave such rows out, or mend the step that overflows or divides by 0 there"
    )


class LateCheck:
    """A check for NaN that runs once at the end, as each check synchronises with an accelerator."""

    def __init__(self) -> None:
        self.open = True
        self._found: list[Tensor] = []  # whether any logit was NaN or infinite, and whether the inputs were

    def note(self, logits: Tensor, inputs: Tensor) -> None:
        """Record the state of an output without synchronising."""
        broken = ~logits.isfinite().all()
        given = ~inputs.isfinite().all() if inputs.is_floating_point() else torch.zeros_like(broken)
        found = torch.stack([broken, broken & given])
        self._found = [found | before for before in self._found] or [found]

    def end(self) -> None:
        """Raise if any recorded logit was NaN or infinite."""
        self.open = False
        broken, given = self._found.pop().tolist() if self._found else (False, False)
        if broken:
            raise _not_finite(given=given)


def _not_finite(*, given: bool) -> ProbeError:
    if given:
        return ForwardError(
            "forward returned NaN or infinity for inputs that hold some: a missing value that the model does not take, "
            "or a step along a gradient that is not finite, as that of sqrt is at 0; fill in what is missing, or use a "
            "method that needs no gradients"
        )
    return ProbeError("forward returned NaN or infinity for finite inputs; the weights may be damaged")


def check_values(outputs: Tensor, task: Task, cleared: set[str], is_linear: Callable[[], bool]) -> None:
    """Raise if the numbers cannot be logits. What an output rules out is added to `cleared` and not checked again.

    `is_linear` tells whether the last step is a linear layer; it is called only for numbers that look like sigmoids.
    """
    suspects = task.suspects - cleared
    if "softmax" in suspects:
        if are_probabilities(outputs):
            raise refuse_probabilities()
        cleared.add("softmax")
    if "sigmoid" in suspects:
        if not within_one(outputs):
            cleared.add("sigmoid")
        elif are_distinct(outputs):
            if not is_linear():
                raise refuse_sigmoids(task)
            cleared.add("sigmoid")


def are_probabilities(logits: Tensor) -> bool:
    """Whether each row is positive and sums to 1, up to the rounding of a softmax in half precision."""
    wide = logits.float() if logits.dtype.itemsize < 4 else logits
    return bool(wide.min() >= 0) and bool(((wide.sum(-1) - 1).abs() < 2e-3).all())


def refuse_probabilities() -> ProbeError:
    """The error for a softmax."""
    return ProbeError(
        "forward returns probabilities (rows are positive and sum to 1), expected logits; "
        "drop the final softmax, or return torch.log(p.clamp(min=1e-12)), or say what it is: "
        "task=Classification(outputs='probabilities'), or wrap a black box by probe.from_predict_proba; "
        "if they are logits all the same, add a constant to them: return logits + 1"
    )


def within_one(logits: Tensor) -> bool:
    """Whether each number is in [0, 1], as after a sigmoid."""
    return bool(logits.min() >= 0) and bool(logits.max() <= 1)


def are_distinct(logits: Tensor) -> bool:
    """Whether there are enough distinct rows that what they share is no coincidence."""
    return len(logits) >= DISTINCT and len(torch.unique(logits, dim=0)) >= DISTINCT


def ends_linear(answer: Tensor) -> bool:
    """Whether autograd recorded a matrix product or a convolution as the last step, apart from reshaping."""
    step: Any = answer.grad_fn
    while step is not None and step.name().startswith(SHAPES) and step.next_functions:
        step = step.next_functions[0][0]
    return step is not None and step.name().startswith(LINEAR)


def refuse_sigmoids(task: Task) -> ProbeError:
    """The error for outputs in [0, 1] instead of logits."""
    found = f"forward returns numbers from 0 to 1 alone for {DISTINCT} rows and more, which looks like "
    same = "if they are logits all the same, add a constant to them: return logits + 2"
    if not isinstance(task, Classification):
        return ProbeError(
            f"{found}sigmoids; drop the final sigmoid, or say what they are: outputs='probabilities'; {same}"
        )
    if task.outputs == "one logit":
        return ProbeError(
            f"{found}a sigmoid; drop it, or say what it is: task=Classification(outputs='one probability'); {same}"
        )
    return ProbeError(
        f"{found}sigmoids of single labels, of which several can be true at once; say what they are: "
        "task=MultiLabel(labels, outputs='probabilities'), or drop the final sigmoid and study one label at a time: "
        "for label k return torch.stack([-z[:, k] / 2, z[:, k] / 2], 1), with two classes; if they are logits of "
        "classes all the same, add a constant to them: return logits + 2"
    )


def _other(answer: Any, rows: int, part: str | int | None) -> str:
    """What was returned instead of a tensor, and what to return."""
    kind = a_kind(answer)
    if answer is None:
        return "None (is its `return` missing?)"
    if isinstance(getattr(answer, "logits", None), Tensor):
        return f"{kind} (return its .logits, or say {_path(part, 'logits')})"
    if isinstance(answer, Mapping):
        fitting = [key for key, value in answer.items() if _holds(value, rows)]
        if "logits" in answer or len(fitting) == 1:
            return f"{kind} ({_inside(answer, 'logits' if 'logits' in answer else fitting[0], rows, part)})"
        return f"{kind} with {', '.join(map(repr, list(answer)[:5]))} (return the one that holds the logits)"
    if isinstance(answer, list | tuple):
        return f"{kind} ({_several(answer, rows, part)})"
    if isinstance(answer, np.ndarray):
        return f"{kind} (return torch.from_numpy(...) of logits; probabilities go through probe.from_predict_proba)"
    if hasattr(answer, "to_numpy"):
        return f"{kind} (return torch.from_numpy(frame.to_numpy()) of logits)"
    return f"{kind} (return a tensor)"


def _path(part: str | int | None, *more: Any) -> str:
    """The keyword that opens a part, inside of the one that is opened already."""
    every = more if part is None else (part, *more)
    return f"part={every[0]!r}" if len(every) == 1 else f"part={'.'.join(map(str, every))!r}"


def _inside(answer: Mapping[Any, Any], key: Any, rows: int, part: str | int | None) -> str:
    """Which entry to return, or the first of it that is a tensor, where it is a tuple itself."""
    held = answer[key]
    fitting = [at for at, each in enumerate(held) if _fits(each, rows)] if isinstance(held, list | tuple) else []
    if fitting:
        return f"return its [{key!r}][{fitting[0]}], or say {_path(part, key, fitting[0])}"
    return f"return its [{key!r}], or say {_path(part, key)}"


def _several(answer: list[Any] | tuple[Any, ...], rows: int, part: str | int | None) -> str:
    fitting = [at for at, each in enumerate(answer) if _fits(each, rows)]
    if fitting:
        which = "first, outputs[0]" if fitting[0] == 0 else f"outputs[{fitting[0]}]"
        return f"return its {which}, or say {_path(part, fitting[0])}"
    if len(answer) == rows and all(isinstance(part, Tensor) and part.ndim == 1 for part in answer):
        return "return torch.stack(outputs)"
    if answer and not any(isinstance(part, Tensor) for part in answer):
        return "return torch.tensor(outputs)"
    return "return the one that holds the logits, such as its first, outputs[0]"


def _holds(value: Any, rows: int) -> bool:
    return _fits(value, rows) or (isinstance(value, list | tuple) and any(_fits(each, rows) for each in value))


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
        return "rows and classes are transposed: return logits.T"
    return f"it answers {len(answer)} rows for {rows}, so it averages over rows, drops some or splits them"
