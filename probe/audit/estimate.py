"""How long an audit will take, from a small pilot of each of its steps."""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from probe.audit.plan import Plan
from probe.contracts import suited
from probe.dataset import Dataset
from probe.model import Model


def estimate(plan: Plan, model: Model, data: Dataset) -> float:
    """Seconds that the audit takes at most, about: attacks are counted as if each example were tried at every radius.

    The pilot is not counted in `model.usage`. What fails in it counts as 0 seconds: the audit says why it cannot run.
    """
    plan, data = plan.resolve(form=model.space.form_of(data.inputs)), suited(model, data)
    model = replace(model, usage=type(model.usage)())
    total = data.sample(plan.data.sample or None, plan.seed)
    few, many = data[:2], data[:100]
    _pilot(partial(model.predict, many.inputs))  # warms up
    seconds = _pilot(partial(model.predict, many.inputs)) * len(total) / len(many)
    for explainer in plan.explainers():
        seconds += _pilot(partial(explainer, model, few.inputs)) * min(plan.explain.sample, len(total)) / len(few)
    radii = plan.attack.eps or ()
    for attack in plan.attacks() if radii else ():
        weakest = attack.at(radii[0])
        once = _pilot(partial(weakest, model, many.inputs, many.labels))
        seconds += once * len(radii) * min(plan.attack.sample, len(total)) / len(many)
    return seconds


def _pilot(work: Callable[[], object]) -> float:
    """Seconds of one try; 0 where it fails, whatever the reason."""
    started = time.perf_counter()
    try:
        work()
    except Exception:  # the code of a stranger's model runs here
        return 0.0
    return time.perf_counter() - started
