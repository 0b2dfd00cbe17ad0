"""How little changes the answer to one example."""

from math import isfinite
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from probe import formatting, plots
from probe.audit import Bundle, reading
from probe.audit.budgets import format_budget, threat_of
from probe.audit.budgets import radii as planned_radii
from probe.audit.families import ACCURACY, measure_of
from probe.formatting import DASH, share
from probe.npz import Stored
from probe.numbers import fraction
from probe.text import visible
from probe_dashboards import state
from probe_dashboards.views import ran
from probe_dashboards.views.instance import answer, drawer, feature_names, in_words
from probe_dashboards.views.once import once
from probe_dashboards.views.panels import Panel

Array = NDArray[Any]


def attacks(bundle: Bundle) -> dict[str, str]:
    """The attacks that ran: id to name in the bundle."""
    return ran.names(bundle, "attack")


def attack_titles(bundle: Bundle) -> dict[str, str]:
    """The attacks that ran: id to what people call it."""
    return ran.titles(bundle, "attack")


def attack_arrays(bundle: Bundle, attack: str) -> Stored:
    """The evidence of an attack."""
    return bundle.arrays(str(ran.steps(bundle, "attack")[attack].name))


def radii(bundle: Bundle, attack: str) -> dict[str, str]:
    """The radii of an attack, growing: id to what the plan calls it."""
    step = ran.steps(bundle, "attack")[attack]
    written, change = planned_radii(bundle.manifest.plan, step), threat_of(step)
    stored = attack_arrays(bundle, attack)["eps"]
    named = sorted(written, key=fraction) if len(written) == len(stored) else [f"{eps:g}" for eps in stored]
    # A length is an id of its own in links; the pages write "eps" before it.
    return state.slugs([format_budget(str(eps), change) for eps in named] if change.counted else named)


@once
def smallest_successful_radii(bundle: Bundle, row: int) -> pd.DataFrame:
    """For each attack, the smallest radius of the grid that makes a right answer wrong, or reaches its goal."""
    return pd.DataFrame(
        [
            (visible(name), *(cell or DASH for cell in _smallest_radius(bundle, row, attack)))
            for attack, name in attack_titles(bundle).items()
        ],
        columns=["Attack", "Smallest radius that flips it", "Answer then"],
    )


def smallest_successful_radius(bundle: Bundle, row: int, attack: str) -> str:
    """The id of the smallest radius at which the attack succeeds; of the largest where it does not."""
    grid, at, stored = list(radii(bundle, attack)), *_attacked(bundle, row, attack)
    broken = [] if at is None else np.flatnonzero(stored["success"][:, at]).tolist()
    return grid[broken[0]] if broken else grid[-1]


def attacked(bundle: Bundle, row: int, attack: str, eps: str) -> Array | None:
    """The attacked input, if it is among those that were kept."""
    found = _moved(bundle, row, attack, eps)
    return None if found is None else np.asarray(found.after.numbers, dtype=float)


def pair(bundle: Bundle, row: int, attack: str, eps: str) -> tuple[plots.Example, plots.Example, Array] | None:
    """The example before and after an attack, and how far each feature moved; None if the audit did not keep it."""
    found = _moved(bundle, row, attack, eps)
    if found is None:
        return None
    names = feature_names(bundle)
    before, after = (
        plots.Example(np.asarray(each.numbers, dtype=float), names, each.words, each.features) for each in found[:2]
    )
    return before, after, np.asarray(found.by_feature, dtype=float)


def edited(bundle: Bundle, row: int, attack: str, eps: str) -> str:
    """The text as HTML, with the words that an attack replaced; empty if it replaced none, or was not kept."""
    found = pair(bundle, row, attack, eps)
    return "" if found is None or found[0].words == found[1].words else drawer(bundle).text_diff(*found[:2])


def outcome(bundle: Bundle, row: int, attack: str, eps: str) -> str:
    """The answer and its probability at a radius, beside those without an attack; empty if it was not attacked."""
    at, stored = _attacked(bundle, row, attack)
    if at is None:
        return ""
    radius, (before, probability, truth) = list(radii(bundle, attack)).index(eps), answer(bundle, row)
    if not stored["clean"][at]:
        already = f"is wrong already, the label is {truth}" if judges(bundle, attack) else "is at the goal already"
        return f"Not attacked: the answer {with_share(before, probability)} {already}."
    if not stored["success"][radius, at]:
        return f"Not broken at this radius; without an attack the answer is {with_share(before, probability)}."
    after = in_words(bundle, stored["predicted"][radius, at])
    if isfinite(probability):
        sure = (
            share(float(stored["probability"][radius, at])) if "probability" in stored else "probability not recorded"
        )
        after = f"{after} ({sure})"
    return f"The answer becomes {after}; without an attack it is {with_share(before, probability)}."


def with_share(answered: str, probability: float) -> str:
    """An answer and how probable it is; a number has no probability."""
    return f"{answered} ({share(probability)})" if isfinite(probability) else answered


