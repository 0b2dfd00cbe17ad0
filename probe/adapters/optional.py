"""Libraries that only some sources of models need."""

from typing import Any

from probe.extras import imported


def library(name: str) -> Any:
    """Import a library of the extra `hub`, or say how to install it."""
    return imported(name, "hub")
