"""A model from a user's function. No other source of models runs code that is not installed."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

from probe.adapters.weights import load_weights
from probe.errors import PlanError
from probe.names import a_kind


def from_factory(spec: str, weights: str | Path | None) -> Any:
    """Import `module:factory`, call it, and load weights into what it returns. This runs the code of that module.

    Returns:
        A torch.nn.Module in eval mode, or something with `predict_proba` or `predict`, such as an estimator.

    Raises:
        PlanError: if there is no such function, or it fails, exits, or returns anything else.

    >>> from probe import from_factory  # doctest: +SKIP
    >>> model = from_factory("mypackage.networks:build", "weights.safetensors")  # doctest: +SKIP
    """
    factory = function_of(spec)
    try:
        made = factory()
    except (Exception, SystemExit) as error:
        raise PlanError(f"{spec} failed: {_say(error)}") from error
    if isinstance(made, nn.Module):
        if weights is not None:
            load_weights(made, weights)
        return made.eval()
    answers = any(callable(getattr(made, way, None)) for way in ("predict_proba", "predict"))
    if isinstance(made, type) or not answers:
        raise PlanError(
            f"{spec} returned {a_kind(made)}, expected a torch.nn.Module, or something with predict_proba, or with "
            "predict where it predicts numbers"
        )
    if weights is not None:
        raise PlanError(f"{spec} returned {a_kind(made)}, which already has its weights; leave weights out")
    return made


def function_of(spec: str) -> Callable[..., Any]:
    """The function that `module:function` names. This runs the code of that module.

    Raises:
        PlanError: if there is none.
    """
    module_name, _, factory_name = spec.partition(":")
    if not module_name or module_name.startswith(".") or not factory_name:
        raise PlanError(f"{spec!r} is not of the form module:factory, such as my_package.nets:build")
    try:
        found = getattr(importlib.import_module(module_name), factory_name)
    except ModuleNotFoundError as error:
        raise PlanError(
            f"cannot import {module_name!r}: {error}; install it, or name the folder that it lies in: "
            "PYTHONPATH=FOLDER probe ... (the folder of a plan is not searched by itself)"
        ) from None
    except AttributeError as error:
        # Also names that the module itself fails to import.
        there = f"{module_name!r} has no {factory_name!r}"
        raise PlanError(there if f"no attribute {factory_name!r}" in str(error) else f"{there}: {error}") from None
    except (Exception, SystemExit) as error:
        raise PlanError(f"cannot import {module_name!r}: {_say(error)}") from error
    if not callable(found):
        raise PlanError(f"{spec} is {a_kind(found)}, expected a function that returns a model")
    return found


def _say(error: BaseException) -> str:
    return "it exits, as by sys.exit()" if isinstance(error, SystemExit) else f"{type(error).__name__}: {error}"
