"""Devices."""

import torch

from probe.errors import Unsupported


def device_of(name: str | torch.device) -> torch.device:
    """The device of that name, after checking that it works.

    Raises:
        Unsupported: if this machine or this installation of torch has no such device.
    """
    try:
        place = torch.zeros(1, device=name).device
    # torch raises an AssertionError where it was installed without CUDA.
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise Unsupported(f"the device {str(name)!r} cannot be used here ({reason}); use cpu") from None
    if place.type == "meta":
        raise Unsupported("the device 'meta' holds no numbers; use cpu")
    return place
