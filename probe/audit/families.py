"""Attacks that can be compared: of one threat, and judged by the same measure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from probe.anytime import anytime_proportion
from probe.audit.budgets import RADIUS
from probe.audit.manifest import Manifest, StepRecord, ThreatRecord
from probe.audit.titles import wanted
from probe.formatting import norm
from probe.statistics import Estimate, proportion
from probe.task import Task

ACCURACY, WITHSTOOD = JUDGED = "robust_accuracy", "withstood"  # the metrics by which attacks are judged


@dataclass(frozen=True)
class Family:
    """Finished attacks of one threat that are judged by the same measure. Others have other radii or shares."""

    threat: ThreatRecord
    metric: str  # robust_accuracy, or withstood where the goals are not about right and wrong answers
    steps: Sequence[StepRecord]
    looks: int = 0  # rows between two looks, of attacks that end once their share is decided; 0: all rows are attacked

    def share(self, hits: NDArray[Any]) -> Estimate:
        """A share of the attacked rows with its interval."""
        return anytime_proportion(hits) if self.looks else proportion(hits)

    @property
    def judges(self) -> bool:
        """Whether it is about right and wrong answers."""
        return self.metric == ACCURACY

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from the other families of an audit, in files: the norm or unit, and the measure."""
        return self.threat.axis or self.threat.unit, self.metric

    def named(self, task: Task) -> str:
        """What tells it from others, in words: the norm or unit of radii, and the goal if answers are not judged."""
        kind = norm(self.key[0])
        return kind if self.judges else ", ".join(filter(None, (kind, self.aimed(task))))

    def aimed(self, task: Task) -> str:
        """What its attacks want, in words, where answers are not judged; else empty."""
        goals = [] if self.judges else [wanted(step.method.get("goal", {}), task) for step in self.steps]
        return ", or ".join(dict.fromkeys(goals))


def families(manifest: Manifest, label: str = "") -> list[Family]:
    """The finished attacks on the whole answer, or on one of several labels, by family, in the order of the plan."""
    kind, found = "label attack" if label else "attack", dict[Any, list[StepRecord]]()
    for step in manifest.steps:
        if step.kind == kind and step.label == label and step.done:
            found.setdefault((step.threat or RADIUS, measure_of(step)), []).append(step)
    looks = manifest.plan.attack.until_decided
    return [Family(threat, metric, tuple(steps), looks) for (threat, metric), steps in found.items()]


def only_norm(manifest: Manifest) -> str:
    """The norm or unit of an audit's attacks if they are all of one; else empty."""
    found = {family.key[0] for family in families(manifest)}
    return found.pop() if len(found) == 1 else ""


def measure_of(step: StepRecord) -> str:
    """The metric by which an attack is judged."""
    done = {reading.metric for reading in step.readings if reading.status == "done"}
    return WITHSTOOD if WITHSTOOD in done and ACCURACY not in done else ACCURACY
