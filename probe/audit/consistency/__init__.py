"""Checks that a bundle does not contradict itself: plan and steps, manifest and arrays, arrays among each other.

A bundle is refused only if an audit cannot have written it. A bundle that was rewritten as a whole, without a
contradiction, passes these checks: it shows only by comparing its digest with one received separately. One module for
each kind of step.
"""

from probe.audit.consistency.arrays import check_arrays
from probe.audit.consistency.once import held_once
from probe.audit.consistency.steps import check_steps

__all__ = ["check_arrays", "check_steps", "held_once"]
