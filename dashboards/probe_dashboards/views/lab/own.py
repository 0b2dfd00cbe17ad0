"""Inputs that somebody brings, and rows of the data to choose from."""

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from probe.lab import Answer
from probe.text import visible
from probe_dashboards.views.lab import answers

WAYS = {"csv": "My own row", "text": "My own text", "image": "My own image"}
LARGEST = 2**22  # bytes of a file of numbers


def kinds(described: Mapping[str, Any]) -> dict[str, str]:
    """The ways in which an input of this model can be given: id to what a list calls it."""
    return {way: title for way, title in WAYS.items() if way in described["brought_as"]} | {"array": "My own numbers"}


def csv(described: Mapping[str, Any]) -> str:
    """A header to begin a row with."""
    return ",".join(_cell(str(feature["name"])) for feature in described["features"]) + "\n"


def numbers(content: bytes) -> NDArray[Any]:
    """The array in a .npy file.

    Raises:
        ValueError: if it is none, in a sentence.
    """
    if len(content) > LARGEST:
        raise ValueError(f"the file has {len(content):,} bytes, expected at most {LARGEST:,}")
    try:
        found: NDArray[Any] = np.load(io.BytesIO(content), allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise ValueError(f"this is not a file of numbers as numpy.save writes it: {str(error)[:200]}") from None
    if not isinstance(found, np.ndarray) or found.dtype.kind not in "fiub":
        raise ValueError("the file holds no array of numbers; save one with numpy.save")
    return found


def listing(found: Answer, described: Mapping[str, Any]) -> pd.DataFrame:
    """Rows with what was answered to each."""
    names = [str(feature["name"]) for feature in described["features"]]
    rows = []
    for told in found.record["rows"]:
        answer = told.get("answer", told)
        line: dict[str, Any] = {"Row": told["row"], "Answer": answers.in_words(answer["decided"])}
        if "label" in answer:
            line["Label"] = answers.in_words(answer["label"])
        right = answer.get("right")
        if isinstance(right, bool):
            line["Right"] = "yes" if right else "no"
        words = [visible(word) for word in told.get("words", [])]
        if words and len(words) == len(names):
            line |= dict(zip(map(visible, names), words, strict=True))
        elif words:
            line["Text"] = " ".join(filter(None, words))[:200]
        line |= {visible(name): visible(value) for name, value in (told.get("groups") or {}).items()}
        rows.append(line)
    return pd.DataFrame(rows)


def _cell(name: str) -> str:
    quoted = name.replace('"', '""')
    return f'"{quoted}"' if any(sign in name for sign in ',"\n\r') else name