def changes(bundle: Bundle, row: int, attack: str, eps: str) -> pd.DataFrame:
    """What an attack changed of a row of a table: values before and after, and the move in units of the radius."""
    found = _moved(bundle, row, attack, eps)
    told = [] if found is None else reading.changes(bundle.manifest.data.features, found)
    lines = [
        (
            visible(name),
            visible(old) or "not recorded",
            visible(new) or "not recorded",
            formatting.number(move, "signed"),
        )
        for name, old, new, move in told
    ]
    return pd.DataFrame(lines, columns=["Feature", "Before", "After", "Change in units of the radius"])


@once
def by_radius(bundle: Bundle, row: int, attack: str) -> pd.DataFrame:
    """The answer, its probability and the measured norms of the change at each radius; empty if it was not attacked."""
    told = _measured(bundle, row, attack)
    lines = [
        (
            visible(each["radius"]),
            each["answer"],
            share(each["probability"]) if isfinite(each["probability"]) else formatting.DASH,
            "yes" if each["flipped"] else "no",
            *(_norm(each[norm]) for norm in ("l0", "l2", "linf")),
        )
        for each in told
    ]
    heads = ["Radius", "Answer", "Probability", "Flipped", "L0", "L2", "L\N{INFINITY}"]
    left = [] if any(isfinite(each["probability"]) for each in told) else ["Probability"]
    left += heads[-2:] if counted(bundle, attack) else []
    return pd.DataFrame(lines, columns=heads).drop(columns=left)


def judges(bundle: Bundle, attack: str) -> bool:
    """Whether the attack is about right and wrong answers, rather than how far they move."""
    return measure_of(ran.steps(bundle, "attack")[attack]) == ACCURACY


def counted(bundle: Bundle, attack: str) -> bool:
    """Whether radii count changes, such as words or edges, which have no length."""
    return bool(threat_of(ran.steps(bundle, "attack")[attack]).counted)


def measured_as(bundle: Bundle, attack: str) -> str:
    """What the columns of `by_radius` measure of the change."""
    if counted(bundle, attack):
        return "L0 is measured on the attacked input: how many features changed."
    return (
        "Norms are measured on the attacked input, in the unit of radii: how many features moved (L0), the root of "
        "their squares (L2) and the largest move (L\N{INFINITY})."
    )


def behind(bundle: Bundle, row: int, attack: str) -> Panel:
    """What stands behind one example under attack."""
    step = ran.steps(bundle, "attack")[attack]
    heads = ["radius", "answer", "probability", "flipped", "l0", "l2", "linf"]
    at = _attacked(bundle, row, attack)[0]
    return Panel(
        "attack",
        "This example under attack",
        lambda: pd.DataFrame(_measured(bundle, row, attack), columns=heads),
        "that no change flips it where this attack found none; another attack, or more steps, may succeed.",
        f"{{name: bundle.arrays({step.name!r})[name][:, {at}] for name in ('success', 'predicted')}}"
        if at is not None
        else f"bundle.arrays({step.name!r})['rows']",
    )


def _measured(bundle: Bundle, row: int, attack: str) -> list[dict[str, Any]]:
    at, stored = _attacked(bundle, row, attack)
    if at is None:
        return []
    found = []
    for place, (eps, name) in enumerate(radii(bundle, attack).items()):
        moved = _moved(bundle, row, attack, eps)
        by = None if moved is None else np.abs(np.asarray(moved.by_feature, dtype=float))
        kept = np.asarray(stored["probability"][place, at]) if "probability" in stored else np.full(1, np.nan)
        sure = float(kept.item()) if kept.size == 1 else float("nan")  # several labels have one each
        found.append(
            {
                "radius": name,
                "answer": in_words(bundle, stored["predicted"][place, at]),
                "probability": sure,
                "flipped": bool(stored["success"][place, at]),
                "l0": float("nan") if by is None else float(np.count_nonzero(by)),
                "l2": float("nan") if by is None else float(np.sqrt((by**2).sum())),
                "linf": float("nan") if by is None else float(by.max(initial=0.0)),
            }
        )
    return found


def _norm(value: float) -> str:
    return formatting.number(value) if isfinite(value) else "not kept"


def _attacked(bundle: Bundle, row: int, attack: str) -> tuple[int | None, Stored]:
    stored = attack_arrays(bundle, attack)
    return reading.place(stored, int(row)), stored


def _moved(bundle: Bundle, row: int, attack: str, eps: str) -> reading.Moved | None:
    step = ran.steps(bundle, "attack")[attack].name
    return reading.moved(bundle, step, int(row), list(radii(bundle, attack)).index(eps))


def _smallest_radius(bundle: Bundle, row: int, attack: str) -> tuple[str, str]:
    at, stored = _attacked(bundle, row, attack)
    names = list(radii(bundle, attack).values())
    if at is None:
        return "not attacked", ""
    if not stored["clean"][at]:
        return "wrong before any attack" if judges(bundle, attack) else "at the goal before the attack", ""
    broken = np.flatnonzero(stored["success"][:, at])
    if not len(broken):
        return f"not broken up to {visible(names[-1])}", ""
    return visible(names[broken[0]]), in_words(bundle, stored["predicted"][broken[0], at])
