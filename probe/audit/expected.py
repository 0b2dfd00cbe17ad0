"""The steps of a plan. The audit and its verification both use this list."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from probe.audit.manifest import PlanRecord

NAMES = {
    "explainer": "explain",
    "label attack": "attack",
}  # prefixes of step names that differ from the kind of the step


# The section of a plan that names the metrics of a step, by the kind of the step.
SECTIONS = {
    "predictions": "predict",
    "explainer": "explain",
    "attack": "attack",
    "certificate": "certify",
    "counterfactual": "search",
}


class Planned(NamedTuple):
    """One step of a plan."""

    kind: str  # predictions, instances, explainer, attack, label attack, counterfactual, certificate, survey
    id: str  # the method's name, with a digest of its settings if it is planned more than once; "" without a method
    aspect: str
    method: Mapping[str, Any]  # as the plan has it
    label: str = ""  # of an attack on one of several labels

    @property
    def name(self) -> str:
        """The name of its array file."""
        return f"{NAMES.get(self.kind, self.kind)}-{self.id}" if self.id else self.kind


def planned(plan: PlanRecord) -> list[Planned]:
    """The steps of a resolved plan, in the order in which they run."""
    explain, attack = plan.explain, plan.attack
    steps = [Planned("predictions", "", "performance", {})]
    if explain.methods and explain.sample:
        steps.append(Planned("instances", "", "explanation", {}))
        steps += _each("explainer", "explanation", explain.methods)
    if attack.methods and attack.eps and attack.sample:
        steps += _each("attack", "robustness", attack.methods)
        for at, label in enumerate(attack.labels, 1):
            each = _each("label attack", "robustness", attack.methods)
            steps += [step._replace(id=f"{step.id}-label-{at}", label=label) for step in each]
    if plan.search.sample:
        steps += _each("counterfactual", "explanation", plan.search.methods)
    if plan.certify.eps and plan.certify.sample:
        steps += _each("certificate", "robustness", plan.certify.methods)
    if plan.survey.sample:
        steps += _each("survey", "explanation", plan.survey.methods)
    return steps


def metrics_of(plan: PlanRecord, kind: str) -> list[tuple[str, Mapping[str, Any]]]:
    """The metrics of a resolved plan for steps of a kind: the settings of each by name."""
    kind = "attack" if kind == "label attack" else kind
    configs = getattr(plan, SECTIONS[kind]).metrics if kind in SECTIONS else ()
    return list(zip(ids(configs), configs, strict=True))


def expected_steps(plan: PlanRecord) -> list[str]:
    """The names of the steps of a resolved plan, in the order in which they run."""
    return [step.name for step in planned(plan)]


def ids(configs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Unique ids of methods: the name, with a short digest of the settings if the name occurs more than once."""
    names = [str(config["method"]) for config in configs]
    return [
        name if names.count(name) == 1 else f"{name}-{_digest(config)}"
        for name, config in zip(names, configs, strict=True)
    ]


def _each(kind: str, aspect: str, configs: Sequence[Mapping[str, Any]]) -> list[Planned]:
    return [Planned(kind, id_, aspect, config) for id_, config in zip(ids(configs), configs, strict=True)]


def _digest(config: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()[:6]
