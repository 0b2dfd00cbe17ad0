"""Parts of the table and how the model does on each; how far off numbers are."""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from probe import formatting
from probe.audit import Bundle, reading
from probe.formatting import count, estimate, interval, number
from probe.text import visible
from probe_dashboards.views import examples
from probe_dashboards.views.examples import ANY
from probe_dashboards.views.links import Link, address
from probe_dashboards.views.once import once
from probe_dashboards.views.panels import Panel
from probe_dashboards.views.words import unbroken

MOST = 200  # slices that are listed


def of_numbers(bundle: Bundle) -> bool:
    """Whether the answers are numbers."""
    return bundle.manifest.task.kind == "regression"


def name(bundle: Bundle, one: str) -> str:
    """The label or the number that is meant; empty for the only one."""
    return "" if bundle.manifest.task.one_class or one == ANY else examples.ones(bundle)[one]


@once
def slices(bundle: Bundle, run: str, one: str) -> pd.DataFrame:
    """Each group and each pair of groups, the worst first and small ones last; its rows are a link away."""
    found, lines = reading.slices(bundle, name(bundle, one)), []
    numbers, smallest = of_numbers(bundle), bundle.manifest.plan.bias.min_group_size
    order = found.sort_values("value", ascending=not numbers, kind="stable").sort_values("small", kind="stable")
    ids = {own: at for at, own in examples.attributes(bundle).items()}
    known = {own: {group: at for at, group in examples.groups(bundle, ids[own]).items()} for own in ids}
    for each in order.head(MOST).to_dict("records"):
        pairs = list(zip(each["attribute"], each["group"], strict=True))
        asked = {f"in-{ids[attribute]}": known[attribute][group] for attribute, group in pairs}
        asked |= {} if one == ANY else {"one": one}
        cells: list[Any] = [
            ", ".join(f"{visible(attribute)}: {visible(group)}" for attribute, group in pairs),
            unbroken(estimate(each["value"], each["low"], each["high"], "number" if numbers else "share")),
            Link(count(each["n"]), address("rows", run, {"of": "all", **asked})),
        ]
        if not numbers:
            wrong = round((1 - each["value"]) * each["n"])
            cells.append(Link(count(wrong), address("rows", run, {"of": "all", **asked, "outcome": "wrong"})))
        lines.append((*cells, f"fewer than {smallest} rows" if each["small"] else ""))
    value = f"{'Mean absolute error' if numbers else 'Accuracy'} [95 % interval]"
    names = ["Rows in", value, "n", *(["Wrong"] if not numbers else []), "Note"]
    return pd.DataFrame(lines, columns=names)


def slice_panel(bundle: Bundle, one: str) -> Panel:
    """What stands behind the slices."""
    named = name(bundle, one)

    def numbers() -> pd.DataFrame:
        found = reading.slices(bundle, named)
        return found.assign(**{key: [" x ".join(each) for each in found[key]] for key in ("attribute", "group")})

    return Panel(
        "slices",
        "Slices",
        numbers,
        "slices by anything but the groups that the data name. Each interval is of its own slice: among many slices "
        "some look bad by chance, so that the worst one is a question, not a finding.",
        f"reading.slices(bundle{f', {named!r}' if named else ''})",
    )


@once
def distribution(bundle: Bundle, run: str, one: str) -> pd.DataFrame:
    """How many errors lie in each bin; the rows of a bin are a link away."""
    found = reading.distribution(bundle, name(bundle, one))
    chosen = {} if one == ANY else {"one": one}
    lines = []
    for each in found.to_dict("records"):
        bounds = {key: f"{each[key]:.17g}" for key in ("from", "to")}
        said = interval(each["from"], each["to"], "signed")
        lines.append((said, Link(count(each["n"]), address("rows", run, {"of": "all", **chosen, **bounds}))))
    return pd.DataFrame(lines, columns=["Error", "Rows"])


@once
def quantiles(bundle: Bundle, one: str) -> pd.DataFrame:
    """The errors in a few numbers."""
    found = reading.errors(bundle, name(bundle, one))["error"].to_numpy()
    asked = {"smallest": 0.0, "5 % are below": 0.05, "half are below": 0.5, "95 % are below": 0.95, "largest": 1.0}
    cuts = np.quantile(found, list(asked.values()))
    lines = [("mean", number(found.mean(), "signed"), number(np.abs(found).mean()))]
    absolute = np.quantile(np.abs(found), list(asked.values()))
    lines += [
        (title, number(cut, "signed"), number(off)) for title, cut, off in zip(asked, cuts, absolute, strict=True)
    ]
    return pd.DataFrame(lines, columns=["Over all rows", "Error", "Absolute error"])


@once
def predicted(bundle: Bundle, one: str) -> pd.DataFrame:
    """Mean answer and mean absolute error in tenths of the rows, by label."""
    lines = [
        (
            interval(row["label_from"], row["label_to"]),
            unbroken(estimate(row["answer"], row["answer_low"], row["answer_high"])),
            unbroken(estimate(row["off"], row["off_low"], row["off_high"])),
            formatting.count(row["n"]),
        )
        for row in reading.predicted(bundle, name(bundle, one)).to_dict("records")
    ]
    names = ["Label", "Mean answer [95 % interval]", "Mean absolute error [95 % interval]", "n"]
    return pd.DataFrame(lines, columns=names)


def error_panel(bundle: Bundle, kind: str, one: str) -> Panel:
    """What stands behind a part of the page of a regression."""
    title, lacks = PANELS[kind]
    named = name(bundle, one)
    return Panel(
        kind,
        title,
        partial(getattr(reading, kind), bundle, named),
        lacks,
        f"reading.{kind}(bundle{f', {named!r}' if named else ''})",
    )


PANELS = {
    "distribution": ("Errors", "which rows are off together; outliers make the bins wide."),
    "predicted": (
        "Answers against labels",
        "how sure the model is of a number: it answers with none. Answers that shrink towards the middle are usual "
        "where labels are noisy.",
    ),
}
