"""How many rows each part of the audit used, how many it left out, and why."""

from probe.audit.bundle import Bundle
from probe.audit.reading import tallied
from probe.formatting import DASH, count
from probe.report.blocks import Section, Table


def section(bundle: Bundle) -> Section:
    """The ledger of rows in sums; `probe export --format rows` writes it row by row."""
    rows = [(part, count(used), count(out), why or DASH) for part, used, out, why in tallied(bundle)]
    columns = ("part", "used", "left out", "why")
    return Section(
        "ledger",
        "Rows used and left out",
        [Table(columns, rows, f"Of {count(bundle.manifest.data.n)} audited rows", numeric=columns[1:3])],
        lead=(
            "Rows that were left out before the audit, while the data were read, are counted in the notices of the "
            "first page. `probe export FOLDER --format rows` writes a line for each audited row.",
        ),
    )
