"""A threshold for each group: its rates, the decisions that it changes, and what it costs."""

from collections.abc import Mapping

import pandas as pd

from probe.audit import Bundle, reading
from probe.formatting import count, estimate, share
from probe.text import visible
from probe_dashboards.views import bias
from probe_dashboards.views.panels import Panel
from probe_dashboards.views.words import NO_BREAK, unbroken

MOST = 12  # groups that have a slider of their own; the others keep the audited threshold


def sliders(bundle: Bundle, attribute: str) -> dict[str, str]:
    """The groups whose threshold can be moved, the largest first: id to name."""
    sizes = {row["group"]: row["n"] for row in reading.groups(bundle, bias.attributes(bundle)[attribute])}
    found = bias.members(bundle, attribute)
    return {group: visible(found[group]) for group in sorted(found, key=lambda id_: -sizes[found[id_]])[:MOST]}


def key(attribute: str, group: str) -> str:
    """The name of a group's threshold in an address."""
    return f"at-{attribute}-{group}"


def written(thresholds: Mapping[str, str], audited: str) -> str:
    """Thresholds of groups, by their ids, as `bias.asked` reads them; empty where none is moved."""
    return ";".join(f"{group}={at}" for group, at in thresholds.items() if at != audited)


def table(bundle: Bundle, attribute: str, rate: str, threshold: str) -> pd.DataFrame:
    """Each group with its threshold, the rate as audited and at that threshold, and the decisions that change."""
    audited, own = bias.thresholds(bundle, attribute)[1], bias.attributes(bundle)[attribute]
    tried = _tried(bundle, attribute, threshold)
    before = reading.rates(bundle, own, rate)
    after = reading.recut(bundle, own, tried).rates(rate) if tried else before
    changed = reading.price(bundle, own, tried).changed
    label = reading.compared_by(bundle)[rate].label
    lines = [
        (
            visible(was.group),
            f"{tried.get(was.group, float(audited)):g}",
            unbroken(was.written),
            unbroken(now.written),
            count(changed[was.group]),
            "too few rows to compare" if was.small else "",
        )
        for was, now in zip(before, after, strict=True)
    ]
    names = ["Group", "Threshold", f"{label} as audited", f"{label} now", "Decisions changed", "Note"]
    found = pd.DataFrame(lines, columns=names)
    return found if found["Note"].any() else found.drop(columns="Note")


def cost(bundle: Bundle, attribute: str, threshold: str) -> str:
    """What the thresholds cost in accuracy, as a sentence."""
    own = bias.attributes(bundle)[attribute]
    return _cost(reading.price(bundle, own, bias.asked(bundle, attribute, threshold)))


def equal(bundle: Bundle, attribute: str, rate: str) -> tuple[dict[str, str], str]:
    """The thresholds that would bring a rate together, by the groups' ids, and what they would do, in words."""
    own, label = bias.attributes(bundle)[attribute], reading.compared_by(bundle)[rate].label.lower()
    found = reading.equalised(bundle, own, rate)
    ids = {name: group for group, name in bias.members(bundle, attribute).items()}
    small = f" Too small, so as audited: {visible(', '.join(found.small))}." if found.small else ""
    if len(found.thresholds) < 2:
        few = bias.smallest(bundle)
        return {}, f"Fewer than two groups have the {few} rows behind the {label} that a comparison needs.{small}"
    where = ", ".join(f"{visible(name)} from {at:g}" for name, at in found.thresholds.items())
    met = "as near as one row of the smallest of these groups" if found.gap <= found.within else "no nearer than that"
    said = (
        f"To bring the {label} of the groups together: {where}. Its gap would be {_share(found.gap)} instead of "
        f"{_share(found.audited)}, {met}. {_cost(reading.price(bundle, own, found.thresholds))}{small}"
    )
    return {
        ids[name]: f"{at:g}" for name, at in found.thresholds.items() if ids[name] in sliders(bundle, attribute)
    }, said


def panel(bundle: Bundle, attribute: str, rate: str, threshold: str) -> Panel:
    """What stands behind the thresholds of the groups."""
    own, tried = bias.attributes(bundle)[attribute], _tried(bundle, attribute, threshold)
    return Panel(
        "by-group",
        "A threshold for each group",
        lambda: table(bundle, attribute, rate, threshold),
        "whether a decision may depend on a person's group, which laws on equal treatment often forbid; nor what would "
        "come of it for others: thresholds chosen on these rows look better on them than they are.",
        f"reading.equalised(bundle, {own!r}, {rate!r}), reading.price(bundle, {own!r}, {tried!r})",
    )


def _tried(bundle: Bundle, attribute: str, threshold: str) -> dict[str, float]:
    found = bias.asked(bundle, attribute, threshold) if threshold else {}
    return found if isinstance(found, dict) else {}


def _cost(found: reading.Price) -> str:
    gap = estimate(*found.difference[:3], "points")
    total = sum(found.changed.values())
    changed = f"{count(total)} decision{'s' if total != 1 else ''} would change"
    accuracy = f"Accuracy {_share(found.accuracy)} instead of {_share(found.audited)}"
    return f"{accuracy}, a difference of {unbroken(gap)}; {changed}."


def _share(value: float) -> str:
    return share(value).replace(" ", NO_BREAK)
