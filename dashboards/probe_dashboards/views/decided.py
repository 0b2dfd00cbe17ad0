"""What is decided for: confusions, rates by class, curves and thresholds, whose numbers lead to their rows."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from probe import plots
from probe.audit import Bundle, reading
from probe.formatting import count, counted, estimate, share
from probe.statistics import Estimate
from probe_dashboards.views import examples
from probe_dashboards.views.examples import ANY
from probe_dashboards.views.links import Link, address
from probe_dashboards.views.once import once
from probe_dashboards.views.panels import Panel
from probe_dashboards.views.words import unbroken

RATES = {
    "precision": "Precision (share of the rows decided for)",
    "recall": "Recall (share of the rows of the class)",
    "fpr": "False positive rate (share of all other rows)",
}


def label(bundle: Bundle, one: str) -> str:
    """The name of the label that is meant; empty where each row has one answer."""
    return examples.ones(bundle)[one] if reading.labels(bundle) else ""


def classes(bundle: Bundle, one: str) -> dict[str, str]:
    """The classes that a curve can be of: id to name."""
    return examples.classes(bundle, one)


@once
def confusion(bundle: Bundle, run: str, one: str) -> pd.DataFrame:
    """Counts and shares of the rows of each class, which lead to these rows; of many classes the frequent mistakes."""
    counts = reading.confusion(bundle, label(bundle, one))
    named = classes(bundle, one)
    ids, names = list(named), list(named.values())
    if len(names) > reading.MATRIX:
        return _frequent(counts, named, lambda row, column: _rows(run, one, label=ids[row], answer=ids[column]))
    lines, cells_of = [], counts.to_numpy()
    for row, (name, true) in enumerate(zip(names, cells_of.sum(1), strict=True)):
        cells = [
            Link(_of(n, true), _rows(run, one, label=ids[row], answer=ids[column]))
            for column, n in enumerate(cells_of[row])
        ]
        lines.append((name, *cells, Link(count(true), _rows(run, one, label=ids[row]))))
    return pd.DataFrame(lines, columns=["Label", *(f"Answer: {name}" for name in names), "All"])


@once
def by_class(bundle: Bundle, run: str, one: str) -> pd.DataFrame:
    """Precision and recall of each class that is a label or an answer, with the rows that each is a share of."""
    found, smallest = reading.by_class(bundle, label(bundle, one)), bundle.manifest.plan.bias.min_group_size
    lines = []
    for (id_, name), row in zip(classes(bundle, one).items(), found.to_dict("records"), strict=True):
        if not (row["answered"] or row["true"]):
            continue
        few = min(row["answered"], row["true"]) < smallest
        lines.append(
            (
                name,
                unbroken(estimate(row["precision"], row["precision_low"], row["precision_high"], "share")),
                Link(count(row["answered"]), _rows(run, one, answer=id_)),
                unbroken(estimate(row["recall"], row["recall_low"], row["recall_high"], "share")),
                Link(count(row["true"]), _rows(run, one, label=id_)),
                f"fewer than {smallest} rows" if few else "",
            )
        )
    names = ["Class", "Precision [95 % interval]", "Predicted", "Recall [95 % interval]", "True", "Note"]
    table = pd.DataFrame(lines, columns=names)
    return table if table["Note"].any() else table.drop(columns="Note")


@once
def never(bundle: Bundle, one: str) -> str:
    """How many classes are neither a label nor an answer of any row, as a sentence; empty if all are."""
    found = reading.by_class(bundle, label(bundle, one))
    left = int(((found["answered"] == 0) & (found["true"] == 0)).sum())
    many = f"{count(left)} class{'es are' if left > 1 else ' is'}"
    return f"{many} neither the label nor the answer of any row, and not listed. " if left else ""


def ranked(found: Estimate) -> str:
    """The area under the ROC curve in words."""
    if not np.isfinite(found.value):
        return "There is no curve: it needs rows of this class and rows of another."
    return (
        f"Area under the curve: {estimate(found.value, found.low, found.high)}, with a 95 % percentile bootstrap "
        f"interval over {counted(found.n)} (200 draws from the plan's seed). 1/2 is chance."
    )


def own(bundle: Bundle, one: str) -> float | None:
    """The threshold of the model, where there are two classes."""
    return reading.decided(bundle, label(bundle, one)).threshold


def operating(bundle: Bundle, label: str, of: str) -> tuple[float, float] | None:
    """The false and the true positive rate of a class at the model's own threshold, where there is one."""
    found = reading.decided(bundle, label)
    if not found.threshold:
        return None
    at = reading.threshold_rates(bundle, label, (found.threshold,)).iloc[0]
    # Of the first class the same decisions are read the other way round.
    first = found.of(of) != 1
    return (1 - at["recall"], 1 - at["fpr"]) if first else (at["fpr"], at["recall"])


