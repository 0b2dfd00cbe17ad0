"""Explanations of one input by several methods, side by side."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from probe import formatting, plots
from probe.lab import Answer
from probe.statistics import ranks
from probe.text import visible
from probe_dashboards.views.lab import inputs
from probe_dashboards.views.words import correlation, md, number, unbroken

BARS = 10  # features that a chart lists


def order(drawn: plots.Drawer, found: Mapping[str, Answer]) -> list[int]:
    """The features in the order in which every chart and table lists them."""
    return plots.shared_order([inputs.kept(drawn, each, each.arrays["by_feature"]) for each in found.values()])


def values(drawn: plots.Drawer, answer: Answer, top: list[int], prefix: str = "") -> plots.Values:
    """What a method attributes, with the features that every chart lists."""
    by_feature = inputs.kept(drawn, answer, np.asarray(answer.arrays[f"{prefix}by_feature"], dtype=float))
    array = np.asarray(answer.arrays[f"{prefix}values"], dtype=float)
    return plots.Values(array, by_feature, top[:BARS], errors=errors(drawn, answer, prefix))


def errors(drawn: plots.Drawer, answer: Answer, prefix: str = "") -> NDArray[Any] | None:
    """The standard errors by feature; None if nothing was drawn."""
    found = answer.arrays.get(f"{prefix}errors")
    return None if found is None else inputs.kept(drawn, answer, np.asarray(found, dtype=float))


def sums(told: Mapping[str, Any]) -> str:
    """What the values add up to, beside what they promise, as Markdown."""
    total = number(told["sum"], "signed") if told["sum"] is not None else "no number"
    if told["promised"] is None:
        return f"The values add up to {md(total)}; this method promises no sum."
    if told["imposed"]:
        return f"The values add up to {md(total)}, as the method makes them."
    off, promised = md(number(told["residual"])), md(number(told["promised"]))
    return f"The values add up to {md(total)}, which is off by {off}, where {promised} was promised."


def cost(told: Mapping[str, int]) -> str:
    """How often the model was asked."""
    inputs_ = "input" if told["forward"] == 1 else "inputs"
    return f"Cost: {told['forward']:,} {inputs_} forward, {told['backward']:,} backward."


def table(drawn: plots.Drawer, found: Mapping[str, Answer], top: list[int]) -> pd.DataFrame:
    """What every method attributes to each feature, in the order of the charts."""
    first = next(iter(found.values()))
    columns: dict[str, NDArray[Any]] = {}
    for name, each in found.items():
        columns[visible(name)] = inputs.kept(drawn, each, each.arrays["by_feature"])
        if (spread := errors(drawn, each)) is not None:
            columns[f"{visible(name)}: standard error"] = spread
    frame = pd.DataFrame(columns)
    frame.insert(0, "Feature", list(inputs.example(drawn, first).names))
    return frame.iloc[top].reset_index(drop=True)


def agreement(drawn: plots.Drawer, found: Mapping[str, Answer]) -> pd.DataFrame:
    """Spearman's rank correlation between the methods; a dash for a constant one."""
    places = [
        ranks(inputs.kept(drawn, each, np.asarray(each.arrays["by_feature"], dtype=float))) for each in found.values()
    ]
    centred = np.array([place - place.mean() for place in places])
    size = np.sqrt((centred**2).sum(axis=1))
    frame = pd.DataFrame(
        [
            [
                correlation(
                    float("nan") if size[i] * size[j] == 0 else float(centred[i] @ centred[j] / size[i] / size[j])
                )
                for j in range(len(places))
            ]
            for i in range(len(places))
        ],
        columns=[visible(name) for name in found],
    )
    frame.insert(0, "Method", [visible(name) for name in found])
    return frame


def quality(answer: Answer) -> pd.DataFrame:
    """What was measured of a method: here, and on average over a sample."""
    record = answer.record
    average = {each["metric"]: each for each in record.get("average", [])}
    rows = []
    for here in record["here"]:
        over: Mapping[str, Any] = average.get(here["metric"], {})
        unit = here["unit"]
        rows.append(
            (
                visible(here["title"]),
                _value(here, unit),
                unbroken(formatting.estimate(over["value"], over["low"], over["high"], unit)) + f", n = {over['n']:,}"
                if over and formatting.defined(over.get("value"))
                else visible(over.get("why", "") or formatting.DASH),
                visible(here["better"]),
            )
        )
    return pd.DataFrame(rows, columns=["Measure", "Here", "On average", "Better"])


def _value(measured: Mapping[str, Any], unit: Any) -> str:
    if measured.get("why"):
        return visible(measured["why"])
    return number(measured["value"], unit) if formatting.defined(measured.get("value")) else formatting.DASH
