"""One example: what the model answered, what explains it, and how little changes it."""

from math import isfinite
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from probe import formatting, plots
from probe.audit import Bundle, reading
from probe.audit.budgets import budget_unit, format_budget, threat
from probe.audit.manifest import StepRecord
from probe.audit.reading import captioned
from probe.audit.reading import changes as moves
from probe.audit.titles import titles
from probe.errors import IntegrityError
from probe.formatting import MINUS, share
from probe.numbers import fraction
from probe.statistics import ranks
from probe.statuses import STATUSES
from probe.text import visible
from probe_dashboards import state
from probe_dashboards.views.words import md, number, unbroken

Array = NDArray[Any]
BARS = 10  # features that a chart lists
BADGES = {
    "pass": "blue[:material/check_circle:",
    "fail": "orange[:material/cancel:",
    "inconclusive": "orange[:material/help:",
}


def rows(bundle: Bundle) -> list[int]:
    """The examples that can be looked at, by their position in the evaluated data: the explained ones."""
    return [int(row) for row in bundle.arrays("instances")["rows"]] if bundle.has("arrays/instances.npz") else []


def drawer(bundle: Bundle) -> plots.Drawer:
    """How the examples are drawn, and what is said of their form."""
    return plots.drawer_of(bundle.manifest.data.form)


def example(bundle: Bundle, row: int) -> plots.Example:
    """The example as its form is drawn; words that are absent are left out."""
    names, said = features(bundle, row), words(bundle, row)
    said = [word for word in said if word] if drawer(bundle).named_in_words else said
    return plots.Example(inputs(bundle, row), names, said, reading.features_of(bundle, row))


def drawn(bundle: Bundle, row: int, method: str) -> plots.Values:
    """What a method attributes to the example, with the features that every chart of it lists."""
    top = order(bundle, row)[:BARS]
    return plots.Values(values(bundle, row, method), by_feature(bundle, row, method), top)


def explained(bundle: Bundle, row: int) -> bool:
    """Whether the example is one of those."""
    return row in rows(bundle)


def kept(bundle: Bundle, row: int) -> bool:
    """Whether the audit kept the input itself: of explained examples, and of the first that were attacked."""
    return _input(bundle, row) is not None


def inputs(bundle: Bundle, row: int) -> Array:
    """The example as the model sees it."""
    found = _input(bundle, row)
    if found is None:
        raise IntegrityError(f"the input of example {row} is not among those that the audit kept")
    return np.asarray(found[0], dtype=float)


def features(bundle: Bundle, row: int) -> list[str]:
    """The names of the features; of a text its words."""
    if drawer(bundle).named_in_words:
        return [word for word in words(bundle, row) if word]
    return [visible(name) for name in bundle.manifest.data.features]


def words(bundle: Bundle, row: int) -> list[str]:
    """The features of the example in words; an absent word is empty."""
    found = _input(bundle, row)
    return [] if found is None or found[1] is None else [visible(word) for word in found[1].tolist()]


def cells(bundle: Bundle, row: int) -> pd.DataFrame:
    """The example as a table of features and values."""
    if len(words(bundle, row)) == len(features(bundle, row)):
        return pd.DataFrame({"Feature": features(bundle, row), "Value": words(bundle, row)})
    flat = inputs(bundle, row).ravel()
    return pd.DataFrame([(f"input {at}", number(value)) for at, value in enumerate(flat)], columns=["Input", "Value"])


def classes(bundle: Bundle) -> list[str]:
    """The names of the classes, as many as there are logits."""
    named = [visible(name) for name in bundle.manifest.model.classes]
    count = bundle.arrays("predictions")["logits"].shape[1]
    return [*named, *(f"class {at}" for at in range(len(named), count))][:count]


def answer(bundle: Bundle, row: int) -> tuple[str, float, str]:
    """What is predicted, its probability, which numbers and several labels have none of, and the label."""
    stored, names = bundle.arrays("predictions"), classes(bundle)
    meaning, logits = bundle.manifest.task, stored["logits"][row]
    if not meaning.one_class:
        answered, label = (in_words(bundle, each) for each in (meaning.predict(logits), stored["labels"][row]))
        return answered, float("nan"), label
    probabilities, top = meaning.probabilities(logits), int(meaning.predict(logits))
    return names[top], float(probabilities[top]), names[int(stored["labels"][row])]


