"""The examples, and which of them match a filter."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from probe.audit import Bundle, reading
from probe.formatting import share
from probe.text import visible
from probe_dashboards import state
from probe_dashboards.views import flips, instance
from probe_dashboards.views.once import once

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
    one: str = ANY  # of several labels or numbers the one that is meant, or the class whose probability is
    least: float = -inf  # of what is measured of a row: a probability in percent, or the error of a number
    most: float = inf
    broken: str = ANY  # by an attack
    search: str = ""


def present(bundle: Bundle) -> bool:
    """Whether the bundle has the model's answers."""
    return bundle.has("arrays/predictions.npz")


def count(bundle: Bundle) -> int:
    """The number of examples that the model answered."""
    return len(bundle.arrays("predictions")["labels"])


def classes(bundle: Bundle, one: str = ANY) -> dict[str, str]:
    """The classes: id to name; of several labels the labels, or whether a chosen one is true."""
    if one != ANY and reading.labels(bundle):
        return state.slugs([visible(name) for name in reading.decided(bundle, ones(bundle)[one]).names])
    return state.slugs(instance.classes(bundle))


def ones(bundle: Bundle) -> dict[str, str]:
    """What one can be chosen of: the labels, the numbers, or the classes, as the bundle names them, by id."""
    if bundle.manifest.task.one_class:
        return state.slugs(reading.classes(bundle))
    return state.slugs(reading.labels(bundle) or reading.outputs(bundle))


def measure(bundle: Bundle, one: str = ANY) -> tuple[str, NDArray[Any]]:
    """What is measured of each row, in words and as numbers: a probability in percent, or an error; NaN for none."""
    name = ones(bundle).get(one, "")
    if bundle.manifest.task.kind == "regression":
        return f"Error{f' of {name}' if name else ''}", reading.errors(bundle, name)["error"].to_numpy()
    if one == ANY:
        return "Probability", 100 * reading.sureness(bundle)
    found = reading.decided(bundle, name if reading.labels(bundle) else "")
    return f"Probability of {name}", 100 * found.probability[:, found.of("" if reading.labels(bundle) else name)]


def attributes(bundle: Bundle) -> dict[str, str]:
    """The attributes that name groups: id to name."""
    return state.slugs(list(bundle.groups().columns)) if bundle.has("tables/groups.csv") else {}


def groups(bundle: Bundle, attribute: str) -> dict[str, str]:
    """The groups of an attribute: id to name."""
    column = bundle.groups()[attributes(bundle)[attribute]]
    return state.slugs(sorted(column.dropna().unique()))


@once
def found(bundle: Bundle, wanted: Wanted) -> list[int]:
    """The rows that match, ascending."""
    labels, answers, sure = _answers(bundle)
    chosen = np.ones(len(labels), dtype=bool)
    if wanted.of == "explained":
        chosen[:] = False
        chosen[instance.rows(bundle)] = True
    if wanted.one != ANY and reading.labels(bundle):
        one = reading.decided(bundle, ones(bundle)[wanted.one])
        labels, answers, judged = one.truth, one.answer, one.truth == one.answer
    else:
        judged = right(bundle)
    if wanted.outcome != ANY:
        chosen &= False if judged is None else judged == (wanted.outcome == "right")
    names = list(classes(bundle, wanted.one))
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
    if (wanted.least, wanted.most) != (-inf, inf):
        chosen &= within(measure(bundle, wanted.one)[1], wanted.least, wanted.most)
    if wanted.broken != ANY:
        chosen &= flips.states(bundle) == wanted.broken
    return [int(row) for row in np.flatnonzero(chosen & matches(bundle, wanted.search))]


def asked_besides(bundle: Bundle, wanted: Wanted) -> str:
    """In words the parts of a filter that only the page of rows has controls for."""
    measured = visible(measure(bundle, wanted.one)[0]).lower()
    unit = "" if bundle.manifest.task.kind == "regression" else " %"
    parts = [ones(bundle)[wanted.one]] if wanted.one != ANY and reading.labels(bundle) else []
    parts += [f"{measured} of at least {wanted.least:g}{unit}"] * (wanted.least > -inf)
    parts += [f"{measured} below {wanted.most:g}{unit}"] * (wanted.most < inf)
    parts += [flips.STATES[wanted.broken]] if wanted.broken != ANY else []
    parts += [f"rows that hold {wanted.search!r}"] if wanted.search else []
    return visible(", ".join(parts))


def within(values: NDArray[Any], least: float, most: float) -> NDArray[Any]:
    """Which values are at least the one and below the other; the largest possible probability is not left out."""
    return (values >= least) & ((values < most) | (values == most) & (most == values.max(initial=-inf)))


def matches(bundle: Bundle, search: str) -> NDArray[Any]:
    """Which rows hold a text, in any case: in their number, answer, label, groups, or in what was kept in words."""
    wanted, rows = search.strip().lower(), count(bundle)
    if not wanted:
        return np.ones(rows, dtype=bool)
    found = np.array([wanted in str(row) for row in range(rows)])
    labels, answers, _ = _answers(bundle)
    columns = [named(bundle, labels), named(bundle, answers)]
    if bundle.has("tables/groups.csv"):
        columns += [bundle.groups()[name].to_numpy() for name in attributes(bundle).values()]
    for column in columns:
        codes, known = pd.factorize(column)
        found |= np.append([wanted in str(each).lower() for each in known], [False])[codes]
    for row in instance.rows(bundle):
        found[row] |= any(wanted in word.lower() for word in instance.words(bundle, row))
    return found


def named(bundle: Bundle, answers: NDArray[Any]) -> NDArray[Any]:
    """Labels or answers in words, as pages write them."""
    if answers.ndim == 1 and bundle.manifest.task.one_class:
        codes, known = pd.factorize(answers)
        return np.array([instance.in_words(bundle, each) for each in known], dtype=object)[codes]
    return np.array([instance.in_words(bundle, each) for each in answers], dtype=object)


@once
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
