"""Whose outcomes were compared, and who was left out."""

from probe.audit.bundle import Bundle
from probe.formatting import count


def left_out(bundle: Bundle) -> list[str]:
    """A sentence for each attribute by which some rows name no group."""
    if not bundle.has("tables/bias_row_accounting.csv"):
        return []
    return [
        f"{count(row['unknown'])} of {count(row['rows'])} rows name no group by {row['attribute']}: "
        "its comparisons leave them out"
        for row in bundle.table("bias_row_accounting").to_dict("records")
        if row["unknown"] > 0
    ]
