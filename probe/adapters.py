"""Other people's models as a Model: a module with its weights, or any function that gives probabilities."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from probe.errors import DataError, PlanError, ProbeError, ShapeError, UnsafeError
from probe.model import Model
from probe.space import Space

# What a pickle (protocol 2 and later) and a zip, which is how torch.save packs one, begin with.
PICKLE, ZIP = b"\x80", b"PK"
PICKLE_SUFFIXES = (".pkl", ".pickle", ".joblib", ".dill", ".pt", ".pth", ".bin", ".ckpt", ".pt2")


def from_module(module: nn.Module, space: Space, classes: tuple[str, ...], name: str = "model") -> Model:
    """A Model from an nn.Module in eval mode that returns logits."""
    return Model(forward=module, space=space, classes=classes, name=name)


def from_predict_proba(
    predict_proba: Callable[[Any], Any], space: Space, classes: tuple[str, ...], name: str = "model"
) -> Model:
    """A black box from a function of a numpy array that gives class probabilities, (rows, classes).

    Its logits are log-probabilities, so softmax gives the probabilities back. It has no gradients.
    """

    def forward(inputs: Tensor) -> Tensor:
        answer = np.asarray(predict_proba(inputs.detach().cpu().numpy()), dtype=np.float64)
        if answer.ndim != 2 or len(answer) != len(inputs):
            raise ShapeError(f"predict_proba returned {answer.shape}, expected ({len(inputs)}, classes)")
        if not (np.all(answer >= 0) and np.allclose(answer.sum(1), 1, atol=1e-3)):
            raise ProbeError("predict_proba must return probabilities: rows that are not negative and sum to 1")
        return torch.from_numpy(np.log(answer.clip(min=1e-12))).to(inputs.dtype)

    return Model(forward=forward, space=space, classes=classes, name=name)


def from_factory(spec: str, weights: str | Path | None) -> nn.Module:
    """Import `module:factory`, call it, and load weights into what it returns. This runs the code of that module."""
    module_name, _, factory_name = spec.partition(":")
    if not factory_name:
        raise PlanError(f"{spec!r} is not of the form module:factory, such as my_package.nets:build")
    try:
        factory = getattr(importlib.import_module(module_name), factory_name)
    except ImportError as error:
        raise PlanError(
            f"cannot import {module_name!r}: {error}; is it on the path (PYTHONPATH) and installed?"
        ) from None
    except AttributeError:
        raise PlanError(f"{module_name!r} has no {factory_name!r}") from None
    try:
        module = factory()
    except Exception as error:
        raise PlanError(f"{spec} failed: {type(error).__name__}: {error}") from error
    if not isinstance(module, nn.Module):
        raise PlanError(f"{spec} returned a {type(module).__name__}, expected a torch.nn.Module")
    if weights is not None:
        load_weights(module, weights)
    return module.eval()


def load_weights(module: nn.Module, path: str | Path) -> None:
    """Load a safetensors file into a module that has exactly those tensors.

    Raises:
        UnsafeError: if the file looks like a pickle; it is not opened further.
        DataError: if it is missing, cut short, or no safetensors file.
        ShapeError: if names or shapes differ, with the differences.
    """
    tensors = read_safetensors(path)
    wanted = module.state_dict()
    lines = [f"missing {name} {tuple(t.shape)}" for name, t in wanted.items() if name not in tensors]
    lines += [f"unexpected {name} {tuple(t.shape)}" for name, t in tensors.items() if name not in wanted]
    lines += [
        f"{name}: the file has {tuple(tensors[name].shape)}, the module {tuple(t.shape)}"
        for name, t in wanted.items()
        if name in tensors and tensors[name].shape != t.shape
    ]
    if lines:
        raise ShapeError(f"{Path(path).name} does not fit the module:\n  " + "\n  ".join(lines))
    module.load_state_dict(tensors)


def read_safetensors(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file; anything that could hold code is refused unopened."""
    path = Path(path)
    try:
        with path.open("rb") as file:
            head = file.read(9)
    except OSError as error:
        raise DataError(f"cannot read weights {path}: {error.strerror or error}") from None
    # A safetensors file is the length of a JSON header in 8 bytes, then that header.
    is_safetensors = head[8:] == b"{"
    if not is_safetensors and (head.startswith((PICKLE, ZIP)) or path.suffix in PICKLE_SUFFIXES):
        raise UnsafeError(
            f"{path.name} is a pickle or holds one, and opening it could run somebody's code, so it was not opened; "
            "its author can convert it: safetensors.torch.save_file(model.state_dict(), 'model.safetensors')"
        )
    try:
        return load_file(path)
    except (SafetensorError, ValueError, OverflowError) as error:
        raise DataError(f"{path.name} is not a whole safetensors file ({error}); copy it again") from None
