"""One of several parts of an audit, for several machines: some batches of each step, in a folder of their own.

Batches are dealt out by the plan alone, so that the parts of all shards together are the audit of one machine.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from probe import lock
from probe.adapters import check_fit
from probe.audit.bundle import is_unused
from probe.audit.continuing import difference
from probe.audit.describing import describe
from probe.audit.evidence import Step, steps
from probe.audit.expected import expected_steps
from probe.audit.manifest import Manifest, tells_inputs
from probe.audit.part import NAME, Part, PartRecord, Shard, StepPart, Unit, begin, read_part
from probe.audit.pieces import Piece
from probe.audit.plan import Plan
from probe.audit.preparing import prepared
from probe.audit.shared import Shared
from probe.audit.shelf import WITHHELD, step_record, told
from probe.contracts import answers_as_before, first_answers
from probe.dataset import Dataset
from probe.errors import ExistsError, ForwardError
from probe.model import Model
from probe.study.steps import Advance, Ended, Progress, carry_out


@dataclass(frozen=True, eq=False)
class Cut:
    """The units of a step that are one shard's."""

    step: Step
    units: tuple[slice, ...]
    made: list[Piece] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.step.name

    @property
    def total(self) -> int:
        return sum(unit.stop - unit.start for unit in self.units) * self.step.times

    def work(self, advance: Advance) -> list[Piece]:
        """Do the units of this shard."""
        for unit in self.units[len(self.made) :]:
            self.made.append(self.step.ask(unit, advance))
        return self.made

    @property
    def failed(self) -> int:
        """The first row of the unit that ended the step."""
        return self.units[len(self.made)].start


def dealt(every: Iterable[Step], shard: Shard) -> Iterator[Cut]:
    """What a shard does of each step.

    Units are dealt out one after another. A unit of several explainers is one shard's, as they share measurements.
    """
    reached, of_explainers = 0, -1
    for step in every:
        first = reached
        if step.planned.kind == "explainer":
            of_explainers = first = reached if of_explainers < 0 else of_explainers
        reached = first + len(step.units)
        mine = (unit for at, unit in enumerate(step.units, first) if at % shard.count == shard.number - 1)
        yield Cut(step, tuple(mine))


def run_shard(
    plan: Plan,
    model: Model,
    data: Dataset,
    folder: str | Path,
    shard: Shard | str,
    *,
    progress: Progress = lambda step, done, total: None,
) -> Part:
    """Do one part of an audit, such as "3/16", into a folder; `merge` makes a bundle of all parts.

    A part that was interrupted is continued; a complete one is returned. Each part opens the same model and the same
    rows, all of them.

    Raises:
        ExistsError: if the folder holds something else, or the part of another audit.
        PlanError: if the shard is not a number and a count, such as "3/16".
    """
    shard = Shard.read(shard) if isinstance(shard, str) else shard
    plan, model, data = prepared(plan, model, data)
    head, folder = describe(plan, model, data), Path(folder)
    check_fit(model, data)
    with lock.writing(folder):
        part = _existing(folder, head, shard)
        if part is None:
            part = begin(folder, PartRecord(shard=str(shard), head=head))
        if model.digest() is None:
            _check_answers(part, model, data)
        if not part.record.complete:
            _carried_out(part, plan, model, data, progress)
    return part


def shares(plan: Plan, model: Model, data: Dataset, shard: Shard) -> dict[str, float]:
    """The share of the rows that a shard has of the steps of each kind."""
    plan, model, data = prepared(plan, model, data)
    mine, whole = defaultdict[str, int](int), defaultdict[str, int](int)
    for cut in dealt(steps(plan, model, data), shard):
        mine[cut.step.planned.kind] += cut.total
        whole[cut.step.planned.kind] += cut.step.total
    return {kind: mine[kind] / max(1, total) for kind, total in whole.items()}


def _carried_out(part: Part, plan: Plan, model: Model, data: Dataset, progress: Progress) -> None:
    shared = Shared(part.folder)
    cuts = list(dealt(steps(plan, model, data, shared=shared), part.shard))
    assert [cut.name for cut in cuts] == expected_steps(part.record.head.plan), "the steps that a merge expects"
    if data.groups is not None and cuts[0].units and cuts[0].units[0].start == 0:
        part.write_groups(data.groups)
    carry_out([cut for cut in cuts if cut.units], model, _Shelf(part, shared), progress)
    part.change(complete=True)
    part.save()
    shared.forget()


def _existing(folder: Path, head: Manifest, shard: Shard) -> Part | None:
    """The part in the folder, if it is of the same audit and shard; None if the folder is new or empty."""
    if not (folder / NAME).exists():
        if not is_unused(folder):
            raise ExistsError(
                f"{folder} exists and is not a part of an audit, so it is left as it is; choose another --out"
            )
        return None
    part = read_part(folder)
    other = difference(part.record.head, head, ("plan", "model", "data", "machine"))
    if part.record.shard != str(shard):
        other = f"shard was {part.record.shard}, now {shard}"
    if other:
        raise ExistsError(
            f"{folder} holds another part ({other}), and is left as it is; choose another folder with --out"
        )
    for step in part.record.steps:
        part.pieces(step)  # raises if its file was changed
    return part


def _check_answers(part: Part, model: Model, data: Dataset) -> None:
    """Keep the first answers of a black box, which has no digest, or compare them with those that are kept."""
    kept = part.answers()
    if kept is None:
        with suppress(ForwardError):  # the step that meets those rows says why
            part.write_answers(first_answers(model, data))
    elif not answers_as_before(model, data, kept):
        raise ExistsError(
            f"{part.folder} holds a part of an audit of {model.name} with other answers, and is left as it is; "
            "choose another folder with --out"
        )


@dataclass(frozen=True)
class _Shelf:
    """Stores what a shard did of each step in its part."""

    part: Part
    shared: Shared

    def has(self, cut: Cut) -> bool:
        return any(done.record.name == cut.name for done in self.part.record.steps)

    def keep(self, cut: Cut, made: list[Piece]) -> None:
        head = self.part.record.head
        self.part.write_pieces(cut.name, [_without_inputs(piece, head) for piece in made])

    def ended(self, cut: Cut, how: Ended) -> None:
        quotes = self.part.record.head.plan.keeps_inputs
        done = how.status == "done"
        units = [
            Unit(piece.start, piece.stop, tuple(told(each, quotes=quotes) for each in piece.readings))
            for piece in (cut.made if done else ())
        ]
        how = how if how.status != "error" or quotes else replace(how, note=WITHHELD)
        ended = StepPart(
            record=step_record(cut.step, how), rows=cut.step.rows, units=tuple(units), failed=-1 if done else cut.failed
        )
        if cut.step.planned.kind == "explainer":
            self.shared.keep()
        self.part.change(steps=(*self.part.record.steps, ended))
        self.part.save()


def _without_inputs(piece: Piece, head: Manifest) -> Piece:
    """The piece without arrays that the plan does not let a bundle keep."""
    kept: dict[str, Any] = {
        name: array
        for name, array in piece.arrays.items()
        if head.plan.keeps_inputs or not tells_inputs(name, array, head.data.shape)
    }
    return replace(piece, arrays=kept)