def in_words(bundle: Bundle, answer: Any) -> str:
    """A label or an answer: a class by its name, the labels that are true, or a number."""
    meaning = bundle.manifest.task
    if meaning.one_class:
        return classes(bundle)[int(answer)]
    told = meaning.words(np.asarray([answer]))[0]
    return visible(told) if isinstance(told, str) else number(told)


def ranking(bundle: Bundle, row: int, count: int = 5) -> pd.DataFrame:
    """The most probable classes; of several labels each of them."""
    stored, names, meaning = bundle.arrays("predictions"), classes(bundle), bundle.manifest.task
    if meaning.several(stored["logits"]):
        logits = stored["logits"][[row]]
        parts = zip(
            names, meaning.probabilities(logits)[0], meaning.predict(logits)[0], stored["labels"][row], strict=True
        )
        said = [
            (name, share(float(sure)), "yes" if yes else "no", "yes" if true else "no")
            for name, sure, yes, true in parts
        ]
        return pd.DataFrame(said, columns=["Label", "Probability", "Answer", "Truth"])
    if not meaning.one_class:
        labels = np.atleast_1d(stored["labels"][row])
        pairs = zip(names, stored["logits"][row], labels, strict=True)
        listed = [(name, number(float(value)), number(float(label))) for name, value, label in pairs]
        return pd.DataFrame(listed, columns=["Output", "Answer", "Truth"])
    probabilities = bundle.manifest.task.probabilities(stored["logits"][row])
    truth = int(stored["labels"][row])
    order = np.argsort(-probabilities, kind="stable")[:count]
    listed = [(names[at], share(float(probabilities[at])), "true label" if at == truth else "") for at in order]
    return pd.DataFrame(listed, columns=["Class", "Probability", "Truth"])


def methods(bundle: Bundle) -> dict[str, str]:
    """The explainers that ran: id to name in the bundle."""
    return {slug: step.id for slug, step in _steps(bundle, "explainer").items()}


def method_titles(bundle: Bundle) -> dict[str, str]:
    """The explainers that ran: id to what people call it."""
    return _titles(bundle, "explainer", methods(bundle))


def caption(bundle: Bundle, method: str) -> str:
    """What red and blue of a method say, and what its values add up to."""
    return captioned(_steps(bundle, "explainer")[method])


def values(bundle: Bundle, row: int, method: str) -> Array:
    """What a method attributes to each number of the input."""
    return _explanation(bundle, row, method, "values")


def scale(bundle: Bundle, row: int, method: str) -> str:
    """What the colours or widths of a method's drawing stand for; empty where it says so itself."""
    return drawer(bundle).key(example(bundle, row), drawn(bundle, row, method))


def order(bundle: Bundle, row: int) -> list[int]:
    """The features in the order in which every chart and table of the example lists them."""
    return plots.shared_order([by_feature(bundle, row, method) for method in methods(bundle)])


def by_feature(bundle: Bundle, row: int, method: str) -> Array:
    """What a method attributes to each feature; of a text to each word that is there."""
    found = _explanation(bundle, row, method, "by_feature")
    said = words(bundle, row) if drawer(bundle).named_in_words else []
    return found[[bool(word) for word in said]] if said else found


def sentence(bundle: Bundle, row: int, method: str = "") -> str:
    """The text as HTML, its words shaded by what a method attributes to them; plain if none is named.

    Empty where the form is drawn as a figure.
    """
    return drawer(bundle).text(example(bundle, row), drawn(bundle, row, method) if method else None)


def target(bundle: Bundle, row: int, method: str) -> str:
    """The class that a method explains."""
    stored = bundle.arrays(_steps(bundle, "explainer")[method].name)
    return classes(bundle)[int(stored["targets"][_at(stored["rows"], row)])]


