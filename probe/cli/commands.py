"""All commands: each module registers its own with the application when it is imported."""

from probe.cli import (
    asking,
    audits,
    bias,
    comparing,
    dashboard,
    doctor,
    exporting,
    merging,
    methods,
    planning,
    reporting,
    selftest,
    signing,
    training,
    verifying,
    zoo,
)
from probe.cli.app import app

__all__ = [
    "app",
    "asking",
    "audits",
    "bias",
    "comparing",
    "dashboard",
    "doctor",
    "exporting",
    "merging",
    "methods",
    "planning",
    "reporting",
    "selftest",
    "signing",
    "training",
    "verifying",
    "zoo",
]

asking.register_all()
