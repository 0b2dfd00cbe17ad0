"""Every number that was measured, and the evidence that each step left."""

from probe.audit.bundle import Bundle
from probe.audit.reading import evidence, measured
from probe.formatting import DASH
from probe.report.blocks import Badge, Block, Cell, Section, Table
from probe.report.sections.common import chapter


def section(bundle: Bundle) -> Section:
    """One table of all numbers, and what each step left."""
    columns = ("method", "measure", "estimate", "n", "status")
    rows: list[list[Cell]] = [
        [row.method or "the model", row.named, row.written, row.counted, Badge(row.status) if row.status else DASH]
        for row in measured(bundle)
    ]
    heads = ("step", "kind", "status", "settings", "arrays")
    left: list[list[Cell]] = [
        [each.step, each.kind, "done" if each.status == "done" else Badge(each.status), each.settings, each.arrays]
        for each in evidence(bundle)
    ]
    blocks: list[Block] = [
        Table(
            columns, rows, f"{len(rows)} numbers with 95 % intervals", numeric=columns[2:4], folded=True, file="tables"
        ),
        Table(heads, left, f"The evidence of {len(left)} steps", folded=True),
    ]
    return chapter("evidence", blocks)
