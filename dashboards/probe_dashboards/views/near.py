"""The rows that are nearest to one, with the same answer and with another."""

from collections.abc import Sequence

import pandas as pd

from probe.audit import Bundle, reading
from probe.formatting import count, digits, share
from probe_dashboards.views import examples, instance
from probe_dashboards.views.links import Link, address
from probe_dashboards.views.once import once
from probe_dashboards.views.panels import Panel

SIDES = {"same": "With the same answer", "other": "With another answer"}
WHAT = "Distance: how far the features differ, each in units of the scale that attacks use, added up"
LACKS = (
    "whether two rows are alike to people: every feature counts as its scale says. Rows outside the audited data, such "
    "as those that the model was trained on, are not compared; the survey NearestCases finds those."
)


def sides(bundle: Bundle) -> dict[str, str]:
    """The sides that the rows are on, and their titles."""
    task = bundle.manifest.task
    if not task.judges:
        return {"other": "Whatever their answer"}
    if task.kind == "regression":
        return {"same": "With an answer within the tolerance of this one", "other": "With an answer farther off"}
    return SIDES


def found(bundle: Bundle, row: int) -> reading.Near | None:
    """The nearest rows of an example, if the audit kept which they are."""
    return reading.near(bundle, row)


def why_none(bundle: Bundle, row: int) -> str:
    """Why it is not known which rows are the nearest."""
    if not bundle.manifest.plan.keeps_inputs:
        return "As its plan says, the bundle does not tell which rows are alike."
    if not instance.explained(bundle, row):
        return "The nearest rows are sought of the explained examples alone, and this is none."
    return "This audit does not tell which rows are near, as it is of an older version; run it again to find them."


@once
def table(bundle: Bundle, run: str, side: Sequence[reading.Neighbour]) -> pd.DataFrame:
    """The rows of one side; the number of a row leads to its page."""
    answers, labels, sure = reading.decisions(bundle), bundle.arrays("predictions")["labels"], reading.sureness(bundle)
    judged = examples.right(bundle)
    lines = []
    for each in side:
        at = each.row
        answer = instance.in_words(bundle, answers[at])
        sureness = f" ({share(float(sure[at]))})" if sure[at] == sure[at] else ""
        outcome = "" if judged is None else "right" if judged[at] else "wrong"
        link = Link(f"{at}", address("instance", run, {"of": "all", "row": f"{at}"}))
        label = instance.in_words(bundle, labels[at])
        lines.append((link, digits(each.distance), f"{answer}{sureness}", label, outcome))
    frame = pd.DataFrame(lines, columns=["Row", "Distance", "Answer", "Label", "Right or wrong"])
    return frame if judged is not None else frame.drop(columns="Right or wrong")


def said(bundle: Bundle, near: reading.Near) -> str:
    """Among how many rows they are the nearest, and what is missing."""
    everywhere = near.among >= examples.count(bundle) - 1
    among = (
        f"Among {'all ' if everywhere else ''}{count(near.among)} other rows{'' if everywhere else ' that were drawn'}"
    )
    shown = {title.lower(): getattr(near, key) for key, title in sides(bundle).items()}
    gone = [title for title, rows in shown.items() if not rows]
    far = f" up to a distance of {digits(near.within)}" if near.within < float("inf") else ""
    missing = f" There is none {' or '.join(gone)}{far}." if gone else ""
    beyond = any(each.distance > near.within for rows in shown.values() for each in rows)
    more = f" Beyond a distance of {digits(near.within)} one may be missing: the nearest rows of each label are kept."
    return f"{among}. {WHAT}.{missing}{more if beyond else ''}"


def panel(bundle: Bundle, row: int, near: reading.Near) -> Panel:
    """What stands behind the nearest rows."""
    lines = [(side, each.row, each.distance) for side in SIDES for each in getattr(near, side)]
    return Panel(
        "near",
        "The nearest rows",
        pd.DataFrame(lines, columns=["answer", "row", "distance"]),
        LACKS,
        f"reading.near(bundle, {row})",
    )
