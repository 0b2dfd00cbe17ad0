"""The bundle as the place where finished steps are kept."""

from dataclasses import dataclass, field, replace

from probe.audit.bundle import Arrays, Bundle
from probe.audit.evidence import Step
from probe.audit.manifest import StepRecord, tells_inputs
from probe.audit.readings import Reading
from probe.audit.shared import Shared
from probe.study.steps import Ended

# Replaces texts that may quote inputs, if the plan keeps none.
WITHHELD = 'the reason is left out, as it may quote an input; inputs = "shown" in [bundle] keeps it'


@dataclass(frozen=True)
class Shelf:
    """Stores finished steps in the bundle."""

    bundle: Bundle
    shared: Shared = field(default_factory=Shared)

    def has(self, step: Step) -> bool:
        return any(done.name == step.name for done in self.bundle.manifest.steps)

    def keep(self, step: Step, made: Arrays) -> None:
        shape = self.bundle.manifest.data.shape
        kept = {name: array for name, array in made.items() if self._quotes or not tells_inputs(name, array, shape)}
        self.bundle.write_arrays(step.name, kept)

    def ended(self, step: Step, how: Ended) -> None:
        how = how if how.status != "error" or self._quotes else replace(how, note=WITHHELD)
        readings = tuple(told(each, quotes=self._quotes) for each in step.readings) if how.status == "done" else ()
        record = replace(step_record(step, how), readings=readings)
        if step.planned.kind == "explainer":
            # Before the step counts as done: one that is done again asks for nothing that it asked.
            self.shared.keep()
        self.bundle.change(steps=(*self.bundle.manifest.steps, record))
        self.bundle.save()

    @property
    def _quotes(self) -> bool:
        return self.bundle.manifest.plan.keeps_inputs


def step_record(step: Step, how: Ended) -> StepRecord:
    """What audit.json says of a step, without its readings."""
    return StepRecord(
        name=step.name,
        kind=step.planned.kind,
        id=step.planned.id,
        aspect=step.planned.aspect,
        method=step.method,
        threat=step.threat,
        answer=step.answer,
        finds=step.finds,
        title=step.title,
        label=step.planned.label,
        caption=step.caption,
        certifies=step.certifies,
        status=how.status,
        note=how.note,
        seconds=round(how.seconds, 2),
        forward=how.cost.forward,
        backward=how.cost.backward,
    )


def told(reading: Reading, *, quotes: bool) -> Reading:
    """The reading, without a reason that may quote inputs unless that is allowed."""
    return replace(reading, why=WITHHELD) if reading.why and not quotes else reading
