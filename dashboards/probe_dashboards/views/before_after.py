"""The explanations of one example before an attack broke it, and after."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from probe import plots
from probe.audit import Bundle, reading
from probe.audit.reading import BeforeAfter
from probe.formatting import DASH, number
from probe.text import visible
from probe_dashboards.views import attacked, explained, ran
from probe_dashboards.views.instance import drawer, features
from probe_dashboards.views.once import once
from probe_dashboards.views.panels import Panel

Array = NDArray[Any]
WHEN = ("before", "after")
ONE_SCALE = (
    "All are on one scale and list the same features, those of the example without the attack. "
    "A value is a share of the sum of the sizes of its explanation's values."
)


@once
def found(bundle: Bundle, row: int, attack: str, eps: str) -> dict[str, BeforeAfter]:
    """By the id of each explainer, its explanations before and after; none at a radius that does not break the row."""
    step = ran.steps(bundle, "attack")[attack]
    again = reading.before_after(bundle, step.name, int(row))
    return again if again and eps in _broken(bundle, row, attack) else {}


def why_none(bundle: Bundle, row: int, attack: str, eps: str) -> str:
    """Why there are none."""
    if eps not in _broken(bundle, row, attack):
        return "The attack did not break this example at this radius, so there is no attacked input to explain."
    return (
        "This attacked input was not explained: of the first 24 attacked examples, an audit explains those again that "
        "it also explains without the attack. The lab explains any row before and after an attack."
    )


def said(bundle: Bundle, row: int) -> str:
    """What is explained, and how, in a sentence."""
    methods = explained.methods(bundle)
    return (
        f"The same methods, with the same settings and seed, explain the attacked input; all explain "
        f"{explained.target(bundle, row, next(iter(methods)))}."
    )


def drawn(
    bundle: Bundle, row: int, attack: str, eps: str, method: str
) -> tuple[tuple[plots.Example, plots.Values], tuple[plots.Example, plots.Values]]:
    """The example with its explanation before the attack and after, on the scale of all methods."""
    again, pair = found(bundle, row, attack, eps), attacked.pair(bundle, row, attack, eps)
    assert pair is not None, "asked for only where it was kept"
    shown = [_example(bundle, row, each) for each in pair[:2]]
    top = explained.order(bundle, row)[: explained.BARS]
    each = {name: [_values(bundle, row, one, at, top) for at in (0, 1)] for name, one in again.items()}
    limit = max(drawer(bundle).reach(shown[at], values[at]) for values in each.values() for at in (0, 1)) or None
    before, after = (plots.Values(values.by_number, values.by_feature, top, limit=limit) for values in each[method])
    return (shown[0], before), (replace(shown[1], like=shown[0].inputs), after)


def sentence(bundle: Bundle, row: int, attack: str, eps: str, method: str, at: int) -> str:
    """The text as HTML, its words shaded, before the attack (0) or after (1); empty where it is drawn as a figure."""
    return drawer(bundle).text(*drawn(bundle, row, attack, eps, method)[at]) if drawer(bundle).size == "text" else ""


@once
def agreement(bundle: Bundle, row: int, attack: str, eps: str) -> pd.DataFrame:
    """How far each method's explanations before and after agree."""
    lines = []
    for each in found(bundle, row, attack, eps).values():
        tops = [_top(explained.told(bundle, row, part)) for part in (each.before, each.after)]
        lines.append(
            (
                visible(each.title),
                number(each.correlation, "signed") if np.isfinite(each.correlation) else DASH,
                f"{len(tops[0] & tops[1])} of {len(tops[0])}",
            )
        )
    return pd.DataFrame(lines, columns=["Method", "Rank correlation", "Top features in common"])


def behind(bundle: Bundle, row: int, attack: str, again: Mapping[str, BeforeAfter]) -> Panel:
    """What stands behind them."""
    step = ran.steps(bundle, "attack")[attack].name

    def numbers() -> pd.DataFrame:
        named: dict[str, Any] = {"feature": features(bundle, row)}
        for each in again.values():
            for when, part in zip(WHEN, (each.before, each.after), strict=True):
                named[f"{each.title}, {when}"] = explained.told(bundle, row, part)
        return pd.DataFrame(named).iloc[explained.order(bundle, row)]

    return Panel(
        "before_after",
        "Explanations before and after the attack",
        numbers,
        "which of the two is right: that they agree, or do not, says nothing of what the model should use.",
        f"reading.before_after(bundle, {step!r}, {int(row)})",
    )


def _broken(bundle: Bundle, row: int, attack: str) -> list[str]:
    """The radii at which the attack breaks the example."""
    stored = attacked.attack_arrays(bundle, attack)
    at = reading.place(stored, int(row))
    success = () if at is None else stored["success"][:, at]
    return [eps for eps, broken in zip(attacked.radii(bundle, attack), success, strict=False) if broken]


def _example(bundle: Bundle, row: int, each: plots.Example) -> plots.Example:
    """An example as explanations name its features; of a text, its words where the one before the attack has some."""
    if not drawer(bundle).named_in_words:
        return each
    words = explained.told(bundle, row, np.array([visible(word) for word in each.words], dtype=object))
    return plots.Example(each.inputs, features(bundle, row), words.tolist(), each.features)


def _values(bundle: Bundle, row: int, each: BeforeAfter, at: int, top: list[int]) -> plots.Values:
    by_feature = explained.told(bundle, row, (each.before, each.after)[at].astype(float))
    whole = float(np.abs(by_feature).sum()) or 1.0
    assert each.numbers is not None, "drawn only where inputs are kept"
    return plots.Values(each.numbers[at].astype(float) / whole, by_feature / whole, top)


def _top(by_feature: Array) -> set[int]:
    return {int(at) for at in np.argsort(-np.abs(by_feature), kind="stable")[: explained.TOP]}
