"""Libraries that only some sources of models need."""

import importlib
from typing import Any

from probe.errors import ProbeError
from probe.extras import EXTRAS


def library(name: str) -> Any:
    """Import a library of the extra `hub`, or say how to install it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ProbeError(
            f"this needs {name}, which cannot be imported ({error}); {EXTRAS['hub'].install()} installs it"
        ) from None