@once
def threshold(bundle: Bundle, run: str, one: str, cut: float) -> pd.DataFrame:
    """What a threshold would give: the four counts, which lead to their rows, and the rates."""
    name, used = label(bundle, one), own(bundle, one)
    row = reading.threshold_rates(bundle, name, (cut,)).to_dict("records")[0]
    no, yes = list(classes(bundle, one))
    scored = one if name else list(examples.ones(bundle))[1]
    below, above = ("to", "from")
    bound = f"{100 * reading.boundary(bundle, name, cut):.17g}"
    lines: list[tuple[Any, ...]] = []
    for cell, title, truth, side in (
        ("tp", "True positives", yes, above), ("fp", "False positives", no, above),
        ("fn", "False negatives", yes, below), ("tn", "True negatives", no, below),
    ):  # fmt: skip
        asked = {"answer": yes if side == above else no} if cut == used else {side: bound}
        lines.append((title, Link(count(row[cell]), _rows(run, scored, label=truth, **asked))))
    for rate, title in RATES.items():
        lines.append((title, unbroken(estimate(row[rate], row[f"{rate}_low"], row[f"{rate}_high"], "share"))))
    return pd.DataFrame(lines, columns=["At this threshold", "Rows, or rate [95 % interval]"])


def curves(bundle: Bundle, one: str) -> dict[str, plots.Curve]:
    """The rates over the threshold."""
    found = reading.threshold_rates(bundle, label(bundle, one))
    return {
        title.partition(" (")[0].lower(): plots.Curve(
            found["threshold"], found[rate], found[f"{rate}_low"], found[f"{rate}_high"]
        )
        for rate, title in RATES.items()
    }


def panel(bundle: Bundle, name: str, one: str, of: str = "") -> Panel:
    """What stands behind a part of the page."""
    title, lacks = PANELS[name]
    given = [repr(each) for each in (label(bundle, one), of)]
    asked = ", ".join(["bundle", *(given if of else [each for each in given[:1] if each != "''"])])

    def numbers() -> pd.DataFrame:
        found: pd.DataFrame = getattr(reading, name)(
            bundle, *([label(bundle, one), of] if of else [label(bundle, one)])
        )
        return found.rename_axis("label").reset_index() if name == "confusion" else found

    return Panel(name.replace("_", "-"), title, numbers, lacks, f"reading.{name}({asked})")


PANELS: Mapping[str, tuple[str, str]] = {
    "confusion": ("Confusion matrix", "how sure the model was of its mistakes, and what each mistake costs."),
    "by_class": (
        "Precision and recall of each class",
        "what precision would be where classes are more or less frequent than in these rows.",
    ),
    "roc": ("ROC curve", "whether a probability is right as often as it says; and at most 500 points are drawn."),
    "threshold_rates": (
        "Thresholds",
        "which threshold is right: that depends on what each mistake costs. One chosen on these rows looks better on "
        "them than it is.",
    ),
}


def _frequent(counts: pd.DataFrame, named: Mapping[str, str], rows: Any) -> pd.DataFrame:
    names, true = list(named.values()), counts.to_numpy().sum(1)
    lines = [
        (names[row], names[column], Link(_of(wrong, true[row]), rows(row, column)))
        for row, column, wrong in reading.mistakes(counts)
    ]
    return pd.DataFrame(lines, columns=["Label", "Answer", "Rows (share of the label's)"])


def _of(part: int, whole: int) -> str:
    return f"{count(part)} ({share(part / whole)})" if whole else count(part)


def _rows(run: str, one: str, **asked: str) -> str:
    chosen = {} if one == ANY else {"one": one}
    return address("rows", run, {"of": "all", **chosen, **asked})
