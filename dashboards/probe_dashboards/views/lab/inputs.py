"""An input that the lab answered about, as it is drawn and read."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from probe import plots
from probe.formatting import norm
from probe.formatting import number as written
from probe.lab import Answer
from probe.text import visible
from probe_dashboards.views.words import number

Array = NDArray[Any]


def drawer(described: Mapping[str, Any]) -> plots.Drawer:
    """How inputs of the model are drawn."""
    return plots.drawer_of(described["form"])


def example(drawn: plots.Drawer, answer: Answer, inputs: Array | None = None, words: Any = None) -> plots.Example:
    """The input of an answer, or another of the same features; words that are absent are left out."""
    told = answer.record["input"]
    said = [visible(word) for word in (told["words"] if words is None else words)]
    names = [visible(name) for name in told["names"]]
    if drawn.named_in_words:
        said = [word for word in said if word]
        names = said
    array = answer.arrays["inputs"] if inputs is None else inputs
    return plots.Example(np.asarray(array, dtype=float), names, said, answer.arrays.get("features"))


def kept(drawn: plots.Drawer, answer: Answer, by_feature: Array) -> Array:
    """The values of those features that `example` lists."""
    words = answer.record["input"]["words"]
    return by_feature[[bool(visible(word)) for word in words]] if drawn.named_in_words else by_feature


def cells(drawn: plots.Drawer, answer: Answer) -> pd.DataFrame:
    """The input as a table of features and values."""
    shown = example(drawn, answer)
    if len(shown.words) == len(shown.names):
        return pd.DataFrame({"Feature": list(shown.names), "Value": list(shown.words)})
    flat = shown.inputs.ravel()
    return pd.DataFrame(
        [(f"input {at}", number(float(value))) for at, value in enumerate(flat)], columns=["Input", "Value"]
    )


def lengths(found: Mapping[str, float | None], parts: Mapping[str, Fraction] | None = None) -> str:
    """The measured lengths of a change: norms by their names, and what is counted.

    A norm that has `parts` is written in them, such as 255 for 8/255.
    """
    said = []
    for name, value in found.items():
        if value is None:
            continue
        called, of = norm(visible(name)), (parts or {}).get(norm(name))
        length = f"{written(value * float(of))}/{of}" if of else written(value)
        said.append(f"{length} {called}" if called == visible(name) else f"{called} {length}")
    return ", ".join(said)


def belongs(answer: Answer) -> str:
    """The groups of a row of the data, in words."""
    groups = answer.record["input"].get("groups") or {}
    return "; ".join(f"{visible(name)}: {visible(value)}" for name, value in groups.items())
