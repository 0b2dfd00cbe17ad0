"""The examples, and which of them match a filter."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from probe.audit import Bundle, reading
from probe.formatting import share
from probe.text import visible
from probe_dashboards import state
from probe_dashboards.views import instance

ANY = "any"
EXPLAINED = {"explained": "explained examples", "all": "all examples"}
OUTCOMES = {ANY: "right or wrong", "right": "right", "wrong": "wrong"}
SURE = {
    ANY: "however sure",
    "at-least-99": "at least 99 %",
    "at-least-90": "at least 90 %",
    "below-90": "below 90 %",
    "below-60": "below 60 %",
}


@dataclass(frozen=True)
class Wanted:
    """A filter of examples, by the ids in a link."""

    of: str = "explained"
    outcome: str = ANY
    label: str = ANY
    answer: str = ANY
    sure: str = ANY
    groups: Mapping[str, str] = field(default_factory=dict)  # by attribute


def present(bundle: Bundle) -> bool:
    """Whether the bundle has the model's answers."""
    return bundle.has("arrays/predictions.npz")


def count(bundle: Bundle) -> int:
    """The number of examples that the model answered."""
    return len(bundle.arrays("predictions")["labels"])


def classes(bundle: Bundle) -> dict[str, str]:
    """The classes: id to name."""
    return state.slugs(instance.classes(bundle))


def attributes(bundle: Bundle) -> dict[str, str]:
    """The attributes that name groups: id to name."""
    return state.slugs(list(bundle.groups().columns)) if bundle.has("tables/groups.csv") else {}


def groups(bundle: Bundle, attribute: str) -> dict[str, str]:
    """The groups of an attribute: id to name."""
    column = bundle.groups()[attributes(bundle)[attribute]]
    return state.slugs(sorted(column.dropna().unique()))


def found(bundle: Bundle, wanted: Wanted) -> list[int]:
    """The rows that match, ascending."""
    labels, answers, sure = _answers(bundle)
    chosen = np.ones(len(labels), dtype=bool)
    if wanted.of == "explained":
        chosen[:] = False
        chosen[instance.rows(bundle)] = True
    if wanted.outcome != ANY:
        judged = right(bundle)
        chosen &= False if judged is None else judged == (wanted.outcome == "right")
    names = list(classes(bundle))
    for asked, given in ((wanted.label, labels), (wanted.answer, answers)):
        if asked != ANY:
            chosen &= given[:, names.index(asked)] == 1 if given.ndim > 1 else given == names.index(asked)
    if wanted.sure != ANY:
        side, _, bound = wanted.sure.rpartition("-")
        chosen &= (sure >= int(bound) / 100) == (side == "at-least")
    for attribute, group in wanted.groups.items():
        if group != ANY:
            column = bundle.groups()[attributes(bundle)[attribute]]
            chosen &= (column == groups(bundle, attribute)[group]).to_numpy()
    return [int(row) for row in np.flatnonzero(chosen)]


def titles(bundle: Bundle, rows: list[int]) -> dict[str, str]:
    """One line per row: its number, answer and probability, whether that is right, and the label."""
    labels, answers, sure = _answers(bundle)
    said, judged = {}, right(bundle)
    for row in rows:
        outcome = f"label {instance.in_words(bundle, labels[row])}"
        if judged is not None:
            outcome = "right" if judged[row] else f"wrong, {outcome}"
        sureness = f" ({share(float(sure[row]))})" if np.isfinite(sure[row]) else ""
        said[str(row)] = visible(f"{row}: {instance.in_words(bundle, answers[row])}{sureness}, {outcome}")
    return said


def right(bundle: Bundle) -> NDArray[Any] | None:
    """Whether each row is answered as its labels say, all of them where there are several; None where nothing tells."""
    return reading.right(bundle)


def are_classes(bundle: Bundle) -> bool:
    """Whether labels and answers are classes, which can be filtered by, and not numbers."""
    meaning = bundle.manifest.task
    return meaning.one_class or bool(meaning.several(bundle.arrays("predictions")["logits"]))


def belongs(bundle: Bundle, row: int) -> str:
    """The groups that a row belongs to, in words; empty where the data name none."""
    if not bundle.has("tables/groups.csv"):
        return ""
    own = bundle.groups().iloc[row]
    return "; ".join(f"{name}: {own[name] if own[name] == own[name] else 'not known'}" for name in own.index)


def _answers(bundle: Bundle) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Of every row its label, its answer, and the probability of that."""
    return bundle.arrays("predictions")["labels"], reading.decisions(bundle), reading.sureness(bundle)
