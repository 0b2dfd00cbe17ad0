"""The kinds of method, a module for each: an Explainer attributes, an Attack perturbs, a Metric measures.

Each asks a subclass for one function over tensors. The final `__call__` around it checks what goes in and comes out,
splits it to fit in memory, counts the cost, and wraps it up in a result.
"""

from probe.contracts.attack import Attack
from probe.contracts.common import Need
from probe.contracts.explainer import Explainer
from probe.contracts.metric import Metric, Proportion

__all__ = ["Attack", "Explainer", "Metric", "Need", "Proportion"]
