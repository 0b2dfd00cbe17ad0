"""What a bundle holds only once, so that nothing in it can contradict it: only a second run can."""

from probe.audit.kinds import ASKED
from probe.audit.manifest import Manifest
from probe.registry import declared

GIVEN, GIVEN_GROUPS = "the labels", "the labels and groups of rows"
SAID = "what is said of model and data"


def held_once(manifest: Manifest) -> tuple[str, ...]:
    """What was asked of the model, metrics whose evidence does not follow wholly from other evidence, what was given.

    Kinds of steps declare the first, metrics the second (`Metric.follows`).
    """
    done, metrics = [step for step in manifest.steps if step.status == "done"], declared("metric")
    found = [ASKED[step.kind] for step in done]
    for reading in (each for step in done if step.kind != "survey" for each in step.readings):
        method = metrics.get(str(reading.settings["method"]))
        follows = str(method.said.get("follows", "")) if method else ""
        if reading.status == "done" and follows != "wholly":
            found.append(reading.metric + " (in part)" * (follows == "partly"))
    if done:
        found += [GIVEN_GROUPS if manifest.data.groups else GIVEN, SAID]
    return tuple(dict.fromkeys(found))
