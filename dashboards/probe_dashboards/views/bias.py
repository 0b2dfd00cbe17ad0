"""Whose outcomes differ, by how much, and how sure that is."""

from typing import Any

import pandas as pd

from probe.audit import Bundle, reading
from probe.audit.toml import to_toml
from probe.formatting import DASH, estimate, number
from probe.text import visible
from probe_dashboards import state
from probe_dashboards.views import panels
from probe_dashboards.views.once import once
from probe_dashboards.views.panels import Panel
from probe_dashboards.views.words import md, status, unbroken

DRAWN = 6  # groups whose curves are drawn


def titles(bundle: Bundle) -> dict[str, str]:
    """What is measured of each group: its rates, or for a regression its means."""
    return {name: rate.titled for name, rate in reading.compared_by(bundle).items()}


def present(bundle: Bundle) -> bool:
    """Whether the audit compared groups."""
    return bool(reading.attributes(bundle))


def remedy(bundle: Bundle) -> str:
    """What a plan says so that groups are compared: which they are, or, where they are known, which answer is good."""
    manifest = bundle.manifest
    if manifest.data.groups and not manifest.plan.bias.positive and len(manifest.model.classes) > 2:
        return to_toml({"bias": {"positive": visible(manifest.model.classes[0])}}).strip()
    return '[data]\ngroups = ["sex", "race"]'


def attributes(bundle: Bundle) -> dict[str, str]:
    """The attributes and their intersections: id to name."""
    return state.slugs(reading.attributes(bundle))


def favourable(bundle: Bundle) -> tuple[str, str]:
    """The favourable outcome, and a warning where the plan does not name one."""
    name, assumed = reading.favourable(bundle.manifest)
    return visible(name), f"This is {reading.ASSUMED}." if assumed else ""


def notice(bundle: Bundle, attribute: str) -> str:
    """How many rows name a group of an attribute, and what is odd about its groups."""
    return visible(reading.accounting(bundle, attributes(bundle)[attribute]))


def smallest(bundle: Bundle) -> int:
    """Groups with fewer rows behind a rate are reported apart."""
    return int(bundle.manifest.plan.bias.min_group_size)


def thresholds(bundle: Bundle, attribute: str) -> tuple[dict[str, str], str]:
    """The thresholds that can be tried, id to title, and the one that was audited; none where there is none to move."""
    known = reading.cut(bundle, attributes(bundle)[attribute])
    if known is None:
        return {}, ""
    audited = f"{known.audited:g}"
    tried = sorted({f"{at / 100:g}" for at in range(1, 100)} | {audited}, key=float)
    return {each: f"{each}, as audited" if each == audited else each for each in tried}, audited


def decided(bundle: Bundle, attribute: str) -> str:
    """What a threshold decides for."""
    known = reading.cut(bundle, attributes(bundle)[attribute])
    return visible(known.decided) if known else ""


@once
def rates(bundle: Bundle, attribute: str, rate: str, threshold: str = "") -> pd.DataFrame:
    """One rate of each group, with its interval, its number of rows, and whether they are too few to compare.

    As the audit found it, or at another threshold.
    """
    lines = [
        (visible(each.group), each.value, each.low, each.high, each.n, each.small)
        for each in _rates(bundle, attribute, rate, threshold)
    ]
    return pd.DataFrame(lines, columns=["group", "value", "low", "high", "n", "small"])


