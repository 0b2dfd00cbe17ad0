"""Rules of layer-wise relevance propagation, as gradients whose product with a number is its relevance.

The relevance of a number is the number times its modified gradient. So sums, moves and largest numbers pass relevance
on as they are, and rules are needed for weights and activations alone. Whatever constants and stabilisers absorb goes
to one number more, `absorbed`, so that all relevance can be counted.
"""

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge, get_gradient_edge

from probe.errors import Unsupported
from probe.explainers.followed import (
    MOVES,
    PRODUCTS,
    QUOTIENTS,
    SCALES,
    SUMS,
    THROUGH_0,
    WEIGHTED,
    Rules,
    floored_at_0,
    function,
    in_place,
)
from probe.explainers.normalised import Normalised

Rule = Literal["epsilon", "gamma", "z+"]

_ALIKE = {"clamp", "clip", "to", "float", "double", "type_as", "contiguous", "clone"}  # what each input becomes
_LARGEST = {"max_pool1d", "max_pool2d", "max_pool3d", "amax", "max", "adaptive_max_pool1d", "adaptive_max_pool2d"}
_FIXED = {"batch_norm", "instance_norm"}  # normalisations by a mean and a deviation that are known before
_NORMS = _FIXED | {"layer_norm", "group_norm", "rms_norm"}