def attributions(bundle: Bundle, row: int) -> pd.DataFrame:
    """What every method attributes to each feature, in the order of the charts."""
    found = method_titles(bundle)
    frame = pd.DataFrame({visible(name): by_feature(bundle, row, method) for method, name in found.items()})
    frame.insert(0, "Feature", features(bundle, row))
    return frame.iloc[order(bundle, row)].reset_index(drop=True)


def badges(bundle: Bundle, method: str) -> list[str]:
    """What was measured of a method over all explained examples, and what follows from it, as Markdown."""
    if not bundle.has("tables/readings.csv"):
        return ["Not checked: the audit ended before its tables were made"]
    step = _steps(bundle, "explainer")[method]
    said = {r.metric: r.notes for r in step.readings}
    return [_badge(row, said[row.metric].get(row.status, "")) for row in reading.measured(bundle, step=step.name)] or [
        ":grey[:material/help: Not measured]"
    ]


def agreement(bundle: Bundle, row: int) -> pd.DataFrame:
    """Spearman's rank correlation between what the methods attribute to the features; NaN for a constant one."""
    found = methods(bundle)
    places = np.array([ranks(by_feature(bundle, row, method)) for method in found])
    centred = places - places.mean(axis=1, keepdims=True)
    size = np.sqrt((centred**2).sum(axis=1))
    product = np.outer(size, size)
    matrix = np.divide(centred @ centred.T, product, out=np.full(product.shape, np.nan), where=product > 0)
    names = [visible(name) for name in method_titles(bundle).values()]
    frame = pd.DataFrame(matrix, columns=names).map(_correlation)
    frame.insert(0, "Method", names)
    return frame


def attacks(bundle: Bundle) -> dict[str, str]:
    """The attacks that ran: id to name in the bundle."""
    return {slug: step.id for slug, step in _steps(bundle, "attack").items()}


def attack_titles(bundle: Bundle) -> dict[str, str]:
    """The attacks that ran: id to what people call it."""
    return _titles(bundle, "attack", attacks(bundle))


def attack_arrays(bundle: Bundle, attack: str) -> dict[str, Array]:
    """The evidence of an attack."""
    return bundle.arrays(str(_steps(bundle, "attack")[attack].name))


def radii(bundle: Bundle, attack: str) -> dict[str, str]:
    """The radii of an attack, growing: id to what the plan calls it."""
    written = bundle.manifest.plan.attack.eps
    stored = attack_arrays(bundle, attack)["eps"]
    named = sorted(written, key=fraction) if len(written) == len(stored) else [f"{eps:g}" for eps in stored]
    change = threat(bundle.manifest)
    # A length is an id of its own in links; the pages write "eps" before it.
    return state.slugs([format_budget(str(eps), change) for eps in named] if budget_unit(bundle.manifest) else named)


def smallest_successful_radii(bundle: Bundle, row: int) -> pd.DataFrame:
    """For each attack, the smallest radius of the grid that changes the answer from right to wrong."""
    return pd.DataFrame(
        [(visible(name), *_smallest_radius(bundle, row, attack)) for attack, name in attack_titles(bundle).items()],
        columns=["Attack", "Smallest radius that flips it", "Answer then"],
    )


def smallest_successful_radius(bundle: Bundle, row: int, attack: str) -> str:
    """The id of the smallest radius at which the attack succeeds; of the largest where it does not."""
    grid, at, stored = list(radii(bundle, attack)), *_attacked(bundle, row, attack)
    broken = [] if at is None else np.flatnonzero(stored["success"][:, at]).tolist()
    return grid[broken[0]] if broken else grid[-1]


def attacked(bundle: Bundle, row: int, attack: str, eps: str) -> Array | None:
    """The attacked input, if it is among those that were kept."""
    at, stored = _attacked(bundle, row, attack)
    if at is None or at >= _shown(stored):
        return None
    return np.asarray(stored["shown"][list(radii(bundle, attack)).index(eps), at], dtype=float)


