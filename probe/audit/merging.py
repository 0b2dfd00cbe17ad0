"""Make the bundle of an audit from the parts of all its shards."""

import shutil
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from probe import lock
from probe.audit.assessment import conclude
from probe.audit.bundle import Bundle, create, is_unused
from probe.audit.consistency.declared import title_wanted
from probe.audit.continuing import difference
from probe.audit.expected import expected_steps
from probe.audit.manifest import StepRecord
from probe.audit.part import GROUPS, NAME, Part, StepPart, read_part
from probe.audit.pieces import Piece, joined
from probe.audit.readings import evidence_of
from probe.contracts import alike
from probe.errors import ContractError, DataError, ExistsError, IntegrityError

SAME = ("plan", "model", "data")
COSTS: dict[str, Any] = {"seconds": 0.0, "forward": 0, "backward": 0, "status": "done", "note": "", "readings": ()}

ASKED: dict[str, Any] = {"status": "done", "why": "", "notes": {}}  # what may differ between batches of a metric


def merge(parts: str | Path | Sequence[str | Path], folder: str | Path) -> Bundle:
    """The bundle of an audit whose shards were run one by one: the one that a single machine would have written.

    Args:
        parts: the folders of the parts, or one folder that holds them.
        folder: a new or empty folder for the bundle.

    Raises:
        DataError: if a part is missing, unfinished, given twice, or of another audit.
        IntegrityError: if a part was changed.
        ExistsError: if the folder holds something.
    """
    folder = Path(folder)
    found = [read_part(path) for path in found_parts(parts)]
    _check_whole(found)
    with lock.writing(folder):
        if not is_unused(folder):  # asked under the lock, as another process may just have merged them
            raise ExistsError(f"{folder} exists, and is left as it is; choose another --out")
        try:
            return _merged(sorted(found, key=lambda part: part.shard.number), folder)
        except BaseException:  # what is half merged is no audit, and merging again is quick
            for name in ("audit.json", "arrays", "tables"):
                path = folder / name
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
            raise


def found_parts(given: str | Path | Sequence[str | Path]) -> list[Path]:
    """The folders of parts: those given, and those in the folders given.

    Raises:
        DataError: if one holds no part.
    """
    found: list[Path] = []
    for each in map(Path, [given] if isinstance(given, str | Path) else given):
        inside = [each] if (each / NAME).exists() else sorted(path.parent for path in each.glob(f"*/{NAME}"))
        if not inside:
            raise DataError(f"{each} holds no part of an audit; `probe audit --plan plan.toml --shard 1/2` makes one")
        found += inside
    return list(dict.fromkeys(path.resolve() for path in found))  # one part may be named in two ways


def _check_whole(parts: Sequence[Part]) -> None:
    """Raise DataError unless these are all the parts of one audit, each once."""
    first, seen = parts[0], dict[int, Part]()
    machine = {key: value for key, value in first.record.head.machine.items() if key != "cores"}
    for part in parts:
        head = part.record.head
        other = difference(first.record.head, head, SAME)
        other = other or difference(machine, {key: head.machine.get(key) for key in machine}, tuple(machine))
        if part.shard.count != first.shard.count:
            other = f"{first.shard.count} shards, and here {part.shard.count}"
        if other:
            raise DataError(f"{part.name} is a part of another audit than {first.name} ({other}); leave it out")
        if twin := seen.get(part.shard.number):
            raise DataError(f"{twin.name} and {part.name} are both shard {part.shard}; leave one of them out")
        if not part.record.complete:
            raise DataError(f"{part.name} is unfinished; run its shard {part.shard} again, which continues it")
        seen[part.shard.number] = part
    if missing := [number for number in range(1, first.shard.count + 1) if number not in seen]:
        more = f", and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise DataError(
            f"the part of shard {missing[0]}/{first.shard.count} is missing{more}; run it with "
            f"--shard {missing[0]}/{first.shard.count}, and merge again"
        )
    answered = [(part, answers) for part in parts if (answers := part.answers()) is not None]
    for part, answers in answered:
        other_part, others = answered[0]
        if not alike(first.record.head.task, others, answers):
            raise DataError(f"{part.name} is of a model with other answers than {other_part.name}; leave it out")


