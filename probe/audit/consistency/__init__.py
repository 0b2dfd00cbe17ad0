"""What a bundle says twice must agree: plan with steps, manifest with arrays, arrays with each other.

Only what an audit cannot write otherwise is refused. That a stranger wrote all of it anew, without a contradiction,
shows in a digest that was given by another way, and not in here. A module for each kind of step.
"""

from probe.audit.consistency.arrays import check_arrays
from probe.audit.consistency.steps import check_steps

__all__ = ["check_arrays", "check_steps"]
