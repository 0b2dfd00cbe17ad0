"""What several chapters ask of a bundle."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from probe import plots
from probe.audit import reading
from probe.audit.bundle import Bundle
from probe.audit.manifest import StepRecord
from probe.plots import Drawer
from probe.report.blocks import Block, NotMeasured, Section


def not_measured(bundle: Bundle, aspect: str) -> NotMeasured:
    """Why a chapter is empty or lacks something."""
    return NotMeasured([(found.status, found.check, found.note) for found in reading.why_empty(bundle, aspect)])


def not_asked(bundle: Bundle, kind: str, blocks: Sequence[Block]) -> list[NotMeasured]:
    """Why there is nothing of a kind of step, or which of its steps did not run."""
    missing = reading.unmade(bundle, kind)
    if blocks and not missing:
        return []
    return [NotMeasured([(found.status, found.check, found.note) for found in missing])]


def steps(bundle: Bundle, kind: str) -> list[StepRecord]:
    """The finished steps of a kind whose arrays are in the bundle."""
    return [step for step in reading.steps(bundle.manifest, kind) if bundle.has(f"arrays/{step.name}.npz")]


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """A table's rows by the names of their columns."""
    return [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]


def answer_name(bundle: Bundle, answer: Any) -> str:
    """A label or an answer in words."""
    return reading.answer_name(bundle.manifest, answer)


def drawer(bundle: Bundle) -> Drawer:
    """How the inputs are drawn, and what is said of their form."""
    return plots.drawer_of(bundle.manifest.data.form)


def chapter(name: str, blocks: Sequence[Block], *, shows: str = "", named: str = "", hides: str = "") -> Section:
    """A chapter that the viewer has too: what it shows, or what is said here, and what it does not show."""
    told = reading.CHAPTERS[name]
    hidden = " ".join(filter(None, (*told.limits, hides)))
    return Section(name, told.title, blocks, shows=shows or told.shows, named=named, hides=hidden)


def with_not_measured(bundle: Bundle, aspect: str, blocks: Sequence[Block]) -> list[Block]:
    """The blocks, followed by what could not be measured."""
    return [*blocks, not_measured(bundle, aspect)] if reading.missing(bundle, aspect) or not blocks else list(blocks)
