"""What a bundle holds only once, so that nothing in it can contradict it: only a second run can."""

from probe.audit.kinds import ASKED
from probe.audit.manifest import Manifest
from probe.registry import declared


def held_once(manifest: Manifest) -> tuple[str, ...]:
    """What was asked of the model, and the metrics whose evidence does not follow wholly from other evidence.

    Kinds of steps declare the first, metrics the second (`Metric.follows`).
    """
    done, metrics = [step for step in manifest.steps if step.status == "done"], declared("metric")
    found = [ASKED[step.kind] for step in done]
    for reading in (each for step in done if step.kind != "survey" for each in step.readings):
        method = metrics.get(str(reading.settings["method"]))
        follows = str(method.said.get("follows", "")) if method else ""
        if reading.status == "done" and follows != "wholly":
            found.append(reading.metric + " (in part)" * (follows == "partly"))
    return tuple(dict.fromkeys(found))