class Relevance(Rules):
    """The rule of each operation of a network."""

    def __init__(  # noqa: PLR0913  the settings of the method
        self,
        method: str,
        model: str,
        *,
        convolution: Rule,
        dense: Rule,
        eps: float,
        gamma: float,
        box: tuple[Tensor, Tensor] | None,
    ) -> None:
        super().__init__(method, model)
        self.kinds: tuple[Rule, Rule] = (convolution, dense)
        self.eps, self.gamma, self.box = eps, gamma, box
        # Numbers that are explained, and their bounds, each with the place in the graph that its gradient is asked of.
        self.first: list[tuple[Tensor, GradientEdge]] = []
        self.absorbed = torch.ones(())
        self.boxed = False  # whether a layer had the rule of the first
        self._scaled: dict[int, Tensor] = {}  # inputs, scaled one by one, as by standardisation
        self._bounds: dict[int, tuple[Tensor, Tensor]] = {}  # of the inputs, scaled and moved as they were

    def begin(self, inputs: Tensor) -> None:
        self.absorbed = torch.ones((), dtype=inputs.dtype, device=inputs.device, requires_grad=True)
        if self.box is not None:
            low, high = (bound.to(inputs).expand_as(inputs).clone().requires_grad_() for bound in self.box)
            self._bounds[id(inputs)] = (low, high)
        self._scaled[id(inputs)] = inputs
        super().begin(inputs)  # at the end: what is done here is not to be followed

    def end(self, outputs: Any) -> None:
        self._explain(outputs)
        if self.box is not None and not self.boxed:
            raise Unsupported(
                f"the box rule is for a first layer that weighs the inputs, and {self.model} changes them before; "
                "set first='alike'"
            )

    def apply(self, name: str, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        several = [at for at, each in enumerate(args) if self.follows(each)]
        if (found := self._rescaled(name, func, args, kwargs, several)) is not None:
            return found
        if name in MOVES | SUMS | WEIGHTED | PRODUCTS | QUOTIENTS | THROUGH_0 | _LARGEST | _NORMS:
            for each in args:
                for one in each if isinstance(each, tuple | list) else (each,):
                    self._explain(one)
        if name in MOVES:
            return self._linear(func, args, kwargs)
        if several == [0] and (asked := Normalised.of(func, args, kwargs)):
            return self._normalised(asked, args[0].shape)
        if name in SUMS:
            return self.written(self._added(func, args, kwargs), func, args, kwargs)
        if (name in PRODUCTS - SCALES and len(several) == 1) or (name in WEIGHTED | _FIXED and several == [0]):
            return self.written(self._weighed(name, func, args, kwargs, several[0]), func, args, kwargs)
        if (name in SCALES and len(several) == 1) or (name in QUOTIENTS | _LARGEST and several == [0]):
            return self._linear(func, args, kwargs) if name not in _LARGEST else func(*args, **kwargs)
        if (name in THROUGH_0 or floored_at_0(name, args, kwargs)) and several == [0]:
            return self.written(self._activated(function(func, args, kwargs), args[0]), func, args, kwargs)
        return self.unruled(name, func, args, kwargs)

    def _normalised(self, asked: Normalised, shape: torch.Size) -> Tensor:
        """Numbers, less their mean where it is subtracted, over their spread, which is taken for a constant."""
        off = asked.numbers - asked.numbers.mean(asked.axes, keepdim=True) if asked.centred else asked.numbers
        found = off / (off.detach().square().mean(asked.axes, keepdim=True) + asked.eps).sqrt()
        return asked.scaled(found, shape, self.absorbed)

    def _rescaled(
        self, name: str, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], several: list[int]
    ) -> Tensor | None:
        """Inputs that are scaled and shifted one by one keep their relevance: None where they are not."""
        if name not in SUMS | QUOTIENTS | SCALES | _ALIKE or len(several) != 1:
            return None
        at = several[0]
        old = self._scaled.get(id(args[at]))
        if old is None or (name in QUOTIENTS and at):
            return None
        if not all(_fits(each.shape, old.shape) for each in args[:2] if isinstance(each, Tensor)):
            return None
        if not (kwargs.get("inplace") or in_place(func)):
            # Apart from the inputs, whose relevance is that of their other uses alone.
            args = (*args[:at], self._apart(old), *args[at + 1 :])
        found = self._linear(func, args, kwargs)
        self._scaled[id(found)] = found
        return found

    def _apart(self, numbers: Tensor) -> Tensor:
        """The same numbers and bounds, from which no gradient goes on."""
        found = numbers.detach().requires_grad_()
        self._seen[id(found)] = found
        if bounds := self._bounds.get(id(numbers)):
            self._bounds[id(found)] = (bounds[0].detach().requires_grad_(), bounds[1].detach().requires_grad_())
        return found

    def _linear(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The result of an operation that has no rule of its own, with its bounds."""
        found = func(*args, **kwargs)
        if isinstance(found, Tensor):
            self._bound(found, args, lambda bound, at: func(*args[:at], bound, *args[at + 1 :], **kwargs))
        return found

    def _explain(self, value: Any) -> None:
        """Take numbers, where they are inputs, for those whose relevance is told."""
        if isinstance(value, Tensor) and self._scaled.pop(id(value), None) is not None:
            for each in (value, *self._bounds.get(id(value), ())):
                # As they are now: what follows may work in place.
                self.first.append((each.detach().clone(), get_gradient_edge(each)))

    def _added(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
        """A sum, in which a constant absorbs its part."""
        parts = [each.clone() if self.follows(each) else each * self.absorbed for each in args[:2]]
        found: Tensor = func(*parts, *args[2:], **kwargs)
        self._bound(found, args, lambda bound, at: func(*parts[:at], bound, *parts[at + 1 :], *args[2:], **kwargs))
        return found

    def _bound(self, found: Tensor, args: tuple[Any, ...], like: Callable[[Tensor, int], Tensor]) -> None:
        """Give the result of an operation the bounds of its one argument that has some."""
        several = [at for at, each in enumerate(args) if self.follows(each)]
        before = self._bounds.get(id(args[several[0]])) if len(several) == 1 else None
        if before:
            one, two = (like(bound.clone(), several[0]) for bound in before)
            self._bounds[id(found)] = (one.minimum(two), one.maximum(two))

    def _weighed(
        self, name: str, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], at: int
    ) -> Tensor:
        numbers = args[at]
        if name in _FIXED:
            given = func(*args, **kwargs)
            still = func(torch.zeros_like(numbers), *args[1:], **kwargs).detach()
            return self._shared(given - still, given.detach(), given.detach())
        weight = (args[1 - at] if len(args) > 1 else kwargs["weight"]).detach()
        more = args[3:] if name in WEIGHTED else args[2:]
        told = {key: each for key, each in kwargs.items() if key not in ("bias", "weight")}

        def times(some: Tensor, by: Tensor) -> Tensor:
            both = (some, by) if at == 0 else (by, some)
            found: Tensor = func(*both, *((None,) if name in WEIGHTED else ()), *more, **told)
            return found

        up, down = weight.clamp(min=0), weight.clamp(max=0)
        rest = _bias(name, weight, args, kwargs)
        if bounds := self._bounds.get(id(numbers)):
            self.boxed = True
            value = times(numbers.detach(), weight) + rest
            inside = times(numbers, weight) - times(bounds[0], up) - times(bounds[1], down)
            return self._shared(inside, value, inside.detach())
        inside = times(numbers, weight)
        value = inside.detach() + rest
        rule = self.kinds[0 if name.startswith("conv") else 1]
        if rule == "epsilon":
            return self._shared(inside, value, value)
        raises = times(numbers.clamp(min=0), up)
        # Of numbers that a ReLU gave nothing is below 0. On an accelerator the question would wait for it.
        if numbers.device.type != "cpu" or bool((numbers < 0).any()):
            raises = raises + times(numbers.clamp(max=0), down)
        if rule == "z+":
            return self._shared(raises, value, raises.detach() + rest.clamp(min=0))
        inside = inside + self.gamma * torch.where(value > 0, raises, inside - raises)
        return self._shared(inside, value, inside.detach() + rest)

    def _shared(self, inside: Tensor, value: Tensor, whole: Tensor) -> Tensor:
        """A value whose relevance goes to what is inside, in parts of a whole; the rest is absorbed."""
        stable = whole + torch.where(whole < 0, -self.eps, self.eps)
        part = inside * (value / stable)
        return part + self.absorbed * (value - part).detach()

    def _activated(self, function: Callable[[Tensor], Tensor], numbers: Tensor) -> Tensor:
        """A function of single numbers, which passes relevance on as it is."""
        here = numbers.detach()
        found = function(here)
        part = numbers * torch.where(here == 0, 0, found / torch.where(here == 0, 1, here))
        return part + (found - part).detach()


def _bias(name: str, weight: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """The constant that a layer adds to what its weights give, shaped to be added; 0 where there is none."""
    bias = kwargs.get("bias", args[2] if len(args) > 2 else None) if name in WEIGHTED else None
    if not isinstance(bias, Tensor):
        return weight.new_zeros(())
    return bias.detach() if name == "linear" else bias.detach().view(-1, *[1] * int(name[-2]))


def _fits(shape: torch.Size, into: torch.Size) -> bool:
    """Whether numbers of a shape are spread over those of another, which keep theirs."""
    each = zip(reversed(shape), reversed(into), strict=False)
    return len(shape) <= len(into) and all(one in (1, other) for one, other in each)
