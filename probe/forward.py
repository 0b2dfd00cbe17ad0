"""A user's forward function: what can be seen of it, and its errors as one sentence."""

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm as BatchNorm
from torch.nn.parameter import is_lazy

from probe.errors import ForwardError, ProbeError, Unsupported
from probe.recurrent import differentiable
from probe.tensors import sha256

Forward = Callable[[Tensor], Any]


def ask(forward: Forward, inputs: Tensor, name: str, *, module: Forward | None = None) -> Any:
    """What a forward makes of a copy of the inputs; `module` holds the layers, where the function asked does not.

    Raises:
        ForwardError: for whatever is raised inside, so that an audit goes on without the step that met it.
    """
    module = forward if module is None else module
    try:
        with differentiable(forward, module):
            return forward(inputs.clone())
    except ProbeError:
        raise
    except (Exception, SystemExit) as error:
        raise ForwardError(
            f"{name} failed on inputs of shape {tuple(inputs.shape)}: {type(error).__name__}: {error}"
            f"{_other_type(module, inputs, str(error))}"
        ) from error


def device_of(forward: Forward) -> torch.device:
    """Where a module's weights lie; the CPU for any other function."""
    return next((tensor.device for tensor in _tensors(forward)), torch.device("cpu"))


def dtype_of(forward: Forward) -> torch.dtype | None:
    """The floating type of a module's weights; None where there are none to be seen."""
    return next((tensor.dtype for tensor in _tensors(forward) if tensor.is_floating_point()), None)


def digest_of(forward: Forward, name: str) -> str | None:
    """SHA-256 of a module's weights; None for any other function.

    Raises:
        ProbeError: if the module is a lazy one that has not seen an input, so that it has no weights yet.
    """
    if not isinstance(forward, nn.Module):
        return None
    state = forward.state_dict()
    if any(is_lazy(tensor) for tensor in state.values()):
        raise ProbeError(
            f"{name} has lazy layers, which have no weights before the first call; call model.predict(inputs[:1]) first"
        )
    return sha256({key: value for key, value in state.items() if isinstance(value, Tensor)})


def check_eval_mode(forward: Forward) -> None:
    """Raise ProbeError for a module that is being trained, as its answers vary, or that has no numbers as weights."""
    if not isinstance(forward, nn.Module):
        return
    if _in_training(forward):
        raise ProbeError("the module is in training mode, so its answers vary; call .eval() on it first")
    if any(tensor.is_meta for part in forward.modules() for tensor in _own(part)):
        raise ProbeError(
            "the module's weights are on the meta device, where they hold no numbers; write "
            "network.to_empty(device='cpu') and load its state dict"
        )


def _in_training(module: nn.Module) -> bool:
    if "eval" in vars(module):  # of torch.export, which keeps the mode of the network that it exported, and no other
        return False
    return module.training or any(part is not None and _in_training(part) for part in module._modules.values())


def check_batch_norms(forward: Forward) -> None:
    """Raise ProbeError for a module with a batch norm that takes the statistics of each batch, in eval mode too."""
    named = forward.named_modules() if isinstance(forward, nn.Module) else ()
    if mixing := next((name or "itself" for name, part in named if _normalises_a_batch(part)), None):
        raise ProbeError(
            f"batch norm {mixing} of the module has no running statistics, so its answer to a row depends on the other "
            "rows that it is asked with; train it with track_running_stats=True"
        )


def _normalises_a_batch(module: nn.Module) -> bool:
    return isinstance(module, BatchNorm) and module.running_mean is None and module.running_var is None


def _own(module: nn.Module) -> Iterator[Tensor]:
    """Weights and buffers of a module itself. Each call of a method looks at all, and torch's own walk is slow."""
    return (tensor for held in (module._parameters, module._buffers) for tensor in held.values() if tensor is not None)


def refuse_gradients(name: str) -> Unsupported:
    """What is said of a forward whose answers do not depend on its inputs, to torch's knowledge."""
    return Unsupported(
        f"this method needs gradients, and {name} has none (a black box); use one that needs none, such as KernelShap "
        "or Lime, and of attacks Square"
    )


def _tensors(forward: Forward) -> Iterator[Tensor]:
    # One after the other, as most who ask want the first, and each pass through a network asks several times.
    return chain(forward.parameters(), forward.buffers()) if isinstance(forward, nn.Module) else iter(())


def _other_type(module: Forward, inputs: Tensor, error: str) -> str:
    if dtype_of(module) is not None or "dtype" not in error or not inputs.is_floating_point():
        return ""
    other = torch.float64 if inputs.dtype == torch.float32 else torch.float32
    return f"; inputs are {inputs.dtype}: if its weights are {other}, write inputs.to({other})"
