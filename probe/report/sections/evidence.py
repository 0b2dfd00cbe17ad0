"""Each number that was measured, whatever it is of, and evidence that no other chapter knows."""

from probe.audit.bundle import Bundle
from probe.audit.reading import CHAPTERS, evidence, measured
from probe.formatting import DASH, count
from probe.report.parts import Badge, Block, Cell, Section, Table
from probe.report.sections.common import chapter


def section(bundle: Bundle) -> Section:
    """One table of all numbers, and what each step left."""
    columns = ("chapter", "method", "measure", "of", "estimate", "n", "status")
    rows: list[list[Cell]] = [
        [
            CHAPTERS[row.lens].title if row.lens in CHAPTERS else row.lens,
            row.method or "the model",
            row.title,
            row.at,
            row.written,
            count(row.n),
            Badge(row.status) if row.status else DASH,
        ]
        for row in measured(bundle)
    ]
    heads = ("step", "kind", "status", "settings", "arrays")
    left: list[list[Cell]] = [
        [each.step, each.kind, "done" if each.status == "done" else Badge(each.status), each.settings, each.arrays]
        for each in evidence(bundle)
    ]
    blocks: list[Block] = [
        Table(
            columns, rows, f"{len(rows)} numbers with 95 % intervals", numeric=columns[4:6], folded=True, file="tables"
        ),
        Table(heads, left, f"The evidence of {len(left)} steps", folded=True),
    ]
    return chapter("evidence", blocks)
