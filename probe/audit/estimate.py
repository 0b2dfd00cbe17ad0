"""Estimate the duration of an audit from a small pilot of each step."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from probe.audit.pieces import SHOWN
from probe.audit.plan import Plan
from probe.contracts import of_examples, suited
from probe.dataset import Dataset
from probe.model import Model

PILOT = 4, 12  # rows in the pilot of a certificate or survey


def estimate(plan: Plan, model: Model, data: Dataset, shares: Mapping[str, float] | None = None) -> float:
    """About the most seconds that the audit will take, as if each example were attacked at every radius.

    The pilot is not counted in `model.usage`. A step that fails in it counts as 0 seconds; the audit says why. With
    `shares`, that of each kind of step, the seconds are those of one shard.
    """
    return sum(seconds * (shares or {}).get(kind, 1.0) for kind, seconds in _by_kind(plan, model, data))


def _by_kind(plan: Plan, model: Model, data: Dataset) -> Iterator[tuple[str, float]]:
    plan, data = plan.resolved(model, data), suited(model, data)
    model = replace(model, usage=type(model.usage)())
    total = data.sample(plan.data.sample or None, plan.seed)
    few, many = data[:2], data[:100]
    _pilot(partial(model.predict, many.inputs))  # warms up
    yield "predictions", _pilot(partial(model.predict, many.inputs))[0] * len(total) / len(many)
    explained = min(plan.explain.sample, len(total))
    again = 0.0  # seconds to explain one attacked input
    for explainer in plan.explainers() if explained else ():
        once, attribution = _pilot(partial(explainer, of_examples(model, few), few.inputs))
        measured = (_pilot(partial(metric, model, attribution))[0] for _, metric, _ in plan.metrics("explain"))
        yield "explainer", (once + sum(measured)) * explained / len(few)
        again += once / len(few)
    attacked = min(plan.attack.sample, len(total)) if plan.attack.eps else 0
    for attack, radii in zip(plan.attacks(), plan.radii(), strict=True) if attacked else ():
        once, _ = _pilot(partial(attack.at(radii[0]), model, many.inputs, many.labels))
        yield "attack", once * (len(radii) if attack.budget else 1) * attacked / len(many)
        yield "attack", again * min(SHOWN, explained, attacked)
    for search in plan.counterfactuals():
        yield "counterfactual", _grown(partial(_search, search, model), total, plan.search.sample)
    for certificate in plan.certificates() if plan.certify.eps else ():
        yield "certificate", _grown(partial(_certify, certificate, model), total, plan.certify.sample)
    for survey in plan.surveys():
        tried, times = survey.pilot()
        yield "survey", times * _grown(partial(tried, model), total, plan.survey.sample)


def _search(counterfactual: Any, model: Model, data: Dataset) -> object:
    return counterfactual(model, data.inputs)


def _certify(certificate: Any, model: Model, data: Dataset) -> object:
    return certificate(model, data.inputs, data.labels)


def _grown(work: Callable[[Dataset], object], data: Dataset, sample: int) -> float:
    """Seconds for a number of rows, extrapolated linearly from two pilots of different sizes."""
    rows = min(sample, len(data))
    few, more = (min(count, rows) for count in PILOT)
    if rows == 0:
        return 0.0
    least, most = (_pilot(partial(work, data[:count]))[0] for count in (few, more))
    return most + max(0.0, most - least) / max(1, more - few) * (rows - more)


def _pilot(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of one call and its result; 0 seconds if it fails."""
    started = time.perf_counter()
    try:
        found = work()
    except Exception:  # foreign code of the model runs here and may raise anything
        return 0.0, None
    return time.perf_counter() - started, found
