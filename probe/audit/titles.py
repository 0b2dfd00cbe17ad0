"""The titles of an audit's methods, with settings if a method occurs twice, and what its steps do."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from probe.audit.expected import Planned
from probe.audit.manifest import Manifest, StepRecord
from probe.finding import Finding
from probe.formatting import settings, words
from probe.numbers import fraction
from probe.task import Task

# What a step of each kind does, before the name of its method.
DOING = {
    "predictions": "asking the model for its answers",
    "instances": "choosing the rows that are explained",
    "explainer": "explaining by",
    "attack": "attacking by",
    "label attack": "attacking by",
    "counterfactual": "searching for counterfactuals by",
    "certificate": "certifying by",
    "survey": "surveying by",
}
SHIFT = "shift"  # the goal that titles word by its outputs


def name_of(manifest: Manifest, step: StepRecord) -> str:
    """A method by its name in code; if it is planned more than once, with the settings that differ."""
    of = f"{step.label}: " if step.label else ""
    return f"{of}{step.method.get('method', '')}{_apart(manifest, step)}"


def title_of(manifest: Manifest, step: StepRecord) -> str:
    """The title of a method: HotFlip for the attack hot_flip, integrated gradients, lime (samples = 500)."""
    of = f" on {step.label}" if step.label else ""
    own = step.title if step.kind in ("attack", "label attack") else ""
    return f"{own or words(step.method.get('method', ''))}{_apart(manifest, step)}{of}"


def doing(manifest: Manifest, step: StepRecord | Planned) -> str:
    """What a step does, or would have done: explaining by lime, attacking by PGD on smoker."""
    if isinstance(step, StepRecord):
        title = title_of(manifest, step)
    else:
        name = words(str(step.method.get("method", "")))
        title = f"{name} on {step.label}" if step.label else name
    return f"{DOING.get(step.kind, step.kind)} {title}".rstrip()


def check_of(manifest: Manifest, finding: Finding) -> str:
    """What a finding is about, its method in words; one that says that a step was not run has the name of its arrays.

    'kernel_shap: deletion beats random order' is 'kernel shap: deletion beats random order'.
    """
    for step in manifest.steps:
        if step.name == finding.check and not step.done:
            return doing(manifest, step)
        name = name_of(manifest, step)
        if finding.step in ("", step.name) and step.method.get("method") and finding.check.startswith(f"{name}: "):
            return f"{title_of(manifest, step)}{finding.check.removeprefix(name)}"
    return finding.check


def measured_by(manifest: Manifest, finding: Finding) -> str:
    """How a finding was measured, with the methods and their settings in words: calibration error (bins = 15)."""
    told = {
        describe(config): f"{title or words(str(config.get('method', '')))}{f' ({inside})' if inside else ''}"
        for step in manifest.steps
        for config, title in ((step.method, step.title), *((each.settings, "") for each in step.readings))
        for inside in (settings(config),)
        if config.get("method")
    }
    text = finding.method
    for raw in sorted(told, key=len, reverse=True):
        text = text.replace(raw, told[raw])
    return text


def in_words(manifest: Manifest, finding: Finding) -> Finding:
    """A finding as pages tell it: its check and its methods in words."""
    return replace(finding, check=check_of(manifest, finding), method=measured_by(manifest, finding))


def describe(config: Mapping[str, Any]) -> str:
    """A method with its settings, as a bundle records it."""
    told = {k: describe(v) if isinstance(v, dict) else v for k, v in config.items() if k != "method"}
    inside = ", ".join(f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in told.items())
    return f"{config.get('method', '')}({inside})" if inside else str(config.get("method", ""))


def titles(manifest: Manifest, kind: str) -> dict[str, str]:
    """The titles of the methods of a kind, by their ids."""
    return {step.id: title_of(manifest, step) for step in manifest.steps if step.kind == kind}


def _apart(manifest: Manifest, step: StepRecord) -> str:
    """The settings in which a method differs from others of its name; a goal only if it is not the default one."""
    name = step.method.get("method")
    twins = [o.method for o in manifest.steps if o.kind == step.kind and o.method.get("method") == name]
    differing = {key: value for key, value in step.method.items() if any(t.get(key) != value for t in twins)}
    if step.threat is not None and step.answer != "wrong" and "goal" in step.method:
        differing["goal"] = step.method["goal"]
    goal = differing.get("goal", {})
    shifted = wanted(differing.pop("goal"), manifest.task) if goal.get("method") == SHIFT else ""
    told = ", ".join(filter(None, (settings(differing), shifted)))
    return f" ({told})" if told else ""


def wanted(goal: Mapping[str, Any], task: Task) -> str:
    """The goal of an attack in words: hours shifted up by 5 or more; doubt (lead = 1)."""
    if goal.get("method") != SHIFT:
        return settings({"goal": goal}).removeprefix("goal = ")
    by = float(fraction(str(goal["by"])))
    outputs = " and ".join(task.names) or "the answer"
    return f"{outputs} shifted {'up' if by > 0 else 'down'} by {abs(by):g} or more"
