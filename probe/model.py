"""The model under study: a function from inputs to logits, and a count of what it was asked."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from probe.decision import check_threshold, decide, shift
from probe.errors import DataError, ForwardError, ProbeError, ShapeError, Unsupported
from probe.shapes import Inputs, Labels, Logits, PerExample
from probe.space import Space
from probe.tensors import rows_per_pass, sha256, spans


@dataclass
class Usage:
    """How many examples went forward and backward through a model."""

    forward: int = 0
    backward: int = 0

    def __sub__(self, earlier: "Usage") -> "Usage":
        return Usage(self.forward - earlier.forward, self.backward - earlier.backward)


@dataclass(frozen=True, eq=False, kw_only=True)
class Model:
    """A classifier under study.

    `forward` maps inputs (batch, *shape) to logits (batch, classes). Normalisation belongs inside it, so that bounds
    and attack radii are in the user's units. With `embed`, inputs are token ids and `forward` takes `embed(ids)`.
    With a `threshold`, the second of two classes is decided for where its probability is at least that; probabilities
    stay the model's own.
    A Model never changes the module that it holds, nor its gradients, nor any global random state.
    """

    forward: Callable[[Tensor], Tensor]
    space: Space = field(default_factory=Space)
    classes: tuple[str, ...] = ()
    embed: Callable[[Tensor], Tensor] | None = None
    name: str = "model"
    threshold: float | None = None  # of two classes: the probability from which the second is decided for
    usage: Usage = field(default_factory=Usage, repr=False)

    def __post_init__(self) -> None:
        self._check_mode()
        check_threshold(self.threshold, len(self.classes) or 2, self.classes)
        if self.threshold is not None:
            object.__setattr__(self, "threshold", float(self.threshold))
        if self.embed is not None and not self.space.form:
            object.__setattr__(self, "space", replace(self.space, form="tokens"))

    def __call__(self, inputs: Tensor) -> Logits:
        """Logits of the inputs, counted, and checked for what cannot be logits."""
        try:
            logits = self.forward(inputs if self.embed is None else self.embed(inputs))
        except ProbeError:
            raise
        except (Exception, SystemExit) as error:
            # Whatever somebody's own code raises: an audit goes on without the step that met it.
            raise ForwardError(
                f"{self.name} failed on inputs of shape {tuple(inputs.shape)}: {type(error).__name__}: {error}"
            ) from error
        self.usage.forward += len(inputs)
        self._check_logits(logits, inputs)
        if logits.requires_grad:
            logits.register_hook(self._count_backward)  # type: ignore[no-untyped-call]  # torch leaves it untyped
        elif inputs.requires_grad and torch.is_grad_enabled():
            raise Unsupported(
                f"this method follows gradients, and {self.name} gives none (a black box); "
                "use one that needs only answers, such as KernelShap or Lime"
            )
        return logits

    @torch.no_grad()
    def logits(self, inputs: Inputs) -> Logits:
        """Logits without gradients, in passes that fit in memory."""
        return torch.cat([self(inputs[rows]) for rows in spans(len(inputs), rows_per_pass(inputs))])

    def predict(self, inputs: Tensor) -> Labels:
        """The class that is decided for: the most likely one, or by the threshold."""
        return self.decide(self.logits(self.check(inputs)))

    def decide(self, logits: Logits) -> Labels:
        """The class that each row of this model's logits stands for."""
        return decide(logits, self.threshold)

    def deployed(self, logits: Logits) -> Logits:
        """Logits whose larger one is the decision, for attacks to climb. Explanations are of the logits themselves."""
        return shift(logits, self.threshold)

    def output(self, kind: str) -> Callable[[Tensor], Tensor]:
        """The function that an explainer explains: this model's logits, or its probabilities."""
        return self if kind == "logit" else lambda inputs: self(inputs).softmax(-1)

    def answers(self, inputs: Inputs, targets: Labels, kind: str) -> PerExample:
        """Each example's output for its own target, without gradients, in passes that fit in memory."""
        logits = self.logits(inputs)
        outputs = logits if kind == "logit" else logits.softmax(-1)
        return outputs.gather(1, targets[:, None])[:, 0]

    def gradient(self, inputs: Inputs, objective: Callable[[Logits], Tensor]) -> tuple[Logits, Inputs]:
        """Logits, and the gradient by the inputs of each example's own objective."""
        x = inputs.detach().requires_grad_()
        with torch.enable_grad():
            logits = self(x)
            # Summed, not averaged: an example's gradient must not depend on its batch.
            (gradient,) = torch.autograd.grad(objective(logits).sum(), x)
        return logits.detach(), gradient

    def check(self, inputs: Tensor) -> Inputs:
        """The inputs on the model's device, after checking that they lie in its space."""
        if not isinstance(inputs, Tensor):
            raise ShapeError(f"inputs are a {type(inputs).__name__}, expected a torch.Tensor; torch.as_tensor converts")
        if self.embed is None and not inputs.is_floating_point():
            raise ShapeError(f"inputs are {inputs.dtype}, expected a floating type; write inputs.float()")
        if self.embed is not None and inputs.is_floating_point():
            raise ShapeError(f"inputs are {inputs.dtype}, and {self.name} reads token ids; write inputs.long()")
        self._check_mode()
        self.space.check(inputs)
        if inputs.is_floating_point() and self.embed is None and inputs.dtype != self.dtype:
            raise ShapeError(
                f"inputs are {inputs.dtype}, the model's weights {self.dtype}; write inputs.to({self.dtype})"
            )
        return self.space.within(inputs.detach().to(self.device))

    def check_labels(self, labels: Tensor, inputs: Inputs) -> Labels:
        """The labels on the model's device, after checking that each names a class."""
        if not isinstance(labels, Tensor) or labels.ndim != 1 or len(labels) != len(inputs):
            shape = tuple(labels.shape) if isinstance(labels, Tensor) else type(labels).__name__
            raise ShapeError(f"labels are {shape}, expected one class index for each of {len(inputs)} inputs")
        if labels.is_floating_point() or labels.dtype == torch.bool:
            raise DataError(f"labels are {labels.dtype}, expected class indices (integers); write labels.long()")
        count = len(self.classes) or self.logits(inputs[:1]).shape[1]
        if not bool(((labels >= 0) & (labels < count)).all()):
            raise DataError(
                f"labels span {int(labels.min())} to {int(labels.max())}, expected 0 to {count - 1} for {count} classes"
            )
        return labels.detach().to(self.device).long()

    def embedded(self) -> "Model":
        """The same model over embeddings (batch, tokens, width), for methods that need continuous inputs."""
        if self.embed is None:
            return self
        reference = None if self.space.reference is None else self.embed(self.space.reference.to(self.device)).detach()
        space = Space(bounds=(-torch.inf, torch.inf), reference=reference)
        return replace(self, embed=None, space=space)

    @property
    def device(self) -> torch.device:
        """Where the module's weights lie; the CPU for any other function."""
        if isinstance(self.forward, nn.Module):
            for tensor in (*self.forward.parameters(), *self.forward.buffers()):
                return tensor.device
        return torch.device("cpu")

    @property
    def dtype(self) -> torch.dtype:
        """The floating type of the module's weights; that of the reference, or the default, for any other function."""
        if isinstance(self.forward, nn.Module):
            for tensor in (*self.forward.parameters(), *self.forward.buffers()):
                if tensor.is_floating_point():
                    return tensor.dtype
        reference = self.space.reference
        return torch.get_default_dtype() if reference is None else reference.dtype

    def digest(self) -> str | None:
        """SHA-256 of the weights; None where `forward` is not a module, as its weights cannot be seen."""
        return sha256(self.forward.state_dict()) if isinstance(self.forward, nn.Module) else None

    def _check_mode(self) -> None:
        if isinstance(self.forward, nn.Module) and any(module.training for module in self.forward.modules()):
            raise ProbeError("the module is in training mode, so its answers vary; call .eval() on it first")

    def _count_backward(self, gradient: Tensor) -> None:
        self.usage.backward += len(gradient)

    def _check_logits(self, logits: Any, inputs: Tensor) -> None:
        expected = f"expected ({len(inputs)}, {len(self.classes) or 'classes'})"
        if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != len(inputs) or logits.shape[1] < 2:
            found = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
            raise ShapeError(
                f"forward returned {found}, {expected}: one logit for each class, also where there are two; "
                "for a single sigmoid output z return torch.stack([-z/2, z/2], -1)"
            )
        if self.classes and logits.shape[1] != len(self.classes):
            raise ShapeError(f"forward returned {tuple(logits.shape)}, {expected}: {', '.join(self.classes)}")
        check_threshold(self.threshold, logits.shape[1])
        if not logits.is_floating_point():
            raise ShapeError(
                f"forward returned {logits.dtype}, expected logits in a floating type: a score for each class, "
                "not the number of a class"
            )
        values = logits.detach()
        if not bool(values.isfinite().all()):
            raise ProbeError("forward returned NaN or infinity for finite inputs; the weights may be damaged")
        # Wide enough for a softmax that was taken in half precision.
        if bool(values.min() >= 0) and bool(((values.sum(-1) - 1).abs() < 2e-3).all()):
            raise ProbeError(
                "forward returns probabilities (rows are positive and sum to 1), expected logits; "
                "drop the final softmax, or wrap a black box by probe.from_predict_proba; "
                "if they are logits all the same, add a constant to them"
            )
