"""How long an audit will take, from a small pilot of each of its steps."""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from probe.audit.plan import Plan
from probe.dataset import Dataset
from probe.errors import ProbeError
from probe.model import Model


def estimate(plan: Plan, model: Model, data: Dataset) -> float:
    """Seconds that the audit takes at most, about: attacks are counted as if no example fell.

    The pilot is not counted in `model.usage`.
    """
    plan = plan.resolve(form=model.space.form_of(data.inputs))
    model = replace(model, usage=type(model.usage)())
    total = data.sample(plan.data.sample or None, plan.seed)
    few, many = data[:2], data[:100]
    model.predict(many.inputs)  # warms up
    seconds = _time(lambda: model.predict(many.inputs)) * len(total) / len(many)
    for explainer in plan.explainers():
        seconds += _pilot(partial(explainer, model, few.inputs)) * min(plan.explain.sample, len(total)) / len(few)
    radii = plan.attack.eps or ()
    for attack in plan.attacks() if radii else ():
        weakest = replace(attack, eps=radii[0])
        once = _pilot(partial(weakest, model, many.inputs, many.labels))
        seconds += once * len(radii) * min(plan.attack.sample, len(total)) / len(many)
    return seconds


def _pilot(work: Callable[[], object]) -> float:
    """Seconds of one try; 0 for a method that refuses this model, as the audit will skip it."""
    try:
        return _time(work)
    except ProbeError:
        return 0.0


def _time(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
