"""What can be edited of an input, and what an edit did to the answer."""

from collections.abc import Mapping, Sequence
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


def changes(differences: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Each feature that differs, before and after."""
    rows = [(visible(each["name"]), visible(each["before"]), visible(each["after"])) for each in differences]
    return pd.DataFrame(rows, columns=["Feature", "Before", "After"])


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
    return inputs.example(drawn, answer, answer.arrays["edited"], answer.record["words"])


def protected(described: Mapping[str, Any]) -> dict[str, str]:
    """The groups of the data that are features of the model too."""
    names = {str(feature["name"]) for feature in described["features"]}
    return {name: visible(name) for name in described["data"]["groups"] if name in names}


def flips(answer: Answer) -> pd.DataFrame:
    """What the model answers with each other value of the attribute, without and with its proxies."""
    record = answer.record
    rows = []
    for at, flip in enumerate(record["flips"]):
        proxies = {visible(name) for name in flip["proxies"]}
        changed = [each for each in flip["changed"] if visible(each["name"]) in proxies]
        rows.append(
            (
                f"{visible(record['attribute'])} = {visible(flip['to'])}",
                _written(changed) or ("none of them differs" if proxies else "none"),
                answers.plainly(flip, answer.arrays, at),
            )
        )
    return pd.DataFrame(rows, columns=["Instead", "Proxies changed with it", "Answer"])


def candidates(answer: Answer) -> pd.DataFrame:
    """Each counterfactual: whether it reached what was asked, the answer, and what is different."""
    rows = [
        (
            "yes" if each["reached"] else "no",
            answers.plainly(each, answer.arrays, at),
            written(each["distance"]),
            _written(each["differences"]) or (f"{each['changed']} features" if each["changed"] else "nothing"),
        )
        for at, each in enumerate(answer.record["candidates"])
    ]
    return pd.DataFrame(rows, columns=["Reached", "Answer", "Distance", "Changed"])


def dependence(answer: Answer) -> pd.DataFrame:
    """How far each feature depends on the attribute in the data."""
    rows = [
        (visible(each["name"]), written(each["value"]), visible(each["measure"]))
        for each in answer.record["dependence"]
    ]
    return pd.DataFrame(rows, columns=["Feature", "Dependence", "Measured by"])


def _written(differences: Sequence[Mapping[str, Any]]) -> str:
    return "; ".join(f"{visible(e['name'])}: {visible(e['before'])} → {visible(e['after'])}" for e in differences)


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