def _merged(parts: Sequence[Part], folder: Path) -> Bundle:
    head = replace(parts[0].record.head, created=min(part.record.head.created for part in parts))
    bundle = create(folder, head)
    tables = [table for part in parts if (table := part.groups()) is not None]
    if len(tables) != bool(head.data.groups):
        raise IntegrityError(f"{len(tables)} parts hold a table of groups; run the shards again")
    for table in tables:
        bundle._write(GROUPS, table)
    done: dict[str, list[tuple[Part, StepPart]]] = defaultdict(list)
    for part in parts:
        for step in part.record.steps:
            done[step.record.name].append((part, step))
    for name in expected_steps(head.plan):
        if name not in done:
            raise IntegrityError(f"no part holds the step {name}; run the shards again")
        record, whole = _step(done.pop(name))
        if whole is not None:
            bundle.write_arrays(name, whole.arrays)
        bundle.change(steps=(*bundle.manifest.steps, record))
    if done:
        raise IntegrityError(f"{done.popitem()[1][0][0].name} holds a step that the plan does not have")
    conclude(bundle, "complete")
    return bundle


def _step(held: Sequence[tuple[Part, StepPart]]) -> tuple[StepRecord, Piece | None]:
    """The record of a step from all its parts, and its arrays if it is done."""
    records = [step.record for _, step in held]
    first = replace(records[0], **COSTS)
    for (part, step), record in zip(held, records, strict=True):
        if replace(record, **COSTS) != first or step.rows != held[0][1].rows:
            raise IntegrityError(f"{part.name} has another {first.name} than {held[0][0].name}; run that shard again")
    if first.title != (titled := title_wanted(first)):
        raise IntegrityError(
            f"{held[0][0].name} calls {first.name} {first.title!r:.60}, and its method is called {titled!r}; run the "
            "shards again"
        )
    record = replace(
        first,
        seconds=round(sum(each.seconds for each in records), 2),
        forward=sum(each.forward for each in records),
        backward=sum(each.backward for each in records),
    )
    if failed := [step for _, step in held if step.failed >= 0]:
        earliest = min(failed, key=lambda step: step.failed).record
        return replace(record, status=earliest.status, note=earliest.note), None
    found = [(part, piece) for part, step in held for piece in part.pieces(step)]
    for part, piece in found:
        _check_measured(part, piece, found[0], first.name)
    pieces = sorted((piece for _, piece in found), key=lambda piece: piece.start)
    reached = 0
    for piece in pieces:
        if piece.start != reached:
            raise IntegrityError(
                f"rows {min(piece.start, reached)} to {max(piece.start, reached)} of {first.name} are "
                f"{'missing' if piece.start > reached else 'duplicated'}; run the shards again"
            )
        reached = piece.stop
    if reached != held[0][1].rows:
        raise IntegrityError(f"{first.name} ends at row {reached} of {held[0][1].rows}; run the shards again")
    try:
        whole = joined(first.kind, pieces)
    except ContractError as error:
        return replace(record, status="error", note=str(error)), None
    return replace(record, readings=whole.readings), whole


def _check_measured(part: Part, piece: Piece, other: tuple[Part, Piece], step: str) -> None:
    """Raise IntegrityError unless the metrics of a piece are those of another, and their evidence is there."""
    asked, others = ([replace(each, **ASKED) for each in of.readings] for of in (piece, other[1]))
    if asked != others:
        raise IntegrityError(
            f"{part.name} has other measurements of {step} than {other[0].name}; run those two shards again"
        )
    for reading in piece.readings:
        if reading.status == "done" and evidence_of(reading.metric) not in piece.arrays:
            raise IntegrityError(f"{part.name} has no evidence of {reading.metric} of {step}; run that shard again")
