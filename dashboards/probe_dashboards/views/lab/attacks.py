"""What an attack did to one input, at each of its budgets."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from probe import plots
from probe.formatting import norm
from probe.formatting import number as written
from probe.lab import Answer
from probe.numbers import fraction
from probe.text import visible
from probe_dashboards.views.lab import answers, inputs
from probe_dashboards.views.words import md

STEPS = 8  # budgets that one request asks for


def budgets(largest: str, *, counted: bool) -> list[str]:
    """Budgets up to the largest, as they are written: equal steps, or whole numbers where changes are counted.

    Raises:
        ValueError: if it is no number above zero, in a sentence.
    """
    try:
        most = fraction(largest)
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"the largest budget is {largest!r:.40}, expected a number such as 8/255 or 0.1") from None
    if most <= 0:
        raise ValueError("the largest budget must be above 0")
    if counted:
        return [str(step) for step in range(1, max(1, min(int(most), 4 * STEPS)) + 1)]
    head, slash, tail = largest.strip().partition("/")
    if slash:  # 8/255 stays in 255ths
        return [f"{float(fraction(head)) * step / STEPS:g}/{tail.strip()}" for step in range(1, STEPS + 1)]
    return [f"{float(most) * step / STEPS:.6g}" for step in range(1, STEPS + 1)]


def largest(described: Mapping[str, Any]) -> str:
    """The largest budget that an audit of this form of input asks for."""
    usual = [str(eps) for eps in described["usual"]["eps"]]
    return max(usual, key=fraction, default="0.1")


def first(answer: Answer) -> int | None:
    """The first budget at which the attack succeeded."""
    return next((at for at, step in enumerate(answer.record["steps"]) if step["success"]), None)


def table(answer: Answer) -> pd.DataFrame:
    """Every budget: whether the attack succeeded, the answer then, and how long the change is."""
    unit = visible(answer.record["threat"].get("unit") or "")
    rows = []
    for step in answer.record["steps"]:
        told = step.get("answer", step)
        rows.append(
            (
                visible(step["eps"]) if step["eps"] is not None else "none",
                "yes" if step["success"] else "no",
                answers.in_words(told["decided"]),
                written(step["length"]) if step["length"] is not None else "",
                step["changed"],
            )
        )
    return pd.DataFrame(
        rows,
        columns=["Budget", "Succeeded", "Answer", f"Measured change{f', {unit}' if unit else ''}", "Features changed"],
    )


def asked(threat: Mapping[str, Any]) -> str:
    """What a field for the largest budget is called."""
    unit = visible(threat.get("unit") or "budget")
    if threat.get("counted"):
        return f"Largest budget, {unit}s"
    axis = visible(threat.get("axis") or "")
    return f"Largest {unit}" + (f", {norm(axis)}" if axis else "")


def outcome(answer: Answer, at: int) -> str:
    """What became of the answer at a budget, as Markdown."""
    step, clean = answer.record["steps"][at], answer.record["clean"]
    told = step.get("answer", step)
    before = f"**{md(answers.in_words(clean['decided']))}**{answers.sure(clean, answer.arrays, 'clean_')}"
    after = f"**{md(answers.in_words(told['decided']))}**{answers.sure(told, answer.arrays, '', at)}"
    if answer.record.get("reached_before"):
        return f"The goal was reached without an attack: the answer is {before}."
    return (
        f"The answer becomes {after}; without an attack it is {before}."
        if step["success"]
        else f"The answer did not change: {after}; without an attack it is {before}."
    )


def measured(answer: Answer, at: int) -> str:
    """How long the change at a budget is: what the budget counts, or the budget's norm as the budget is written."""
    step, threat = answer.record["steps"][at], answer.record["threat"]
    found, many = dict(step["lengths"]), step["length"]
    if threat.get("counted") and many is not None:
        found.pop(f"{threat['unit']}s", None)
        found = {threat["unit"] if many == 1 else f"{threat['unit']}s": many, **found}
    parts = (step["eps"] or "").partition("/")[2]
    return inputs.lengths(found, {norm(threat.get("axis") or ""): fraction(parts)} if parts else {})


def pair(drawn: plots.Drawer, answer: Answer, at: int) -> tuple[plots.Example, plots.Example, Any]:
    """The input before and after, and how far each feature moved."""
    step = answer.record["steps"][at]
    before = inputs.example(drawn, answer)
    after = inputs.example(drawn, answer, answer.arrays["perturbed"][at], step["words"] or None)
    return before, replace(after, like=before.inputs), np.asarray(answer.arrays["moved"][at], dtype=float)


def changes(before: plots.Example, after: plots.Example, moved: Any) -> pd.DataFrame:
    """What the attack changed of a row of a table."""
    told = len(before.words) == len(after.words) == len(moved)
    rows = [
        (
            before.names[at],
            before.words[at] if told else "not in words",
            after.words[at] if told else "not in words",
            written(float(moved[at]), "signed"),
        )
        for at in np.abs(moved).argsort(kind="stable")[::-1]
        if moved[at]
    ]
    return pd.DataFrame(rows, columns=["Feature", "Before", "After", "Change in units of the budget"])
