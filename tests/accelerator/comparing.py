"""What two devices made of one question, compared."""

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any

import torch
from torch import Tensor

from probe.errors import ProbeError

LOOSE = {"rtol": 1e-4, "atol": 1e-5}


def outcome(ask: Callable[[], Any]) -> Any:
    """What comes of it, or the type and the sentence of its refusal."""
    try:
        return ask()
    except ProbeError as error:
        return type(error), str(error)


SETTINGS = ("space", "method", "task", "forward")  # what a result keeps of the question


def assert_same(found: Any, expected: Any, device: torch.device | None = None, where: str = "") -> None:
    """Raise unless all numbers agree, and all tensors are on the device, if one is named."""
    assert type(found) is type(expected), f"{where}: {found!r}, {expected!r}"
    if isinstance(expected, Tensor):
        assert device in (None, found.device), f"{where} is on {found.device}"
        torch.testing.assert_close(found.cpu(), expected, **LOOSE, msg=lambda text: f"{where}: {text}")
    elif is_dataclass(expected) and not isinstance(expected, type):
        for f in fields(expected):
            if f.name not in SETTINGS:
                assert_same(getattr(found, f.name), getattr(expected, f.name), device, f"{where}.{f.name}")
    elif isinstance(expected, tuple | list):
        assert len(found) == len(expected), where
        for at, (one, other) in enumerate(zip(found, expected, strict=True)):
            assert_same(one, other, device, f"{where}[{at}]")
    else:
        assert found == expected or (found != found and expected != expected), where  # NaN equals NaN