@once
def counts(bundle: Bundle, attribute: str, threshold: str = "") -> pd.DataFrame:
    """The confusion counts and the rates of each group, as text."""
    own = attributes(bundle)[attribute]
    found = _recut(bundle, attribute, threshold)
    groups = reading.groups(bundle, own) if found is None else found.rows
    columns: dict[str, list[Any]] = {
        "Group": [visible(row["group"]) for row in groups],
        "n": [int(row["n"]) for row in groups],
    }
    there = groups[0].keys() if groups else ()
    columns |= {name.upper(): [int(row[name]) for row in groups] for name in ("tn", "fp", "fn", "tp") if name in there}
    if "mean_label" in there:
        columns["Mean label"] = [number(row["mean_label"]) for row in groups]
    for name, rate in reading.compared_by(bundle).items():
        of = reading.rates(bundle, own, name) if found is None else found.rates(name)
        columns[rate.label] = [unbroken(each.written) for each in of]
    if "impact_ratio" in there:
        ratios = [[row[f"impact_ratio{end}"] for end in ("", "_low", "_high")] for row in groups]
        columns["Impact ratio"] = [unbroken(estimate(*ratio)) for ratio in ratios]
    if "auc" in there:
        columns["Area under ROC"] = [number(row["auc"]) for row in groups]
        columns["Calibration error"] = [number(row["calibration_error"], "points") for row in groups]
    return pd.DataFrame(columns)


@once
def ratios(bundle: Bundle, attribute: str, threshold: str = "") -> str:
    """What the impact ratios of an attribute are ratios to, as a sentence."""
    found = _recut(bundle, attribute, threshold)
    groups = reading.groups(bundle, attributes(bundle)[attribute]) if found is None else found.rows
    most = next((each for row in groups if isinstance(each := row.get("reference"), str)), "the most selected group")
    return (
        f"Impact ratio: selection rate divided by that of {visible(most)}; its interval is simultaneous, and holds for "
        "the ratio to the group that is truly selected most."
    )


@once
def disparities(bundle: Bundle, attribute: str, threshold: str = "") -> pd.DataFrame:
    """The gaps of an attribute, ready for a table that reads Markdown; at another threshold beside the audited ones."""
    found = _recut(bundle, attribute, threshold)
    audited = reading.gaps(bundle, attributes(bundle)[attribute])
    lines = [
        (
            status(gap.status),
            _described(gap),
            unbroken(gap.estimate),
            gap.threshold or DASH,
            gap.p,
            gap.would_fail,
            gap.n,
        )
        for gap in (audited if found is None else found.gaps)
    ]
    names = ["Status", "Gap", "Estimate [95 % interval]", "Threshold", "p", "Would have failed", "n"]
    frame = pd.DataFrame(lines, columns=names)
    if found is not None:
        frame.insert(3, "As audited", [unbroken(gap.estimate) for gap in audited])
    return frame


@once
def too_small(bundle: Bundle, attribute: str, threshold: str = "") -> list[str]:
    """For each group that has too few rows for some rate, which rates these are, in words."""
    lacking: dict[str, list[str]] = {}
    for name, rate in reading.compared_by(bundle).items():
        for each in _rates(bundle, attribute, name, threshold):
            if each.small:
                lacking.setdefault(visible(each.group), []).append(f"{rate.label} ({_counted(each.n, rate.of)})")
    return [f"{group} is too small for: {', '.join(told)}." for group, told in lacking.items()]


def _counted(n: int, what: str) -> str:
    return f"{n:,} {what.removesuffix('s') if n == 1 else what}"


@once
def separated(bundle: Bundle, attribute: str) -> dict[str, pd.DataFrame]:
    """The ROC curves of the groups of an attribute that have enough rows to compare, the largest groups first."""
    own = attributes(bundle)[attribute]
    known = {str(row["group"]): int(row["n"]) for row in reading.groups(bundle, own)}
    found = {name: each for name, each in reading.roc_by(bundle, own).items() if known.get(name, 0) >= smallest(bundle)}
    return {visible(name): found[name] for name in list(found)[:DRAWN]}


def separated_panel(bundle: Bundle, attribute: str) -> Panel:
    """What stands behind the ROC curves of groups."""

    def numbers() -> pd.DataFrame:
        parts = [each.assign(group=name) for name, each in separated(bundle, attribute).items()]
        return pd.concat(parts, ignore_index=True)[["group", "threshold", "fpr", "tpr"]]

    return Panel(
        "roc-by-group",
        "ROC curves by group",
        numbers,
        f"groups of fewer than {smallest(bundle)} rows, and more than the {DRAWN} largest. The areas under the curves "
        "are in the table of groups; where they differ by little, that may be chance.",
        f"reading.roc_by(bundle, {attributes(bundle)[attribute]!r})",
    )