def pair(bundle: Bundle, row: int, attack: str, eps: str) -> tuple[plots.Example, plots.Example, Array] | None:
    """The example before and after an attack, and how far each feature moved; None if the audit did not keep it."""
    at, stored = _attacked(bundle, row, attack)
    if at is None or at >= _shown(stored):
        return None
    radius, names = list(radii(bundle, attack)).index(eps), [visible(n) for n in bundle.manifest.data.features]
    told, owner = "before" in stored, reading.features_of(bundle, row)
    before, after = (stored["before"][at].tolist(), stored["after"][radius, at].tolist()) if told else ((), ())
    return (
        plots.Example(np.asarray(stored["inputs"][at], dtype=float), names, before, owner),
        plots.Example(np.asarray(stored["shown"][radius, at], dtype=float), names, after, owner),
        np.asarray(stored["moved"][radius, at], dtype=float),
    )


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
        return f"Not attacked: the answer {with_share(before, probability)} is wrong already, the label is {truth}."
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
    at, stored = _attacked(bundle, row, attack)
    if at is None or at >= _shown(stored):
        told = []
    else:
        names = bundle.manifest.data.features
        told = moves(names, stored, list(radii(bundle, attack)).index(eps), at)
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


def _steps(bundle: Bundle, kind: str) -> dict[str, StepRecord]:
    """The steps of a kind that were done, by an id that a link can hold."""
    done = {step.id: step for step in reading.steps(bundle.manifest, kind)}
    return {slug: done[name] for slug, name in state.slugs(list(done)).items()}


def _titles(bundle: Bundle, kind: str, ran: dict[str, str]) -> dict[str, str]:
    called = titles(bundle.manifest, kind)
    return {slug: called[name] for slug, name in ran.items()}


def _explanation(bundle: Bundle, row: int, method: str, part: str) -> Array:
    stored = bundle.arrays(_steps(bundle, "explainer")[method].name)
    return np.asarray(stored[part][_at(stored["rows"], row)], dtype=float)


def _input(bundle: Bundle, row: int) -> tuple[Array, Array | None] | None:
    """The input, and its features in words where it was written down so; None if the audit did not keep it."""
    stored = bundle.arrays("instances") if bundle.has("arrays/instances.npz") else {}
    if not bundle.manifest.plan.keeps_inputs:
        return None
    for at in np.flatnonzero(stored["rows"] == row)[:1] if stored else ():
        described = stored.get("described")
        return stored["inputs"][at], None if described is None else described[at]
    for attack in attacks(bundle):
        place, attacked = _attacked(bundle, row, attack)
        if place is not None and place < len(attacked["inputs"]):
            before = attacked.get("before")
            return attacked["inputs"][place], None if before is None else before[place]
    return None


def _shown(attacked: dict[str, Array]) -> int:
    """How many of the attacked examples the audit kept."""
    return attacked["shown"].shape[1] if "shown" in attacked else 0


def _correlation(value: float) -> str:
    return "\N{EN DASH}" if np.isnan(value) else f"{value:.2f}".replace("-0.00", "0.00").replace("-", MINUS)


def _at(stored: Array, row: int) -> int:
    found = np.flatnonzero(stored == row)
    if not len(found):
        raise IntegrityError(f"example {row} is not among those that the audit kept")
    return int(found[0])


def _attacked(bundle: Bundle, row: int, attack: str) -> tuple[int | None, dict[str, Array]]:
    stored = attack_arrays(bundle, attack)
    found = np.flatnonzero(stored["rows"] == row)
    return (int(found[0]) if len(found) else None), stored


def _smallest_radius(bundle: Bundle, row: int, attack: str) -> tuple[str, str]:
    at, stored = _attacked(bundle, row, attack)
    names = list(radii(bundle, attack).values())
    if at is None:
        return "not attacked", ""
    if not stored["clean"][at]:
        return "wrong before any attack", ""
    broken = np.flatnonzero(stored["success"][:, at])
    if not len(broken):
        return f"not broken up to {visible(names[-1])}", ""
    return visible(names[broken[0]]), in_words(bundle, stored["predicted"][broken[0], at])


def _badge(row: reading.Measurement, said: str) -> str:
    written = f"{unbroken(row.written)}, n = {row.counted}"
    name, status = md(formatting.words(row.metric)), row.status
    if status not in BADGES:
        return f"{name}: {written}"
    said = md(said or STATUSES[status].word)
    return f":{BADGES[status]} {name}: {said if status == 'pass' else said.upper()}] {written}"
