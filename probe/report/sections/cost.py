"""What the audit cost, what it leaves open, and how to repeat it."""

from probe.audit.bundle import Bundle
from probe.audit.reading import costs, repeat, total
from probe.report.blocks import Badge, Block, Cell, Listing, NotMeasured, Section, Table, Text
from probe.report.sections.scope import NOT_EXAMINED


def section(bundle: Bundle) -> Section:
    """Time and work of each step."""
    found = costs(bundle.manifest)
    columns = ("step", "status", "settings", "time", "forward", "backward")
    rows: list[list[Cell]] = [
        [
            each.step,
            "done" if each.status == "done" else Badge(each.status),
            each.settings,
            *each.written,
        ]
        for each in found
    ]
    whole = total(found)
    rows.append([whole.step, "", "", *whole.written])
    caption = (
        "Examples that went forward and backward through the model. Masked inputs are asked once: an explainer that "
        "asks the same as one above it costs less than by itself."
    )
    table = Table(columns, rows, caption, numeric=columns[3:])
    nothing = NotMeasured([("not run", "steps", "the audit ended before its first step was done")])
    return Section("cost", "Cost", [table if found else nothing])


def limits(bundle: Bundle) -> Section:
    """What an audit of this kind cannot show."""
    n = bundle.manifest.data.n
    blocks: list[Block] = [
        Text(
            f"All numbers hold for the {n:,} rows whose SHA-256 is given above, and for rows drawn in the same way. "
            "Intervals cover sampling error, not distribution shift or wrong labels."
        ),
        Text(
            "Several checks were made, each with its own 95 % interval; the more there are, the likelier it is "
            "that one of them is off by chance. Intervals of differences between groups allow for all pairs within "
            "an attribute."
        ),
        Text(
            "A failed attack does not prove robustness: a stronger one may succeed. An explanation that beats a random "
            "order is better than chance, which does not make it the truth about the model. A difference that was not "
            "found may still exist, below the size beside it that would have failed."
        ),
        Text(NOT_EXAMINED),
    ]
    return Section("limits", "Limits", blocks)


def reproduction(bundle: Bundle) -> Section:
    """Command lines that check and repeat the audit."""
    again = repeat(bundle.manifest, "FOLDER")
    commands = (
        "# every file against its SHA-256, every number against the evidence; needs neither the model nor torch\n"
        "probe verify FOLDER\n\n"
        "# the same plan again, on the same model and data\n" + "\n".join(again) + "\n\n"
        "# this page from the bundle\n"
        "probe report FOLDER\n"
    )
    plan = bundle.manifest.plan
    blocks: list[Block] = [
        Text(
            "FOLDER is the folder that this page came in: audit.json, tables and arrays. The seed is "
            f"{plan.seed}; an example's answer depends neither on the other examples in its batch nor "
            "on the batch size."
        ),
        Listing(commands, "In a terminal"),
    ]
    return Section("reproduction", "Reproduction", blocks)
