"""What an audit cost, step by step."""

from collections.abc import Sequence
from dataclasses import dataclass

from probe.audit.manifest import Manifest
from probe.audit.titles import doing
from probe.formatting import count, duration, settings

ALL_STEPS = "all steps"


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a step took."""

    step: str
    status: str
    settings: str
    seconds: float
    forward: int
    backward: int
    note: str

    @property
    def written(self) -> tuple[str, str, str]:
        """Time, and the examples that went forward and backward, as every page writes them."""
        return duration(self.seconds), count(self.forward), count(self.backward)


def costs(manifest: Manifest) -> list[Cost]:
    """What each step took."""
    return [
        Cost(
            step=doing(manifest, step),
            status=step.status,
            settings=settings(step.method, leave=("method", "eps")),
            seconds=step.seconds,
            forward=step.forward,
            backward=step.backward,
            note=step.note,
        )
        for step in manifest.steps
    ]


def total(found: Sequence[Cost]) -> Cost:
    """What all of them took together."""
    return Cost(
        step=ALL_STEPS,
        status="",
        settings="",
        seconds=sum(each.seconds for each in found),
        forward=sum(each.forward for each in found),
        backward=sum(each.backward for each in found),
        note="",
    )