@once
def small(bundle: Bundle, attribute: str) -> pd.DataFrame:
    """The groups with too few rows for a reliable rate, and what their rows show all the same."""
    found = reading.small_groups(bundle, attributes(bundle)[attribute])
    rows = [(visible(few.group), few.rate, few.n, few.status, visible(few.what)) for few in found]
    return pd.DataFrame(rows, columns=["Group", "Rate", "n", "Status", "What its rows show"])


def _described(gap: reading.Gap) -> str:
    """The gap; below it in small print, the pair with the widest gap and the groups left out."""
    beneath = "; not covered, too small: ".join(md(part) for part in (gap.between, gap.left_out) if part)
    return f"{md(gap.label)}  \n:small[:grey[{beneath}]]" if beneath else md(gap.label)


def behind(bundle: Bundle, attribute: str, rate: str, threshold: str = "") -> dict[str, Panel]:
    """What stands behind the panels of the page: the rates, the gaps and the counts of the groups."""
    own = attributes(bundle)[attribute]
    found = _recut(bundle, attribute, threshold)
    at = f"reading.recut(bundle, {own!r}, {asked(bundle, attribute, threshold)!r})" if found else ""
    measured = panels.replanned(bundle, "bias") if panels.has_source(bundle) else ""
    made = [
        (
            "rates",
            "Rates by group",
            lambda: rates(bundle, attribute, rate, threshold),
            "why groups differ. The rows of a group are a sample: the interval says how far the rate of others like "
            "them may be off, not whether the labels are right.",
            f"{at}.rates({rate!r})" if at else f"reading.rates(bundle, {own!r}, {rate!r})",
        ),
        (
            "gaps",
            "Gaps between groups",
            lambda: pd.DataFrame(
                [vars(gap) | {"estimate": str(gap.estimate)} for gap in _gaps(bundle, attribute, found)]
            ),
            "gaps by what the data do not name, nor that no gap means no harm: see what would have failed.",
            f"{at}.gaps" if at else f"reading.gaps(bundle, {own!r})",
        ),
        (
            "groups",
            "Counts by group",
            lambda: pd.DataFrame(reading.groups(bundle, own) if found is None else found.rows),
            "people who are not in the data, and rows that name no group.",
            f"{at}.groups" if at else f"reading.groups(bundle, {own!r})",
        ),
    ]
    return {part[0]: Panel(*part, command="" if at else measured) for part in made}


def _rates(bundle: Bundle, attribute: str, rate: str, threshold: str) -> list[reading.GroupRate]:
    found = _recut(bundle, attribute, threshold)
    return reading.rates(bundle, attributes(bundle)[attribute], rate) if found is None else found.rates(rate)


def _gaps(bundle: Bundle, attribute: str, found: reading.Recut | None) -> list[reading.Gap]:
    return reading.gaps(bundle, attributes(bundle)[attribute]) if found is None else found.gaps


def asked(bundle: Bundle, attribute: str, threshold: str) -> float | dict[str, float]:
    """The threshold that is tried, as a page writes it: one number, or `group=number` for each group, by their ids."""
    if "=" not in threshold:
        return float(threshold)
    known = members(bundle, attribute)
    pairs = (each.partition("=") for each in threshold.split(";"))
    return {known[group]: float(at) for group, _, at in pairs}


def members(bundle: Bundle, attribute: str) -> dict[str, str]:
    """The groups of an attribute: id to name."""
    return state.slugs([row["group"] for row in reading.groups(bundle, attributes(bundle)[attribute])])


def _recut(bundle: Bundle, attribute: str, threshold: str) -> reading.Recut | None:
    """The groups at another threshold; None at the audited one, whose numbers the bundle has."""
    if threshold in ("", thresholds(bundle, attribute)[1]):
        return None
    return reading.recut(bundle, attributes(bundle)[attribute], asked(bundle, attribute, threshold))
