"""The results of certificates and surveys."""

import pandas as pd

from probe import formatting, plots
from probe.audit import Bundle, reading
from probe.audit.reading import Certified, Measurement, Proof
from probe.formatting import DASH
from probe.text import visible
from probe_dashboards import state
from probe_dashboards.views.panels import Panel
from probe_dashboards.views.words import unbroken

DRAWN = 30  # items in a figure; the table has all


def certificates(bundle: Bundle) -> dict[str, list[Certified]]:
    """The certificates, grouped by how they measure the radius: id to group."""
    found = [each for each in reading.certificates(bundle) if each.rows]
    axes = state.slugs(list(dict.fromkeys(each.axis for each in found)))
    return {slug: [each for each in found if each.axis == axis] for slug, axis in axes.items()}


def surveys(bundle: Bundle) -> dict[str, Proof]:
    """The surveys: id to what each found."""
    found = reading.surveys(bundle)
    slugs = state.slugs([each.step.removeprefix("survey-") for each in found])
    return dict(zip(slugs, found, strict=True))


def by_radius(found: list[Certified]) -> pd.DataFrame:
    """Certified accuracy at each radius and abstentions, as text."""
    radii = {row.eps: row.at for each in found for row in each.rows}
    lines = []
    for each in found:
        cells = {row.eps: unbroken(row.written) for row in each.rows}
        none = unbroken(each.abstentions.written) if each.abstentions else DASH
        counted = formatting.count(each.n)
        lines.append([visible(each.title), *(cells.get(eps, DASH) for eps in radii), none, counted])
    return pd.DataFrame(
        lines, columns=["Certificate", *(f"At {visible(at)}" for at in radii.values()), "Abstentions", "n"]
    )


def proved(found: list[Certified]) -> pd.DataFrame:
    """The guarantee of each certificate, its threshold and settings."""
    lines = [
        (
            visible(each.title),
            visible(each.caption),
            formatting.threshold(each.threshold, "at least", "share") or DASH,
            visible(each.settings) or DASH,
        )
        for each in found
    ]
    return pd.DataFrame(lines, columns=["Certificate", "Guarantee", "Threshold at each radius", "Settings"])


def curve(rows: list[Measurement]) -> pd.DataFrame:
    """The numbers of a curve or of intervals; NaN where there is none."""
    return pd.DataFrame(
        [(row.eps, visible(row.item), row.value, row.low, row.high, row.n) for row in rows],
        columns=["eps", "item", "value", "low", "high", "n"],
    ).astype(dict.fromkeys(("eps", "value", "low", "high"), float))


def drawn(found: list[Certified]) -> dict[str, plots.Curve]:
    """The curves of certificates by name, to be drawn."""
    numbers = {each.title: curve(list(each.rows)) for each in found}
    return {
        title: plots.Curve(each["eps"], each["value"], each["low"], each["high"]) for title, each in numbers.items()
    }


def items(found: Proof) -> pd.DataFrame:
    """The result of a survey for each item, as text."""
    lines = [(visible(row.item), unbroken(row.written), row.counted) for row in found.rows]
    names = (found.item, found.asks)
    heads = [visible(name[:1].upper() + name[1:]) for name in names]
    return pd.DataFrame(lines, columns=[heads[0], f"{heads[1]} [95 % interval]", "n"])


def said(found: Proof) -> str:
    """What a survey measures, on how many rows and with which settings."""
    which = "first" if found.along else "largest"
    left = len(found.rows) > DRAWN and not found.places and found.table is None
    some = f" The {DRAWN} {which} of {len(found.rows)} are drawn." if left else ""
    told = f"{found.asks[:1].upper()}{found.asks[1:]}, with 95 % intervals over {formatting.count(found.n)} rows.{some}"
    return " ".join(filter(None, (told, found.caption, found.settings and f"Settings: {found.settings}.")))


def certified_panel(bundle: Bundle, axis: str) -> Panel:
    """What stands behind the certificates of one kind of radius."""
    lines = [
        (each.title, row.eps, row.value, row.low, row.high, row.n)
        for each in certificates(bundle)[axis]
        for row in each.rows
    ]
    return Panel(
        f"certified-{axis}",
        "Certified accuracy by radius",
        pd.DataFrame(lines, columns=["certificate", "eps", "value", "low", "high", "n"]),
        "that rows without a certificate can be flipped: nothing is proved about them.",
        "reading.certificates(bundle)",
    )


def survey_panel(bundle: Bundle, slug: str) -> Panel:
    """What stands behind a survey."""
    found = surveys(bundle)[slug]
    lines = [(row.item, row.value, row.low, row.high, row.n) for row in found.rows]
    return Panel(
        f"survey-{slug}",
        found.title[:1].upper() + found.title[1:],
        pd.DataFrame(lines, columns=["item", "value", "low", "high", "n"]),
        "single rows: a survey is an average over all of them.",
        f"reading.measured(bundle, step={found.step!r})",
    )


def why_none(bundle: Bundle, kind: str) -> str:
    """Why a kind of step has no results, as a sentence; empty where all of its steps ran."""
    notes = dict.fromkeys(visible(missing.note) for missing in reading.unmade(bundle, kind))
    return f"{'; '.join(notes)}." if notes else ""
