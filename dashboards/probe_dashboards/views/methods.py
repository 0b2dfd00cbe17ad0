"""What is known of each method: from its own docstring and settings, read without loading torch."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from typing import Any

import pandas as pd

from probe import guests, registry, usual
from probe.audit import Bundle
from probe.catalogue import catalogue
from probe.conversion import Limits
from probe.declared import type_name
from probe.formatting import DASH, count, duration, words
from probe.method import Method
from probe.text import visible
from probe_dashboards.views.links import Link
from probe_dashboards.views.runs import Run
from probe_dashboards.views.words import md

FAMILIES = {
    "explainer": "Explainers",
    "attack": "Attacks",
    "metric": "Metrics",
    "certificate": "Certificates",
    "survey": "Surveys",
    "counterfactual": "Counterfactuals",
    "goal": "Goals of attacks",
}
MEASURED = {
    "Attribution": "explanations",
    "Perturbation": "attacked rows",
    "Prediction": "the answers to all rows",
    "Counterfactuals": "counterfactuals",
    "Certification": "certificates",
}
NEEDS = {
    "gradients": "gradients of the model",
    "layers": "the layers of the network",
    "reference": "a reference: what an absent feature looks like",
    "attention": "attention layers",
    "training data": "rows that the model was trained on",
}
LIMITS = {
    "explainer": "It describes what the model computes, not causes in the world; methods may disagree.",
    "attack": "That it finds nothing does not show that there is nothing: a stronger attack may.",
    "metric": "It is one number over these rows, and says nothing of single ones.",
    "certificate": "It proves nothing about larger changes, nor about those that its radius does not measure.",
    "survey": "It describes this model on these rows, not causes in the world.",
    "counterfactual": "What it finds is one way to another answer; there may be nearer ones.",
    "goal": "It says what an attack aims for, not whether it can be reached.",
}
# The families of the methods that a page of an audit names; on others they may be any.
NAMED: Mapping[str, tuple[str, ...]] = {
    "performance": ("metric",),
    "explanations": ("explainer", "metric"),
    "instance": ("explainer", "attack"),
    "counterfactuals": ("counterfactual",),
    "robustness": ("attack",),
    "certificates": ("certificate",),
    "surveys": ("survey",),
}
NAMELESS = ("rows", "bias")  # pages that name none
ARXIV = re.compile(r"arXiv:(\d{4}\.\d{4,5})")
PAPER = re.compile(
    r"\(((?:after )?[^()]*?(?:arXiv:\d{4}\.\d{4,5}|[A-Z][a-z]+ (?:et al\.|and [A-Z][a-z]+)? ?(?:19|20)\d\d)[^()]*)\)"
)
RANGE = re.compile(r"(?:with)?in \[[^\]]+\]|from -?[\d.]+ to [\d.]+|at most [\d.]+|at least [\d.]+")
DIRECTION = re.compile(r"(higher|lower) is (?:better|surer)")
NO_COST = {"seed", "eps", "target", "bins"}  # whole numbers that ask for no further passes


@dataclass(frozen=True)
class Entry:
    """A method as the page shows it; every text is foreign where the method is."""

    name: str
    title: str
    family: str
    brought: bool  # by another package than probe
    summary: str
    paragraphs: tuple[str, ...]  # how it works, and what it does not do
    refuses: tuple[str, ...]  # when, as its docstring says
    sources: tuple[str, ...]
    direction: str
    range: str
    needs: tuple[str, ...]
    measures: str
    reads: str  # what the sign of a value says
    cost: str
    usual: str  # how an audit uses it unless told otherwise
    settings: tuple[tuple[str, str, str, str, str], ...]  # name, type, default, range, help


def entries() -> dict[str, Entry]:
    """Every method there is by name, by family and in the order of the alphabet."""
    found: dict[str, Entry] = {}
    guest = bool(guests.named())
    for family in (*FAMILIES, *(family for family in registry.KINDS if family not in FAMILIES)):
        own = _own(family) if guest else None
        for name, kind in registry.listed(family).items():
            found[name] = _entry(name, kind, family, brought=own is not None and name not in own)
    return found


def chosen(known: Mapping[str, Entry], family: str = "", text: str = "") -> list[Entry]:
    """The entries of a family, or of all, in which every word of a text stands."""
    wanted = text.lower().split()
    return [
        entry
        for entry in known.values()
        if family in ("", entry.family)
        and all(
            word in f"{entry.name} {entry.title} {entry.summary} {' '.join(entry.sources)}".lower() for word in wanted
        )
    ]


def family(name: str) -> str:
    """The title of a family."""
    return FAMILIES.get(name, visible(words(name)).capitalize())


def named(bundle: Bundle, page: str) -> list[str]:
    """The methods and metrics that a page of an audit names, whether or not they are installed here.

    A metric that the plan has for other tasks is none of them.
    """
    if page in NAMELESS:
        return []
    steps = bundle.manifest.steps
    taken = [reading for step in steps for reading in step.readings if reading.status != "not asked"]
    found = [(step.kind, step.method) for step in steps] + [("metric", reading.settings) for reading in taken]
    told = [str(config["method"]) for kind, config in found if "method" in config and kind in NAMED.get(page, (kind,))]
    return list(dict.fromkeys(told))


def used(bundle: Bundle, known: Mapping[str, Entry], page: str) -> dict[str, str]:
    """Those of them that have an entry: names to titles."""
    return {name: known[name].title for name in named(bundle, page) if name in known}


def linked(source: str) -> str:
    """A source in Markdown, in which a paper of arXiv is a link."""
    found = ARXIV.search(source)
    before, number = (source[: found.start()], found[1]) if found else (source, "")
    after = source[found.end() :] if found else ""
    link = f"[arXiv:{number}](https://arxiv.org/abs/{number})" if number else ""
    return f"{md(before)}{link}{md(after)}"


def facts(entry: Entry) -> pd.DataFrame:
    """What is known of a method besides its settings, for a table that reads Markdown."""
    rows = {
        "Source": ", ".join(map(linked, entry.sources)),
        "Measures": md(entry.measures),
        "Better": md(entry.direction),
        "Range": md(entry.range),
        "A value says": md(entry.reads),
        "Needs": md(", ".join(entry.needs)),
        "Refuses": md(" ".join(entry.refuses)),
        "Cost": md(entry.cost),
        "In an audit": md(entry.usual),
        "Does not show": md(LIMITS.get(entry.family, "")),
        "Comes from": "another package than probe" if entry.brought else "",
    }
    return pd.DataFrame([(f"**{name}**", told) for name, told in rows.items() if told], columns=["Of", "Known"])


def settings(entry: Entry) -> pd.DataFrame:
    """The settings of a method."""
    return pd.DataFrame(entry.settings, columns=["Setting", "Takes", "Default", "Range", "Meaning"])


def costs(entry: Entry, runs: Sequence[Run], most: int = 3) -> list[str]:
    """What the method cost in audits of this folder, the newest first."""
    seen = [(run.title, run.costs[entry.name]) for run in runs if entry.name in run.costs]
    return [
        f"{title}: {count(forward)} examples forward, {count(backward)} backward, {duration(seconds)}"
        for title, (forward, backward, seconds) in seen[:most]
    ]


def listed(known: Sequence[Entry]) -> pd.DataFrame:
    """What each method does, whose name leads to the rest."""
    rows = [(Link(entry.title, f"methods?m={entry.name}"), entry.summary.replace("`", "")) for entry in known]
    return pd.DataFrame(rows, columns=["Method", "What it does"])


def table(known: Sequence[Entry]) -> pd.DataFrame:
    """A row for each method."""
    columns = ["name", "family", "does", "source", "better", "range", "needs", "cost", "in an audit"]
    rows = [
        (e.name, e.family, e.summary, "; ".join(e.sources), e.direction, e.range, ", ".join(e.needs), e.cost, e.usual)
        for e in known
    ]
    told = [
        "; ".join(f"{name} = {default} ({', '.join((kind, within))})" for name, kind, default, within, _ in e.settings)
        for e in known
    ]
    return pd.DataFrame(rows, columns=columns).assign(settings=told)


def command(entry: Entry) -> str:
    """How the method is asked on the command line."""
    kind = registry.KINDS.get(entry.family)
    asked = f"probe {kind.verb} adult-mlp --method {entry.name}\n" if kind and kind.verb else ""
    return f"{asked}probe methods"


def python(entry: Entry) -> str:
    """How the method is made in Python."""
    return f'from probe.registry import discover\n\ndiscover("{entry.family}")["{entry.name}"]()'


def _own(family: str) -> Mapping[str, Any] | None:
    """The methods of probe itself; None where only running its source could tell."""
    try:
        return catalogue(guests.source(registry.FAMILIES[family]), *registry.CONTRACTS)
    except Exception:  # a file is missing or computes something: then nothing is said of where methods come from
        return None


def _entry(name: str, kind: type[Method], family: str, *, brought: bool) -> Entry:
    told: Any = kind
    summary, paragraphs, refuses = _parsed(kind.__doc__ or "")
    whole = " ".join((summary, *paragraphs))
    better = {"higher": "higher is better", "lower": "lower is better"}.get(str(getattr(told, "better", "")), "")
    stated = DIRECTION.search(whole)
    needs = sorted(getattr(told, "needs", ()))
    return Entry(
        name=name,
        title=visible(kind.__name__ if family == "attack" else words(name)),
        family=family,
        brought=brought,
        summary=summary,
        paragraphs=paragraphs,
        refuses=refuses,
        sources=tuple(dict.fromkeys(match[1] for match in PAPER.finditer(whole))),
        direction=better if family == "metric" else stated[0] if stated else "",
        range=_range(whole, str(getattr(told, "unit", ""))) if family in ("metric", "survey") else "",
        needs=tuple(NEEDS.get(need, str(need)) for need in needs),
        measures=MEASURED.get(str(getattr(told, "measures", "")), ""),
        reads=str(getattr(told, "reads_as", "")).format(output="output") if family == "explainer" else "",
        cost=_cost(kind, family, needs),
        usual=_usual(name, told, family),
        settings=tuple(_settings(kind)),
    )


def _parsed(doc: str) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """The summary, the paragraphs after it, and when the method refuses, of a docstring."""
    summary, _, rest = doc.strip().partition("\n")
    body: list[str] = []
    refuses: tuple[str, ...] = ()
    for part in re.split(r"\n\s*\n", rest):
        text = " ".join(line.strip() for line in part.strip().splitlines())
        if not text or text.startswith((">>>", "Example:", "Settings:")):
            continue
        if text.startswith("Raises:"):
            said = [line.strip().partition(": ")[2] for line in part.strip().splitlines()[1:]]
            refuses = tuple(f"{line[:1].upper()}{line[1:]}" for line in said if line)
        else:
            body.append(text.partition(" >>>")[0])
    return summary.strip(), tuple(body), refuses


def _range(text: str, unit: str) -> str:
    found = RANGE.search(text)
    if found:
        return found[0].removeprefix("with")
    return "in [0, 1]" if unit == "share" else ""


def _cost(kind: type[Method], family: str, needs: Sequence[str]) -> str:
    """What the method asks of the model, and which settings make that more."""
    more = [f.name for f in fields(kind) if kind._hints.get(f.name) is int and f.name not in NO_COST]
    if family == "goal":
        return ""
    if family == "metric":
        answers = getattr(kind, "measures", "") in ("Prediction", "Certification")
        asks = "No further passes." if answers else "Few passes, or none." if not more else "Forward passes."
    else:
        asks = "Forward and backward passes." if "gradients" in needs else "Forward passes alone."
    return f"{asks} More with {', '.join(more)}." if more and asks else asks


def _usual(name: str, told: Any, family: str) -> str:
    forms = [form for form, names in usual.methods().items() if name in names]
    if family == "attack" and name in usual.without_gradients():
        return "Run unless the plan says otherwise on models without gradients, such as a forest or an ONNX file."
    if family in ("explainer", "attack"):
        return (
            f"Run unless the plan says otherwise on: {', '.join(forms)}." if forms else "Run where the plan names it."
        )
    if family == "metric":
        at = getattr(told, "threshold", None)
        sign = "at least" if getattr(told, "better", "higher") == "higher" else "at most"
        held = f", and compared with the threshold {sign} {at:g} unless the plan says another" if at is not None else ""
        return (
            f"Taken unless the plan says otherwise{held}."
            if name in usual.metrics()
            else f"Taken where the plan names it{held}."
        )
    return "" if family == "goal" else "Run where the plan names it."


def _settings(kind: type[Method]) -> Iterator[tuple[str, str, str, str, str]]:
    for f in fields(kind):
        limits = f.metadata.get("limits", Limits())
        default = "must be given" if f.default is MISSING else _default(f.default)
        yield f.name, _takes(kind._hints.get(f.name)), default, _within(limits), f.metadata.get("help", "")


def _default(value: Any) -> str:
    return words(value.name()) if isinstance(value, Method) else "none" if value is None else visible(value)


def _takes(hint: Any) -> str:
    told = re.sub(r"Literal\[(.*)\]", r"\1", type_name(hint)).replace("'", "").replace("Method", "a method")
    names = {"int": "whole number", "float": "number", "str": "text", "bool": "true or false"}
    return (
        re.sub(r"\b(int|float|str|bool)\b", lambda match: names[match[0]], told)
        .replace("None", "none")
        .replace(" | ", " or ")
    )


def _within(limits: Limits) -> str:
    told = ((limits.low, "at least"), (limits.above, "above"), (limits.high, "at most"), (limits.below, "below"))
    return (
        ", ".join(f"{word} {f'{at:,}' if isinstance(at, int) else f'{at:g}'}" for at, word in told if at is not None)
        or DASH
    )
