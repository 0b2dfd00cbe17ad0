"""What can be edited of an input, and what an edit did to the answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from probe import plots
from probe.formatting import number as written
from probe.lab import Answer
from probe.text import visible
from probe_dashboards.views.lab import answers, inputs
from probe_dashboards.views.words import md

WORDS = 60  # words of a text that can be edited


@dataclass(frozen=True)
class Edit:
    """A feature of the input that can be changed."""

    name: str  # as a request names it
    label: str
    value: str  # as it is
    choices: tuple[str, ...] = ()
    help: str = ""


def fields(described: Mapping[str, Any], answer: Answer) -> list[Edit]:
    """What can be edited by name: the features of a table, the words of a text."""
    words = [str(word) for word in answer.record["input"]["words"]]
    features = described["features"]
    if features and len(features) == len(words):
        return [_feature(feature, word) for feature, word in zip(features, words, strict=True)]
    if "text" in described["brought_as"]:
        return [Edit(str(at), f"word {at}", word) for at, word in enumerate(words) if word][:WORDS]
    return []


def shown(choice: str) -> str:
    """A choice as a list shows it."""
    return visible(choice)


def outcome(answer: Answer) -> str:
    """The answer before and after, as Markdown."""
    before, after = answer.record["before"], answer.record["after"]
    said = [
        f"**{md(answers.in_words(told['decided']))}**{answers.sure(told, answer.arrays, prefix)}"
        for told, prefix in ((before, "before_"), (after, ""))
    ]
    if answers.in_words(before["decided"]) == answers.in_words(after["decided"]):
        return f"The answer stays: {said[1]}; it was {said[0]}."
    return f"The answer becomes {said[1]}; it was {said[0]}."


def changes(answer: Answer) -> pd.DataFrame:
    """Each edited feature, before and after."""
    rows = [
        (visible(each["name"]), visible(each["before"]), visible(each["after"])) for each in answer.record["changed"]
    ]
    return pd.DataFrame(rows, columns=["Feature", "Before", "After"])


def lengths(answer: Answer) -> str:
    """How far the edited input is from the other."""
    return ", ".join(
        f"{visible(name)} {written(value)}" for name, value in answer.record["lengths"].items() if value is not None
    )


def beside(answer: Answer) -> pd.DataFrame:
    """What each output said before, and what it says now."""
    before = answers.ranking(answer.record["before"], answer.arrays, "before_")
    after = answers.ranking(answer.record["after"], answer.arrays)
    first, second = before.columns[:2]
    joined = before[[first, second]].merge(
        after[[first, second]], on=first, how="outer", suffixes=(" before", " after"), sort=False
    )
    return joined.fillna("not among the first")


def example(drawn: plots.Drawer, answer: Answer) -> plots.Example:
    """The edited input."""
    words = [str(word) for word in answer.record["input"]["words"]]
    names = list(map(str, answer.record["input"]["names"]))
    for each in answer.record["changed"]:
        at = (
            names.index(each["name"])
            if each["name"] in names
            else int(each["name"])
            if str(each["name"]).isdigit()
            else -1
        )
        if 0 <= at < len(words):
            words[at] = str(each["after"])
    return inputs.example(drawn, answer, answer.arrays["edited"], words)


def protected(described: Mapping[str, Any]) -> dict[str, str]:
    """The groups of the data that are features of the model too."""
    names = {str(feature["name"]) for feature in described["features"]}
    return {name: visible(name) for name in described["data"]["groups"] if name in names}


def flips(answer: Answer) -> pd.DataFrame:
    """What the model answers with each other value of the attribute, without and with its proxies."""
    record = answer.record
    rows = []
    for at, flip in enumerate(record["flips"]):
        told = flip.get("answer", flip)
        rows.append(
            (
                f"{visible(record['attribute'])} = {visible(flip['to'])}",
                ", ".join(map(visible, flip["proxies"])) or "none",
                answers.in_words(told["decided"]) + _plain_share(told, answer, at),
            )
        )
    return pd.DataFrame(rows, columns=["Instead", "Proxies changed with it", "Answer"])


def dependence(answer: Answer) -> pd.DataFrame:
    """How far each feature depends on the attribute in the data."""
    rows = [
        (visible(each["name"]), written(each["value"]), visible(each["measure"]))
        for each in answer.record["dependence"]
    ]
    return pd.DataFrame(rows, columns=["Feature", "Dependence", "Measured by"])


def _plain_share(told: Mapping[str, Any], answer: Answer, at: int) -> str:
    # A table escapes its cells itself.
    from html import unescape

    return unescape(answers.sure(told, answer.arrays, "", at))


def _feature(feature: Mapping[str, Any], word: str) -> Edit:
    name = str(feature["name"])
    choices = tuple(map(str, feature.get("choices", ())))
    said = ""
    if not choices:
        low, high = feature.get("seen") or (None, None)
        kind = "a whole number" if feature["kind"] == "integer" else "a number"
        said = f"{kind}; in the data from {written(low)} to {written(high)}" if low is not None else kind
    if not feature["mutable"]:
        said = "; ".join(filter(None, (said, "an attacker may not change it")))
    return Edit(name, visible(name), word, choices, said)
