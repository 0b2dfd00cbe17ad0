"""What the model said, in words and as a table."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from probe.formatting import share
from probe.lab import Answer
from probe.text import visible
from probe_dashboards.views.words import md, number

MOST = 10  # classes that are listed


def sentence(told: Mapping[str, Any], arrays: Mapping[str, Any], prefix: str = "", at: int = 0) -> str:
    """The answer with its probability, the label where it is known, and whether it is right, as Markdown."""
    said = f"Answer **{md(in_words(told['decided']))}**{sure(told, arrays, prefix, at)}."
    if "label" in told:
        said += f" True label **{md(in_words(told['label']))}**. {sign(told.get('right'))}"
    return said


def sure(told: Mapping[str, Any], arrays: Mapping[str, Any], prefix: str = "", at: int = 0) -> str:
    """The probability of the class that was decided for, in brackets; of numbers and several labels there is none."""
    return md(_probability(told, arrays, prefix, at))


def plainly(told: Mapping[str, Any], arrays: Mapping[str, Any], at: int = 0) -> str:
    """The answer with its probability, for a table, which escapes its cells itself."""
    return in_words(told["decided"]) + _probability(told, arrays, "", at)


def _probability(told: Mapping[str, Any], arrays: Mapping[str, Any], prefix: str, at: int) -> str:
    found = arrays.get(f"{prefix}probabilities")
    target = told.get("target")
    if found is None or told.get("several") or target is None or found.ndim != 2 or target >= found.shape[1]:
        return ""
    return f" ({share(float(found[at, target]))})"


def sign(right: Any) -> str:
    """Whether an answer is right; of several, how many are. Nothing where no answer is wrong."""
    if right is None:
        return ""
    if isinstance(right, list):
        held = sum(map(bool, right))
        icon = ":blue[:material/check_circle:" if held == len(right) else ":orange[:material/cancel:"
        return f"{icon} {held} of {len(right)} right]"
    return ":blue[:material/check_circle: Right]" if right else ":orange[:material/cancel: Wrong]"


def in_words(decided: Any) -> str:
    """A decision as people read it."""
    if isinstance(decided, float | int) and not isinstance(decided, bool):
        return number(float(decided))
    if isinstance(decided, list):
        return ", ".join(map(in_words, decided)) or "none"
    return visible(decided)


def ranking(told: Mapping[str, Any], arrays: Mapping[str, Any], prefix: str = "", at: int = 0) -> pd.DataFrame:
    """The most probable classes; of several labels each of them; of a regression its numbers."""
    names, outputs = [visible(name) for name in told["names"]], np.asarray(arrays[f"{prefix}logits"])[at]
    found = arrays.get(f"{prefix}probabilities")
    if found is None or np.asarray(found)[at].ndim != 1:
        flat = np.atleast_1d(outputs).ravel()
        listed = names if len(names) == len(flat) else [f"output {place}" for place in range(len(flat))]
        return pd.DataFrame({"Output": listed[:MOST], "Value": [number(float(value)) for value in flat[:MOST]]})
    probabilities = np.asarray(found)[at]
    names = [*names, *(f"class {place}" for place in range(len(names), len(probabilities)))]
    if told.get("several"):
        decided = np.asarray(arrays[f"{prefix}decided"])[at].ravel()
        rows = [
            (name, share(float(sure)), "yes" if yes else "no")
            for name, sure, yes in zip(names, probabilities, decided, strict=False)
        ]
        return pd.DataFrame(rows, columns=["Label", "Probability", "Answer"])
    order = np.argsort(-probabilities, kind="stable")[:MOST]
    return pd.DataFrame(
        {
            "Class": [names[place] for place in order],
            "Probability": [share(float(probabilities[place])) for place in order],
        }
    )


def targets(described: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, str]:
    """What can be explained of an answer: as a request names it, to what people call it, the usual one first."""
    named = {str(name): visible(name) for name in described["outputs"]}
    if told["target"] is None:  # of several places each is explained by itself
        return {
            f"{at}:{name}": f"{visible(place)}: {title}"
            for at, place in enumerate(told.get("several", ()))
            for name, title in named.items()
        }
    return {"": "the answer"} | named


def of(answer: Answer) -> Mapping[str, Any]:
    """The answer in a reply about one input."""
    told: Mapping[str, Any] = answer.record["answer"]
    return told
