"""One example: what it is, and what the model answered."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from probe import plots
from probe.audit import Bundle, reading
from probe.errors import IntegrityError
from probe.formatting import share
from probe.text import visible
from probe_dashboards.views.once import once
from probe_dashboards.views.words import number

Array = NDArray[Any]
NAMED = 12  # features of a planted truth that are named


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
    found = reading.kept(bundle, int(row))
    truth = None if found is None else found.truth
    return plots.Example(inputs(bundle, row), names, said, reading.features_of(bundle, int(row)), truth)


def planted(bundle: Bundle, row: int) -> str:
    """Where the truth of an example was planted, as a sentence; empty where nobody knows."""
    found = reading.kept(bundle, int(row))
    if found is None or found.truth is None:
        return ""
    there = np.asarray(found.truth) != 0
    if drawer(bundle).borders:
        return "Green border: the planted truth, which is known to decide the label of this example."
    owner = np.arange(there.size).reshape(there.shape) if found.features is None else np.asarray(found.features)
    names = words(bundle, row) if drawer(bundle).named_in_words else feature_names(bundle)
    known = [names[at] for at in np.unique(owner[there]).tolist() if at < len(names) and names[at]]
    more = f" and {len(known) - NAMED} more" if len(known) > NAMED else ""
    return visible(f"Planted truth, known to decide the label of this example: {', '.join(known[:NAMED])}{more}.")


def explained(bundle: Bundle, row: int) -> bool:
    """Whether the example is one of those."""
    return row in rows(bundle)


def kept(bundle: Bundle, row: int) -> bool:
    """Whether the audit kept the input itself: of explained examples, and of the first that were attacked."""
    return reading.kept(bundle, int(row)) is not None


def inputs(bundle: Bundle, row: int) -> Array:
    """The example as the model sees it."""
    found = reading.kept(bundle, int(row))
    if found is None:
        raise IntegrityError(f"the input of example {row} is not among those that the audit kept")
    return np.asarray(found.numbers, dtype=float)


def features(bundle: Bundle, row: int) -> list[str]:
    """The names of the features; of a text its words."""
    if drawer(bundle).named_in_words:
        return [word for word in words(bundle, row) if word]
    return feature_names(bundle)


def feature_names(bundle: Bundle) -> list[str]:
    """The names of the features in the data, of which a large image has a hundred thousand."""
    return bundle.derived(("feature names",), lambda: [visible(name) for name in bundle.manifest.data.features])


def words(bundle: Bundle, row: int) -> list[str]:
    """The features of the example in words; an absent word is empty."""
    found = reading.kept(bundle, int(row))
    return [] if found is None else [visible(word) for word in found.words]


@once
def cells(bundle: Bundle, row: int) -> pd.DataFrame:
    """The example as a table of features and values."""
    if len(words(bundle, row)) == len(features(bundle, row)):
        return pd.DataFrame({"Feature": features(bundle, row), "Value": words(bundle, row)})
    flat = inputs(bundle, row).ravel()
    return pd.DataFrame([(f"input {at}", number(value)) for at, value in enumerate(flat)], columns=["Input", "Value"])


def classes(bundle: Bundle) -> list[str]:
    """The names of the classes, as many as there are logits."""
    return [visible(name) for name in reading.classes(bundle)]


def answer(bundle: Bundle, row: int) -> tuple[str, float, str]:
    """What is predicted, its probability, which numbers and several labels have none of, and the label."""
    found = reading.answered(bundle, int(row))
    return visible(found.answer), found.probability, visible(found.label)


def in_words(bundle: Bundle, answer: Any) -> str:
    """A label or an answer: a class by its name, the labels that are true, or a number."""
    return visible(reading.answer_name(bundle.manifest, answer))


@once
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
