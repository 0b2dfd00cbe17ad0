"""An audit: runs the methods of a plan over a dataset, and writes a bundle of evidence and findings."""

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from probe.audit.assessment import assess
from probe.audit.bundle import Bundle, find, read
from probe.audit.verification import Verification, verify

if TYPE_CHECKING:
    from probe.audit.plan import Plan, plan_from, read_plan
    from probe.audit.runner import run

__all__ = ["Bundle", "Plan", "Verification", "assess", "find", "plan_from", "read", "read_plan", "run", "verify"]


def __getattr__(name: str) -> Any:
    # Loaded on first use: planning and running import torch, which a reader of bundles does not need.
    from importlib import import_module

    if name == "run":
        return import_module("probe.audit.runner").run
    if name in ("Plan", "plan_from", "read_plan"):
        return getattr(import_module("probe.audit.plan"), name)
    raise AttributeError(f"module 'probe.audit' has no attribute {name!r}")


class _Package(ModuleType):
    """This package is also callable: `probe.audit(model, data, "runs/mine")`."""

    def __call__(self, *given: Any, **named: Any) -> Bundle:
        # Imported by name at call time: the audit also writes a report, which is in a layer above this package.
        from importlib import import_module

        bundle: Bundle = import_module("probe.auditing").audit(*given, **named)
        return bundle


sys.modules[__name__].__class__ = _Package
