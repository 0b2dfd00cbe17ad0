"""An audit: a plan of methods run over a dataset, and the bundle of evidence and findings that it leaves."""

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
    # Planning and running load torch; a viewer of bundles does not.
    from importlib import import_module

    if name == "run":
        return import_module("probe.audit.runner").run
    if name in ("Plan", "plan_from", "read_plan"):
        return getattr(import_module("probe.audit.plan"), name)
    raise AttributeError(f"module 'probe.audit' has no attribute {name!r}")


class _Package(ModuleType):
    """This package, which is also the function: `probe.audit(model, data, "runs/mine")`."""

    def __call__(self, *given: Any, **named: Any) -> Bundle:
        # By its name: the whole audit draws a report too, which stands above this package.
        from importlib import import_module

        bundle: Bundle = import_module("probe.auditing").audit(*given, **named)
        return bundle


sys.modules[__name__].__class__ = _Package
