"""An audit: runs the methods of a plan over a dataset, and writes a bundle of evidence and findings."""

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from probe.audit.bundle import Bundle, find, read

if TYPE_CHECKING:
    from probe.audit.assessment import assess
    from probe.audit.merging import merge
    from probe.audit.plan import Plan, plan_from, read_plan
    from probe.audit.runner import run
    from probe.audit.sharding import run_shard
    from probe.audit.verification import Verification, verify

__all__ = [
    "Bundle",
    "Plan",
    "Verification",
    "assess",
    "find",
    "merge",
    "plan_from",
    "read",
    "read_plan",
    "run",
    "run_shard",
    "verify",
]


# Loaded on first use: a reader of bundles needs neither torch, which planning and running import, nor what verifies.
_HOME = {
    "assess": "assessment",
    "run": "runner",
    "run_shard": "sharding",
    "merge": "merging",
    **dict.fromkeys(("Plan", "plan_from", "read_plan"), "plan"),
    **dict.fromkeys(("Verification", "verify"), "verification"),
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in _HOME:
        return getattr(import_module(f"probe.audit.{_HOME[name]}"), name)
    raise AttributeError(f"module 'probe.audit' has no attribute {name!r}")


class _Package(ModuleType):
    """This package is also callable: `probe.audit(model, data, "runs/mine")`."""

    def __call__(self, *given: Any, **named: Any) -> Bundle:
        # Imported by name at call time: the audit also writes a report, which is in a layer above this package.
        from importlib import import_module

        bundle: Bundle = import_module("probe.auditing").audit(*given, **named)
        return bundle


sys.modules[__name__].__class__ = _Package
