"""scipy's special functions, loaded when the first of them is called: many who import this package call none."""

from typing import Any


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from scipy import special

    return getattr(special, name)
