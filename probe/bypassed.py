"""Steps of which the gradient is useless, such as a rounding: gradients pass them by (BPDA, arXiv:1802.00420)."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from probe.errors import DataError, ShapeError
from probe.names import Passed, a_kind

Step = Callable[[Tensor], Tensor]


def passing(step: Passed[Step], *, backward: Passed[Step | None] = None) -> nn.Module:
    """A step of a network whose gradient is that of another function (BPDA, Athalye et al. 2018, arXiv:1802.00420).

    Forward it is the step, to the bit. An attack on a model with a defence that rounds, codes or sorts gets no gradient
    of it, and says too little: put this in its place, and what the attack finds holds for the defence itself.

    Args:
        step: from inputs (batch, ...) to outputs; it may be without gradients.
        backward: a smooth function near the step, of the same shapes, whose gradient is taken at the same inputs; None:
            the identity, for a step that changes its inputs little and keeps their shape.

    Returns:
        A module in eval mode, to stand in a network or before one; a module among the two keeps its weights in it.

    Raises:
        DataError: unless both are functions or modules; from a call, where the step returns no tensor.
        ShapeError: from a call, where the two outputs differ in shape.

    >>> import torch
    >>> from probe import Model, passing
    >>> from probe.attacks import PGD
    >>> rounded, linear = lambda x: (4 * x).round() / 4, lambda x: 4 * torch.cat([x, 1 - x], 1)
    >>> x, label, attack = torch.tensor([[0.8]]), torch.tensor([0]), PGD(eps=0.45)
    >>> attack(Model(forward=lambda x: linear(rounded(x))), x, label).success
    tensor([False])
    >>> step = passing(rounded)
    >>> attack(Model(forward=lambda x: linear(step(x))), x, label).success
    tensor([True])
    """
    for name, given in {"step": step, "backward": backward}.items():
        if not callable(given) and (given is not None or name == "step"):
            raise DataError(
                f"{name} is {a_kind(given)}, expected a function of inputs; write passing(lambda x: x.round())"
            )
    return _Passing(step, backward)


class _Passing(nn.Module):
    """The step forward, another function backward."""

    def __init__(self, step: Step, backward: Step | None) -> None:
        super().__init__()
        self.step, self.smooth = step, backward
        self.training = False  # its own mode alone: modules in it keep theirs

    def forward(self, inputs: Tensor) -> Tensor:
        passed: Tensor = _Bypass.apply(inputs, self.step, self.smooth)  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return passed


class _Bypass(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, step: Step, smooth: Step | None) -> Tensor:
        ctx.save_for_backward(inputs)
        ctx.smooth = smooth
        answer = step(inputs.clone())  # it may work in place
        if not isinstance(answer, Tensor):
            raise DataError(
                f"the step returned {a_kind(answer)}, expected a tensor; write passing(lambda x: x.round())"
            )
        if smooth is None and answer.shape != inputs.shape:
            raise ShapeError(
                f"the step returned {tuple(answer.shape)} for inputs {tuple(inputs.shape)}, and gradients pass it only "
                "where the shape stays; give passing(step, backward=a smooth function of the same shapes)"
            )
        return answer

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, None, None]:
        (gradient,) = gradients
        if ctx.smooth is None:
            return gradient, None, None
        (inputs,) = ctx.saved_tensors
        with torch.enable_grad():
            inputs = inputs.detach().clone().requires_grad_()
            near = ctx.smooth(inputs * 1)  # which it may change in place
            if near.shape != gradient.shape:
                raise ShapeError(
                    f"backward returned {tuple(near.shape)} where the step returned {tuple(gradient.shape)}; give a "
                    "smooth function of the same shapes"
                )
            (passed,) = torch.autograd.grad(near, inputs, gradient)
        return passed, None, None
