"""A part of the rows that a reader names: how right the answers are there, against the rest."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from probe.audit import Bundle, reading
from probe.audit.reading.free import Bounds
from probe.formatting import count, estimate, p_value
from probe.text import visible
from probe_dashboards import state
from probe_dashboards.views import examples, instance, sliced
from probe_dashboards.views.examples import ANY
from probe_dashboards.views.links import Link, address
from probe_dashboards.views.panels import Panel
from probe_dashboards.views.words import unbroken

SLOTS = ("f1", "f2")  # conditions on features, as they begin in an address
DOUBT = 0.05


@dataclass(frozen=True)
class Named:
    """A part of the rows, by the names that the bundle has."""

    groups: Mapping[str, str] = field(default_factory=dict)
    features: Mapping[str, str | Bounds] = field(default_factory=dict)

    @property
    def written(self) -> str:
        """A text that is the same for the same part, by which it is counted."""
        return repr((sorted(self.groups.items()), sorted(self.features.items())))

    @property
    def asked(self) -> str:
        """The arguments that name it in Python."""
        features = f", {dict(self.features)!r}" if self.features else ""
        return f"{dict(self.groups)!r}{features}"


def features(bundle: Bundle) -> dict[str, str]:
    """The features that rows can be chosen by: id to name; none where they are places of words."""
    if instance.drawer(bundle).named_in_words:
        return {}
    return state.slugs(list(reading.asked_features(bundle)))


def values(bundle: Bundle, feature: str) -> dict[str, str]:
    """The values in words of a feature: id to name; empty of one that is a number."""
    known = reading.asked_features(bundle)[features(bundle)[feature]]
    return state.slugs(known) if not known or isinstance(known[0], str) else {}


def bounds(bundle: Bundle, feature: str) -> Bounds:
    """The least and the largest number of a feature among the explained rows."""
    low, high = reading.asked_features(bundle)[features(bundle)[feature]]
    return float(low), float(high)


def found(bundle: Bundle, one: str, named: Named) -> reading.Part:
    """How right the answers to a part are, and to the rest."""
    return reading.part(bundle, named.groups, named.features, sliced.name(bundle, one))


def table(bundle: Bundle, run: str, one: str, named: Named) -> pd.DataFrame:
    """The part and the rest; where only groups name it, its rows are a link away."""
    part, numbers = found(bundle, one, named), sliced.of_numbers(bundle)
    ids = {own: at for at, own in examples.attributes(bundle).items()}
    asked: dict[str, str] = {"of": "all"} | ({} if one == ANY else {"one": one})
    for attribute, group in named.groups.items():
        known = {name: at for at, name in examples.groups(bundle, ids[attribute]).items()}
        asked[f"in-{ids[attribute]}"] = known[group]
    lines: list[tuple[Any, ...]] = []
    for title, each in (("This slice", part.inside), ("All other rows", part.outside)):
        n: Any = count(each.n)
        if title == "This slice" and not named.features:
            n = Link(n, address("rows", run, asked))
        written = unbroken(estimate(*each[:3], "number" if numbers else "share"))
        lines.append((title, written if each.n else "no rows", n))
    value = f"{'Mean absolute error' if numbers else 'Accuracy'} [95 % interval]"
    return pd.DataFrame(lines, columns=["Rows in", value, "n"])


def said(bundle: Bundle, one: str, named: Named, looked: int) -> str:
    """The difference in words, and what it is worth after so many slices were looked at."""
    part = found(bundle, one, named)
    if not part.inside.n or not part.outside.n:
        return "There is nothing to compare: no row is in the slice." if not part.inside.n else "Every row is in it."
    unit: Any = "signed" if sliced.of_numbers(bundle) else "points"
    gap = unbroken(estimate(*part.difference[:3], unit))
    if part.p != part.p:
        return f"Difference {gap}. Too few rows for a test."
    once = f"Difference {gap}; p {_p(part.p)} of no difference."
    several = min(1.0, part.p * looked)
    if looked > 1:
        once += f" Corrected for the {looked} slices looked at here (Bonferroni): p {_p(several)}."
    few = bundle.manifest.plan.bias.min_group_size
    small = f" Fewer than {few} rows: too few to rely on." if min(part.inside.n, part.outside.n) < few else ""
    verdict = "may be chance" if several >= DOUBT else "is hard to explain by chance alone"
    return f"{once} It {verdict}.{small}"


def panel(bundle: Bundle, one: str, named: Named) -> Panel:
    """What stands behind the slice."""
    part, own = found(bundle, one, named), sliced.name(bundle, one)
    lines = [
        (title, each.n, each.value, each.low, each.high, p)
        for title, each, p in (
            ("slice", part.inside, None),
            ("rest", part.outside, None),
            ("difference", part.difference, part.p),
        )
    ]
    asked = named.asked + (f", name={own!r}" if own else "")
    return Panel(
        "free-slice",
        "A slice of your own",
        pd.DataFrame(lines, columns=["rows", "n", "value", "low", "high", "p"]),
        "why the slice differs. The correction knows of the slices that were looked at here since the page was opened, "
        "not of those in the table above or of other readers: a slice found by searching is a question for new data.",
        f"reading.part(bundle, {asked})",
    )


def kept_of(bundle: Bundle) -> str:
    """Among how many rows a condition on a feature chooses, in words."""
    rows = len(bundle.arrays("instances")["rows"])
    return visible(f"A condition on a feature chooses among the {count(rows)} explained rows: their inputs are kept.")


def _p(value: float) -> str:
    said = p_value(value)
    return said if said.startswith("<") else f"= {said}"
